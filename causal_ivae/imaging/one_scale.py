"""Give all runs of a subject one scale, and say where differences between runs mean nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.run_scales import divide_by_baselines, were_scaled_apart
from causal_ivae.settings import SegmentSettings

_OF_WHOLE_RUNS = ("runs", "sessions", "subjects")
"""Kinds of segments that are made of whole runs."""
_ONE_NUMBER = 1e-4
"""Standard deviations of all regions that differ by less, relatively, were made equal."""
_REMEDY = "Give series in the scanner's units or in percent signal change, or segment by windows."


@dataclass(frozen=True, eq=False)
class OneScale:
    """Hold the runs of a subject on one scale.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float64
        All runs in turn, with mean 0 in every run and standard deviation 1 over all runs.
    scale, percent
        As in `RegionSeries`.
    scaled_apart : bool
        True if every run was divided by its own standard deviation before.
    """

    values: NDArray[np.float64]
    scale: NDArray[np.float64]
    percent: NDArray[np.bool_]
    scaled_apart: bool


def on_one_scale(
    cleaned: Sequence[NDArray[np.float64]], raw: Sequence[NDArray[np.float64]]
) -> OneScale:
    """Join runs that were cleaned apart.

    Parameters
    ----------
    cleaned, raw : sequence of ndarray, each of shape (n_times, n_regions), float64
        Kept volumes after and before cleaning; NaN for regions that a run does not cover.
    """
    runs, percent = divide_by_baselines(cleaned, [run.mean(axis=0) for run in raw])
    values = np.concatenate(runs)
    scale = values.std(axis=0)
    apart = were_scaled_apart(raw) or all(
        # A single run shows by equal standard deviations of its regions that it was scaled.
        _regions_are_alike(run)
        for run in raw
    )
    return OneScale(values / scale, scale, percent, apart)


def pooled_on_one_scale(
    subjects: Sequence[RegionSeries],
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the values of all subjects in turn on one scale, and this scale.

    Raises
    ------
    InputError
        If the scale of a subject means nothing, or subjects have different units.
    """
    apart = [subject.label for subject in subjects if subject.scaled_apart]
    series = [subject.in_units() for subject in subjects]
    if apart or were_scaled_apart(series):
        whose = f"Subject '{apart[0]}'" if apart else "Every subject"
        raise InputError(
            f"{whose} was divided by its own standard deviation before, as z-scoring does, so that "
            "subjects cannot be compared with one another in one fit (segments.by: subjects, or "
            f"group.pooled). {_REMEDY}"
        )
    first = subjects[0]
    for other in subjects[1:]:
        odd = np.flatnonzero(_units(first) != _units(other))
        if len(odd):
            raise InputError(
                f"Subjects '{first.label}' and '{other.label}' cannot be pooled: only one of them "
                f"has a baseline of '{first.names[odd[0]]}', so that their units differ."
            )
    values = np.concatenate(series)
    scale = values.std(axis=0)
    return (values / scale).astype(np.float32), scale


def scale_caution(series: RegionSeries, settings: SegmentSettings) -> str:
    """Return what a reader must know of the scale of runs; empty if there is nothing.

    Raises
    ------
    InputError
        If segments are whole runs although the scale of runs means nothing.
    """
    between = settings.by if settings.by in _OF_WHOLE_RUNS else None
    if series.scaled_apart and between in ("runs", "sessions"):
        raise InputError(
            f"Subject '{series.label}': every region has the same standard deviation in every run, "
            f"as after z-scoring each run, so that {between} (segments.by) cannot be compared with "
            f"one another. {_REMEDY}"
        )
    if series.scaled_apart and between is None and len(series.run_names) > 1:
        return (
            "Every run was divided by its own standard deviation before, so that what differs "
            "between runs is lost: only windows of one run can be compared."
        )
    lacking = [name for name, p in zip(series.names, _units(series), strict=True) if not p]
    if between is None or not lacking or series.simulated or series.scaled_apart:
        return ""
    shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
    return (
        f"Segments are {between}, but {shown} have no baseline (their mean is near zero), so that "
        "the files alone say how large a signal is. If their unit differs from run to run, "
        "directions may be reversed: use this only for series in one unit, such as percent signal "
        "change."
    )


def _regions_are_alike(run: NDArray[np.float64]) -> bool:
    spreads = run[:, ~np.isnan(run).any(axis=0)].std(axis=0)
    return len(spreads) > 1 and bool(np.ptp(spreads) < _ONE_NUMBER * spreads.max())


def _units(series: RegionSeries) -> NDArray[np.bool_]:
    """Return for which regions the unit is percent signal change."""
    if series.percent is None:
        return np.zeros(len(series.names), dtype=bool)
    return series.percent
