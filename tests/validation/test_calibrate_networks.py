"""The weights of the network method are fitted to simulated networks and carry their report."""

import numpy as np
import pytest
from scipy.special import expit

from causal_ivae.discovery.network.weights import ARROWS, network_weights, read_weights
from causal_ivae.simulate.bold_networks import BoldDesign
from causal_ivae.validation.suites import calibrate_networks
from causal_ivae.validation.suites.calibrate_networks import (
    Case,
    Pairs,
    all_cases,
    collect,
    fit_adjacency,
    fit_arrows,
    judged_elsewhere,
    scores,
)


def test_the_report_of_the_weights_that_come_with_the_program_is_good_enough():
    tree = read_weights()
    report = tree["Reliability"]
    assert report["ExpectedCalibrationError"] <= 0.03
    assert report["Precision"] >= 0.9
    kinds = [part for group in report["KindsLeftOut"].values() for part in group.values()]
    assert len(kinds) >= 15
    assert min(part["Precision"] for part in kinds) >= 0.8
    assert tree["AdjacencyReliability"]["ExpectedCalibrationError"] <= 0.03
    weights = network_weights()
    assert weights.adjacency.weights.shape == (10,)
    assert (weights.arrows.direction >= 0).all()


def simulated(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    odd, even, adjacency = (rng.normal(size=(n, size)) for size in (12, 26, 9))
    single, straight = 1.0 + even[:, 0], 2.0 * odd[:, 3]
    logits = np.column_stack([np.zeros(n), single + straight, single - straight, np.full(n, -1.0)])
    truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    near = rng.random(n) < expit(3 * adjacency[:, 1])
    return Pairs(
        rng.integers(0, 40, n), np.zeros(n, bool), np.where(near, truth, 0),
        np.zeros(n, bool), adjacency, odd, even,
    ), truth  # fmt: skip


def test_models_find_what_made_the_truth():
    pairs, truth = simulated()
    adjacency = fit_adjacency(pairs)
    assert np.abs(adjacency.weights).argmax() == 2
    arrows = fit_arrows(Pairs(**{**vars(pairs), "truth": truth}))
    assert arrows.direction.argmax() == 3
    assert np.abs(arrows.single[1:]).argmax() == 0
    probability = arrows.probabilities(pairs.odd, pairs.even)
    turned = arrows.probabilities(-pairs.odd, pairs.even)
    np.testing.assert_allclose(turned[:, [0, 2, 1, 3]], probability)


def test_probabilities_of_other_networks_are_reliable():
    pairs, truth = simulated(seed=1)
    pairs = Pairs(**{**vars(pairs), "truth": truth})
    report = scores(pairs, judged_elsewhere(pairs, pairs.network % 4))
    assert report["ExpectedCalibrationError"] < 0.03
    assert report["Precision"] > 0.8
    assert report["Pairs"] == 3000


def test_pairs_of_a_network_have_its_truth(monkeypatch):
    graph = np.zeros((4, 4), dtype=bool)
    graph[0, 1] = graph[1, 0] = graph[2, 1] = True
    design = BoldDesign(graph, n_subjects=6, n_times=80, hidden=((0, 3),), noise=0.01)
    monkeypatch.setattr(calibrate_networks, "draw_bold_design", lambda _: design)
    every = collect(Case(0))
    assert [ARROWS[k] for k in every.truth] == ["both", "none", "none", "y->x", "none", "none"]
    np.testing.assert_array_equal(np.flatnonzero(every.confounded), [2])
    assert every.odd.shape == (6, 0)
    kept = collect(Case(0), network_weights().adjacency)
    assert 1 <= len(kept.truth) <= 6
    assert kept.odd.shape[1:] == (12,)
    assert kept.even.shape[1:] == (26,)
    assert collect(Case(0, 1)) is None


@pytest.mark.parametrize("networks", [4, 7])
def test_every_second_network_is_judged_with_few_subjects_too(networks):
    cases = all_cases(networks)
    assert [case.number for case in cases[:networks]] == list(range(networks))
    few = cases[networks:]
    assert [case.number for case in few] == list(range(0, networks, 2))
    assert all(1 <= case.subjects <= 3 for case in few)
