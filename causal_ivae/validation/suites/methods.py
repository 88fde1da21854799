"""Any method, ours or a rival, on any number of pairs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.tables import PROBABILITY_COLUMNS
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.settings import DecisionSettings, IndependenceSettings, UnmixingSettings
from causal_ivae.validation.suites.ours import judge_pairs
from causal_ivae.validation.suites.rivals import ALPHA, RIVALS

ALL_METHODS: tuple[str, ...] = (*METHODS, *RIVALS)
COLUMNS = (
    "method", "pair", "decision", "score", "confidence", "p_value", *PROBABILITY_COLUMNS, "rows",
)  # fmt: skip


def choose(
    asked: Sequence[str] | None, default: Sequence[str], say: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the methods asked for, or those of the default whose packages are there.

    Parameters
    ----------
    asked : sequence of str or None
    default : sequence of str
    say : callable
        Told which of the default are left out.

    Raises
    ------
    SettingsError
        If one that was asked for is unknown, or its package is not installed.
    """
    for name in asked or ():
        if name not in ALL_METHODS:
            raise SettingsError(f"Unknown method '{name}'. {nearest(name, ALL_METHODS)}")
    names = tuple(dict.fromkeys(asked or default))
    absent = {name for name in names if name in RIVALS and not RIVALS[name].there}
    for name in names:
        if name in absent:
            message = f"'{name}' needs the package '{RIVALS[name].package}', which is not installed"
            if asked:
                raise SettingsError(
                    f"{message}; install causal-ivae[benchmark], or choose other --methods."
                )
            say(f"{message}, and is left out.")
    return tuple(name for name in names if name not in absent)


def judge(
    series: NDArray[np.float64],
    segments: NDArray[np.int64],
    *,
    method: str,
    keys: Sequence[str],
    seed: int,
    unmixing: UnmixingSettings,
    blocks: NDArray[np.int64] | None = None,
    decision: DecisionSettings | None = None,
) -> pd.DataFrame:
    """Orient pairs that have their segments in common, each a data set of its own.

    Parameters
    ----------
    series : ndarray, shape (pairs, n_times, 2), float64
        Columns x and y of every pair.
    segments : ndarray, shape (n_times,), int64
    method : str
        One of `ALL_METHODS`.
    keys : sequence of str, length pairs
        What each pair is, distinct; with `seed`, the seed of all that is random about it.
    seed : int
    unmixing : UnmixingSettings
        Of our methods.
    blocks : ndarray, shape (n_times,), int64, optional
        Stretches without a gap, for our methods; see `causal_ivae.discover`.
    decision : DecisionSettings, optional
        Of our methods.

    Returns
    -------
    pandas.DataFrame
        ``method`` (some of ours give rows under two names), ``pair`` (its place in `series`),
        ``decision``, ``score`` (positive favours x -> y), ``confidence``, ``p_value`` and the
        probabilities of all outcomes (missing for methods without), ``rows`` (that the method
        saw).
    """
    if method not in RIVALS:
        found = judge_pairs(
            series,
            segments,
            method=method,
            keys=tuple(keys),
            seed=seed,
            blocks=blocks,
            unmixing=unmixing,
            decision=decision,
        ).assign(rows=series.shape[1])
        return found[list(COLUMNS)]
    rival = RIVALS[method]
    verdicts = [
        asdict(rival(x, segments, seed=seed, key=key)) for x, key in zip(series, keys, strict=True)
    ]
    found = pd.DataFrame(verdicts).assign(method=method, pair=range(len(keys)))
    return found.reindex(columns=list(COLUMNS))


def settings_of(
    method: str, unmixing: UnmixingSettings, decision: DecisionSettings | None = None
) -> dict[str, Any]:
    """Return every setting that the decisions of a method depend on.

    Parameters
    ----------
    method : str
        One of `ALL_METHODS`.
    unmixing : UnmixingSettings
    decision : DecisionSettings, optional
    """
    if method in RIVALS:
        return {"most_rows": RIVALS[method].most_rows, "alpha": ALPHA}
    return {
        method: getattr(unmixing, method).model_dump(mode="json"),
        "restarts": unmixing.restarts,
        "independence": IndependenceSettings().model_dump(mode="json"),
        "decision": (decision or DecisionSettings()).model_dump(mode="json"),
    }


def citations(methods: Sequence[str]) -> dict[str, str]:
    """Return where the rivals among some methods come from."""
    return {name: RIVALS[name].citation for name in methods if name in RIVALS}


def remarks(methods: Sequence[str]) -> list[str]:
    """Return what a reader of a table of these methods must know, in sentences."""
    rivals = [RIVALS[name] for name in methods if name in RIVALS]
    said = [
        f"{rival.name} sees at most {rival.most_rows} rows, taken at random."
        for rival in rivals
        if rival.most_rows
    ]
    always = [rival.name for rival in rivals if not rival.abstains]
    return [*said, f"Never abstaining: {', '.join(always)}."] if always else said
