"""Distance covariance against its definition."""

import numpy as np
import pytest

from causal_ivae.errors import InputError
from causal_ivae.independence import distance_covariance_test, hsic_test

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
