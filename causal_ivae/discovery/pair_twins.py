"""Set the arrows of a method of pairs against those that it finds in twins, which have none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from causal_ivae.derivatives.network_tables import TWINS
from causal_ivae.discovery.network.decoys import decoy_q_values, is_settled, least_drawn
from causal_ivae.discovery.network.result_tables import twins_table
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.outcomes import DIRECTIONS, arrow_columns
from causal_ivae.seeding import child_seed, generator

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_AT_ONCE = 6
"""So many twins are fitted in one stack; more follow only if they may change what is drawn."""
_ANY = float(np.nextafter(0.0, 1.0))
"""Whatever the method decided is a claim, since it has thresholds of its own."""


def beside_twins(problem: Problem, judge: Callable[[Problem], Found]) -> Found:
    """Judge pairs of the data and of twins, and leave undecided what twins show as much.

    Parameters
    ----------
    problem : Problem
        With ``unmixing.pair_twins`` twins at most.
    judge : callable
        Decides on every pair of a problem by itself.

    Returns
    -------
    Found
        That of the data, with the table of the twins and facts on them for the sidecar.

    Notes
    -----
    The claims are the arrows that the method decides, each as sure as its confidence or, where the
    method has one, its interval level; the rule is that of the network method.  Pairs of several
    twins are fitted in one stack.
    """
    most, decision = problem.unmixing.pair_twins, problem.decision

    def part(own: Problem, first: int, count: int) -> Problem:
        """Return a problem whose progress is a part of that of the data and all twins."""
        tell = problem.progress
        if tell is None:
            return own
        return replace(
            own, progress=lambda what, done: tell(what, (first + count * done) / (1 + most))
        )

    of_data = judge(part(problem, 0, 1))
    claims = _sureness(of_data.tables["edges"]).ravel()
    maker = Twins(problem.values, problem.segments, problem.blocks)
    seed = child_seed(problem.seed, problem.key, "twins of pairs")
    decoys = np.empty((0, len(claims)))
    while len(decoys) < most:
        count = min(_AT_ONCE, most - len(decoys))
        numbers = range(len(decoys), len(decoys) + count)
        drawn = [maker.draw(generator(seed, "twin", number)) for number in numbers]
        found = judge(part(_side_by_side(problem, drawn), 1 + len(decoys), count))
        decoys = np.vstack([decoys, _sureness(found.tables["edges"]).reshape(count, -1)])
        if is_settled(claims, decoys, decision, most, _ANY):
            break
    least = least_drawn(claims, decoys, decision, _ANY)
    edges = _guarded(of_data.tables["edges"], claims, decoys, least)
    about = {
        "Twins": len(decoys),
        "Claims": int((claims > 0).sum()),
        "ClaimsPerTwin": float((decoys > 0).sum() / len(decoys)),
        "LeastConfidenceDrawn": least if np.isfinite(least) else None,
    }
    tables = {**of_data.tables, "edges": edges, TWINS.name: twins_table(claims, decoys)}
    return replace(of_data, tables=tables, about={**of_data.about, **about})


def _sureness(edges: pd.DataFrame) -> NDArray[np.float64]:
    """Return how sure x -> y and y -> x are of every pair, shape (n_pairs, 2); 0 if not decided."""
    column = "interval_level" if "interval_level" in edges else "confidence"
    sure = edges[column].to_numpy(dtype=np.float64)
    decided = edges["decision"].to_numpy()[:, None] == np.array(DIRECTIONS, dtype=object)
    return np.where(decided, np.fmax(sure, _ANY)[:, None], 0.0)


def _side_by_side(problem: Problem, drawn: list[NDArray[np.float64]]) -> Problem:
    """Return the problem of the same pairs in every twin, whose regions have own columns."""
    n, names = len(problem.names), problem.names
    return replace(
        problem,
        values=np.hstack(drawn).astype(problem.values.dtype),
        names=tuple(f"{name} of twin {k}" for k in range(len(drawn)) for name in names),
        pairs=np.concatenate([problem.pairs + k * n for k in range(len(drawn))]),
    )


def _guarded(
    edges: pd.DataFrame, claims: NDArray[np.float64], decoys: NDArray[np.float64], least: float
) -> pd.DataFrame:
    """Leave pairs undecided whose arrow is less sure than twins demand, and add q-values."""
    sure = claims.reshape(-1, 2).max(axis=1)
    lost = (sure > 0) & (sure < least)
    decision = edges["decision"].to_numpy(dtype=object, copy=True)
    decision[lost] = "undecided"
    x, y = (edges[name].to_numpy(dtype=object) for name in ("x", "y"))
    why = edges["why"].fillna("") if "why" in edges else np.full(len(edges), "", dtype=object)
    q_value = decoy_q_values(claims, decoys, _ANY).reshape(-1, 2)
    return edges.assign(
        decision=decision,
        **arrow_columns(decision, x, y),
        q_value=np.fmin(*q_value.T),
        why=np.where(lost, "twins", why),
    )
