"""Make the tables that the network method adds: the evidence, and what twins claim."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from causal_ivae.derivatives.network_tables import NETWORK, TWINS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from causal_ivae.discovery.network.judgement import NetworkJudgement
    from causal_ivae.discovery.problem import Problem

_LEVELS = np.array([0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98])


def evidence_table(
    problem: Problem, judgement: NetworkJudgement, rows: NDArray[np.int64]
) -> pd.DataFrame:
    """Return the evidence of every pair between which arrows were looked for.

    Parameters
    ----------
    rows : ndarray, shape (n_pairs,), int64
        Row of every pair of the problem in the judgement; -1 for pairs that were not judged.
    """
    from causal_ivae.discovery.network.evidence import NetworkEvidence

    shown = (rows >= 0) & judgement.kept[rows]
    x, y = np.array(problem.names, dtype=object)[problem.pairs[shown].T]
    place = (np.cumsum(judgement.kept) - 1)[rows[shown]]
    columns: dict[str, NDArray[Any]] = {"x": x, "y": y}
    for prefix, evidence in (("", judgement.series), ("innovations_", judgement.whitened)):
        for one in fields(NetworkEvidence):
            values = np.empty(0) if evidence is None else getattr(evidence, one.name)[place]
            columns[prefix + one.name] = values
    return NETWORK.frame(columns)


def twins_table(claims: NDArray[np.float64], decoys: NDArray[np.float64]) -> pd.DataFrame:
    """Return how many arrows the data and a twin claim, by least probability.

    Parameters
    ----------
    claims : ndarray, float64
        Probabilities of all arrows of the data.
    decoys : ndarray, shape (n_twins, n_arrows), float64
        Those of the twins.
    """
    twins = len(decoys)
    of_data = (claims.ravel() >= _LEVELS[:, None]).sum(axis=1)
    of_twins = (decoys.ravel() >= _LEVELS[:, None]).sum(axis=1)
    per_twin = of_twins / twins if twins else np.full(len(_LEVELS), np.nan)
    return TWINS.frame({"probability": _LEVELS, "claims": of_data, "claims_per_twin": per_twin})
