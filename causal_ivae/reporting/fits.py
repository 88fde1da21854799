"""Summarise the verdicts on fits as counts, reasons and rows for the pages."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing.wording import count
from causal_ivae.outcomes import USABLE
from causal_ivae.reporting.table_rows import SCREENED, untested

UNKNOWN = "not known"
"""This word stands for the verdict on results that were not judged."""
VERDICTS = (USABLE, "doubtful", "modulation not shown", "not identifiable")


@dataclass(frozen=True)
class FitRow:
    """Hold the verdict on the best fit of one pair; each modulation has its standard error."""

    x: str
    y: str
    verdict: str
    sentence: str
    segments: int
    segments_needed: int
    rank: int
    condition: float
    modulation: tuple[tuple[float, float], tuple[float, float]]
    agreement: float
    dependence_p: float


def fits_sentence(method: CausalGraph) -> str:
    """Describe verdicts as "9 of 15 pairs usable, 4 doubtful"; empty if they are not known."""
    if method.diagnostics is None or not len(method.diagnostics):
        return ""
    verdict = method.diagnostics["verdict"].value_counts()
    numbers = [int(verdict.get(word, 0)) for word in VERDICTS]
    parts = [f"{numbers[0]:,} of {count(len(method.diagnostics), 'pair')} usable"]
    parts += [f"{n:,} {word}" for n, word in zip(numbers[1:], VERDICTS[1:], strict=True) if n]
    screened_out = int((untested(method) == SCREENED).sum())
    if screened_out:
        parts.append(f"{count(screened_out, 'pair')} left out by the screen")
    return ", ".join(parts)


def reason_counts(method: CausalGraph) -> list[tuple[str, int]]:
    """Return the reasons against fits and their numbers of pairs, the most frequent first."""
    if method.diagnostics is None:
        return []
    found = Counter(
        reason
        for sentence in method.diagnostics["reasons"]
        for reason in dict.fromkeys(_reasons(str(sentence)))
    )
    return found.most_common()


def fit_rows(method: CausalGraph) -> list[FitRow]:
    """Return one row per pair, the worst verdicts first, otherwise in the order of the edges."""
    if method.diagnostics is None:
        return []
    rows = [_row(row) for row in method.diagnostics.to_dict("records")]
    rows.sort(key=lambda row: -VERDICTS.index(row.verdict) if row.verdict in VERDICTS else 0)
    return rows


def _reasons(sentence: str) -> list[str]:
    """Return the reasons in a verdict's sentence without the numbers of the pair."""
    given = sentence.partition(" Note: ")[0].removesuffix(".").partition(" because ")[2]
    return [
        re.sub(r"\bdisturbance \d+(?: and \d+)*", "a disturbance", re.sub(r" \([^)]*\)", "", part))
        for part in given.split("; ")
        if part
    ]


def _row(row: dict[Any, Any]) -> FitRow:
    return FitRow(
        x=row["x"],
        y=row["y"],
        verdict=row["verdict"],
        sentence=row["reasons"],
        segments=int(row["segments"]),
        segments_needed=int(row["segments_needed"]),
        rank=int(row["rank"]),
        condition=row["condition"],
        modulation=(
            (row["modulation_1"], row["modulation_error_1"]),
            (row["modulation_2"], row["modulation_error_2"]),
        ),
        agreement=row["agreement"],
        dependence_p=row["dependence_p"],
    )


def convergence(method: CausalGraph) -> dict[str, Any] | None:
    """Summarise how the restarts of all pairs ended; None where there is none."""
    table = method.restarts
    if table is None or not np.isfinite(table["objective"]).any():
        return None
    n_restarts = len(table)
    retried = int(table["retried"].sum()) if "retried" in table else 0
    table = table[np.isfinite(table["objective"])]
    return {
        "n": len(table),
        "diverged": n_restarts - len(table),
        "retried": retried,
        "low": table["objective"].quantile(0.25),
        "median": table["objective"].median(),
        "high": table["objective"].quantile(0.75),
        "slope": table["slope"].median(),
    }
