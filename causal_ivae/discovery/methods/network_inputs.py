"""Judge networks with known inputs, which no arrow can lead into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from causal_ivae.derivatives.network_tables import INPUTS
from causal_ivae.derivatives.tables import EDGES
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.errors import SettingsError
from causal_ivae.outcomes import arrow_columns, leaning_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from causal_ivae.discovery.network.known_inputs import InputEffects


def discover_with_inputs(problem: Problem, discover: Callable[[Problem], Found]) -> Found:
    """Judge the regions without what inputs explain, and what the inputs reach.

    Parameters
    ----------
    problem : Problem
        With inputs among its columns.
    discover : callable
        Judges the regions alone.

    Notes
    -----
    An input is known, so that its part can be taken off the regions before their network is judged:
    no arrow leads into it in the skeleton, in the equations or in any graph of the search.
    """
    from causal_ivae.discovery.network.known_inputs import (
        input_effects,
        known_input,
        without_inputs,
    )
    from causal_ivae.discovery.network.units import series_of_own

    inputs = problem.exogenous
    regions = np.setdiff1d(np.arange(len(problem.names)), inputs)
    measured = problem.values[:, regions]
    # Blocks end with segments, which an input goes on through.
    stretches = np.cumsum(np.diff(series_of_own(problem.segments), prepend=0) != 0)
    known = [known_input(problem.values[:, one], measured, stretches, problem.tr) for one in inputs]
    regressors = np.hstack([one.regressors for one in known])
    place = np.full(len(problem.names), -1)
    place[regions] = np.arange(len(regions))
    between = np.asarray((place[problem.pairs] >= 0).all(axis=1))
    if not between.any():
        raise SettingsError(
            "The skeleton holds only pairs with an input; give pairs of regions too."
        )
    rest = without_inputs(measured, regressors, problem.segments)
    inner = replace(
        problem,
        values=(rest / (rest.std(axis=0) + 1e-12)).astype(np.float32),
        names=tuple(problem.names[region] for region in regions),
        pairs=place[problem.pairs[between]],
        exogenous=(),
    )
    found = discover(inner)
    edges = found.tables["edges"]
    arrows = np.zeros((len(regions), len(regions)))
    both = edges.get("probability_both", np.zeros(len(edges)))
    x, y = inner.pairs.T
    arrows[x, y] = np.nan_to_num(edges["probability_forward"] + both)
    arrows[y, x] = np.nan_to_num(edges["probability_backward"] + both)
    effects = {
        int(one): input_effects(measured, regressors, number, problem.segments, arrows)
        for number, one in enumerate(inputs)
    }
    asked = _asked(problem, effects, place, found)
    joined = _joined(edges, asked, between)
    about = {
        problem.names[one]: {"Convolved": how.convolved}
        for one, how in zip(inputs, known, strict=True)
    }
    tables = {**found.tables, "edges": joined, INPUTS.name: _table(problem, effects, regions)}
    return replace(found, tables=tables, about={**found.about, "Inputs": about})


def _asked(
    problem: Problem, effects: dict[int, InputEffects], place: NDArray[np.int64], found: Found
) -> pd.DataFrame:
    """Return the rows of edges of the pairs of an input and a region."""
    import pandas as pd

    confidence, rows = problem.decision.confidence, []
    for x, y in problem.pairs[(place[problem.pairs] < 0).any(axis=1)].tolist():
        first = x in effects
        one = effects[x if first else y]
        region = place[y if first else x]
        arrow = float(one.probability()[region])
        reached = bool(one.reached[region])
        sure, why = max(arrow, 1.0 - arrow), ""
        decision = "undecided"
        if reached and arrow >= confidence:
            decision = "x->y" if first else "y->x"
        elif reached and 1.0 - arrow >= confidence:
            decision, why = "none", "through"
        elif reached:
            why = "reached"
        elif abs(one.total_t[region]) < 2.0:
            decision, why, sure = "none", "independent", 1.0 - arrow
        else:
            why = "data"
        rows.append(
            {
                "x": problem.names[x],
                "y": problem.names[y],
                "decision": decision,
                "score": arrow if first else -arrow,
                "confidence": sure,
                "probability_unknown": 0.0,
                "probability_forward": arrow if first else 0.0,
                "probability_backward": 0.0 if first else arrow,
                "probability_none": 1.0 - arrow,
                "probability_both": 0.0,
                "probability_adjacent": arrow,
                **{k: v[0] for k, v in leaning_columns(np.array([float(first)])).items()},
                "why": why,
            }
        )
    table = EDGES.frame(dict(pd.DataFrame(rows)))
    ends = arrow_columns(*(table[name].to_numpy(dtype=object) for name in ("decision", "x", "y")))
    return table.assign(**ends)[[name for name in table if name in found.tables["edges"]]]


def _joined(edges: pd.DataFrame, asked: pd.DataFrame, between: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the rows of both tables in the order of the pairs."""
    import pandas as pd

    order = np.argsort(np.concatenate([np.flatnonzero(between), np.flatnonzero(~between)]))
    together = pd.concat([edges, asked], ignore_index=True).iloc[order].reset_index(drop=True)
    words = [name for name in ("reason", "quality", "why", "leaning") if name in together]
    return together.fillna(dict.fromkeys(words, ""))


def _table(
    problem: Problem, effects: dict[int, InputEffects], regions: NDArray[np.int64]
) -> pd.DataFrame:
    """Return the table of what every input reaches."""
    import pandas as pd

    names = [problem.names[region] for region in regions]
    rows: list[dict[str, Any]] = []
    for number, one in effects.items():
        for region, name in enumerate(names):
            rows.append(
                {
                    "input": problem.names[number],
                    "region": name,
                    "total": one.total[region],
                    "total_t": one.total_t[region],
                    "direct": one.direct[region],
                    "direct_t": one.direct_t[region],
                    "remaining": one.remaining[region],
                    "remaining_t": one.remaining_t[region],
                    "through": ", ".join(names[k] for k in one.through[region]),
                }
            )
    return INPUTS.frame(dict(pd.DataFrame(rows)))
