"""Divide real data into two parts: halves of subjects, halves of volumes, or hemispheres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.hemispheres import homologues
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.imaging.signals import load_subject
from causal_ivae.provenance import digest_of, fingerprint
from causal_ivae.seeding import generator
from causal_ivae.settings import Pipeline

Comparison = Literal["subjects", "volumes", "hemispheres"]
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
PARTS: Mapping[str, tuple[str, str]] = {
    "subjects": ("one half", "other half"),
    "volumes": ("first half", "second half"),
    "hemispheres": ("left", "right"),
}


@dataclass(frozen=True)
class Study:
    """Describe which subjects every process reads, and how.

    Attributes
    ----------
    content : str
        As `content_of` returns it; tables that changed are read again.
    regions : tuple of str or None
        None for all that the tables have.
    window_seconds : float or None
        u is the subject and the window of so many s; None: the subject.
    """

    data: Path
    content: str
    regions: tuple[str, ...] | None
    window_seconds: float | None


@lru_cache(maxsize=1)
def load_study(study: Study) -> tuple[RegionSeries, ...]:
    """Return every subject with its segments.

    Returns
    -------
    tuple of RegionSeries
        All with the same regions in the same order; one segment each, or one per window.

    Raises
    ------
    InputError
        If a table cannot be read, or subjects have different regions.
    """
    tree: dict[str, Any] = {"segments": {"by": "subjects"}, "regions": study.regions}
    if study.window_seconds is not None:
        tree["segments"] = {"by": "windows", "window_seconds": study.window_seconds}
    pipeline = Pipeline.model_validate(tree)
    subjects: list[RegionSeries] = []
    for files in find_subjects(study.data):
        if files.kind != "tables":
            raise InputError(
                f"'{study.data}' holds images; give tables of region time series, such as those "
                "that 'causal-ivae run' writes."
            )
        series = load_subject(files, pipeline)
        if subjects and series.names != subjects[0].names:
            raise InputError(
                f"Subjects '{subjects[0].label}' and '{series.label}' have different regions; "
                "name common ones with --regions."
            )
        subjects.append(series)
    return tuple(subjects)


def content_of(data: Path) -> str:
    """Return a digest of the names and the content of all tables."""
    files = (run.path for subject in find_subjects(data) for run in subject.runs)
    return digest_of(*(f"{path.name} {fingerprint(path)}" for path in files))


def lacking(subjects: Sequence[RegionSeries], comparison: Comparison) -> str:
    """Return why a comparison cannot be made; empty if it can."""
    # Every part needs three segments, and a segment is at least one subject.
    if len(subjects) < (6 if comparison == "subjects" else 3):
        return f"{len(subjects)} subjects are too few"
    if comparison == "hemispheres" and len(homologues(subjects[0].names)) < 3:
        return "fewer than three regions have a counterpart on the other side by their names"
    return ""


def regions_of(
    subjects: Sequence[RegionSeries], comparison: str, part: str
) -> tuple[list[str], ...]:
    """Return the regions of a part, as they are called in the tables and in the comparison."""
    if comparison != "hemispheres":
        return list(subjects[0].names), list(subjects[0].names)
    found = homologues(subjects[0].names)
    return [left if part == "left" else right for _, left, right in found], [n for n, _, _ in found]


def pooled(
    subjects: Sequence[RegionSeries], comparison: str, part: str, split: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the values of a part of the data, its segments, and stretches without a gap.

    Parameters
    ----------
    split, seed : int
        Which subjects are in which half.

    Returns
    -------
    values : ndarray, shape (n_times, n_regions), float64
        Around zero in every subject; the differences of scale between subjects are kept.
    segments : ndarray, shape (n_times,), int64
    blocks : ndarray, shape (n_times,), int64
    """
    chosen: Sequence[RegionSeries] = subjects
    if comparison == "subjects":
        order = generator(seed, "split of subjects", split).permutation(len(subjects))
        half = len(subjects) // 2
        mine = order[:half] if part == PARTS["subjects"][0] else order[half:]
        chosen = [subjects[i] for i in sorted(mine)]
    values, segments, blocks = [], [], []
    n_segments = n_blocks = 0
    for series in chosen:
        kept = series.segments >= 0
        if comparison == "volumes":
            late = series.volumes >= np.array(series.n_volumes)[series.runs] / 2
            kept &= late == (part == PARTS["volumes"][1])
        own = series.in_units()[kept]
        values.append(own - own.mean(axis=0))
        segments.append(series.segments[kept] + n_segments)
        blocks.append(series.stretches[kept] + n_blocks)
        n_segments += int(series.segments.max()) + 1
        n_blocks += int(series.stretches.max()) + 1
    return np.concatenate(values), np.concatenate(segments), np.concatenate(blocks)
