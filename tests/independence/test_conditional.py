"""Conditional tests: level and power where z explains both, one, or a part."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from causal_ivae.errors import InputError
from causal_ivae.independence import conditional_independence_test, partial_correlation_test
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.conditional import conditional_table
from causal_ivae.independence.hsic import hsic_table

BLOCKS = np.repeat(np.arange(6), 80)
OPTIONS = {"null": "circular_shift", "draws": 199, "seed": 0}


def autoregressive(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> np.ndarray:
    noise = rng.normal(size=(*shape[:-1], shape[-1] + 100))
    series = lfilter([1.0], [1.0, -phi], noise, axis=-1)[..., 100:]
    return series / series.std(axis=-1, keepdims=True)


def triples(
    tests: int, *, phi: float = 0.0, direct: float = 0.0, n_given: int = 1, scale: float = 0.0
) -> list[torch.Tensor]:
    """x and y with common causes z, curved; ``direct`` adds what z does not explain."""
    rng = np.random.default_rng(0)
    z = autoregressive(rng, (tests, n_given, len(BLOCKS)), phi)
    e, f = autoregressive(rng, (2, tests, len(BLOCKS)), phi) * np.exp(scale * z[:, 0])
    x = np.tanh(1.5 * z).sum(1) + e
    y = (z + 0.5 * z**2).sum(1) + f + direct * e
    series = (x[..., None], y[..., None], z.swapaxes(1, 2))
    return [
        torch.as_tensor((v - v.mean(1, keepdims=True)) / v.std(1, keepdims=True)).float()
        for v in series
    ]


def rejected(given: list[torch.Tensor]) -> float:
    table = conditional_table(*given, make_blocks(BLOCKS), **OPTIONS)
    assert table.p_value.shape == (len(given[0]), 1, 1)
    return float((table.p_value <= 0.05).mean())


@pytest.mark.parametrize("phi", [0.0, 0.8])
@pytest.mark.parametrize("n_given", [1, 2])
def test_common_causes_that_are_given_leave_no_dependence(phi, n_given):
    given = triples(200, phi=phi, n_given=n_given)
    assert 0.01 <= rejected(given) <= 0.1
    unconditional = hsic_table(*(v[:, None] for v in given[:2]), make_blocks(BLOCKS), **OPTIONS)
    assert (unconditional.p_value <= 0.05).mean() > 0.8


def test_dependence_beyond_the_common_cause_is_found():
    assert rejected(triples(60, phi=0.5, direct=0.5)) > 0.9


def test_a_scale_that_z_sets_is_no_dependence():
    # Without the regression of the squared residuals all are rejected.
    assert rejected(triples(100, scale=0.7)) < 0.2


def test_a_test_does_not_depend_on_memory_or_on_the_tests_beside_it():
    x, y, z = triples(4)
    blocks = make_blocks(BLOCKS)
    together = conditional_table(x, y, z, blocks, **OPTIONS)
    tight = conditional_table(x, y, z, blocks, **OPTIONS, memory_gib=1e-9)
    alone = conditional_table(x[2:3], y[2:3], z[2:3], blocks, **OPTIONS)
    np.testing.assert_allclose(tight.statistic, together.statistic, rtol=1e-3)
    np.testing.assert_allclose(alone.statistic[0], together.statistic[2], rtol=1e-3)


def test_with_nothing_given_it_is_hsic():
    x, y, z = triples(3)
    blocks = make_blocks(BLOCKS)
    table = conditional_table(x, y, z[..., :0], blocks, **OPTIONS)
    plain = hsic_table(x[:, None], y[:, None], blocks, **OPTIONS)
    np.testing.assert_array_equal(table.p_value, plain.p_value)


@pytest.mark.parametrize("null", ["gamma", "permutation", "circular_shift", "wild_bootstrap"])
def test_the_single_test_takes_every_null(null):
    x, y, z = (v[0].double().numpy() for v in triples(1))
    explained = conditional_independence_test(x, y, z, BLOCKS, null=null)
    assert explained.p_value > 0.05
    other = np.random.default_rng(1).normal(size=len(x))
    y = x + 0.5 * y
    assert conditional_independence_test(x, y, other, BLOCKS, null=null).p_value < 0.05


def test_partial_correlation_counts_what_autocorrelation_leaves():
    rng = np.random.default_rng(3)
    z, e, f = autoregressive(rng, (3, 600), 0.9)
    groups = np.repeat([0, 1], 300)
    given = partial_correlation_test(z + e, z + f, z, groups)
    alone = partial_correlation_test(z + e, z + f, groups=groups)
    assert given.p_value[0] > 0.05
    assert alone.p_value[0] < 0.01
    assert 30 < given.effective[0] < 150
    white = partial_correlation_test(*rng.normal(size=(2, 600)))
    assert white.effective[0] > 500


def test_bad_input_is_named():
    x, y = np.random.default_rng(0).normal(size=(2, 50))
    with pytest.raises(InputError, match="'x' has 50 rows and 'z' has 49"):
        conditional_independence_test(x, y, x[1:])
    with pytest.raises(InputError, match=r"'z'. .* column 0 is constant"):
        partial_correlation_test(x, y, np.ones(50))
