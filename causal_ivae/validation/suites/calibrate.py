"""Fit the calibration of the structural method's probabilities on simulated pairs.

Run by ``make calibrate``; what it writes comes with the program.  The pairs are those of
`causal_ivae.simulate.structural`; whether the probabilities hold elsewhere is checked on those of
`causal_ivae.validation.suites.mechanisms`, by ``causal-ivae benchmark pairs``.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
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
from causal_ivae.discovery.probability import (
    OUTCOMES,
    Calibration,
    Evidence,
    normal_number,
)
from causal_ivae.provenance import versions
from causal_ivae.seeding import child_seed
from causal_ivae.settings import UnmixingSettings
from causal_ivae.simulate.structural import simulate_noisy_pair, simulate_pair
from causal_ivae.validation.suites.calibration_error import expected_calibration_error, reliability

Kind = Literal["x->y", "y->x", "none", "cyclic", "common cause", "noise"]

_RIDGE = 0.01
_SEED = 20261125
_MOST_LAYERS = 5
_KINDS: tuple[Kind, ...] = (
    "x->y", "y->x", "x->y", "y->x", "x->y", "y->x", "cyclic", "common cause", "none", "noise",
)  # fmt: skip


@dataclass(frozen=True)
class Design:
    """Segments that many simulated pairs have in common, and the laws of their disturbances."""

    n_segments: int
    n_per_segment: int
    prior: Literal["laplace", "gaussian"] = "laplace"
    autocorrelation: float = 0.0
    moving_means: float = 0.0


DESIGNS = (
    Design(4, 512),
    Design(8, 512),
    Design(8, 200, prior="gaussian"),
    Design(14, 83, autocorrelation=0.7),
    Design(14, 83),
    Design(20, 200),
    Design(20, 100, moving_means=1.0),
    Design(40, 60, autocorrelation=0.4),
    Design(40, 128),
    Design(10, 100, prior="gaussian", autocorrelation=0.5),
    Design(16, 512),
    Design(48, 512),
)


def simulate(design: Design, kind: Kind, layers: int, seed: int) -> NDArray[np.float64]:
    """Simulate one pair, shape (n_times, 2)."""
    if kind == "noise":
        return simulate_noisy_pair(
            n_segments=design.n_segments,
            n_per_segment=design.n_per_segment,
            autocorrelation=design.autocorrelation,
            seed=seed,
        ).values
    return simulate_pair(
        kind,
        n_segments=design.n_segments,
        n_per_segment=design.n_per_segment,
        layers=layers,
        prior=design.prior,
        mean_range=(-design.moving_means, design.moving_means),
        autocorrelation=design.autocorrelation,
        seed=seed,
    ).values


def collect(
    design: Design, pairs: int, seed: int, unmixing: UnmixingSettings | None = None
) -> pd.DataFrame:
    """Return the evidence of simulated pairs of one design, and what they are."""
    kinds = [_KINDS[i % len(_KINDS)] for i in range(pairs)]
    layers = [1 + (i + i // len(_KINDS)) % _MOST_LAYERS for i in range(pairs)]
    seeds = [child_seed(seed, "calibration", repr(design), i) for i in range(pairs)]
    values = np.concatenate(
        [
            simulate(design, kind, depth, own)
            for kind, depth, own in zip(kinds, layers, seeds, strict=True)
        ],
        axis=1,
    )
    segments = np.repeat(np.arange(design.n_segments), design.n_per_segment)
    names = [f"{i}{end}" for i in range(pairs) for end in "xy"]
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
    return graph.evidence.assign(kind=kinds, layers=layers, **asdict(design))


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
    return Calibration(weights[: odd.shape[1]], weights[odd.shape[1] :], of_dependence)


def judged_elsewhere(table: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of each pair's likelier direction, and whether it is the right one.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.  The pairs of each design are judged by a calibration that was fitted
        to those of the other designs.
    """
    said, right = np.zeros(len(table)), np.zeros(len(table), dtype=bool)
    for design in DESIGNS:
        own = np.ones(len(table), dtype=bool)
        for name, value in asdict(design).items():
            own &= (table[name] == value).to_numpy()
        of_others = fit(table[~own]).probabilities(Evidence.of_table(table[own]))
        directed = of_others[:, [OUTCOMES.index("x->y"), OUTCOMES.index("y->x")]]
        said[own] = directed.max(axis=1)
        likelier = np.array(["x->y", "y->x"])[directed.argmax(axis=1)]
        right[own] = likelier == table.loc[own, "kind"]
    return said, right


def main(arguments: Sequence[str]) -> None:
    """Write the calibration and the table that it was fitted to: TABLE JSON PAIRS."""
    where, target, pairs = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        # The longest come first, so that processes finish at about the same time.
        size = [-design.n_segments * design.n_per_segment for design in DESIGNS]
        found_by = {
            i: pool.submit(collect, DESIGNS[i], pairs, _SEED) for i in np.argsort(size).tolist()
        }
        parts = [found_by[i].result() for i in range(len(DESIGNS))]
    table = pd.concat(parts, ignore_index=True)
    write_table(where, table)
    write_json(target, described(table, pairs))


def described(table: pd.DataFrame, pairs: int) -> dict[str, Any]:
    """Return what ``calibration.json`` holds.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `collect`.
    pairs : int
        Of every design.
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
        "Reliability": {
            "Description": "Probability of the likelier direction, and how often it is the right "
            "one, of the pairs of each design by a calibration fitted to the other designs.",
            "Bins": reliability(said, right).to_dict("records"),
            "ExpectedCalibrationError": expected_calibration_error(said, right),
        },
        "Seed": _SEED,
        "PairsPerDesign": pairs,
        "Designs": [asdict(design) for design in DESIGNS],
        "Kinds": list(_KINDS),
        "Software": versions(),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
