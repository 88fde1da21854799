"""Make the tables of a causal graph from arrays over pairs and restarts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from causal_ivae.derivatives.tables import DIAGNOSTICS, EVIDENCE, PROBABILITY_COLUMNS, STABILITY
from causal_ivae.discovery.orientation import VOTES, Orientation
from causal_ivae.discovery.probability import Evidence
from causal_ivae.discovery.screen import Screen
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.outcomes import DECISIONS, LEAST_ADJACENT, arrow_columns, leaning_columns
from causal_ivae.unmixing.both_directions import MECHANISMS
from causal_ivae.unmixing.diagnostics import Diagnostics
from causal_ivae.unmixing.training.stacks import Fit

_CURVE_NUMBERS = 200_000
"""Rows of a table of training curves."""


def edges_table(
    names: tuple[str, ...],
    pairs: NDArray[np.int64],
    orientation: Orientation,
    screen: Screen,
    reasons: NDArray[np.object_],
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.edges`.

    Parameters
    ----------
    names : tuple of str, length n_regions
    pairs : ndarray, shape (n_pairs, 2), int64
        Positions in `names`, in every function here.
    orientation : Orientation
        Of the pairs that the screen kept.
    screen : Screen
        What it left out has decision "none", score 0 and the screen's p-value.
    reasons : ndarray of str, shape (n_pairs,)
        Why a pair has no direction to ask for, empty for the others; such a pair is undecided, and
        all its numbers are missing.
    """
    kept = screen.kept
    decision = np.full(len(pairs), DECISIONS.index("none"))
    score, p_value = np.zeros(len(pairs)), screen.p_value.copy()
    interval, error = np.full((len(pairs), 2), np.nan), np.full(len(pairs), np.nan)
    confidence = np.full(len(pairs), np.nan)
    decision[kept], score[kept] = orientation.decision, orientation.score
    interval[kept], error[kept] = orientation.interval, orientation.error
    p_value[kept], confidence[kept] = orientation.p_value, orientation.confidence
    impossible = reasons != ""
    decision[impossible] = DECISIONS.index("undecided")
    score[impossible] = p_value[impossible] = np.nan
    probability = np.full((len(pairs), len(PROBABILITY_COLUMNS)), np.nan)
    if orientation.probability is not None:
        probability[kept] = orientation.probability
    level = np.full(len(pairs), np.nan)
    if orientation.interval_level is not None:
        level[kept] = orientation.interval_level
    ends = pair_columns(names, pairs)
    decided = np.array(DECISIONS, dtype=object)[decision]
    return pd.DataFrame(
        {
            **ends,
            "decision": decided,
            **arrow_columns(decided, *ends.values()),
            "score": score,
            "score_low": interval[:, 0],
            "score_high": interval[:, 1],
            "score_error": error,
            "p_value": p_value,
            "q_value": _q_values(p_value) if orientation.interval_level is None else np.nan,
            "confidence": confidence,
            **dict(zip(PROBABILITY_COLUMNS, probability.T, strict=True)),
            **({} if orientation.interval_level is None else {"interval_level": level}),
            **({} if orientation.probability is None else _leaning(decided, probability, reasons)),
            **({"reason": reasons} if impossible.any() else {}),
        }
    )


def pair_columns(
    names: tuple[str, ...], pairs: NDArray[np.int64]
) -> dict[str, NDArray[np.object_]]:
    """Return the columns ``x`` and ``y`` of a table that has a row for every pair."""
    return dict(zip(("x", "y"), np.array(names, dtype=object)[pairs.T], strict=True))


def _leaning(
    decision: NDArray[np.object_], probability: NDArray[np.float64], reasons: NDArray[np.object_]
) -> dict[str, NDArray[Any]]:
    """Return the likelier direction of every pair, its probability, and why there is no arrow."""
    unknown, forward, backward, _ = probability.T
    arrow = forward + backward
    why = np.select(
        [
            reasons != "",
            decision == "none",
            decision != "undecided",
            unknown >= np.fmax(arrow, 0.5),
            arrow >= LEAST_ADJACENT,
        ],
        ["same", "independent", "", "other", "direction"],
        "data",
    )
    share = np.divide(forward, arrow, out=np.full(len(arrow), np.nan), where=arrow > 0)
    return {**leaning_columns(share), "why": why.astype(object)}


def with_quality(edges: pd.DataFrame, diagnostics: pd.DataFrame) -> pd.DataFrame:
    """Return the table of edges with the verdict on every pair's fit as the column ``quality``.

    Parameters
    ----------
    diagnostics : pandas.DataFrame
        Has a row for every pair that was fitted.
    """
    judged = diagnostics.set_index(["x", "y"])["verdict"]
    found = judged.reindex(pd.MultiIndex.from_frame(edges[["x", "y"]]), fill_value="")
    place = list(edges.columns).index("reason") if "reason" in edges else len(edges.columns)
    edges = edges.copy()
    edges.insert(place, "quality", found.to_numpy())
    return edges


def _q_values(p_value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust the p-values that are there by Benjamini and Hochberg."""
    q_value = p_value.copy()
    known = ~np.isnan(p_value)
    q_value[known] = multipletests(p_value[known], method="fdr_bh")[1]
    return q_value


def dependence_rows(
    names: tuple[str, ...], pairs: NDArray[np.int64], dependence: IndependenceTable
) -> pd.DataFrame:
    """Return the tests of the two regions of every pair, which belong to no restart."""
    ends = pair_columns(names, pairs)
    return pd.DataFrame(
        {
            **ends,
            "restart": pd.array([pd.NA] * len(pairs), dtype="Int64"),
            "first": ends["x"],
            "second": ends["y"],
            "statistic": dependence.statistic.ravel(),
            "null_mean": dependence.null_mean.ravel(),
            "p_value": dependence.p_value.ravel(),
        }
    )


def tests_table(
    names: tuple[str, ...],
    pairs: NDArray[np.int64],
    dependence: IndependenceTable,
    kept: NDArray[np.int64],
    tests: IndependenceTable,
    usable: NDArray[np.bool_],
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.tests`.

    Parameters
    ----------
    names, pairs
        See `edges_table`.
    dependence : IndependenceTable, shape (n_pairs, 1, 1)
    kept : ndarray, shape (n_kept, 2), int64
        The pairs that were unmixed.
    tests : IndependenceTable, shape (n_kept, 2, 2 * restarts)
    usable : ndarray, shape (n_kept, restarts), bool
        Restarts that did not diverge; the others have nothing to test.
    """
    region = np.array(names, dtype=object)[kept]
    pair, which, second = (index.ravel() for index in np.indices(tests.statistic.shape))
    lost = ~usable[pair, second // 2]
    against = pd.DataFrame(
        {
            **pair_columns(names, kept[pair]),
            "restart": pd.array(second // 2, dtype="Int64"),
            "first": region[pair, which],
            "second": np.array(["n1", "n2"], dtype=object)[second % 2],
            "statistic": np.where(lost, np.nan, tests.statistic.ravel()),
            "null_mean": np.where(lost, np.nan, tests.null_mean.ravel()),
            "p_value": np.where(lost, np.nan, tests.p_value.ravel()),
        }
    )
    return pd.concat([dependence_rows(names, pairs, dependence), against], ignore_index=True)


def restarts_table(
    names: tuple[str, ...], pairs: NDArray[np.int64], orientation: Orientation, fit: Fit
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.restarts`."""
    n_pairs, restarts = orientation.vote.shape
    return pd.DataFrame(
        {
            **pair_columns(names, np.repeat(pairs, restarts, axis=0)),
            "restart": np.tile(np.arange(restarts), n_pairs),
            "vote": np.array(VOTES, dtype=object)[orientation.vote.ravel()],
            "score": orientation.restart_score.ravel(),
            "objective": fit.objective,
            "slope": fit.slope,
            "steps": fit.taken,
            "retried": fit.retried.astype(np.int64),
            "diverged": np.isnan(fit.objective).astype(np.int64),
        }
    )


def stability_table(
    names: tuple[str, ...], pairs: NDArray[np.int64], orientation: Orientation
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.stability`."""
    undecided, forward, backward, none = orientation.shares.T
    scores = orientation.restart_score
    known = np.isfinite(scores).sum(axis=1)
    # Structural flows are fitted once for each direction.
    count = known if orientation.probability is None else np.full(len(known), np.nan)
    agree = [(sign * scores > 0).sum(axis=1) / count for sign in (1, -1)]
    ends = pair_columns(names, pairs).values()
    columns = (*ends, forward, backward, none, undecided, *agree)
    return pd.DataFrame(dict(zip(STABILITY.columns, columns, strict=True)))


def training_table(names: tuple[str, ...], pairs: NDArray[np.int64], fit: Fit) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.training`."""
    # Whole brains have thousands of curves: their last points, and every so many before.
    members, points = fit.curves.shape
    every = math.ceil(points / max(1, _CURVE_NUMBERS // members))
    curves, steps = (
        values[..., ::-1][..., ::every][..., ::-1] for values in (fit.curves, fit.curve_steps)
    )
    points = len(steps)
    restarts = members // len(pairs)
    return pd.DataFrame(
        {
            **pair_columns(names, np.repeat(pairs, restarts * points, axis=0)),
            "restart": np.tile(np.repeat(np.arange(restarts), points), len(pairs)),
            "step": np.tile(steps, members),
            "objective": curves.ravel(),
        }
    )


def screen_table(
    names: tuple[str, ...], pairs: NDArray[np.int64], screen: Screen
) -> pd.DataFrame | None:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.screen`."""
    if screen.by == "none":
        return None
    table = pd.DataFrame(
        {
            **pair_columns(names, pairs),
            "statistic": screen.statistic,
            "p_value": screen.p_value,
            "kept": screen.kept.astype(np.int64),
        }
    )
    if screen.by == "skeleton":
        for column, regions in (("given", screen.given), ("colliders", screen.colliders)):
            table[column] = [", ".join(names[k] for k in some) for some in regions]
    return table


def evidence_table(
    names: tuple[str, ...], pairs: NDArray[np.int64], evidence: Evidence | None
) -> pd.DataFrame | None:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.evidence`."""
    if evidence is None:
        return None
    columns = (
        *pair_columns(names, pairs).values(),
        np.array(MECHANISMS, dtype=object)[evidence.mechanism],
        evidence.shortfall,
        evidence.gain,
        evidence.statistic,
        *evidence.residual.T,
        *evidence.residual_sd.T,
        evidence.dependence,
        evidence.dependence_p,
        *evidence.lagged_noise.T,
        *evidence.modulated_noise.T,
    )
    return pd.DataFrame(dict(zip(EVIDENCE.columns, columns, strict=True)))


def diagnostics_table(
    names: tuple[str, ...], pairs: NDArray[np.int64], judged: Sequence[Diagnostics]
) -> pd.DataFrame:
    """Return `causal_ivae.derivatives.causal_graph.CausalGraph.diagnostics`.

    Parameters
    ----------
    names, pairs
        See `edges_table`.
    judged : sequence of Diagnostics, length n_pairs
    """
    rows = [
        (
            names[i],
            names[j],
            fit.verdict,
            fit.sentence(),
            fit.n_segments,
            fit.segments_needed,
            fit.rank,
            fit.condition,
            *np.column_stack([fit.modulation, fit.modulation_error]).ravel(),
            np.nan if fit.detectable is None else fit.detectable,
            *(fit.kl or (np.nan, np.nan)),
            fit.rise,
            np.nan if fit.agreement is None else fit.agreement,
            np.nan if fit.dependence_p is None else fit.dependence_p,
            int(fit.retried),
        )
        for (i, j), fit in zip(pairs.tolist(), judged, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(DIAGNOSTICS.columns))
