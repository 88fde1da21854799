"""Draw the time series of the regions, with segments, runs and head motion."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from causal_ivae.drawing.svg import (
    INK,
    RED,
    Drawing,
    figure_style,
    new_figure,
    shorten,
)

_MOST_LINES = 24
"""Up to this many regions are drawn as lines, more as a carpet plot."""
_MOST_POINTS = 1600
"""A line has at most this many points."""
_SHADES = ("#dbe7f3", "#f1f5f9", "#fdebd0", "#dcefdc", "#eadff2", "#f9dcdc", "#d6f0f0", "#eeeecb")


def series_figure(
    timeseries: pd.DataFrame,
    outliers: pd.DataFrame | None,
    tr: float | None,
    fd_threshold: float | None,
    figure_name: str,
) -> Drawing:
    """Draw region time series with their segments, and below them censoring and head motion.

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
    """
    volumes = _acquired(outliers, len(timeseries))
    kept = volumes["kept"].to_numpy(dtype=bool)
    values: NDArray[np.float64] = np.full((len(volumes), timeseries.shape[1]), np.nan)
    values[kept] = timeseries.to_numpy(dtype=float)
    time: NDArray[np.float64] = np.arange(len(volumes)) * np.float64(tr / 60 if tr else 1.0)
    n_regions = values.shape[1]
    motion = pd.to_numeric(volumes["framewise_displacement"]).to_numpy(dtype=float)
    below = bool(np.isfinite(motion).any() or not kept.all())
    height = 0.27 * n_regions + 0.9 if n_regions <= _MOST_LINES else 5.0
    with figure_style(figure_name):
        figure = new_figure(9.6, height + (0.95 if below else 0.0))
        panels: list[Axes] = figure.subplots(
            2 if below else 1, 1, sharex=True, squeeze=False,
            height_ratios=[height, 0.8] if below else None,
        )[:, 0].tolist()  # fmt: skip
        axes = panels[0]
        if n_regions <= _MOST_LINES:
            bottom, top = _lines(axes, time, values, list(map(str, timeseries.columns)))
            _shade(axes, time, volumes, bottom, top)
        else:
            _carpet(axes, time, values)
        _mark_runs(panels, time, volumes)
        if below:
            _motion(panels[-1], time, motion, kept, fd_threshold)
        panels[-1].set_xlabel("time as acquired (min)" if tr else "volume as acquired")
        label = (
            f"Time series of {n_regions} regions, {int(kept.sum())} of {len(kept)} volumes kept, "
            "segments shaded."
        )
        return Drawing(figure, figure_name, label)


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


def _lines(
    axes: Axes, time: NDArray[np.float64], values: NDArray[np.float64], names: Sequence[str]
) -> tuple[float, float]:
    gap = 5.0
    for index in range(values.shape[1]):
        base = -gap * index
        x, y = _envelope(time, np.clip(values[:, index], -4.0, 4.0))
        axes.plot(x, base + y, color=INK, lw=0.55)
    axes.set_yticks([-gap * index for index in range(len(names))], [shorten(n) for n in names])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    bottom, top = -gap * (len(names) - 1) - 4.0, 4.5
    axes.set_ylim(bottom, top)
    axes.set_xlim(time[0], time[-1] + (time[-1] - time[0]) / max(len(time) - 1, 1))
    return bottom, top


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


def _carpet(axes: Axes, time: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    width = time[1] - time[0] if len(time) > 1 else 1.0
    axes.imshow(
        np.ma.masked_invalid(values.T), aspect="auto", cmap="gray", vmin=-2, vmax=2,
        interpolation="nearest", extent=(time[0], time[-1] + width, values.shape[1], 0),
    )  # fmt: skip
    axes.set_ylabel("region, in the order of the table")


def _shade(
    axes: Axes, time: NDArray[np.float64], volumes: pd.DataFrame, bottom: float, top: float
) -> None:
    segment = volumes["segment"].fillna("").astype(str)
    key = volumes["run"].astype(str) + "\0" + segment
    starts = np.flatnonzero(np.r_[True, key.to_numpy()[1:] != key.to_numpy()[:-1]])
    stops = np.r_[starts[1:], len(key)]
    width = time[1] - time[0] if len(time) > 1 else 1.0
    inside = [(i, j) for i, j in zip(starts, stops, strict=True) if segment.iloc[i]]
    shown = [segment.iloc[i] for i, _ in inside]
    number = {name: k for k, name in enumerate(dict.fromkeys(shown))}
    # Segments that return, such as task blocks and hidden states, need distinct colours.
    left = [one for one, other in pairwise(shown) if one != other]
    colors = _SHADES if len(left) >= len(number) else _SHADES[:2]
    for shade, color in enumerate(colors):
        bars = [
            (time[i], (j - i) * width)
            for (i, j), name in zip(inside, shown, strict=True)
            if number[name] % len(colors) == shade
        ]
        axes.broken_barh(bars, (bottom, top - bottom), facecolors=color, lw=0, zorder=0)


def _mark_runs(panels: Sequence[Axes], time: NDArray[np.float64], volumes: pd.DataFrame) -> None:
    runs = volumes["run"].astype(str).to_numpy()
    starts = np.flatnonzero(np.r_[True, runs[1:] != runs[:-1]])
    if len(starts) < 2:
        return
    for start in starts:
        for axes in panels:
            axes.axvline(time[start], color=INK, lw=0.9)
        panels[0].annotate(
            runs[start], (time[start], 1.0), xycoords=("data", "axes fraction"),
            xytext=(2, 2), textcoords="offset points", fontsize=7,
        )  # fmt: skip


def _motion(
    axes: Axes,
    time: NDArray[np.float64],
    motion: NDArray[np.float64],
    kept: NDArray[np.bool_],
    threshold: float | None,
) -> None:
    width = time[1] - time[0] if len(time) > 1 else 1.0
    edges = np.flatnonzero(np.diff(np.r_[0, (~kept).astype(int), 0]))
    bars = [(time[i], (j - i) * width) for i, j in zip(edges[::2], edges[1::2], strict=True)]
    known = np.isfinite(motion).any()
    high = max(1.1 * float(np.nanmax(motion)), 2 * (threshold or 0.0)) if known else 1.0
    axes.broken_barh(bars, (0, high), facecolors="#f3b8a5", lw=0, zorder=0)
    if known:
        axes.plot(*_envelope(time, motion), color=INK, lw=0.6)
        if threshold:
            axes.axhline(threshold, color=RED, lw=0.8, dashes=(4, 2))
        axes.set_ylabel("FD (mm)")
    else:
        axes.set_yticks([])
        axes.set_ylabel("censored", rotation=0, ha="right", va="center")
    axes.set_ylim(0, high)
