"""HSIC by low-rank factors against Gram matrices, and what becomes of long blocks."""

from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from torch.profiler import ProfilerActivity, profile

from causal_ivae.independence import hsic_test
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import IndependenceTable, hsic_table
from causal_ivae.independence.kernel import MEDIAN_ROWS, centred_gram, squared_bandwidth
from causal_ivae.independence.lowrank import (
    LOW_RANK_ROWS,
    TOLERANCE,
    GramFactors,
    decompose,
)

NULLS = ("gamma", "permutation", "circular_shift", "wild_bootstrap")
# Of numbers that add up as many squares as a block of 500 rows has.
ROUNDING = 2e-6


def standardised(seed: int, *shape: int, law: str = "normal", phi: float = 0.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    draw = {"normal": rng.normal, "laplace": rng.laplace, "cauchy": rng.standard_cauchy}[law]
    values = lfilter([1.0], [1.0, -phi], draw(size=shape), axis=-2)
    values = (values - values.mean(-2, keepdims=True)) / values.std(-2, keepdims=True)
    return torch.as_tensor(values, dtype=torch.float32)


def by_gram_matrices(monkeypatch, *args, **options) -> IndependenceTable:
    with monkeypatch.context() as patch:
        patch.setitem(LOW_RANK_ROWS, options["null"], 10**9)
        return hsic_table(*args, **options)


@pytest.mark.parametrize("law", ["normal", "laplace", "cauchy"])
@pytest.mark.parametrize("n_features", [1, 2])
def test_factors_leave_out_a_trace_of_at_most_the_tolerance(law, n_features):
    series = standardised(0, 2, 1, 1, 500, n_features, law=law)
    kernels = GramFactors.of(series, series, rank=300).compressed()
    assert kernels.reached.all()
    assert kernels.first.shape[-2] < decompose(series, 300)[0].shape[-2]
    gram = centred_gram(series).double()
    left_out = gram - (kernels.first.mT @ kernels.first).double()
    trace = left_out.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert (trace <= (TOLERANCE + ROUNDING) * 500).all()
    assert (torch.linalg.eigvalsh(left_out) >= -ROUNDING * 500).all()


def pivots(series: torch.Tensor) -> int:
    """Return how many columns were found one by one."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        assert decompose(series, 300)[1].all()
    return sum(event.key == "aten::baddbmm" and event.count for event in profiler.key_averages())


@pytest.mark.parametrize("n_times", [300, 3000])
def test_a_grid_is_enough_but_for_outliers(n_times):
    series = torch.stack([standardised(0, n_times, 1), standardised(1, n_times, 1, law="laplace")])
    assert pivots(series[:1]) == pivots(0.02 * series[1:] + 5.0) == 0
    series[1, 7] = 400.0
    assert pivots(series) == 1


def test_factors_stop_at_the_rank_allowed():
    factors, reached = decompose(standardised(1, 3, 400, 1), 6)
    assert factors.shape == (3, 6, 400)
    assert not reached.any()


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("n_features", [1, 2])
def test_factors_and_gram_matrices_agree(null, n_features, monkeypatch):
    scale = torch.tensor([1.0, 0.05])[:n_features]
    first = scale * standardised(2, 1, 2, 310, n_features)
    second = scale * (first[:, :1].square() + standardised(3, 1, 3, 310, n_features))
    blocks = make_blocks(np.repeat([0, 1], [280, 30]))
    options = {"null": null, "draws": 99, "seed": 0}
    low = hsic_table(first, second, blocks, **options)
    exact = by_gram_matrices(monkeypatch, first, second, blocks, **options)
    assert not np.array_equal(low.statistic, exact.statistic)
    largest = sum(
        torch.linalg.eigvalsh(centred_gram(series[:, :, :280])).amax(-1).max().item()
        for series in (first, second)
    )
    difference = exact.statistic - low.statistic
    rounding = 2e-6 * exact.statistic
    assert (difference <= TOLERANCE * largest + rounding).all()
    assert (difference >= -rounding).all()
    np.testing.assert_allclose(low.null_mean, exact.null_mean, rtol=1e-4)
    np.testing.assert_allclose(low.block_null_sd, exact.block_null_sd, rtol=1e-3)
    tolerance = 1e-3 if null == "gamma" else 1.0 / options["draws"]
    np.testing.assert_allclose(low.p_value, exact.p_value, atol=tolerance)


@pytest.mark.parametrize("null", NULLS)
def test_series_of_high_rank_are_tested_by_gram_matrices(null, monkeypatch):
    # One series of two takes more than the rank allowed, in one block of two.
    first = standardised(4, 2, 1, 560, 4)
    first[0, 0, :280, 1:] = 0.0
    second = standardised(5, 2, 2, 560, 4)
    second[..., 1:] = 0.0
    blocks = make_blocks(np.repeat([0, 1], 280))
    options = {"null": null, "draws": 19, "seed": 0}
    low = hsic_table(first, second, blocks, **options)
    exact = by_gram_matrices(monkeypatch, first, second, blocks, **options)
    same = low.block_excess == exact.block_excess
    np.testing.assert_allclose(low.block_excess, exact.block_excess, atol=1e-3)
    assert not same[0, :, :, 0].any()
    np.testing.assert_allclose(low.block_excess[1], exact.block_excess[1], atol=5e-6)
    np.testing.assert_allclose(
        low.block_excess[0, :, :, 1], exact.block_excess[0, :, :, 1], atol=5e-6
    )
    np.testing.assert_allclose(low.p_value[1], exact.p_value[1], rtol=1e-4)


@pytest.mark.parametrize("null", NULLS)
def test_memory_and_company_change_no_number_of_long_blocks(null):
    first = standardised(6, 3, 2, 900, 2)
    first[:2, ..., 1] = 0.0
    second = torch.cat(
        [standardised(7, 3, 2, 900, 1), standardised(8, 3, 1, 900, 1, law="cauchy")], 1
    )
    blocks = make_blocks(np.repeat([0, 1, 2], 300))
    options = {"null": null, "draws": 39, "seed": 0}
    ample = hsic_table(first, second, blocks, **options)
    tight = hsic_table(first, second, blocks, **options, memory_gib=1e-9)
    alone = hsic_table(first[1:2, 1:], second[1:2, :1], blocks, **options)
    np.testing.assert_allclose(ample.p_value, tight.p_value, rtol=1e-4)
    np.testing.assert_allclose(ample.block_excess, tight.block_excess, atol=2e-6)
    np.testing.assert_allclose(alone.block_excess[0, 0, 0], ample.block_excess[1, 1, 0], atol=2e-6)


def rejections(null: str, phi: float) -> float:
    first, second = standardised(9, 2, 300, 1, 300, 1, phi=phi)
    table = hsic_table(first, second, make_blocks(np.zeros(300)), null=null, draws=199, seed=0)
    return float((table.p_value <= 0.05).mean())


@pytest.mark.parametrize(
    ("null", "phi"), [("gamma", 0.0), ("permutation", 0.0), ("circular_shift", 0.8)]
)
def test_false_positive_rate_at_a_long_block(null, phi):
    # Two standard errors of 300 tests at .05 are .025.
    assert rejections(null, phi) == pytest.approx(0.05, abs=0.025)


def test_nulls_for_independent_rows_do_not_hold_on_a_long_autocorrelated_block():
    assert rejections("permutation", 0.8) > 0.3
    assert rejections("gamma", 0.8) > 0.3


@pytest.mark.parametrize("null", NULLS)
def test_series_with_different_numbers_of_features(null):
    rng = np.random.default_rng(10)
    x = rng.normal(size=300)
    y = np.stack([rng.normal(size=300), x**2 + 0.3 * rng.normal(size=300)], axis=1)
    assert hsic_test(x, y, null=null, draws=99).p_value < 0.05
    assert hsic_test(y, x, null=null, draws=99).p_value < 0.05
    assert hsic_test(x, y[:, 0], null=null, draws=99).p_value > 0.05


@pytest.mark.parametrize("null", NULLS)
def test_a_series_constant_within_long_groups_is_independent_of_all(null):
    groups = np.repeat([0, 1], 300)
    y = np.random.default_rng(0).normal(size=600)
    assert hsic_test(groups.astype(float), y, groups, null=null, draws=19).p_value == 1.0


def peak_of_tensors(call: Callable[[], object]) -> int:
    """Return the most bytes that tensors held at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = sorted(profiler.events(), key=lambda event: event.time_range.start)
    return max(accumulate(event.self_cpu_memory_usage for event in events))


@pytest.mark.parametrize("null", NULLS)
def test_no_gram_matrix_of_a_long_block_is_formed(null, monkeypatch):
    x, y = np.random.default_rng(11).normal(size=(2, 5000))
    assert 4 * 5000 < peak_of_tensors(lambda: hsic_test(x, y, null=null, draws=9)) < 16 * 2**20
    monkeypatch.setitem(LOW_RANK_ROWS, null, 10**9)
    few = (x[:600], y[:600])
    assert peak_of_tensors(lambda: hsic_test(*few, null=null, draws=9)) > 2 * 4 * 600**2


def median_of_all(values: torch.Tensor) -> float:
    return torch.pdist(values.double()).square().median().item()


@pytest.mark.parametrize("length", [9, 100, 127, MEDIAN_ROWS])
@pytest.mark.parametrize("n_features", [1, 3])
def test_bandwidth_of_a_short_block_is_the_median_of_all_distances(length, n_features):
    series = standardised(12, length, n_features)
    assert squared_bandwidth(series).item() == pytest.approx(median_of_all(series), rel=1e-5)


@pytest.mark.parametrize("law", ["normal", "laplace", "cauchy"])
def test_bandwidth_of_a_long_block_is_close_and_knows_no_order(law):
    series = standardised(13, 1500, 1, law=law)
    bandwidth = squared_bandwidth(series)
    assert bandwidth.item() == pytest.approx(median_of_all(series), rel=0.01)
    assert torch.equal(squared_bandwidth(series.roll(77, 0)), bandwidth)
    assert torch.equal(squared_bandwidth(series.flip(0)), bandwidth)


def test_a_period_does_not_hide_from_the_bandwidth():
    # Every sixth row, counted in time, is the same.
    series = torch.arange(6.0).repeat(MEDIAN_ROWS)[:, None]
    assert squared_bandwidth(series).item() == pytest.approx(median_of_all(series))
