from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from causal_ivae.discovery.evidence import orient_by_evidence
from causal_ivae.discovery.probability import OUTCOMES, Evidence, calibration, vuong_statistic
from causal_ivae.discovery.resampling import BlockSums
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.settings import DecisionSettings


def evidence(gain=0.1, statistic=6.0, residual=(0.0, 4e-3), dependence_p=0.001, pairs=1):
    ones = np.ones(pairs)
    return Evidence(
        mechanism=np.ones(pairs, dtype=np.int64),
        shortfall=0.0 * ones,
        gain=gain * ones,
        statistic=statistic * ones,
        residual=np.tile(residual, (pairs, 1)),
        residual_sd=np.full((pairs, 2), 1e-4),
        dependence=2e-2 * ones,
        dependence_p=dependence_p * ones,
    )


def turned(given):
    return replace(
        given,
        gain=-given.gain,
        statistic=-given.statistic,
        residual=given.residual[:, ::-1],
        residual_sd=given.residual_sd[:, ::-1],
    )


def oriented(given, usable=(True, True), **settings):
    tests = IndependenceTable(
        *(np.full((1, 2, 4), 0.5) for _ in range(3)), *[np.ones((1, 2, 4, 3))] * 2
    )
    found = DecisionSettings(**settings)
    return orient_by_evidence(given, sums_of(given), tests, np.array([usable]), found, seed=0)


def sums_of(given, blocks=10, size=100):
    """The evidence as sums over blocks that are all alike."""
    each = np.ones(blocks)
    return BlockSums(
        gain=given.gain[:, None] * size * each,
        sizes=np.full(blocks, size),
        tested=np.arange(blocks),
        residual=given.residual[..., None] * size * each,
        residual_sd=given.residual_sd[..., None] * size * np.sqrt(blocks) * each,
        dependence=given.dependence[:, None] * size * each,
        dependence_sd=np.full((len(given.gain), blocks), 1e-2),
    )


def test_probabilities_turn_round_with_the_arrow():
    given = evidence()
    straight = calibration().probabilities(given)
    back = calibration().probabilities(turned(given))
    assert np.allclose(straight.sum(axis=1), 1.0)
    assert np.allclose(straight[:, [0, 2, 1, 3]], back)
    assert straight[0].argmax() == OUTCOMES.index("x->y")


def test_what_speaks_for_a_direction_raises_its_probability():
    forward = OUTCOMES.index("x->y")
    usual = calibration().probabilities(evidence())[0, forward]
    assert calibration().probabilities(evidence(residual=(3e-3, 4e-3)))[0, forward] < usual
    assert calibration().probabilities(evidence(gain=0.001, statistic=0.5))[0, forward] < usual


def test_dependence_that_both_directions_leave_is_unknown():
    both = evidence(gain=0.002, statistic=1.0, residual=(4e-3, 4e-3))
    assert calibration().probabilities(both)[0].argmax() == OUTCOMES.index("unknown")


def test_independent_regions_have_no_edge():
    nothing = evidence(gain=0.0, statistic=0.0, residual=(0.0, 0.0), dependence_p=0.6)
    assert calibration().probabilities(nothing)[0].argmax() == OUTCOMES.index("none")
    assert oriented(nothing).decision[0] == OUTCOMES.index("none")


def test_a_direction_needs_the_probability_that_is_asked_for():
    sure = oriented(evidence())
    probability = sure.probability[0, 1]
    assert sure.decision[0] == 1
    assert sure.confidence[0] == pytest.approx(probability)
    assert sure.score[0] == pytest.approx(probability - sure.probability[0, 2])
    asked = oriented(evidence(), confidence=(1 + probability) / 2)
    assert asked.decision[0] == 0
    assert asked.confidence[0] == pytest.approx(probability)


@pytest.mark.parametrize("given", [evidence(), evidence(gain=0.002, residual=(3e-3, 4e-3))])
def test_an_assumed_arrow_leaves_only_its_direction_open(given):
    usual = calibration().probabilities(given)
    found = calibration().probabilities(given, assume_arrow=True)
    directed = usual[:, 1:3]
    assert np.allclose(found[:, 1:3], directed / directed.sum(axis=1, keepdims=True))
    assert np.array_equal(found[:, [0, 3]], [[0.0, 0.0]])


def test_an_assumed_arrow_is_decided_where_both_directions_leave_dependence():
    both = evidence(gain=0.02, statistic=4.0, residual=(9e-3, 1.2e-2), dependence_p=0.2)
    assert oriented(both, confidence=0.7).decision[0] == OUTCOMES.index("none")
    told = oriented(both, confidence=0.7, assume_arrow=True)
    assert told.decision[0] == OUTCOMES.index("x->y")
    assert told.score[0] == pytest.approx(2 * told.confidence[0] - 1)
    assert told.p_value[0] == both.p_value[0]
    lost = oriented(both, usable=(True, False), assume_arrow=True)
    assert (lost.decision[0], lost.score[0]) == (0, 0.0)


def test_nothing_is_decided_by_one_direction_alone():
    lost = oriented(evidence(), usable=(True, False))
    assert lost.decision[0] == 0
    assert lost.score[0] == 0.0


def test_vuong_statistic_is_standard_normal_where_both_predict_alike():
    rng = np.random.default_rng(0)
    for blocks in (4, 14):
        assert kstest(vuong_statistic(rng.normal(size=(4000, blocks))), "norm").pvalue > 0.01
    shifted = vuong_statistic(rng.normal(0.5, 1.0, size=(200, 50)))
    assert 3.0 < shifted.mean() < 4.0
    assert vuong_statistic(np.ones((3, 1))).tolist() == [0.0, 0.0, 0.0]
