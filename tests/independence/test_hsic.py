"""HSIC against its definition, and the false-positive rates of its nulls."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from causal_ivae.errors import InputError
from causal_ivae.independence import hsic_test
from causal_ivae.independence.blocks import contiguous, make_blocks
from causal_ivae.independence.hsic import centred_gram, hsic_table
from causal_ivae.independence.nulls import (
    GramMatrices,
    shift_spectra,
    shift_table,
    stationary_mean,
)


def direct_statistic(x: np.ndarray, y: np.ndarray) -> float:
    """(1/n) trace(K H L H) from the definition, median distance as bandwidth."""

    def gram(v: np.ndarray) -> np.ndarray:
        squared = (v[:, None] - v[None, :]) ** 2
        above = np.sort(squared[np.triu_indices(len(v), 1)])
        return np.exp(-0.5 * squared / above[(len(above) - 1) // 2])

    centring = np.eye(len(x)) - 1 / len(x)
    return float(np.trace(gram(x) @ centring @ gram(y) @ centring) / len(x))


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> np.ndarray:
    return lfilter([1.0], [1.0, -phi], rng.normal(size=shape), axis=-1)


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift", "wild_bootstrap"])
def test_statistic_is_the_sum_over_groups_of_its_definition(null):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 75))
    groups = np.repeat([0, 1, 2], [20, 30, 25])
    expected = sum(direct_statistic(x[groups == g], y[groups == g]) for g in range(3))
    result = hsic_test(x, y, groups, null=null, draws=99)
    assert result.statistic == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("length", [9, 16, 31])
def test_spectra_give_every_circular_shift(length):
    generator = torch.Generator().manual_seed(0)
    first = centred_gram(torch.randn(2, 2, 3, length, 1, generator=generator))
    second = centred_gram(torch.randn(2, 4, 3, length, 1, generator=generator))
    table = shift_table(shift_spectra(first), shift_spectra(second), length)
    for shift in range(length):
        rolled = torch.roll(second, (-shift, -shift), (-2, -1))
        expected = torch.einsum("pagij,pbgij->pabg", first, rolled) / length
        assert torch.allclose(table[..., shift], expected, atol=1e-5)


def test_null_mean_of_shifts_is_that_of_stationary_series():
    generator = torch.Generator().manual_seed(1)
    first, second = centred_gram(torch.randn(2, 1, 1, 1, 12, 1, generator=generator))
    lag = (torch.arange(12)[:, None] - torch.arange(12)).abs()
    means = torch.stack([second[0, 0, 0][lag == d].mean() for d in range(12)])
    expected = (first[0, 0, 0] * means[lag]).sum() / 12
    kernels = GramMatrices(first, second)
    assert stationary_mean(*kernels.lag_sums()).item() == pytest.approx(expected.item(), rel=1e-5)
    assert kernels.shifts().mean().item() != pytest.approx(expected.item(), rel=1e-2)


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift", "wild_bootstrap"])
def test_dependence_without_correlation_is_found(null):
    rng = np.random.default_rng(2)
    x = rng.normal(size=400)
    y = x**2 + 0.5 * rng.normal(size=400)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.15
    assert hsic_test(x, y, null=null, draws=199).p_value < 0.02


def rejection_rate(null: str, phi: float, *, pairs: int = 200) -> float:
    rng = np.random.default_rng(3)
    x, y = autoregressive(rng, (2, pairs, 1, 400), phi)[..., None]
    first, second = (torch.as_tensor(v, dtype=torch.float32) for v in (x, y))
    blocks = make_blocks(np.repeat(np.arange(4), 100))
    table = hsic_table(first, second, blocks, null=null, draws=199, seed=0)
    return float((table.p_value <= 0.05).mean())


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift"])
def test_false_positive_rate_on_independent_rows(null):
    # Two standard errors of 120 draws at .05 are .04.
    assert rejection_rate(null, 0.0, pairs=120) == pytest.approx(0.05, abs=0.04)


def test_only_nulls_that_keep_time_structure_hold_on_autocorrelated_series():
    assert rejection_rate("permutation", 0.9, pairs=60) > 0.6
    assert rejection_rate("gamma", 0.9) > 0.6
    assert rejection_rate("circular_shift", 0.9) < 0.12
    assert rejection_rate("wild_bootstrap", 0.9) < 0.12


@pytest.mark.parametrize(("length", "blocks"), [(30, 14), (83, 6)])
@pytest.mark.parametrize("kernel", ["gaussian", "distance"])
def test_circular_shift_keeps_its_level_in_short_blocks_of_smooth_series(length, blocks, kernel):
    # Without the mean of stationary series: .25 and .13.
    rng = np.random.default_rng(7)
    series = autoregressive(rng, (2, 400, 1, 300 + length * blocks), 0.95)[..., 300:, None]
    first, second = torch.as_tensor(series, dtype=torch.float32)
    labels = make_blocks(np.repeat(np.arange(blocks), length))
    table = hsic_table(
        first, second, labels, null="circular_shift", draws=999, seed=0, kernel=kernel
    )
    assert 0.02 < (table.p_value <= 0.05).mean() < 0.1


def test_common_scale_profile_deceives_the_pooled_test_only():
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(10), 60)
    scale = np.exp(rng.normal(size=10))[groups]
    conditional, pooled = [], []
    for seed in range(40):
        x, y = scale * rng.normal(size=(2, 600))
        conditional.append(hsic_test(x, y, groups, null="circular_shift", seed=seed).p_value)
        pooled.append(hsic_test(x, y, null="circular_shift", seed=seed).p_value)
    assert np.mean(np.array(conditional) <= 0.05) <= 0.15
    assert np.mean(np.array(pooled) <= 0.05) >= 0.8


def test_a_test_does_not_depend_on_the_tests_beside_it():
    generator = torch.Generator().manual_seed(5)
    first = torch.randn(5, 2, 120, 1, generator=generator)
    second = torch.randn(5, 6, 120, 1, generator=generator)
    blocks = make_blocks(np.repeat([0, 1, 2], [40, 40, 40]))
    options = {"null": "circular_shift", "draws": 199, "seed": 7}
    together = hsic_table(first, second, blocks, **options)
    in_chunks = hsic_table(first, second, blocks, **options, memory_gib=1e-9)
    alone = hsic_table(first[3:4, :1], second[3:4, 2:3], blocks, **options)
    np.testing.assert_allclose(together.statistic, in_chunks.statistic, rtol=1e-5)
    np.testing.assert_array_equal(together.p_value, in_chunks.p_value)
    assert alone.p_value[0, 0, 0] == together.p_value[3, 0, 2]


def test_shares_of_blocks_add_up():
    generator = torch.Generator().manual_seed(6)
    first, second = torch.randn(2, 3, 1, 90, 1, generator=generator)
    blocks = make_blocks(np.repeat([0, 1, 2], [20, 40, 30]))
    table = hsic_table(first, second, blocks, null="circular_shift", draws=99, seed=0)
    assert table.block_excess.shape == (3, 1, 1, 3)
    np.testing.assert_allclose(
        table.block_excess.sum(-1), table.statistic - table.null_mean, atol=1e-4
    )


@pytest.mark.parametrize(("blocks", "least"), [(1, 1 / 8), (2, 1 / 64)])
def test_no_p_value_is_below_the_share_of_one_shift_among_all(blocks, least):
    # Draws are shifted to their mean under independence, so that the observed shift among them
    # may fall below the observed statistic.
    series = np.random.default_rng(0).normal(size=(60, 2, 8 * blocks)).cumsum(axis=-1)
    groups = np.repeat(np.arange(blocks), 8)
    p_values = [hsic_test(x, y, groups, draws=199).p_value for x, y in series]
    assert min(p_values) == pytest.approx(least, abs=0.01)
    assert min(p_values) >= least


def test_seed_decides_the_draws():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 100))
    same = [hsic_test(x, y, null="permutation", seed=1).p_value for _ in range(2)]
    assert same[0] == same[1]
    assert hsic_test(x, y, null="permutation", seed=2).p_value != same[0]


def test_blocks_hold_contiguous_rows_of_one_label():
    labels = np.array([0] * 10 + [1] * 9 + [0] * 12 + [2] * 3)
    blocks = make_blocks(contiguous(labels))
    rows = sorted(tuple(r.tolist()) for group in blocks.rows for r in group)
    assert rows == [tuple(range(10)), tuple(range(10, 19)), tuple(range(19, 31))]
    assert sorted(group.shape for group in blocks.rows) == [(1, 9), (1, 10), (1, 12)]


@pytest.mark.parametrize(
    ("x", "y", "groups", "message"),
    [
        (np.arange(20.0), np.arange(21.0), None, "20 rows and 'y' has 21"),
        (np.ones(20), np.arange(20.0), None, "'x'. .* column 0 is constant"),
        (np.r_[np.nan, np.arange(19.0)], np.arange(20.0), None, "'x'. .* got nan in row 0"),
        (np.arange(20.0), np.arange(20.0), np.arange(20), "longest unbroken stretch has 1"),
        (np.arange(20.0), np.arange(20.0), np.zeros(3), "Invalid shape of 'groups'"),
    ],
)
def test_bad_input_is_named(x, y, groups, message):
    with pytest.raises(InputError, match=message):
        hsic_test(x, y, groups)


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift", "wild_bootstrap"])
def test_memory_changes_no_number(null):
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(3, 2, 90, 1, generator=generator)
    second = torch.randn(3, 4, 90, 1, generator=generator)
    blocks = make_blocks(np.repeat([0, 1, 2, 3], [20, 20, 20, 30]))
    ample = hsic_table(first, second, blocks, null=null, draws=99, seed=0)
    tight = hsic_table(first, second, blocks, null=null, draws=99, seed=0, memory_gib=1e-9)
    np.testing.assert_allclose(ample.p_value, tight.p_value, rtol=1e-4)
    np.testing.assert_allclose(ample.block_excess, tight.block_excess, atol=1e-5)


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift", "wild_bootstrap"])
def test_a_series_constant_within_groups_is_independent_of_all(null):
    groups = np.repeat([0, 1], 10)
    y = np.random.default_rng(0).normal(size=20)
    assert hsic_test(groups.astype(float), y, groups, null=null, draws=99).p_value == 1.0
