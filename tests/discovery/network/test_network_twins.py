"""Twins have the covariance and the spectra of the data, and no arrow."""

import numpy as np
import pytest
from scipy.signal import lfilter, welch

from causal_ivae.discovery.network.decoys import decoy_q_values, settled, threshold
from causal_ivae.discovery.network.judgement import judge_scaled
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.simulate.planting import plant_arrows


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    common = lfilter([1.0], [1.0, -0.9], rng.normal(size=(1200, 2)), axis=0)
    loadings = rng.uniform(0.3, 0.9, (2, 6))
    own = lfilter([1.0], [1.0, -0.3], rng.normal(size=(1200, 6)), axis=0)
    return common @ loadings / 2 + own, np.zeros(1200, dtype=np.int64)


def test_covariance_and_spectra_are_kept(series):
    values, whole = series
    twins = Twins(values, whole, whole)
    drawn = np.stack([twins.draw(np.random.default_rng(k)) for k in range(20)])
    found = np.mean([np.corrcoef(twin, rowvar=False) for twin in drawn], axis=0)
    assert np.abs(found - np.corrcoef(values, rowvar=False)).max() < 0.06
    power = np.stack([welch(x, nperseg=128, axis=0)[1] / x.var(axis=0) for x in (values, *drawn)])
    bands = power[:, 1:].reshape(21, 8, 8, 6).mean(axis=2)
    ratio = np.log(bands[1:].mean(axis=0) / bands[0])
    # The spectrum of one series falls by a factor of a hundred over these bands.
    assert np.ptp(np.log(bands[0]), axis=0).max() > 2.0
    assert np.abs(ratio).mean() < 0.1
    # A twin shares nothing with the data, volume by volume.
    same = [np.corrcoef(values[:, 0], twin[:, 0])[0, 1] for twin in drawn]
    assert np.abs(np.mean(same)) < 0.1


def test_regional_delays_of_common_factors_are_kept():
    rng = np.random.default_rng(4)
    factor = lfilter([1.0], [1.0, -0.8], rng.normal(size=4002))
    delayed = np.stack([factor[2 - lag : 4002 - lag] for lag in (0, 0, 1, 1, 1)], axis=1)
    values, whole = delayed + rng.normal(size=(4000, 5)), np.zeros(4000, dtype=np.int64)
    twins = Twins(values, whole, whole)
    twin = np.vstack([twins.draw(np.random.default_rng(k)) for k in range(5)])

    def asymmetry(series):
        z = (series - series.mean(axis=0)) / series.std(axis=0)
        later = z[1:].T @ z[:-1] / len(z)
        return (later - later.T)[np.triu_indices(5, 1)]

    assert np.abs(asymmetry(values)).max() > 0.1
    of_twin, of_data = asymmetry(twin), asymmetry(values)
    assert np.corrcoef(of_twin, of_data)[0, 1] > 0.9
    assert of_twin @ of_data > 0.5 * of_data @ of_data


def test_short_blocks_have_twins_too():
    values, whole = np.random.default_rng(5).normal(size=(120, 3)), np.zeros(120, dtype=np.int64)
    blocks = np.repeat(np.arange(13), [1, 2, 3, *[12] * 9, 6])
    twin = Twins(values, whole, blocks).draw(np.random.default_rng(6))
    assert np.isfinite(twin).all()
    np.testing.assert_allclose(twin.std(axis=0), values.std(axis=0), rtol=0.2)


def test_nothing_moves_across_a_gap(series):
    values, whole = series
    blocks = np.repeat(np.arange(4), 300)
    marked = values + 1e4 * blocks[:, None]
    twin = Twins(marked, whole, blocks, n_factors=1).draw(np.random.default_rng(1))
    means = [twin[blocks == b].mean() for b in range(4)]
    np.testing.assert_array_equal(np.argsort(means), np.arange(4))


def test_long_segments_have_factor_models_of_their_own():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 400, 3))
    first[:, 1] += 2 * first[:, 0]
    second[:, 2] += 2 * second[:, 0]
    who = np.repeat([0, 1], 400)
    twin = Twins(np.vstack([first, second]), who, who).draw(np.random.default_rng(3))
    found = [np.corrcoef(twin[who == k], rowvar=False) for k in range(2)]
    assert found[0][0, 1] > 0.7 > 0.3 > abs(found[0][0, 2])
    assert found[1][0, 2] > 0.7 > 0.3 > abs(found[1][0, 1])


def test_arrows_are_claimed_where_twins_claim_few():
    claims = np.array([0.95, 0.9, 0.9, 0.8, 0.75, 0.2])
    none = np.zeros((6, 6))
    assert threshold(claims, none, 0.7, 0.2) == 0.75
    some = none.copy()
    some[:, 0] = 0.78
    # At .75 a twin claims one, and six of them and one more make 7 / 6 of five claims.
    np.testing.assert_allclose(decoy_q_values(claims, some, 0.7)[4], 7 / 6 / 5)
    assert threshold(claims, some, 0.7, 0.2) == 0.8
    assert threshold(claims, np.full((6, 6), 0.99), 0.7, 0.2) is None
    assert threshold(claims[5:], none, 0.7, 0.2) is None


def test_equal_probabilities_are_claimed_together_and_q_values_rise():
    claims = np.array([0.9, 0.9, 0.8, 0.7])
    decoys = np.array([[0.85, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    q_value = decoy_q_values(claims, decoys, 0.7)
    assert q_value[0] == q_value[1] == 1 / 2 / 2
    np.testing.assert_allclose(q_value[2:], [2 / 2 / 4] * 2)
    # What is not sure enough by itself has no threshold, and does not make others look better.
    assert np.isnan(decoy_q_values(np.array([0.9, 0.5]), decoys[:, :2], 0.7)[1])


def test_more_twins_are_drawn_only_where_they_may_change_what_is_trusted():
    def decoys(*highest):
        found = np.zeros((6, 4))
        found[: len(highest), 0] = highest
        return found

    def is_settled(claims, twins):
        return settled(np.array(claims), twins, 0.7, 0.1, 20)

    # Nothing is claimed; or much, and twins claim nothing; or what three of six twins claim too.
    assert is_settled([0.6, 0.1, 0.0, 0.0], decoys())
    assert is_settled([0.9, 0.9, 0.9, 0.9], decoys())
    assert is_settled([0.9, 0.1, 0.1, 0.1], decoys(0.95, 0.95, 0.95))
    # One claim above six twins is not enough, and more twins may show that it is.
    assert not is_settled([0.9, 0.1, 0.1, 0.1], decoys())
    assert not is_settled([0.9, 0.9, 0.9, 0.8], decoys(0.85))
    # Four claims are above all twins, and three of the six claim what the fifth does.
    loud = np.zeros((6, 5))
    loud[:, :3] = 0.8
    assert is_settled([0.9, 0.9, 0.9, 0.9, 0.75], loud)


def test_twins_that_are_not_drawn_would_not_change_what_is_trusted():
    rng = np.random.default_rng(0)
    share, most, spared, wrong, right = 0.05, 20, 0, 0, 0
    for _ in range(200):
        claims = rng.beta(0.5, 0.5, 30) * (rng.random(30) < rng.uniform(0.1, 0.6))
        decoys = rng.beta(0.5, 0.8, (most, 30)) * (rng.random((most, 30)) < rng.uniform(0, 0.3))
        enough = (n for n in range(6, most) if settled(claims, decoys[:n], 0.7, share, most))
        drawn = next(enough, most)
        trusted, in_the_end = (
            decoy_q_values(claims, some, 0.7) <= share for some in (decoys[:drawn], decoys)
        )
        spared += most - drawn
        # What is left out could never be trusted; what is trusted passed twice as strict a rule.
        assert (trusted | ~in_the_end).all()
        wrong += (trusted & ~in_the_end).sum()
        right += in_the_end.sum()
    assert spared > 200 * 5
    assert right > 200
    assert wrong <= 0.02 * right


@pytest.fixture(scope="module")
def people():
    """Thirty people whose regions share nothing, each standardised by itself."""
    rng = np.random.default_rng(8)
    innovations = rng.normal(size=(30, 100, 4)) * (1.0 + 0.5 * rng.random((30, 100, 4)))
    x = lfilter([1.0], [1.0, -0.5], innovations, axis=1)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    return x.reshape(-1, 4), np.repeat(np.arange(30), 100)


def test_twins_of_standardised_people_are_standardised(people):
    values, who = people
    twins = Twins(values, who, who)
    for series in (twins.draw(np.random.default_rng(0)), twins.as_scaled(values + values[:, :1])):
        deviation = [series[who == k].std(axis=0) for k in range(30)]
        np.testing.assert_allclose(deviation, 1.0, atol=1e-6)
    # A region that does not move in one person does not make the others of another scale.
    still = np.where((who == 3)[:, None] & (np.arange(4) == 1), 0.0, values)
    again = Twins(still, who, who).as_scaled(2.0 * still)
    np.testing.assert_allclose(again[who == 3].std(axis=0), [1.0, 0.0, 1.0, 1.0], atol=1e-6)
    larger = values * np.exp(0.1 * who)[:, None]
    kept = Twins(larger, who, who)
    np.testing.assert_array_equal(kept.as_scaled(2.0 * larger), 2.0 * larger)
    # Windows of one person are no people, whose scales may be their own.
    windows = np.arange(3000) // 50
    moved = Twins(values, windows, np.zeros_like(windows)).as_scaled(values * (1.0 + who[:, None]))
    assert moved[-100:].std() > 10.0 * moved[:100].std()


def test_arrows_planted_into_standardised_people_do_not_lean_the_wrong_way(people):
    values, who = people
    twins, right, seen = Twins(values, who, who), 0, 0
    for number in range(12):
        rng = np.random.default_rng(number)
        planted = plant_arrows(twins.shifted(rng), who, who, 2.0, 0.6, rng)
        found = judge_scaled(twins.as_scaled(planted.values), who, who, growing=False)
        odds = dict(zip(map(tuple, found.pairs.tolist()), found.leaning_odds(), strict=True))
        for cause, effect in planted.arrows.tolist():
            right += (odds[tuple(sorted((cause, effect)))] > 0) == (cause < effect)
            seen += 1
    # These series are nearly Gaussian, so that half of the signs are right by chance.
    assert 0.25 < right / seen < 0.75
