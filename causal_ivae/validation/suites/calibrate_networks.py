"""Fit the probabilities of the network method on simulated BOLD networks.

Run by ``make calibrate``; what it writes comes with the program.  The networks are those of
`causal_ivae.simulate.bold_networks`; whether the probabilities hold elsewhere is checked on others
by ``causal-ivae benchmark networks``.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

from causal_ivae.batch.workers.process import prepare_process
from causal_ivae.derivatives.files import write_json
from causal_ivae.discovery.network.adjacency import adjacency_features
from causal_ivae.discovery.network.evidence import arrow_features, gather
from causal_ivae.discovery.network.judgement import LEAST_ADJACENT
from causal_ivae.discovery.network.scaling import scaled
from causal_ivae.discovery.network.units import Units
from causal_ivae.discovery.network.weights import ARROWS, AdjacencyModel, ArrowModel, NetworkWeights
from causal_ivae.provenance import versions
from causal_ivae.seeding import child_seed, generator
from causal_ivae.simulate.bold_networks import BoldDesign, draw_bold_design, simulate_bold_network
from causal_ivae.validation.suites.calibration_error import reliability_entry

_SEED = 20261129
_ADJACENCY_RIDGE = 1e-3
_ARROW_RIDGE = 2e-3
_FOLDS = 8
_CONFIDENCE = 0.7
_FEWEST_VOLUMES = 150


@dataclass(frozen=True)
class Case:
    """Name a simulated network, and how many of its subjects are used; None for all."""

    number: int
    subjects: int | None = None

    def simulate(self) -> tuple[NDArray[np.float64], NDArray[np.int64], BoldDesign]:
        """Return the volumes of all subjects, the subject of every volume, and the design."""
        seed = child_seed(_SEED, "network", self.number)
        network = simulate_bold_network(draw_bold_design(seed), seed=seed)
        few = replace(network, values=network.values[: self.subjects])
        return *few.stacked, network.design


def all_cases(networks: int) -> list[Case]:
    """Return every network with all subjects, and every second one with one to three as well."""
    cases = [Case(number) for number in range(networks)]
    for number in range(0, networks, 2):
        rng = generator(_SEED, "few subjects", number)
        cases.append(Case(number, int(rng.choice([1, 1, 2, 3]))))
    return cases


@dataclass(frozen=True)
class Pairs:
    """Hold features and truth of pairs of many networks.

    Attributes
    ----------
    network : ndarray, shape (n_pairs,), int64
        Number of the network that each pair is of.
    few : ndarray, shape (n_pairs,), bool
        True if one to three subjects were used.
    truth : ndarray, shape (n_pairs,), int64
        Index into `causal_ivae.discovery.network.weights.ARROWS`.
    confounded : ndarray, shape (n_pairs,), bool
        True for pairs with a common cause that is not measured and no arrow.
    adjacency : ndarray, shape (n_pairs, 9), float64
    odd, even : ndarray, shape (n_pairs, 12) and (n_pairs, 26), float64
        Features of the arrows; without columns where only adjacency was asked.
    """

    network: NDArray[np.int64]
    few: NDArray[np.bool_]
    truth: NDArray[np.int64]
    confounded: NDArray[np.bool_]
    adjacency: NDArray[np.float64]
    odd: NDArray[np.float64]
    even: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join the pairs of several networks."""
        return cls(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls))
        )

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Pairs":
        return Pairs(*(getattr(self, one.name)[chosen] for one in fields(self)))


def collect(case: Case, adjacency: AdjacencyModel | None = None) -> Pairs | None:
    """Return the features of a network's pairs.

    Parameters
    ----------
    adjacency : AdjacencyModel, optional
        With it, the arrows of the pairs that it takes for adjacent; without it, the adjacency of
        all pairs.

    Returns
    -------
    Pairs or None
        None if there are too few volumes, or no pair is taken for adjacent.
    """
    values, segments, design = case.simulate()
    if len(values) < _FEWEST_VOLUMES:
        return None
    seed = child_seed(_SEED, "evidence", case.number)
    values, _ = scaled(values, segments, seed)
    pairs = np.stack(np.triu_indices(len(design.adjacency), 1), axis=1)
    features = adjacency_features(Units.of(values, segments), len(values))
    odd, even = np.zeros((2, len(pairs), 0))
    if adjacency is not None:
        log_odds = adjacency.log_odds(features)
        kept = expit(log_odds) >= LEAST_ADJACENT
        if not kept.any():
            return None
        pairs, features = pairs[kept], features[kept]
        evidence = gather(values, segments, segments, pairs, seed)
        odd, even = arrow_features(*evidence, log_odds[kept])
    x, y = pairs.T
    return Pairs(
        np.full(len(pairs), case.number),
        np.full(len(pairs), case.subjects is not None),
        design.adjacency[x, y] + 2 * design.adjacency[y, x],
        design.confounded[x, y],
        features,
        odd,
        even,
    )


def fit_adjacency(pairs: Pairs) -> AdjacencyModel:
    """Maximise the likelihood of which pairs are adjacent, with a small ridge."""
    model = AdjacencyModel(pairs.adjacency.mean(axis=0), pairs.adjacency.std(axis=0), np.zeros(1))
    design, adjacent = model.design(pairs.adjacency), pairs.truth > 0

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = design @ weights
        value = -log_expit(np.where(adjacent, odds, -odds)).mean()
        gradient = design.T @ (expit(odds) - adjacent) / len(odds)
        return (
            value + _ADJACENCY_RIDGE * float(weights @ weights),
            gradient + 2 * _ADJACENCY_RIDGE * weights,
        )

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B")
    return replace(model, weights=found.x)


def fit_arrows(pairs: Pairs) -> ArrowModel:
    """Maximise the likelihood of the arrows of adjacent pairs, with a small ridge.

    Notes
    -----
    What speaks for a direction may not count against it.
    """
    model = ArrowModel(
        np.sqrt(np.square(pairs.odd).mean(axis=0)) + 1e-9,
        pairs.even.mean(axis=0),
        pairs.even.std(axis=0) + 1e-9,
        *[np.zeros(1)] * 3,
    )
    odd, even = model.design(pairs.odd, pairs.even)
    first, second = odd.shape[1], odd.shape[1] + even.shape[1]
    target = np.eye(4)[pairs.truth]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        straight, single = odd @ weights[:first], even @ weights[first:second]
        both = even @ weights[second:]
        logits = np.column_stack([np.zeros_like(both), single + straight, single - straight, both])
        value = -log_softmax(logits, axis=1)[target > 0].mean()
        excess = (softmax(logits, axis=1) - target) / len(target)
        gradient = np.concatenate(
            [
                odd.T @ (excess[:, 1] - excess[:, 2]),
                even.T @ (excess[:, 1] + excess[:, 2]),
                even.T @ excess[:, 3],
            ]
        )
        return (
            value + _ARROW_RIDGE * float(weights @ weights),
            gradient + 2 * _ARROW_RIDGE * weights,
        )

    size = first + 2 * even.shape[1]
    bounds = [(0.0, None)] * first + [(None, None)] * (size - first)
    found = minimize(
        loss, np.zeros(size), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000}
    ).x
    return replace(model, direction=found[:first], single=found[first:second], both=found[second:])


def judged_elsewhere(pairs: Pairs, group: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities of every pair by a model that was fitted to the other groups."""
    found = np.zeros((len(pairs.truth), 4))
    for one in np.unique(group):
        own = group == one
        found[own] = fit_arrows(pairs[~own]).probabilities(pairs.odd[own], pairs.even[own])
    return found


def scores(pairs: Pairs, probability: NDArray[np.float64]) -> dict[str, Any]:
    """Return how reliable probabilities are, and what is claimed at the default confidence.

    Returns
    -------
    dict
        ``Pairs``; of the likelier direction, the ``Bins`` and the ``ExpectedCalibrationError``; of
        the arrows with a probability of .7 or more, ``Claimed``, ``Precision`` and ``Recall`` among
        the pairs; and ``ConfoundedClaimed``, the share of pairs with a common cause that is not
        measured for which an arrow is claimed.
    """
    said = probability[:, [1, 2]] + probability[:, [3]]
    true = np.stack([np.isin(pairs.truth, (1, 3)), np.isin(pairs.truth, (2, 3))], axis=1)
    likelier = said.argmax(axis=1)[:, None]
    best, right = (np.take_along_axis(part, likelier, axis=1)[:, 0] for part in (said, true))
    claimed = said >= _CONFIDENCE
    confounded = np.asarray(claimed.any(axis=1))[pairs.confounded]
    return {
        "Pairs": len(pairs.truth),
        **reliability_entry(best, right),
        "Claimed": int(claimed.sum()),
        "Precision": float(true[claimed].mean()) if claimed.any() else None,
        "Recall": float((claimed & true).sum() / true.sum()),
        "ConfoundedClaimed": float(confounded.mean()) if len(confounded) else None,
        "Confounded": len(confounded),
    }


def left_out_kinds(pairs: Pairs, designs: dict[int, BoldDesign]) -> dict[str, dict[str, Any]]:
    """Return the scores of every kind of network by models that were fitted to other kinds."""
    kinds: dict[str, Callable[[BoldDesign], str]] = {
        "graph": lambda design: design.kind,
        "drive": lambda design: design.drive,
        "noise": lambda design: ("low", "medium", "high")[np.digitize(design.noise, [0.005, 0.06])],
        "delay": lambda design: ("low", "medium", "high")[np.digitize(design.delay_sd, [0.3, 0.7])],
        "repetition time": lambda design: ("short", "long")[int(design.tr > 1.7)],
        "gated": lambda design: str(design.gated),
    }
    found = {}
    for name, kind in kinds.items():
        group = np.array([kind(designs[number]) for number in pairs.network.tolist()])
        probability = judged_elsewhere(pairs, group)
        found[name] = {
            one: scores(pairs[group == one], probability[group == one])
            for one in np.unique(group).tolist()
        }
    return found


def main(arguments: Sequence[str]) -> None:
    """Write the weights with their report, given the arguments JSON NETWORKS."""
    target, networks = Path(arguments[0]), int(arguments[1])
    cases = all_cases(networks)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        of_adjacency = Pairs.joined([one for one in pool.map(collect, cases) if one is not None])
        adjacency = fit_adjacency(of_adjacency)
        found = pool.map(collect, cases, [adjacency] * len(cases))
        pairs = Pairs.joined([one for one in found if one is not None])
    weights = NetworkWeights(adjacency, fit_arrows(pairs))
    write_json(target, described(weights, of_adjacency, pairs, networks))


def described(
    weights: NetworkWeights, of_adjacency: Pairs, pairs: Pairs, networks: int
) -> dict[str, Any]:
    """Return the content of ``weights.json``.

    Parameters
    ----------
    of_adjacency : Pairs
        All pairs of all networks.
    pairs : Pairs
        Those that were taken for adjacent.
    """
    designs = {
        number: draw_bold_design(child_seed(_SEED, "network", number)) for number in range(networks)
    }
    probability = judged_elsewhere(pairs, pairs.network % _FOLDS)
    adjacent = np.zeros(len(of_adjacency.truth))
    for fold in range(_FOLDS):
        own = of_adjacency.network % _FOLDS == fold
        model = fit_adjacency(of_adjacency[~own])
        adjacent[own] = expit(model.log_odds(of_adjacency.adjacency[own]))
    true = of_adjacency.truth > 0
    return {
        "Description": "Weights of causal_ivae.discovery.network.weights.NetworkWeights",
        "Weights": {
            name: {key: value.tolist() for key, value in part.items()}
            for name, part in asdict(weights).items()
        },
        "Reliability": {
            "Description": "Of pairs that are taken for adjacent, judged by models that were "
            "fitted to other networks: the probability of the likelier direction, how often it is "
            "right, and the arrows with a probability of .7 or more.",
            **scores(pairs, probability),
            "FewSubjects": scores(pairs[pairs.few], probability[pairs.few]),
            "KindsLeftOut": left_out_kinds(pairs, designs),
        },
        "AdjacencyReliability": {
            "Description": "Probability that a pair is adjacent, and how often it is, by models "
            "that were fitted to other networks.",
            **reliability_entry(adjacent, true),
        },
        "Outcomes": list(ARROWS),
        "Seed": _SEED,
        "Networks": networks,
        "Software": versions(),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
