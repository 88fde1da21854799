"""Compute shares over the pairs of every cell, print them and draw them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.drawing.svg import FAINT, INK, new_figure
from causal_ivae.validation.suites.calibration_error import expected_calibration_error, reliability
from causal_ivae.validation.suites.method_lines import finish, form
from causal_ivae.validation.text_tables import as_block, share_by_name

CELL = ["generator", "kind", "layers", "segments", "method"]
DIRECTIONS = ("x->y", "y->x")
# The truths that the columns of probabilities are of; that of a cyclic pair cannot be told.
_OUTCOMES = np.array(["cyclic", "x->y", "y->x", "none"])
_CHANGED = "share that another seed decides otherwise"
_BLOCKS = {
    "directed": {
        "correct": "share correct (abstention wrong)",
        "decided": "share decided",
        "right_of_decided": "share right of those decided",
        "sign_right": "sign of the score right",
        "changed": _CHANGED,
    },
    "cyclic": {"decided": "a direction claimed (wrong)", "changed": _CHANGED},
    "independent": {"decided": "a direction claimed (wrong)", "changed": _CHANGED},
}


def with_marks(rows: pd.DataFrame) -> pd.DataFrame:
    """Add to the rows of all cases what is right about them.

    ``decided``: a direction was claimed; ``right``: the decision is the truth; ``correct``: on
    pairs that have no direction, none was claimed; ``sign_right``: the score has the true sign;
    ``changed``: another seed decided otherwise (missing for methods that were not asked again).
    """
    decided = rows["decision"].isin(DIRECTIONS)
    sign = np.select([rows["score"] > 0, rows["score"] < 0], DIRECTIONS, "")
    directed = rows["kind"] == "directed"
    right = rows["decision"] == rows["truth"]
    return rows.assign(
        decided=decided,
        right=right,
        correct=np.where(directed, right, ~decided),
        # A score of zero counts as half right.
        changed=(rows["reseeded"] != rows["decision"]).where(rows["reseeded"].notna()),
        sign_right=np.where(sign == "", 0.5, sign == rows["truth"]) * directed,
    )


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return shares by cell and method, with 95 % Wilson intervals (``_low``, ``_high``)."""
    summary = []
    for keys, group in with_marks(rows).groupby(CELL, sort=False):
        row: dict[str, object] = {**dict(zip(CELL, keys, strict=True)), "pairs": len(group)}
        for name, hits in (
            ("correct", group["correct"]),
            ("decided", group["decided"]),
            ("right_of_decided", group.loc[group["decided"], "correct"]),
            ("sign_right", group["sign_right"]),
            ("changed", group["changed"].dropna()),
        ):
            row |= share_by_name(name, float(hits.sum()), len(hits))
        summary.append(row)
    return pd.DataFrame(summary)


def calibrate(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how far confidences are from shares right, by generator and method.

    Returns
    -------
    pandas.DataFrame
        ``directions`` that were claimed with a confidence, ``ece_directions`` of them on pairs of
        all kinds, ``ece_outcomes`` of the largest of the outcomes' probabilities.
    """
    found = []
    for (generator, method), own in with_marks(rows).groupby(["generator", "method"], sort=False):
        said = own[own["decided"] & own["confidence"].notna()]
        probable = own.reindex(columns=PROBABILITY_COLUMNS).astype(float)
        known = probable.notna().all(axis=1).to_numpy()
        shares, truth = probable.to_numpy()[known], own["truth"].to_numpy()[known]
        likeliest = _OUTCOMES[shares.argmax(axis=1)]
        if len(said) or len(shares):
            found.append(
                {
                    "generator": generator,
                    "method": method,
                    "directions": len(said),
                    "ece_directions": expected_calibration_error(said["confidence"], said["right"]),
                    "ece_outcomes": expected_calibration_error(
                        shares.max(axis=1, initial=0.0), likeliest == truth
                    ),
                }
            )
    return pd.DataFrame(found)


def blocks_of(summary: pd.DataFrame) -> Iterator[str]:
    """Yield the summary for a terminal: methods in rows, layers in columns."""
    for (generator, kind), rows in summary.groupby(["generator", "kind"], sort=False):
        for column, words in _BLOCKS[str(kind)].items():
            for segments, cells in rows.groupby("segments"):
                layers = cells["layers"].map(lambda n: f"{n} layers" if n else "all")
                title = (
                    f"{generator}, {kind}, {segments} segments: {words} of {cells['pairs'].max()} "
                    "pairs"
                )
                yield as_block(title, cells.assign(layers=layers), column, "method", "layers")


PUBLISHED = {1: 0.95, 2: 0.94, 3: 0.76, 4: 0.66, 5: 0.64}
"""NonSENS of Monti et al. 2019 at `PUBLISHED_SEGMENTS`, by layers; read off their figure."""
PUBLISHED_SEGMENTS = 48
_SHOWN = {
    "directed": ("correct", "directed: share correct"),
    "cyclic": ("decided", "cyclic: direction claimed"),
    "independent": ("decided", "independent: direction claimed"),
}


def draw_pairs(rows: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw shares by layers, one panel per number of segments, and how reliable confidences are.

    Generators other than the network are further places on the axis of layers.
    """
    kinds = [kind for kind in _SHOWN if kind in set(summary["kind"])]
    columns = sorted(summary["segments"].unique())
    methods = list(dict.fromkeys(summary["method"]))
    figure = new_figure(max(5.0, 2.1 * (len(columns) + 1)), 2.3 * len(kinds) + 0.7)
    axes = figure.subplots(len(kinds), len(columns) + 1, squeeze=False)
    for kind, line in zip(kinds, axes, strict=True):
        column, label = _SHOWN[kind]
        for segments, ax in zip(columns, line, strict=False):
            cell = summary[(summary["kind"] == kind) & (summary["segments"] == segments)]
            _shares(ax, cell, column, methods)
            if kind == "directed" and segments == PUBLISHED_SEGMENTS:
                _published(ax, cell)
            ax.set_title(f"{segments} segments")
        line[0].set_ylabel(label)
        line[-1].set_axis_off()
    axes[0, -1].set_axis_on()
    _reliability(axes[0, -1], with_marks(rows), methods)
    finish(figure, axes.flat)
    return figure


def _shares(ax: Axes, cell: pd.DataFrame, column: str, methods: Sequence[str]) -> None:
    places = list(dict.fromkeys(zip(cell["generator"], cell["layers"], strict=True)))
    for method in methods:
        rows = cell[cell["method"] == method]
        # Methods are shifted sideways, so that their intervals do not overlap.
        shift = 0.04 * (methods.index(method) - (len(methods) - 1) / 2)
        for generator, own in rows.groupby("generator", sort=False):
            where = [places.index((str(generator), n)) + shift for n in own["layers"]]
            drawn = form(method, methods)
            ax.plot(where, own[column], **drawn, ms=3, lw=1.1)
            low, high = own[f"{column}_low"], own[f"{column}_high"]
            ax.vlines(where, low, high, color=drawn["color"], lw=0.7, alpha=0.5)
    names = [str(n) if n else name.replace("_", " ") for name, n in places]
    ax.set_xticks(range(len(places)), names)
    if all(n for _, n in places):
        ax.set_xlabel("layers")
        return
    # The names of other generators need room.
    ax.set_xlabel("layers or generator")
    for label in ax.get_xticklabels():
        label.set(rotation=35, horizontalalignment="right")


def _published(ax: Axes, cell: pd.DataFrame) -> None:
    layers = sorted(set(cell["layers"]) & set(PUBLISHED))
    shares = [PUBLISHED[n] for n in layers]
    ax.plot(range(len(layers)), shares, color=INK, ls=":", lw=1.3, label="NonSENS, as published")


def _reliability(ax: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, lw=0.8)
    said = rows[rows["decided"] & rows["confidence"].notna()]
    for method in methods:
        own = said[said["method"] == method]
        if len(own):
            table = reliability(own["confidence"], own["right"])
            ax.plot(table["confidence"], table["right"], **form(method, methods), ms=3, lw=1.1)
    ax.set_title("directions claimed")
    ax.set_xlabel("confidence")
    ax.set_ylabel("share right")
    ax.set_xlim(0.4, 1.02)
