"""Shares over the pairs of every cell, and how they are printed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from causal_ivae.benchmark.cases import ERROR
from causal_ivae.benchmark.report import as_text, share_with_interval
from causal_ivae.evaluation.calibration import expected_calibration_error

CELL = ["generator", "kind", "layers", "segments", "method"]
DIRECTIONS = ("x->y", "y->x")
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
        As `causal_ivae.benchmark.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        With the columns ``correct``, ``decided`` (a direction was claimed) and ``sign_right``.
    """
    rows = table[table[ERROR].isna()]
    if "decision" not in rows:
        return pd.DataFrame(columns=[*CELL, "correct", "decided", "sign_right"])
    decided = rows["decision"].isin(DIRECTIONS)
    sign = np.select([rows["score"] > 0, rows["score"] < 0], DIRECTIONS, "")
    directed = rows["kind"] == "directed"
    return rows.assign(
        decided=decided,
        correct=np.where(directed, rows["decision"] == rows["truth"], ~decided),
        sign_right=np.where(directed, sign == rows["truth"], False),
    )


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell and method.

    Parameters
    ----------
    table : pandas.DataFrame
        As `causal_ivae.benchmark.cases.run_cases` returns it.

    Returns
    -------
    pandas.DataFrame
        ``correct``, ``decided``, ``right_of_decided`` and ``sign_right`` with 95 % Wilson
        intervals (``_low``, ``_high``), and ``ece``, the expected calibration error of decided
        directions over all cells of the generator and kind.  On pairs that have no direction
        ``correct`` is the share where none is claimed.
    """
    rows = finished(table)
    errors = {
        keys: _calibration_error(group)
        for keys, group in rows.groupby(["generator", "kind", "method"], sort=False)
    }
    summary = []
    for keys, group in rows.groupby(CELL, sort=False):
        generator, kind, _, _, method = keys
        counts = {
            "correct": group["correct"],
            "decided": group["decided"],
            "right_of_decided": group.loc[group["decided"], "correct"],
            "sign_right": group["sign_right"],
        }
        row: dict[str, object] = {**dict(zip(CELL, keys, strict=True)), "pairs": len(group)}
        for name, hits in counts.items():
            share = share_with_interval(int(hits.sum()), len(hits))
            row[name] = share["share"]
            row[f"{name}_low"], row[f"{name}_high"] = share["low"], share["high"]
        summary.append({**row, "ece": errors[generator, kind, method]})
    return pd.DataFrame(summary)


def _calibration_error(rows: pd.DataFrame) -> float | None:
    said = rows[rows["decided"] & rows["confidence"].notna()]
    return expected_calibration_error(said["confidence"], said["correct"]) if len(said) else None


def as_blocks(summary: pd.DataFrame) -> str:
    """Return the summary for a terminal: methods in rows, cells in columns."""
    return "\n\n".join(_blocks(summary)) if len(summary) else "No case gave a result."


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
        calibrated = rows.loc[rows["ece"].notna(), ["method", "ece"]].drop_duplicates()
        if kind == "directed" and len(calibrated):
            yield f"{generator}: expected calibration error\n{as_text(calibrated)}"
