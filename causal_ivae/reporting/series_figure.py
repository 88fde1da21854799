"""Draw the quality of a subject's series: motion, segments, a carpet plot, spectra and coverage."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.signal import welch

from causal_ivae.drawing.svg import (
    BLUE,
    INK,
    RED,
    Drawing,
    ShownFigure,
    figure_style,
    new_figure,
    shorten,
)
from causal_ivae.drawing.text_width import FONT, text_width

_MOST_NAMED = 40
"""Up to this many regions have their names beside the carpet."""
_MOST_POINTS = 1000
"""A line has at most this many points."""
_CENSORED = "#f3b8a5"
_SHADES = ("#7fa9d3", "#c9d3de", "#f0bf6b", "#8cc78c", "#b79fd0", "#e88f8f", "#86cfcf", "#c6c67a")
_WINDOW = 128
"""Spectra are averages over windows of this many volumes, or as long as the longest stretch."""
_WIDTH, _TOP, _BOTTOM, _GAP = 691.0, 20.0, 34.0, 8.0
"""Sizes in points; the layout is computed here, since Matplotlib's own takes a second."""
_FD, _STRIP = 52.0, 9.0


def series_figure(
    timeseries: pd.DataFrame,
    outliers: pd.DataFrame | None,
    tr: float | None,
    fd_threshold: float | None,
    figure_name: str,
    coverage: Mapping[str, float] = MappingProxyType({}),
) -> Drawing:
    """Draw the series of all regions as a carpet, and beside it what tells of their quality.

    Parameters
    ----------
    timeseries : pandas.DataFrame, shape (n_times, n_regions)
        Kept volumes, standardised over all runs.
    outliers : pandas.DataFrame or None
        One row per acquired volume: ``run``, ``volume``, ``kept``, ``segment``,
        ``framewise_displacement`` (mm).  If it is None or has another number of kept volumes, the
        kept volumes are drawn one after the other.
    tr : float or None
        Repetition time (s); None draws volumes instead of minutes.
    fd_threshold : float or None
        Framewise displacement (mm) above which volumes were censored.
    figure_name : str
        Name that is unique on the page.
    coverage : mapping of str to float
        Share of each region's voxels that the images cover; empty where it is not known.
    """
    volumes = _acquired(outliers, len(timeseries))
    kept = volumes["kept"].to_numpy(dtype=bool)
    values: NDArray[np.float64] = np.full((len(volumes), timeseries.shape[1]), np.nan)
    values[kept] = timeseries.to_numpy(dtype=float)
    time: NDArray[np.float64] = np.arange(len(volumes)) * np.float64(tr / 60 if tr else 1.0)
    names = [str(name) for name in timeseries.columns]
    motion = pd.to_numeric(volumes["framewise_displacement"]).to_numpy(dtype=float)
    with_motion = bool(np.isfinite(motion).any())
    shares = [coverage.get(name, np.nan) for name in names] if coverage else []
    with figure_style(figure_name):
        boxes = _boxes(names, with_motion=with_motion, with_coverage=bool(shares))
        figure = boxes.figure
        carpet = boxes.carpet
        _carpet(carpet, time, values, names)
        panels = [carpet, boxes.strip]
        if boxes.motion is not None:
            panels.append(boxes.motion)
            _motion(boxes.motion, time, motion, kept, fd_threshold)
        _segments(boxes.strip, time, volumes)
        _mark_runs(panels, panels[-1], time, volumes)
        for axes in panels:
            axes.set_xlim(time[0], time[-1] + _step(time))
        carpet.set_xlabel("time as acquired (min)" if tr else "volume as acquired")
        _spectra(boxes.spectra, values, volumes, tr)
        if boxes.coverage is not None:
            _coverage(boxes.coverage, shares)
        label = (
            f"Carpet plot of {len(names)} regions, {int(kept.sum())} of {len(kept)} volumes kept, "
            "with segments above it and the spectrum of every region beside it."
        )
        return Drawing(figure, figure_name, label)


class _Boxes:
    """Hold the axes of the figure; those of what is not known are None."""

    def __init__(self, names: Sequence[str], *, with_motion: bool, with_coverage: bool) -> None:
        named = len(names) <= _MOST_NAMED
        shown = [shorten(name) for name in names] if named else []
        left = 16.0 + (max(map(text_width, shown), default=0.0) * 7.5 / FONT if named else 8.0)
        left = max(left, 52.0)
        row = 13.0 if named else 380.0 / len(names)
        body = max(row * len(names), 60.0)
        above = _STRIP + 3.0 + (_FD + 6.0 if with_motion else 0.0)
        height = _TOP + above + body + _BOTTOM
        bars = 58.0 if with_coverage else 0.0
        beside = 116.0 + bars
        width = _WIDTH - left - beside - 3 * _GAP
        self.figure: ShownFigure = new_figure(_WIDTH / 72, height / 72, placed=True)

        def axes(x: float, y: float, wide: float, high: float) -> Axes:
            place = (x / _WIDTH, y / height, wide / _WIDTH, high / height)
            made: Axes = self.figure.add_axes(place)
            return made

        self.carpet = axes(left, _BOTTOM, width, body)
        self.strip = axes(left, _BOTTOM + body + 3.0, width, _STRIP)
        self.motion = axes(left, _BOTTOM + body + _STRIP + 9.0, width, _FD) if with_motion else None
        self.spectra = axes(left + width + _GAP, _BOTTOM, 116.0 - _GAP, body)
        self.coverage = (
            axes(left + width + 116.0 + 2 * _GAP, _BOTTOM, bars - _GAP, body)
            if with_coverage
            else None
        )


_boxes = _Boxes


def _acquired(outliers: pd.DataFrame | None, n_times: int) -> pd.DataFrame:
    if outliers is not None and int(outliers["kept"].sum()) == n_times:
        return outliers
    return pd.DataFrame(
        {
            "run": "",
            "volume": np.arange(n_times),
            "kept": 1,
            "segment": "",
            "framewise_displacement": np.nan,
        }
    )


def _step(time: NDArray[np.float64]) -> float:
    return float(time[1] - time[0]) if len(time) > 1 else 1.0


def _envelope(
    time: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reduce a long series to the minimum and maximum of every bin, which keeps its outline."""
    if len(values) <= _MOST_POINTS:
        return time, values
    bins = np.linspace(0, len(values), _MOST_POINTS // 2, endpoint=False).astype(int)
    low = np.fmin.reduceat(values, bins)
    high = np.fmax.reduceat(values, bins)
    return np.repeat(time[bins], 2), np.column_stack([low, high]).ravel()


def _carpet(
    axes: Axes, time: NDArray[np.float64], values: NDArray[np.float64], names: Sequence[str]
) -> None:
    axes.imshow(
        np.ma.masked_invalid(values.T), aspect="auto", cmap="gray", vmin=-2, vmax=2,
        interpolation="nearest", extent=(time[0], time[-1] + _step(time), len(names), 0),
    )  # fmt: skip
    axes.set_facecolor(_CENSORED)
    axes.tick_params(axis="y", length=0)
    if len(names) <= _MOST_NAMED:
        axes.set_yticks(np.arange(len(names)) + 0.5, [shorten(name) for name in names])
    else:
        axes.set_yticks([])
        axes.set_ylabel("region, in the order of the table")


def _segments(axes: Axes, time: NDArray[np.float64], volumes: pd.DataFrame) -> None:
    """Draw the segment of every volume as a colour; one that returns keeps its colour."""
    segment = volumes["segment"].fillna("").astype(str)
    key = volumes["run"].astype(str) + "\0" + segment
    starts = np.flatnonzero(np.r_[True, key.to_numpy()[1:] != key.to_numpy()[:-1]])
    stops = np.r_[starts[1:], len(key)]
    inside = [(i, j) for i, j in zip(starts, stops, strict=True) if segment.iloc[i]]
    shown = [segment.iloc[i] for i, _ in inside]
    number = {name: k for k, name in enumerate(dict.fromkeys(shown))}
    # Segments that return, such as task blocks and hidden states, need distinct colours.
    left = [one for one, other in pairwise(shown) if one != other]
    colors = _SHADES if len(left) >= len(number) else _SHADES[:2]
    for shade, color in enumerate(colors):
        bars = [
            (time[i], (j - i) * _step(time))
            for (i, j), name in zip(inside, shown, strict=True)
            if number[name] % len(colors) == shade
        ]
        axes.broken_barh(bars, (0, 1), facecolors=color, lw=0)
    axes.set(ylim=(0, 1), xticks=[], yticks=[0.5])
    axes.set_yticklabels(["segment"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _mark_runs(
    panels: Sequence[Axes], named: Axes, time: NDArray[np.float64], volumes: pd.DataFrame
) -> None:
    runs = volumes["run"].astype(str).to_numpy()
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]])
    if len(starts) < 2:
        return
    names = _told_apart([str(runs[start]) for start in starts])
    wide = named.get_position().width * _WIDTH / len(time)
    for start, stop, name in zip(starts, [*starts[1:], len(time)], names, strict=True):
        for axes in panels:
            axes.axvline(time[start], color=INK, lw=0.9)
        if text_width(name) * 7 / FONT < (stop - start) * wide:
            named.annotate(
                name, (time[start], 1.0), xycoords=("data", "axes fraction"),
                xytext=(2, 2), textcoords="offset points", fontsize=7,
            )  # fmt: skip


def _told_apart(runs: Sequence[str]) -> list[str]:
    """Return the names of runs without the entities that all of them have."""
    parts = [name.split("_") for name in runs]
    shared = set[str](parts[0]).intersection(*parts[1:])
    return [
        "_".join(part for part in own if part not in shared) or name
        for own, name in zip(parts, runs, strict=True)
    ]


def _motion(
    axes: Axes,
    time: NDArray[np.float64],
    motion: NDArray[np.float64],
    kept: NDArray[np.bool_],
    threshold: float | None,
) -> None:
    edges = np.flatnonzero(np.diff(np.r_[0, (~kept).astype(int), 0]))
    bars = [(time[i], (j - i) * _step(time)) for i, j in zip(edges[::2], edges[1::2], strict=True)]
    high = max(1.1 * float(np.nanmax(motion)), 2 * (threshold or 0.0))
    axes.broken_barh(bars, (0, high), facecolors=_CENSORED, lw=0, zorder=0)
    axes.plot(*_envelope(time, motion), color=INK, lw=0.6)
    if threshold:
        axes.axhline(threshold, color=RED, lw=0.8, dashes=(4, 2))
    axes.set_ylabel("FD (mm)")
    axes.set(ylim=(0, high), xticks=[])


def _spectra(
    axes: Axes, values: NDArray[np.float64], volumes: pd.DataFrame, tr: float | None
) -> None:
    """Draw the power of every region against frequency, on one scale of decibels."""
    frequencies, power = spectra(values, volumes["run"].astype(str).to_numpy(), tr)
    axes.set(yticks=[])
    axes.set_title("power (dB)", loc="left", fontsize=7.5)
    axes.set_xlabel("Hz" if tr else "cycles per volume")
    if not len(frequencies):
        return
    decibel = 10 * np.log10(np.maximum(power, 1e-12))
    low, high = np.quantile(decibel, [0.02, 1.0])
    mesh = axes.imshow(
        decibel, aspect="auto", cmap="cividis", vmin=low, vmax=high, interpolation="nearest",
        extent=(frequencies[0], frequencies[-1], len(decibel), 0),
    )  # fmt: skip
    ends = [0.0, float(frequencies[-1]) / 2, float(frequencies[-1])]
    axes.set_xticks(ends, [f"{end:.2g}" for end in ends])
    place = axes.get_position()
    bar = axes.figure.add_axes(
        (place.x0 + 0.64 * place.width, place.y1 + 0.006, 0.3 * place.width, 0.008)
    )
    axes.figure.colorbar(mesh, cax=bar, orientation="horizontal").outline.set_visible(False)
    bar.xaxis.set_ticks_position("top")
    bar.set_xticks([low, high], [f"{low:.0f}", f"{high:.0f}"])
    bar.tick_params(length=0, pad=1, labelsize=6.5)


def spectra(
    values: NDArray[np.float64], runs: NDArray[np.object_], tr: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate the spectra of regions by Welch's method, over stretches without a gap.

    Parameters
    ----------
    values : ndarray, shape (n_volumes, n_regions)
        NaN in volumes that were left out.
    runs : ndarray of str, shape (n_volumes,)
    tr : float or None
        Repetition time (s); None counts frequencies per volume.

    Returns
    -------
    frequencies : ndarray, shape (n_frequencies,)
        In Hz, or cycles per volume; empty where no stretch has eight volumes.
    power : ndarray, shape (n_regions, n_frequencies)
        Power density of the standardised series (per Hz).
    """
    there = np.asarray(np.isfinite(values).all(axis=1))
    new = np.r_[True, (runs[1:] != runs[:-1]) | (there[1:] != there[:-1])]
    stretches = [
        part for part in np.split(np.arange(len(values)), np.flatnonzero(new)[1:]) if there[part[0]]
    ]
    longest = max(map(len, stretches), default=0)
    window = min(_WINDOW, longest)
    if window < 8:
        return np.empty(0), np.empty((values.shape[1], 0))
    total, weight = np.zeros(1), 0
    frequencies = np.empty(0)
    for part in stretches:
        if len(part) >= window:
            frequencies, power = welch(
                values[part], fs=1 / tr if tr else 1.0, nperseg=window, axis=0
            )
            total = total + len(part) * power.T
            weight += len(part)
    return frequencies, total / weight


def _coverage(axes: Axes, shares: Sequence[float]) -> None:
    rows = np.arange(len(shares)) + 0.5
    axes.barh(rows, [100 * share for share in shares], height=0.7, color=BLUE, lw=0)
    axes.set(xlim=(0, 100), ylim=(len(shares), 0), yticks=[], xticks=[0, 100])
    axes.set_title("coverage", loc="left", fontsize=7.5)
    axes.set_xlabel("%")
