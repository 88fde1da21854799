"""The paper's simulated mixtures: sources as they are said to be, mixing that can be undone."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import kstest, laplace, norm

from causal_ivae.errors import SettingsError
from causal_ivae.independence import hsic_test
from causal_ivae.validation.paper import mixtures
from causal_ivae.validation.paper.mixing import random_mixing
from causal_ivae.validation.paper.mixtures import (
    simulate_binary,
    simulate_easy_segments,
    simulate_mixture,
)

SMALL = {"n_segments": 6, "n_per_segment": 400, "n_test_per_segment": 300}


@pytest.fixture(scope="module")
def mixture():
    return simulate_mixture(**SMALL, n_sources=2, n_features=3, seed=1)


def test_shapes(mixture):
    for sample, rows in ((mixture.train, 400), (mixture.test, 300)):
        assert sample.observations.shape == (6 * rows, 3)
        assert sample.sources.shape == (6 * rows, 2)
        np.testing.assert_array_equal(sample.segments, np.repeat(np.arange(6), rows))
    assert mixture.mean.shape == mixture.std.shape == (6, 2)
    assert [weight.shape for weight in mixture.mixing.weights] == [(2, 3), (3, 3), (3, 3)]
    assert mixture.noise == 0.0
    assert mixture.seed == 1


def test_observations_are_the_sources_mixed(mixture):
    for sample in (mixture.train, mixture.test):
        np.testing.assert_array_equal(sample.observations, mixture.mixing(sample.sources))


def test_sources_follow_the_law_returned():
    mixture = simulate_mixture(**SMALL, n_sources=2, seed=1)
    law, other = norm, laplace(scale=0.5**0.5)
    assert mixture.std.min() > 0.5
    assert mixture.std.max() < 3.0
    assert (mixture.mean == 0).all()
    for sample in (mixture.train, mixture.test):
        u = sample.segments
        standard = (sample.sources - mixture.mean[u]) / mixture.std[u]
        for i in range(2):
            assert kstest(standard[:, i], law.cdf).pvalue > 1e-3
            assert kstest(standard[:, i], other.cdf).pvalue < 1e-3
            for segment in range(6):
                assert kstest(standard[u == segment, i], law.cdf).pvalue > 1e-4
    assert mixture.std.std(axis=0).min() > 0.2


def test_sources_are_independent_given_the_segment(mixture):
    sample = mixture.test
    rows = np.flatnonzero(np.arange(len(sample.segments)) % 300 < 60)
    z, u = sample.sources[rows], sample.segments[rows]
    assert hsic_test(z[:, 0], z[:, 1], u, "permutation").p_value > 0.01
    x = sample.observations[rows]
    assert hsic_test(x[:, 0], x[:, 1], u, "permutation").p_value < 0.01


def test_both_samples_are_of_one_law_but_not_the_same(mixture):
    train, test = mixture.train, mixture.test
    assert not np.isin(test.sources, train.sources).any()
    for segment in range(6):
        for i in range(3):
            first = train.observations[train.segments == segment, i]
            second = test.observations[test.segments == segment, i]
            assert kstest(first, second).pvalue > 1e-4
    other = simulate_mixture(**SMALL, n_sources=2, n_features=3, seed=2).test
    assert (
        min(kstest(train.observations[:, i], other.observations[:, i]).pvalue for i in (0, 1))
        < 1e-4
    )


def test_the_seed_decides_everything():
    for simulate in (simulate_mixture, simulate_easy_segments, simulate_binary):
        sizes = {"n_segments": 3, "n_per_segment": 20, "n_test_per_segment": 10}
        if simulate is simulate_binary:
            sizes |= {"n_sources": 2, "n_features": 4}
        one, again, other = (simulate(**sizes, seed=seed) for seed in (4, 4, 5))
        for name in ("observations", "sources", "segments"):
            first, second = getattr(one.train, name), getattr(again.train, name)
            np.testing.assert_array_equal(first, second)
            np.testing.assert_array_equal(getattr(one.test, name), getattr(again.test, name))
        assert not np.array_equal(one.train.observations, other.train.observations)
        assert not np.array_equal(one.mixing.weights[0], other.mixing.weights[0])
        assert not np.array_equal(one.std, other.std)


def test_rows_do_not_change_the_truth():
    few = simulate_mixture(**SMALL, seed=3)
    many = simulate_mixture(**SMALL | {"n_per_segment": 500}, seed=3)
    np.testing.assert_array_equal(few.std, many.std)
    np.testing.assert_array_equal(few.mixing.weights[-1], many.mixing.weights[-1])


def test_noise_is_added_to_both_samples():
    clean = simulate_mixture(**SMALL, n_sources=2, seed=1)
    noisy = simulate_mixture(**SMALL, n_sources=2, noise=0.3, seed=1)
    assert noisy.noise == 0.3
    for sample in (noisy.train, noisy.test):
        noise = sample.observations - noisy.mixing(sample.sources)
        assert kstest(noise.ravel() / 0.3, norm.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1
    np.testing.assert_array_equal(clean.train.sources, noisy.train.sources)


@pytest.mark.parametrize(("sources", "features"), [(2, 2), (2, 5), (4, 4)])
def test_matrices_are_well_conditioned(sources, features):
    mixing = random_mixing(sources, features, rng=np.random.default_rng(7))
    for weight in mixing.weights:
        np.testing.assert_allclose(np.linalg.norm(weight, axis=0), 1.0)
        rng = np.random.default_rng(8)
        others = rng.uniform(-1.0, 1.0, (4000, *weight.shape))
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        # The percentile is of other matrices, so leave it a little room.
        assert np.linalg.cond(weight) < np.percentile(np.linalg.cond(others), 26.5)
    draws = [
        np.linalg.cond(random_mixing(2, 2, layers=1, rng=np.random.default_rng(i)).weights[0])
        for i in range(8)
    ]
    assert len(set(draws)) == 8


@pytest.mark.parametrize("activation", ["leaky_relu", "xtanh"])
def test_mixing_is_what_it_says_and_can_be_undone(activation):
    mixing = random_mixing(
        2, 2, layers=3, activation=activation, slope=0.2, rng=np.random.default_rng(1)
    )
    z = np.random.default_rng(2).normal(size=(500, 2))
    values = z
    for layer, weight in enumerate(mixing.weights):
        values = values @ weight
        if layer < 2:
            if activation == "leaky_relu":
                values = np.maximum(values, 0.2 * values)
            else:
                values = np.tanh(values) + 0.2 * values
    np.testing.assert_allclose(mixing(z), values)
    np.testing.assert_allclose(mixing(z[:3].reshape(3, 1, 2))[:, 0], values[:3])
    linear = np.column_stack([z, np.ones(500)])
    residual = values - linear @ np.linalg.lstsq(linear, values, rcond=None)[0]
    assert residual.std() > 0.02 * values.std()  # not linear
    if activation == "leaky_relu":
        back = mixing(z)
        for layer, weight in reversed(list(enumerate(mixing.weights))):
            back = np.where(back > 0, back, back / 0.2) if layer < 2 else back
            back = back @ np.linalg.inv(weight)
        np.testing.assert_allclose(back, z)


def test_one_layer_is_linear():
    mixing = random_mixing(2, 3, layers=1, rng=np.random.default_rng(1))
    z = np.random.default_rng(2).normal(size=(10, 2))
    np.testing.assert_allclose(mixing(3.0 * z), 3.0 * mixing(z))


def test_easy_segments_give_themselves_away_by_the_second_column():
    mixture = simulate_easy_segments(n_segments=8, n_per_segment=300, seed=1)
    assert mixture.train.observations.shape == (2400, 2)
    for sample in (mixture.train, mixture.test):
        np.testing.assert_array_equal(sample.observations[:, 1], sample.sources[:, 1])
        np.testing.assert_array_equal(
            sample.observations[:, 0], mixture.mixing(sample.sources)[:, 0]
        )
    assert (mixture.mean[:, 0] == 0).all()
    np.testing.assert_allclose(np.diff(np.sort(mixture.mean[:, 1])), 3.0)
    assert mixture.mean[:, 1].sum() == pytest.approx(0.0)
    assert not (np.diff(mixture.mean[:, 1]) > 0).all()  # in random order
    u = mixture.train.segments
    standard = (mixture.train.sources - mixture.mean[u]) / mixture.std[u]
    assert kstest(standard.ravel(), norm.cdf).pvalue > 1e-3
    rows = slice(None, None, 8)
    test = hsic_test(
        mixture.train.observations[rows, 0], mixture.train.sources[rows, 0], groups=u[rows],
        null="permutation",
    )  # fmt: skip
    assert test.p_value < 0.01


@pytest.mark.parametrize("seed", range(6))
def test_easy_segments_stay_injective_with_the_second_source_unmixed(seed):
    mixture = simulate_easy_segments(n_segments=20, n_per_segment=50, seed=seed)
    sources = np.concatenate([mixture.train.sources, mixture.test.sources])
    slope = mixture.mixing(sources + np.array([1e-5, 0.0]))[:, 0] - mixture.mixing(sources)[:, 0]
    assert (slope > 0).all() or (slope < 0).all()


def test_easy_segments_that_no_network_keeps_injective_are_refused(monkeypatch):
    monkeypatch.setattr(mixtures, "_injective", lambda *_: False)
    monkeypatch.setattr(mixtures, "_MOST_NETWORKS", 3)
    with pytest.raises(SettingsError, match="None of 3 random networks of 'layers' = 4 stayed"):
        simulate_easy_segments(n_segments=4, n_per_segment=5, layers=4, seed=0)


def test_binary_columns_have_the_log_odds_of_a_linear_mixture():
    mixture = simulate_binary(n_segments=5, n_per_segment=2000, n_sources=2, n_features=6, seed=2)
    train = mixture.train
    assert train.observations.shape == (10_000, 6)
    assert set(np.unique(train.observations)) == {0.0, 1.0}
    assert len(mixture.mixing.weights) == 1
    odds = 1.0 / (1.0 + np.exp(-train.sources @ mixture.mixing.weights[0]))
    edges = np.linspace(0.0, 1.0, 11)
    for low, high in pairwise(edges):
        inside = (odds >= low) & (odds < high)
        share, expected = train.observations[inside].mean(), odds[inside].mean()
        error = np.sqrt(expected * (1 - expected) / inside.sum())
        assert abs(share - expected) < 4 * error
    # Given the sources, the columns are independent.
    residual = (train.observations - odds) / np.sqrt(odds * (1.0 - odds))
    correlation = np.corrcoef(residual.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.05
    assert np.abs(np.corrcoef(train.observations.T) - np.eye(6)).max() > 0.1


@pytest.mark.parametrize(
    ("simulate", "sizes", "message"),
    [
        (simulate_mixture, {"n_segments": 1}, "Invalid value 1 for 'n_segments': give 2 or more"),
        (simulate_mixture, {"n_per_segment": 1}, "Invalid value 1 for 'n_per_segment'"),
        (simulate_binary, {"n_test_per_segment": 0}, "Invalid value 0 for 'n_test_per_segment'"),
        (simulate_easy_segments, {"n_segments": 0}, "Invalid value 0 for 'n_segments'"),
        (simulate_mixture, {"n_sources": 0}, "Invalid value 0 for 'n_sources': give 1 or more"),
        (simulate_mixture, {"n_features": 4}, "Invalid value 4 for 'n_features': give 5 or more"),
        (simulate_easy_segments, {"layers": 0}, "Invalid value 0 for 'layers': give 1 or more"),
        (simulate_mixture, {"activation": "xtan"}, "'xtan'. Did you mean 'xtanh'"),
    ],
)
def test_bad_sizes_and_names_are_named(simulate, sizes, message):
    with pytest.raises(SettingsError, match=message):
        simulate(**sizes)
