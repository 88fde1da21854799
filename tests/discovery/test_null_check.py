"""The check of the null: surrogates are independent and alike, and a wrong null is found out."""

import numpy as np
import pytest
from scipy.signal import lfilter

from causal_ivae.discovery.null_check import check_null, surrogates
from causal_ivae.settings import IndependenceSettings

BLOCKS = np.arange(996) // 83
RUNS = BLOCKS // 6


@pytest.fixture(scope="module")
def smooth():
    """Six smooth series, the second nearly the first, whose spread changes between blocks."""
    rng = np.random.default_rng(0)
    noise = rng.laplace(size=(1196, 6))
    values = lfilter([1.0], [1.0, -0.9], noise, axis=0)[200:]
    values[:, 1] = values[:, 0] + 0.1 * values[:, 1]
    return values * np.exp(rng.normal(0, 0.7, (12, 1)))[BLOCKS]


def test_surrogates_keep_spread_values_and_time_structure(smooth):
    columns = np.repeat(np.arange(6), 50)
    drawn = surrogates(smooth, BLOCKS, RUNS, columns, np.random.default_rng(1))
    assert drawn.shape == (996, 300)

    def lag_one(x):
        x = x - x.mean(axis=0)
        return (x[1:] * x[:-1]).sum(axis=0) / np.square(x).sum(axis=0)

    for column in range(6):
        own, mine = smooth[:, column], drawn[:, columns == column]
        for block in (0, 5, 11):
            scale = own[block == BLOCKS].std()
            # The values of a run are put in another order, those of a block are not held fast.
            assert 0.6 < mine[block == BLOCKS].std(axis=0).mean() / scale < 1.4
        assert abs(lag_one(mine).mean() - lag_one(own)) < 0.08


def test_without_a_change_of_spread_the_values_are_the_same(smooth):
    one = np.zeros(996, dtype=int)
    drawn = surrogates(smooth, one, one, np.arange(6), np.random.default_rng(1))
    expected = np.sort(smooth - smooth.mean(axis=0), axis=0)
    np.testing.assert_allclose(np.sort(drawn, axis=0), expected, atol=1e-9)
    assert not np.allclose(drawn, smooth - smooth.mean(axis=0), atol=0.5)


def test_surrogates_of_two_regions_that_are_one_are_independent(smooth):
    pairs = np.tile([0, 1], 200)
    drawn = surrogates(smooth, BLOCKS, RUNS, pairs, np.random.default_rng(2))
    first, second = drawn[:, ::2], drawn[:, 1::2]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]
    assert np.corrcoef(smooth[:, 0], smooth[:, 1])[0, 1] > 0.95
    assert abs(np.mean(r)) < 0.03


def check(values, **settings):
    return check_null(
        values, BLOCKS, RUNS, IndependenceSettings(draws=199, **settings), alpha=0.05, seed=3
    )


def test_a_null_that_keeps_time_structure_passes_and_one_that_does_not_is_found_out(smooth):
    good, bad = check(smooth), check(smooth, null="gamma")
    assert good.low < 0.05 < 2 * good.high
    assert good.rejected / good.pairs < 0.12
    assert bad.low > 0.5


def test_the_check_is_seeded_and_may_be_left_out(smooth):
    assert check(smooth, surrogates=20) == check(smooth, surrogates=20)
    assert check(smooth, surrogates=20).pairs == 20
    assert check(smooth, surrogates=0) is None
