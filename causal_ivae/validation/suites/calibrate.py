"""Fit the calibration of the structural method's probabilities on simulated pairs.

Run by ``make calibrate``; what it writes comes with the program.  The pairs are those of
`causal_ivae.simulate.known_graphs`; whether the probabilities hold elsewhere is checked on those of
`causal_ivae.validation.suites.mechanisms`, by ``causal-ivae benchmark pairs``.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize

from causal_ivae.batch.workers.process import prepare_process
from causal_ivae.derivatives.files import write_json, write_table
from causal_ivae.discovery import discover
from causal_ivae.discovery.probability import OUTCOMES, Calibration, Evidence, normal_number
from causal_ivae.provenance import versions
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_noisy_pair, simulate_pair
from causal_ivae.validation.suites.assumed_arrows import (
    NETWORKS,
    collect_arrows,
    fit_slope,
    reliability_of_slope,
)
from causal_ivae.validation.suites.calibration_error import reliability_entry

Kind = Literal["x->y", "y->x", "none", "cyclic", "common cause", "noise"]

_RIDGE = 0.01
_SEED = 20261129
_MOST_LAYERS = 5
_AUTOCORRELATIONS = (0.0, 0.3, 0.6, 0.85)
_KINDS: tuple[Kind, ...] = (
    "x->y", "y->x", "x->y", "y->x", "x->y", "y->x", "cyclic", "common cause", "none", "noise",
    "noise", "noise",
)  # fmt: skip
_LEAST_NOISE, _MOST_NOISE, _MOST_RATIO = 0.15, 1.0, 6.0
"""Range of the cleaner region's noise, relative to the signal, and the largest ratio of the two."""
_RATIOS = (1.0, 2.0, 3.0, 4.0, _MOST_RATIO)
_MANY_VOLUMES = 10_000


@dataclass(frozen=True)
class Design:
    """Describe the segments that many simulated pairs share, and their disturbances' laws."""

    n_segments: int
    n_per_segment: int
    prior: Literal["laplace", "gaussian"] = "laplace"
    moving_means: float = 0.0


DESIGNS = (
    Design(4, 512),
    Design(8, 512),
    Design(8, 200, prior="gaussian"),
    Design(14, 83),
    Design(14, 83, prior="gaussian"),
    Design(20, 200),
    Design(20, 100, moving_means=1.0),
    Design(40, 60),
    Design(40, 128),
    Design(10, 100),
    Design(16, 512),
    Design(48, 512),
)


@dataclass(frozen=True)
class Pair:
    """Describe one simulated pair: its kind, and what it was simulated with.

    Attributes
    ----------
    layers : int
        Of the mixing network.
    autocorrelation : float
        Lag-one coefficient of the disturbances, or of the signal.
    noise_x, noise_y : float
        Standard deviation of each region's own noise relative to the signal that both see; 0 for
        other kinds.
    """

    kind: Kind
    layers: int
    autocorrelation: float
    noise_x: float = 0.0
    noise_y: float = 0.0


def pair_of(design: Design, number: int, seed: int) -> Pair:
    """Describe a pair of a design; all kinds come in turn, each with every autocorrelation."""
    turn, place = divmod(number, len(_KINDS))
    kind, layers = _KINDS[place], 1 + (number + turn) % _MOST_LAYERS
    autocorrelation = _AUTOCORRELATIONS[(turn + place) % len(_AUTOCORRELATIONS)]
    if kind != "noise":
        return Pair(kind, layers, autocorrelation)
    rng = generator(seed, "calibration noise", repr(design), number)
    cleaner = np.exp(rng.uniform(np.log(_LEAST_NOISE), np.log(_MOST_NOISE)))
    noise = rng.permutation([cleaner, cleaner * rng.uniform(1.0, _MOST_RATIO)])
    return Pair(kind, layers, autocorrelation, float(noise[0]), float(noise[1]))


def simulate(design: Design, pair: Pair, seed: int) -> NDArray[np.float64]:
    """Simulate one pair, shape (n_times, 2)."""
    if pair.kind == "noise":
        return simulate_noisy_pair(
            n_segments=design.n_segments,
            n_per_segment=design.n_per_segment,
            noise=(pair.noise_x, pair.noise_y),
            autocorrelation=pair.autocorrelation,
            seed=seed,
        ).values
    return simulate_pair(
        pair.kind,
        n_segments=design.n_segments,
        n_per_segment=design.n_per_segment,
        layers=pair.layers,
        prior=design.prior,
        mean_range=(-design.moving_means, design.moving_means),
        autocorrelation=pair.autocorrelation,
        seed=seed,
    ).values


def collect(
    design: Design, numbers: Sequence[int], seed: int, unmixing: UnmixingSettings | None = None
) -> pd.DataFrame:
    """Return the evidence of some simulated pairs of one design, and what they are."""
    pairs = [pair_of(design, number, seed) for number in numbers]
    values = np.concatenate(
        [
            simulate(design, pair, child_seed(seed, "calibration", repr(design), number))
            for number, pair in zip(numbers, pairs, strict=True)
        ],
        axis=1,
    )
    segments = np.repeat(np.arange(design.n_segments), design.n_per_segment)
    names = [f"{number}{end}" for number in numbers for end in "xy"]
    graph = discover(
        values,
        segments,
        names,
        method="structural",
        skeleton=list(zip(names[::2], names[1::2], strict=True)),
        seed=child_seed(seed, repr(design)),
        unmixing=unmixing,
    )
    assert graph.evidence is not None
    what = pd.DataFrame([asdict(pair) for pair in pairs])
    return pd.concat([graph.evidence, what], axis=1).assign(**asdict(design))


def fit(table: pd.DataFrame) -> Calibration:
    """Maximise the likelihood of what simulated pairs are.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.

    Notes
    -----
    A small ridge keeps the weights finite where the classes do not overlap; what speaks for a
    direction may not count against it.  Pairs that are independent count for the probability of
    dependence only.
    """
    evidence = Evidence.of_table(table)
    odd, even = evidence.features()
    dependent = (table["kind"] != "none").to_numpy()
    outcome = np.select(
        [table["kind"] == "x->y", table["kind"] == "y->x"],
        [OUTCOMES.index("x->y"), OUTCOMES.index("y->x")],
        OUTCOMES.index("unknown"),
    )[dependent]

    def loss(weights: NDArray[np.float64]) -> float:
        straight = odd[dependent] @ weights[: odd.shape[1]]
        common = even[dependent] @ weights[odd.shape[1] :]
        logits = np.stack([np.zeros_like(common), common + straight, common - straight], axis=1)
        logits -= logits.max(axis=1, keepdims=True)
        log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        own = np.take_along_axis(log_share, outcome[:, None], axis=1)
        return float(-own.mean() + _RIDGE * np.square(weights).mean())

    def loss_of_dependence(weights: NDArray[np.float64]) -> float:
        score = weights[0] + weights[1] * normal_number(evidence.dependence_p)
        surprise = np.logaddexp(0.0, np.where(dependent, -score, score))
        return float(surprise.mean() + _RIDGE * np.square(weights).mean())

    bounds = [(0.0, None)] * odd.shape[1] + [(None, None)] * even.shape[1]
    weights = minimize(loss, np.zeros(len(bounds)), bounds=bounds).x
    of_dependence = minimize(loss_of_dependence, np.zeros(2)).x
    return Calibration(
        odd=weights[: odd.shape[1]],
        even=weights[odd.shape[1] :],
        dependent=of_dependence,
        directed=float(table["kind"].isin(["x->y", "y->x"]).mean()),
    )


def judged_elsewhere(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of each pair's likelier direction, and whether it is the right one.

    The pairs of each design are judged by a calibration that was fitted to those of the others.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.
    """
    said, right = np.zeros(len(table)), np.zeros(len(table), dtype=bool)
    for design in DESIGNS:
        own = _of(design, table)
        if not own.any():
            continue
        of_others = fit(table[~own]).probabilities(Evidence.of_table(table[own]))
        directed = of_others[:, [OUTCOMES.index("x->y"), OUTCOMES.index("y->x")]]
        said[own] = directed.max(axis=1)
        likelier = np.array(["x->y", "y->x"])[directed.argmax(axis=1)]
        right[own] = likelier == table.loc[own, "kind"]
    return said, right


def _of(design: Design, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows are pairs of a design."""
    own = [(table[name] == value).to_numpy() for name, value in asdict(design).items()]
    return np.asarray(np.all(own, axis=0))


def decided_shares(
    table: pd.DataFrame, said: NDArray[np.float64], right: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the shares of pairs that get a direction at the default confidence.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.
    said, right : ndarray
        Results of `judged_elsewhere`.
    """
    default = DecisionSettings()
    decided = (said >= default.confidence) & (table["dependence_p"] <= default.alpha).to_numpy()
    arrow = table["kind"].isin(["x->y", "y->x"]).to_numpy()
    levels = table[["noise_x", "noise_y"]].to_numpy()
    noisy = (table["kind"] == "noise").to_numpy()
    ratio = levels.max(axis=1) / np.where(noisy, levels.min(axis=1), 1.0)
    ranges = {
        f"{low:g} to {high:g}": noisy & (ratio >= low) & (ratio < high)
        for low, high in pairwise(_RATIOS)
    }

    def share(chosen: NDArray[np.bool_], which: NDArray[np.bool_]) -> dict[str, Any]:
        return {"Share": float(chosen[which].mean()), "Pairs": int(which.sum())}

    return {
        "Description": f"Shares of pairs with a direction at {default.confidence:g}, each design "
        "judged by a calibration fitted to the others: the right and the wrong one of pairs with "
        "an arrow, and any of pairs without, for one signal seen twice by the ratio of the noises.",
        "Right": share(decided & right, arrow),
        "Wrong": share(decided & ~right, arrow),
        "False": {
            str(kind): share(decided, (table["kind"] == kind).to_numpy())
            for kind in sorted(set(table["kind"][~arrow]))
        },
        "FalseByNoiseRatio": {
            name: share(decided, which) for name, which in ranges.items() if which.any()
        },
    }


def main(arguments: Sequence[str]) -> None:
    """Write the calibration and its tables, given the arguments TABLE ARROWS JSON PAIRS."""
    *places, pairs = arguments
    where, where_arrows, target = map(Path, places)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        # The longest come first, so that processes finish at about the same time.
        size = [-design.n_segments * design.n_per_segment for design in DESIGNS]
        found_by = {
            i: pool.submit(collect, DESIGNS[i], range(_count(DESIGNS[i], int(pairs))), _SEED)
            for i in np.argsort(size).tolist()
        }
        of_arrows = [pool.submit(collect_arrows, i, _SEED) for i in range(NETWORKS)]
        parts = [found_by[i].result() for i in range(len(DESIGNS))]
        arrows = pd.concat([one.result() for one in of_arrows], ignore_index=True)
    table = pd.concat(parts, ignore_index=True)
    write_table(where, table)
    write_table(where_arrows, arrows)
    write_json(target, described(table, arrows))


def _count(design: Design, pairs: int) -> int:
    """Return the number of pairs of a design, fewer where fits take many times as long."""
    few = design.n_segments * design.n_per_segment > _MANY_VOLUMES
    return min(pairs, len(_KINDS)) if few else pairs


def described(table: pd.DataFrame, arrows: pd.DataFrame) -> dict[str, Any]:
    """Return the content of ``calibration.json``.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.
    arrows : pandas.DataFrame
        Rows of `collect_arrows`.
    """
    found = fit(table)
    said, right = judged_elsewhere(table)
    return {
        "Description": "Weights of causal_ivae.discovery.probability.Calibration",
        "Weights": {
            "odd": found.odd.tolist(),
            "even": found.even.tolist(),
            "dependent": found.dependent.tolist(),
        },
        "DirectedShare": found.directed,
        "Reliability": {
            "Description": "Probability of the likelier direction, and how often it is the right "
            "one, of the pairs of each design by a calibration fitted to the other designs.",
            **reliability_entry(said, right),
        },
        "Decided": decided_shares(table, said, right),
        "AssumedArrows": {"Factor": fit_slope(found, arrows)} | reliability_of_slope(found, arrows),
        "Seed": _SEED,
        "Pairs": len(table),
        "Designs": [
            {**asdict(design), "Pairs": int(_of(design, table).sum())} for design in DESIGNS
        ],
        "Kinds": list(_KINDS),
        "Software": versions(),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
