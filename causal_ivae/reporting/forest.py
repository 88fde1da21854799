"""Write the scores of all subjects on every pair, of which the page of the group draws forests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.outcomes import USABLE
from causal_ivae.reporting.table_rows import edge_rows

_MOST_NUMBERS = 300_000
"""A page holds at most this many scores and ends of intervals, to limit its size."""
_COLUMNS = ["score", "score_low", "score_high"]


@dataclass(frozen=True, eq=False)
class SubjectScores:
    """Hold the scores of several subjects by one method.

    Attributes
    ----------
    units : tuple of str, length n_subjects
    edges : pandas.DataFrame
        One row per subject and pair: ``unit``, ``x``, ``y``, ``score``, and ``score_low`` and
        ``score_high`` where the method has an interval.
    """

    units: tuple[str, ...]
    edges: pd.DataFrame


@dataclass(frozen=True)
class Forest:
    """Hold what the script of a page draws the forests of one method from.

    Attributes
    ----------
    subjects : str
        Names of the subjects, parted by blanks; a star follows those that are not usable.
    pairs : dict of int to str
        By row of the edge table, for every subject its score and interval in hundredths, parted by
        commas and blanks; positive favours the region that the page names first.
    """

    subjects: str
    pairs: Mapping[int, str]


def forest_of(method: CausalGraph, scores: SubjectScores, n_methods: int) -> Forest:
    """Return the scores of the pairs for which there is room, the surest first."""
    quality = method.sidecar.get("Quality", {})
    marks = (unit if quality.get(unit, USABLE) == USABLE else f"{unit}*" for unit in scores.units)
    most = _MOST_NUMBERS // max(3 * len(scores.units) * n_methods, 1)
    table = scores.edges.reindex(columns=["unit", "x", "y", *_COLUMNS])
    by_pair = {
        pair: rows.set_index("unit")[_COLUMNS].reindex(scores.units).to_numpy(dtype=float)
        for pair, rows in table.groupby(["x", "y"], sort=False)
    }
    pairs = {}
    for row in edge_rows(method)[:most]:
        x, y = (str(method.edges[end].iloc[row.index]) for end in ("x", "y"))
        values = by_pair.get((x, y))
        if values is not None:
            pairs[row.index] = _coded(-values[:, [0, 2, 1]] if row.first == y else values)
    return Forest(" ".join(marks), pairs)


def _coded(values: NDArray[np.float64]) -> str:
    return " ".join(",".join(_hundredths(row)) for row in values.tolist())


def _hundredths(row: Sequence[float]) -> list[str]:
    return ["" if np.isnan(value) else f"{100 * value:.0f}" for value in row]
