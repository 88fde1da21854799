"""Draw the measurements of ``benchmark speed`` as one figure."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from causal_ivae.drawing.svg import (
    AMBER,
    BLUE,
    FAINT,
    GRID,
    INK,
    RED,
    figure_style,
    new_figure,
    png_and_svg,
)
from causal_ivae.validation.speed import growth, subject, testing, training
from causal_ivae.validation.speed.measurement import Measurement
from causal_ivae.validation.suites.method_lines import colour

_TESTS = {
    testing.OUR_TABLE: BLUE,
    testing.OURS: "#5b9bd5",
    "lingam": RED,
    "causal-learn": AMBER,
    "hyppo": "#8d5fa8",
}
_VARIED = dict(zip(growth.VARIED, (BLUE, "#2a9d8f", AMBER, "#8d5fa8", FAINT), strict=True))
_BAR = 0.38


def draw_speed(measurements: Sequence[Measurement]) -> tuple[bytes, str]:
    """Draw training, tests, scaling and whole subjects, each in a panel if it was measured."""
    measured = [m for m in measurements if m.values]
    with figure_style("benchmark_speed"):
        figure = new_figure(9.0, 6.2)
        panels = {
            training.GROUP: _training,
            testing.GROUP: _tests,
            growth.GROUP: _scaling,
            subject.GROUP: _subjects,
        }
        for ax, (group, panel) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
            if not any(m.group.startswith(group) for m in measured):
                ax.set_axis_off()
                continue
            panel(ax, measured)
            ax.grid(visible=True, axis="y", color=GRID, lw=0.6)
            ax.set_axisbelow(True)
        return png_and_svg(figure)


def _training(ax: Axes, measured: Sequence[Measurement]) -> None:
    rows = [m for m in measured if m.group == training.GROUP and m.unit == training.STEP]
    batches = list(dict.fromkeys(m.setting.batch for m in rows))
    top = max(max(m.values) for m in rows)
    for m in rows:
        plain = m.name == training.PLAIN
        place = batches.index(m.setting.batch) + (-_BAR if plain else _BAR) / 2
        middle, low, high = _summary(m)
        ax.bar(place, middle, _BAR, color=FAINT if plain else BLUE, label=m.name)
        ax.vlines(place, low, high, color=INK, lw=1.0)
        if not plain and m.ratio is not None:
            ax.text(place, high + 0.02 * top, f"{m.ratio:.1f} x", ha="center", va="bottom")
    hidden = {
        batch: next(m.setting.hidden for m in rows if m.setting.batch == batch) for batch in batches
    }
    ax.set_xticks(range(len(batches)), [f"hidden {hidden[b]}, batch {b}" for b in batches])
    ax.set_ylim(0.0, 1.3 * top)
    ax.set_ylabel(training.STEP)
    ax.set_title("Training: one step of one model")
    _legend(ax)


def _tests(ax: Axes, measured: Sequence[Measurement]) -> None:
    rows = [m for m in measured if m.group == testing.GROUP and m.unit == "tests/s"]
    for name, shade in _TESTS.items():
        lines = [(m.setting.volumes, *_summary(m)) for m in rows if m.name == name]
        if lines:
            n, middle, low, high = np.array(lines, dtype=float).T
            ax.plot(n, middle, color=shade, marker="o", ms=3, lw=1.4, label=name)
            ax.fill_between(n, low, high, color=shade, alpha=0.15, lw=0)
    sizes = sorted({m.setting.volumes for m in rows if m.setting.volumes})
    _logarithmic(ax, sizes)
    ax.set_xlabel("volumes")
    ax.set_ylabel("tests per second")
    ax.set_title("HSIC with an approximate null")
    _legend(ax)


def _scaling(ax: Axes, measured: Sequence[Measurement]) -> None:
    largest = 1.0
    for varied, shade in _VARIED.items():
        rows = [m for m in measured if m.group == growth.GROUP + varied]
        points = [(getattr(m.setting, varied), *_summary(m)) for m in rows if m.name == "discover"]
        sizes, middle, low, high = np.array(points, dtype=float).T
        steepness = next(m.median for m in rows if m.name == growth.SLOPE + "discover")
        times = sizes / sizes[0]
        largest = max(largest, times[-1])
        label = f"{varied} from {sizes[0]:.0f}: slope {steepness:.2f}"
        ax.plot(times, middle, color=shade, marker="o", ms=3, lw=1.4, label=label)
        ax.fill_between(times, low, high, color=shade, alpha=0.15, lw=0)
    sizes = [2**i for i in range(int(np.log2(largest)) + 1)]
    _logarithmic(ax, sizes)
    ax.set_xlabel("size over the smallest")
    ax.set_ylabel("seconds of discover()")
    ax.set_title("Scaling, one size varied at a time")
    _legend(ax)


def _subjects(ax: Axes, measured: Sequence[Measurement]) -> None:
    rows = [m for m in measured if m.group == subject.GROUP]
    names = list(dict.fromkeys(m.name for m in rows))
    for name in names:
        own = [m for m in rows if m.name == name]
        regions, seconds = [m.setting.regions or 0 for m in own], [m.values[0] for m in own]
        method = name.removeprefix(subject.NAME)
        shade = colour(method, names)
        whole = [shade if not m.remark else "white" for m in own]
        label = f"{method}: {_duration(seconds[0])} to {_duration(seconds[-1])}"
        ax.plot(regions, seconds, color=shade, lw=1.0, zorder=1, label=label)
        ax.scatter(regions, seconds, s=26, color=whole, edgecolor=shade, zorder=2)
    _logarithmic(ax, sorted({m.setting.regions for m in rows if m.setting.regions}))
    ax.margins(0.12, 0.2)
    ax.set_xlabel("regions (open: extrapolated from some pairs)")
    ax.set_ylabel("seconds per subject")
    ax.set_title(f"One subject, {rows[0].setting.volumes} volumes")
    _legend(ax, "lower right")


def _summary(m: Measurement) -> tuple[float, float, float]:
    assert m.median is not None
    return m.median, min(m.values), max(m.values)


def _logarithmic(ax: Axes, sizes: Sequence[int]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    # The style of all figures leaves the usual labels, powers of ten, as they are typed.
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()


def _legend(ax: Axes, place: Literal["best", "lower right"] = "best") -> None:
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    ax.legend(list(unique.values()), list(unique), frameon=False, fontsize=7.0, loc=place)


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
