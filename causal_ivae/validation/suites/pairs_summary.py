"""Shares over the pairs of every cell, and how they are printed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.validation.suites.calibration_error import expected_calibration_error
from causal_ivae.validation.text_tables import as_block, share_with_interval

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
            found = share_with_interval(name, float(hits.sum()), len(hits))
            row |= {name: found[name]}
            row |= {f"{name}_{end}": found[end] for end in ("low", "high")}
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
