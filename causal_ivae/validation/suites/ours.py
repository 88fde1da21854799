"""Judge pairs by our methods, each pair as a data set of its own."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.discovery.series_to_graph import discover
from causal_ivae.settings import DecisionSettings, UnmixingSettings

PAIR_METHODS = tuple(name for name, how in METHODS.items() if isinstance(how, PairMethod))
"""Our methods that judge a pair without regard to other regions."""
RULE = " (rule)"
"""After the name of a method: the published rule in place of the score, on the same fits."""
_WITH_RULE: tuple[str, ...] = ("ivae",)
_QUICK_STEPS, _QUICK_RESTARTS = 30, 2


def quick_settings() -> UnmixingSettings:
    """Return settings with few restarts and steps, to see that it works."""
    tree: dict[str, Any] = UnmixingSettings().model_dump()
    for method in METHODS:
        if "steps" in tree[method]:
            tree[method]["steps"] = _QUICK_STEPS
    return UnmixingSettings.model_validate({**tree, "restarts": _QUICK_RESTARTS})


def judge_pairs(
    series: NDArray[np.float64],
    segments: NDArray[np.int64],
    *,
    method: str,
    keys: tuple[str, ...],
    seed: int,
    blocks: NDArray[np.int64] | None = None,
    unmixing: UnmixingSettings | None = None,
    decision: DecisionSettings | None = None,
) -> pd.DataFrame:
    """Orient pairs that have their segments in common, all in one stack.

    Arguments and columns are those of `causal_ivae.validation.suites.pair_suite.PairSuite.judge`,
    but for ``rows``; no result depends on the other pairs.  Rows of "ivae (rule)" are added to
    those of "ivae"; their confidence is the share of restarts that agree.

    Notes
    -----
    `discover` takes the pairs as columns of one table, of which only these pairs are looked at.
    """
    pairs, n_times, _ = series.shape
    skeleton = [(f"{key} x", f"{key} y") for key in keys]
    result = discover(
        series.transpose(1, 0, 2).reshape(n_times, 2 * pairs),
        segments,
        [name for pair in skeleton for name in pair],
        method=method,
        skeleton=skeleton,
        seed=seed,
        blocks=blocks,
        unmixing=unmixing,
        decision=decision,
    )
    columns = ["decision", "score", "confidence", "p_value", *PROBABILITY_COLUMNS]
    found = result.edges[columns].assign(method=method, pair=range(pairs))
    if method in _WITH_RULE:
        assert result.restarts is not None
        votes = result.restarts["vote"].to_numpy().reshape(pairs, -1)
        ruled = by_rule(votes)
        again = found.assign(
            method=method + RULE, decision=ruled["decision"], confidence=ruled["confidence"]
        )
        found = pd.concat([found, again], ignore_index=True)
    return found[["method", "pair", *found.columns.drop(["method", "pair"])]]


def by_rule(votes: NDArray[np.object_]) -> pd.DataFrame:
    """Decide by the majority of the restarts' votes under the rule of Monti et al. 2019.

    Parameters
    ----------
    votes : ndarray of str, shape (pairs, restarts)

    Returns
    -------
    pandas.DataFrame
        ``decision`` and ``confidence``; "undecided" where no outcome has more than half.
    """
    outcomes = np.array(["x->y", "y->x", "none"], dtype=object)
    share = (votes[..., None] == outcomes).mean(axis=1)
    best = share.max(axis=1)
    decision = np.where(best > 0.5, outcomes[share.argmax(axis=1)], "undecided")
    return pd.DataFrame(
        {"decision": decision, "confidence": np.where(best > 0.5, best, 1.0 - best)}
    )
