"""Make the tables of a causal graph of all regions at once."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from causal_ivae.derivatives.tables import EDGES, EQUATIONS, RESTARTS, TESTS
from causal_ivae.discovery.graph_tables import dependence_rows, pair_columns
from causal_ivae.discovery.likelihood_decision import Weighed
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.outcomes import DECISIONS, arrow_columns


def edges_table(names: tuple[str, ...], pairs: NDArray[np.int64], weighed: Weighed) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.edges`.

    Parameters
    ----------
    names : tuple of str, length n_regions
    pairs : ndarray, shape (n_pairs, 2), int64
        Positions in `names`, in every function here.
    """
    ends = pair_columns(names, pairs)
    decision = weighed.decision
    decided = np.array(DECISIONS, dtype=object)[decision]
    forward, backward, neither = weighed.share.T
    shares = np.stack([np.maximum(forward, backward), forward, backward, neither])
    table = pd.DataFrame(
        {
            **ends,
            "decision": decided,
            **arrow_columns(decided, *ends.values()),
            "score": forward - backward,
            "p_value": weighed.p_value,
            "q_value": multipletests(weighed.p_value, method="fdr_bh")[1],
            "confidence": shares[decision, np.arange(len(pairs))],
        }
    )
    # Shares of resamples are no calibrated probabilities, which are missing here.
    return table.reindex(columns=list(EDGES.required))


def tests_table(
    names: tuple[str, ...],
    pairs: NDArray[np.int64],
    dependence: IndependenceTable,
    tests: IndependenceTable,
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.tests`.

    Parameters
    ----------
    names, pairs
        See `edges_table`.
    dependence : IndependenceTable, shape (n_pairs, 1, 1)
        The two regions of every pair.
    tests : IndependenceTable, shape (1, n_regions, restarts * n_regions)
        Every region against the disturbance of every region, restart by restart.
    """
    region = np.array(names, dtype=object)
    first, second = (index.ravel() for index in np.indices(tests.statistic.shape[1:]))
    restart, source = np.divmod(second, len(names))
    against = pd.DataFrame(
        {
            "x": region[np.minimum(first, source)],
            "y": region[np.maximum(first, source)],
            "restart": pd.array(restart, dtype="Int64"),
            "first": region[first],
            "second": [f"n({names[j]})" for j in source],
            "statistic": tests.statistic.ravel(),
            "null_mean": tests.null_mean.ravel(),
            "p_value": tests.p_value.ravel(),
        }
    )
    own = dependence_rows(names, pairs, dependence)
    return pd.concat([own, against], ignore_index=True)[list(TESTS.columns)]


def restarts_table(
    names: tuple[str, ...],
    pairs: NDArray[np.int64],
    graphs: NDArray[np.bool_],
    objective: NDArray[np.float64],
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.restarts`.

    Parameters
    ----------
    names, pairs
        See `edges_table`.
    graphs : ndarray, shape (restarts, n_regions, n_regions), bool
        The best graph by each restart alone.
    objective : ndarray, shape (restarts,), float64
        Mean over the regions of the best graph; NaN where a fit diverged.
    """
    x, y = pairs.T
    forward, backward = (graphs[:, a, b].T.ravel() for a, b in ((x, y), (y, x)))
    diverged = np.tile(np.isnan(objective), len(pairs))
    votes = np.select([diverged, forward, backward], ["inconclusive", "x->y", "y->x"], "none")
    table = pd.DataFrame(
        {
            **pair_columns(names, np.repeat(pairs, len(graphs), axis=0)),
            "restart": np.tile(np.arange(len(graphs)), len(pairs)),
            "vote": votes.astype(object),
            "score": np.where(diverged, np.nan, forward.astype(float) - backward),
            "objective": np.tile(objective, len(pairs)),
            "diverged": diverged.astype(np.int64),
        }
    )
    return table.reindex(columns=list(RESTARTS.columns))


def equations_table(
    names: tuple[str, ...],
    pairs: NDArray[np.int64],
    best: NDArray[np.bool_],
    resampled: NDArray[np.bool_],
    weighed: Weighed,
    slope: NDArray[np.float64],
    tests: IndependenceTable,
    n_times: int,
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.equations`.

    Parameters
    ----------
    names, pairs, weighed, tests
        As in the other functions here.
    best : ndarray, shape (n_regions, n_regions), bool
    resampled : ndarray, shape (resamples, n_regions, n_regions), bool
    slope : ndarray, shape (n_regions, n_regions), float64
        Row = cause, column = effect.
    """
    n = len(names)
    gain = np.full((n, n), np.nan)
    forward, backward, neither = weighed.log_likelihood.T
    gain[pairs[:, 0], pairs[:, 1]] = (forward - neither) / n_times
    gain[pairs[:, 1], pairs[:, 0]] = (backward - neither) / n_times
    by_restart = tests.p_value[0].reshape(n, -1, n)
    cause, effect = np.nonzero(~np.eye(n, dtype=bool))
    region = np.array(names, dtype=object)
    columns = {
        "cause": region[cause],
        "effect": region[effect],
        "direct": best[cause, effect].astype(np.int64),
        "ancestor": ancestors(best[None])[0, cause, effect].astype(np.int64),
        "share": resampled.mean(axis=0)[cause, effect],
        "ancestor_share": ancestors(resampled).mean(axis=0)[cause, effect],
        "gain": gain[cause, effect],
        "slope": slope[cause, effect],
        "dependence_p": np.median(by_restart, axis=1).T[cause, effect],
    }
    return pd.DataFrame(columns)[list(EQUATIONS.columns)]


def ancestors(graphs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether a path leads from row to column, shape (graphs, n_regions, n_regions)."""
    reached = graphs.astype(np.float32)
    for _ in range(int(np.ceil(np.log2(max(2, graphs.shape[1]))))):
        longer = np.minimum(1.0, reached + reached @ reached)
        if np.array_equal(longer, reached):
            break
        reached = longer
    return reached > 0
