"""Distance covariance against its definition."""

import numpy as np
import pytest
import torch

from causal_ivae.errors import InputError
from causal_ivae.independence import distance_covariance_test, hsic_test
from causal_ivae.independence.distance_factors import DistanceFactors
from causal_ivae.independence.kernel import centred_gram
from causal_ivae.independence.nulls import GramMatrices, block_null, draw

NULLS = ("gamma", "permutation", "circular_shift", "wild_bootstrap")


def direct_statistic(x: np.ndarray, y: np.ndarray) -> float:
    """n V^2 / S of Szekely, Rizzo and Bakirov 2007."""
    distances = [np.linalg.norm(v[:, None] - v[None], axis=-1) for v in (x, y)]
    a, b = (d - d.mean(0) - d.mean(1)[:, None] + d.mean() for d in distances)
    return float((a * b).mean() * len(x) / (distances[0].mean() * distances[1].mean()))


@pytest.mark.parametrize("null", NULLS)
def test_statistic_is_the_sum_over_groups_of_its_definition(null):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(75, 1)), rng.normal(size=(75, 2))
    # The test z-scores every column.
    x, y = ((v - v.mean(0)) / v.std(0) for v in (x, y))
    groups = np.repeat([0, 1, 2], [20, 30, 25])
    expected = sum(direct_statistic(x[groups == g], y[groups == g]) for g in range(3))
    result = distance_covariance_test(x, y, groups, null=null, draws=99)
    assert result.statistic == pytest.approx(expected, rel=1e-4)
    assert result.statistic != pytest.approx(hsic_test(x, y, groups, null=null).statistic, rel=0.1)


@pytest.mark.parametrize("null", NULLS)
def test_dependence_without_correlation_is_found_in_long_blocks_too(null):
    rng = np.random.default_rng(1)
    x = rng.normal(size=600)
    y = x**2 + 0.5 * rng.normal(size=600)
    assert distance_covariance_test(x, y, null=null, draws=199).p_value < 0.02
    assert distance_covariance_test(x, rng.normal(size=600), null=null, draws=199).p_value > 0.05


def test_scales_that_change_with_the_group_change_nothing():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 80))
    groups = np.repeat([0, 1], 40)
    scale = np.array([1.0, 50.0])[groups]
    plain = distance_covariance_test(x, y, groups)
    scaled = distance_covariance_test(scale * x, y, groups)
    assert scaled.statistic == pytest.approx(plain.statistic, rel=1e-4)


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"'y'. .* column 0 is constant"):
        distance_covariance_test(np.arange(20.0), np.ones(20))


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("length", [1003, 1024])
def test_long_groups_have_the_statistic_of_the_definition(rounded, length):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(length, 1)).cumsum(axis=0)
    y = 0.3 * x**2 + rng.laplace(size=(length, 1)) * x.std() ** 2
    if rounded:
        x, y = x.round(), (y / y.std()).round()
    x, y = ((v - v.mean(0)) / v.std(0) for v in (x, y))
    found = distance_covariance_test(x, y, draws=19)
    assert found.statistic == pytest.approx(direct_statistic(x, y), rel=1e-4)


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("length", [200, 401])
def test_factors_have_the_null_distribution_of_all_distances(null, length):
    rng = np.random.default_rng(4)
    first = rng.normal(size=(2, 2, 3, length, 1)).cumsum(axis=3)
    second = rng.laplace(size=(2, 1, 3, length, 1)) + 0.2 * first[:, :1]
    series = [torch.as_tensor(s, dtype=torch.float32) for s in (first, second)]
    drawn = draw(null, rng, n_blocks=3, draws=49, length=length)
    by_factors = block_null(DistanceFactors.of(*series), null, drawn)
    exact = block_null(GramMatrices(*(centred_gram(s, "distance") for s in series)), null, drawn)
    torch.testing.assert_close(by_factors.observed, exact.observed, rtol=2e-5, atol=1e-5)
    torch.testing.assert_close(by_factors.mean, exact.mean, rtol=0.01, atol=1e-5)
    torch.testing.assert_close(by_factors.sd, exact.sd, rtol=0.02, atol=1e-5)
    away = (by_factors.values - exact.values).abs() / exact.sd[..., None]
    assert away.numel() == 0 or away.max() < 0.15


def test_a_test_does_not_depend_on_those_beside_it():
    rng = np.random.default_rng(5)
    series = torch.as_tensor(rng.normal(size=(4, 1, 1, 300, 1)), dtype=torch.float32)
    drawn = draw("circular_shift", rng, n_blocks=1, draws=19, length=300)
    together = block_null(DistanceFactors.of(series, series.flip(0)), "circular_shift", drawn)
    alone = block_null(DistanceFactors.of(series[:1], series[3:]), "circular_shift", drawn)
    torch.testing.assert_close(together.values[:1], alone.values, rtol=1e-5, atol=1e-6)
