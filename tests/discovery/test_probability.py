from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from causal_ivae.discovery.pair_evidence import orient_by_evidence
from causal_ivae.discovery.probability import OUTCOMES, Evidence, calibration, vuong_statistic
from causal_ivae.discovery.resampling import BlockSums
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.settings import DecisionSettings


def evidence(
    gain=0.1, statistic=6.0, residual=(0.0, 4e-3), dependence_p=0.001, noise=(0.0, 0.0), pairs=1
):
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
        lagged_noise=np.tile(noise, (pairs, 1)),
        modulated_noise=np.tile(noise, (pairs, 1)),
    )


def turned(given):
    return replace(
        given,
        gain=-given.gain,
        statistic=-given.statistic,
        residual=given.residual[:, ::-1],
        residual_sd=given.residual_sd[:, ::-1],
        lagged_noise=given.lagged_noise[:, ::-1],
        modulated_noise=given.modulated_noise[:, ::-1],
    )


def oriented(given, usable=(True, True), connected=1.0, **settings):
    tests = IndependenceTable(
        *(np.full((1, 2, 4), 0.5) for _ in range(3)), *[np.ones((1, 2, 4, 3))] * 2
    )
    found = DecisionSettings(**settings)
    return orient_by_evidence(
        given, sums_of(given), tests, np.array([usable]), found, seed=0, connected=connected
    )


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
    given = evidence(noise=(0.0, 1.0))
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


def test_a_cause_that_looks_like_a_noisy_measurement_is_no_cause():
    usual = evidence(gain=0.04, statistic=3.0, residual=(1e-4, 2e-3))
    # An effect of noise is linear.
    usual = replace(usual, mechanism=np.zeros(1, dtype=np.int64))
    assert oriented(usual).decision[0] == OUTCOMES.index("x->y")
    noisy = replace(usual, lagged_noise=np.array([[2.5, 6.0]]))
    noisy = replace(noisy, modulated_noise=np.array([[3.0, 4.0]]))
    assert oriented(noisy).decision[0] == OUTCOMES.index("unknown")
    assert calibration().probabilities(noisy)[0, 0] > 0.6


def test_the_prior_share_of_arrows_moves_the_odds_of_an_arrow():
    given = evidence(gain=0.04, statistic=3.0, residual=(1e-4, 2e-3), dependence_p=0.02)
    usual = calibration().probabilities(given)[0]
    same = calibration().probabilities(given, prior=calibration().directed)[0]
    np.testing.assert_allclose(same, usual)
    rare = calibration().probabilities(given, prior=0.02)[0]
    assert rare.sum() == pytest.approx(1.0)
    odds = [p[1:3].sum() / p[[0, 3]].sum() for p in (usual, rare)]
    prior = [share / (1 - share) for share in (calibration().directed, 0.02)]
    assert odds[1] / odds[0] == pytest.approx(prior[1] / prior[0])
    assert rare[1] / rare[2] == pytest.approx(usual[1] / usual[2])
    assert oriented(given).decision[0] == 1
    assert oriented(given, prior=0.001).decision[0] == 0
    # A screen that keeps many unconnected pairs says so too; a stated share goes before it.
    assert oriented(given, connected=0.002).decision[0] == 0
    assert oriented(given, connected=0.002, prior=0.5).decision[0] == 1


def test_no_edge_needs_its_probability_too():
    decided = {}
    for p_value in (0.06, 0.15, 0.9):
        found = oriented(evidence(0.0, 0.0, (0.0, 0.0), dependence_p=p_value))
        decided[p_value] = OUTCOMES[found.decision[0]]
        none = found.probability[0, 3]
        assert (decided[p_value] == "none") == (none >= 0.7)
    assert (decided[0.06], decided[0.9]) == ("unknown", "none")


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
    usual_odds, odds = (np.log(one[:, 1] / one[:, 2]) for one in (usual, found))
    assert 0.0 < calibration().assumed < 1.0
    assert np.allclose(odds, calibration().assumed * usual_odds)
    assert np.allclose(found[:, 1:3].sum(axis=1), 1.0)
    assert np.array_equal(found[:, [0, 3]], [[0.0, 0.0]])


def test_an_assumed_arrow_is_decided_where_both_directions_leave_dependence():
    both = evidence(gain=0.02, statistic=4.0, residual=(9e-3, 1.2e-2), dependence_p=0.2)
    assert oriented(both, confidence=0.7).decision[0] == OUTCOMES.index("unknown")
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
