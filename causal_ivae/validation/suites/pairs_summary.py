"""Shares over the pairs of every cell, and how they are printed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.validation.suites.calibration_error import expected_calibration_error
from causal_ivae.validation.suites.cases import ERROR
from causal_ivae.validation.suites.report import as_text, share_with_interval

CELL = ["generator", "kind", "layers", "segments", "method"]
DIRECTIONS = ("x->y", "y->x")
# The truths that the columns of probabilities are of; that of a cyclic pair cannot be told.
_OUTCOMES = np.array(["cyclic", "x->y", "y->x", "none"])
_BLOCKS = {
    "directed": {
        "correct": "share correct (abstention wrong)",
        "decided": "share decided",
        "right_of_decided": "share right of those decided",
        "sign_right": "sign of the score right",
    },
    "cyclic": {"decided": "a direction claimed (wrong)"},
    "independent": {"decided": "a direction claimed (wrong)"},
}


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of cases that did not fail, with what is right about them.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        With the columns ``correct``, ``decided`` (a direction was claimed), ``right`` (the decision
        is the truth) and ``sign_right``.
    """
    rows = table[table[ERROR].isna()]
    if "decision" not in rows:
        columns = [*CELL, "correct", "decided", "right", "sign_right", "confidence"]
        return pd.DataFrame(columns=columns)
    decided = rows["decision"].isin(DIRECTIONS)
    sign = np.select([rows["score"] > 0, rows["score"] < 0], DIRECTIONS, "")
    directed = rows["kind"] == "directed"
    return rows.assign(
        decided=decided,
        right=rows["decision"] == rows["truth"],
        correct=np.where(directed, rows["decision"] == rows["truth"], ~decided),
        # A score of zero is as good as a coin.
        sign_right=np.where(sign == "", 0.5, sign == rows["truth"]) * directed,
    )


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell and method.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        ``correct``, ``decided``, ``right_of_decided`` and ``sign_right`` with 95 % Wilson
        intervals (``_low``, ``_high``).  On pairs that have no direction ``correct`` is the share
        where none is claimed.
    """
    rows = finished(table)
    summary = []
    for keys, group in rows.groupby(CELL, sort=False):
        counts = {
            "correct": group["correct"],
            "decided": group["decided"],
            "right_of_decided": group.loc[group["decided"], "correct"],
            "sign_right": group["sign_right"],
        }
        row: dict[str, object] = {**dict(zip(CELL, keys, strict=True)), "pairs": len(group)}
        for name, hits in counts.items():
            share = share_with_interval(float(hits.sum()), len(hits))
            row[name] = share["share"]
            row[f"{name}_low"], row[f"{name}_high"] = share["low"], share["high"]
        summary.append(row)
    return pd.DataFrame(summary)


def calibrate(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far confidences are from shares right, by generator and method.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        ``directions`` that were claimed with a confidence, ``ece_directions`` of them on pairs of
        all kinds, ``ece_outcomes`` of the largest of the outcomes' probabilities.
    """
    found = []
    for (generator, method), rows in finished(table).groupby(["generator", "method"], sort=False):
        said = rows[rows["decided"] & rows["confidence"].notna()]
        probable = rows.reindex(columns=PROBABILITY_COLUMNS).astype(float)
        known = probable.notna().all(axis=1).to_numpy()
        shares, truth = probable.to_numpy()[known], rows["truth"].to_numpy()[known]
        if len(said) or len(shares):
            found.append(
                {
                    "generator": generator,
                    "method": method,
                    "directions": len(said),
                    "ece_directions": _error(said["confidence"], said["right"]),
                    "ece_outcomes": _error(
                        shares.max(axis=1, initial=0.0), _OUTCOMES[shares.argmax(axis=1)] == truth
                    ),
                }
            )
    return pd.DataFrame(found)


def _error(confidence: ArrayLike, right: ArrayLike) -> float | None:
    return expected_calibration_error(confidence, right) if np.size(confidence) else None


def as_blocks(summary: pd.DataFrame, calibration: pd.DataFrame) -> str:
    """Return the summary for a terminal: methods in rows, cells in columns.

    Parameters
    ----------
    summary : pandas.DataFrame
        As `summarise` returns it.
    calibration : pandas.DataFrame
        As `calibrate` returns it.
    """
    blocks = list(_blocks(summary)) if len(summary) else ["No case gave a result."]
    if len(calibration):
        blocks.append(f"Expected calibration errors\n{as_text(calibration)}")
    return "\n\n".join(blocks)


def _blocks(summary: pd.DataFrame) -> Iterator[str]:
    for (generator, kind), rows in summary.groupby(["generator", "kind"], sort=False):
        for column, words in _BLOCKS[str(kind)].items():
            for segments, cells in rows.groupby("segments"):
                wide = cells.pivot_table(
                    column, "method", "layers", sort=False, dropna=False, observed=True
                ).reset_index()
                names = [f"{n} layers" if n else "all" for n in wide.columns[1:]]
                wide.columns = pd.Index(["method", *names])
                pairs = cells["pairs"].max()
                title = f"{generator}, {kind}, {segments} segments: {words} of {pairs} pairs"
                yield f"{title}\n{as_text(wide)}"
