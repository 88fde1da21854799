"""Volumes in which nothing was measured are found, and measured ones are not."""

import numpy as np
import pytest

from causal_ivae.gaps import find_gaps


@pytest.fixture
def series():
    return np.random.default_rng(0).normal(100.0, 5.0, size=(200, 3))


BAD = np.array([5, 6, 40, 41, 42, 90, 150])


@pytest.mark.parametrize("value", [0.0, 999.0, -1.0])
def test_rows_of_one_constant(series, value):
    series[BAD] = value
    gaps = find_gaps(series)
    assert list(np.flatnonzero(gaps.rows)) == list(BAD)
    assert (gaps.missing, gaps.constant, gaps.repeated) == (0, 7, 0)


def test_rows_with_the_mean_of_every_region(series):
    series[BAD] = series.mean(axis=0)
    assert list(np.flatnonzero(find_gaps(series).rows)) == list(BAD)


def test_zeros_and_another_constant_in_one_run(series):
    series[BAD] = 0.0
    series[[20, 21, 60]] = 7.5
    assert list(np.flatnonzero(find_gaps(series).rows)) == sorted([*BAD, 20, 21, 60])


@pytest.mark.parametrize("share", [0.25, 0.6])
def test_many_rows_of_two_regions(share):
    values = np.random.default_rng(2).normal(size=(300, 2))
    bad = np.random.default_rng(3).random(300) < share
    values[bad] = 0.0
    assert list(find_gaps(values).rows) == list(bad)


def test_a_constant_beside_a_held_volume(series):
    series[150:] = series[149]
    series[[3, 30, 31]] = 999.0
    assert list(np.flatnonzero(find_gaps(series).rows)) == [3, 30, 31, *range(150, 200)]


def test_a_single_row_of_zeros(series):
    series[17] = 0.0
    assert list(np.flatnonzero(find_gaps(series).rows)) == [17]


def test_the_last_volume_held_until_the_end(series):
    series[180:] = series[179]
    gaps = find_gaps(series)
    # The volume that is held was measured.
    assert list(np.flatnonzero(gaps.rows)) == list(range(180, 200))
    assert gaps.repeated == 20


def test_every_bad_volume_repeats_the_one_before(series):
    for row in BAD:
        series[row] = series[row - 1]
    assert list(np.flatnonzero(find_gaps(series).rows)) == list(BAD)


def test_zero_padding_at_an_end(series):
    series[170:] = 0.0
    assert list(np.flatnonzero(find_gaps(series).rows)) == list(range(170, 200))


def test_rows_missing_in_all_regions_and_not_in_some(series):
    series[BAD] = np.nan
    series[100, 1] = np.nan
    gaps = find_gaps(series)
    assert list(np.flatnonzero(gaps.rows)) == list(BAD)
    assert gaps.missing == 7
    assert gaps.sentence == (
        "7 of 200 volumes hold no measurement and are treated as gaps: 7 missing in all regions."
    )


def test_measured_series_have_none(series):
    assert not find_gaps(series).rows.any()
    assert find_gaps(series).sentence == ""
    assert not find_gaps(np.rint(20 * series)).rows.any()


@pytest.mark.parametrize("levels", [3, 8, 30])
def test_coarse_values_repeat_by_chance(levels):
    values = np.random.default_rng(1).integers(1, 1 + levels, size=(300, 2)).astype(float)
    assert not find_gaps(values).rows.any()


def test_one_region_that_stands_still_is_no_gap(series):
    series[50:80, 1] = 3.0
    assert not find_gaps(series).rows.any()


def without_line(values):
    """Remove each region's line and standardise it, as a step after censoring does."""
    time = np.column_stack([np.ones(len(values)), np.arange(len(values))])
    left = values - time @ np.linalg.lstsq(time, values, rcond=None)[0]
    return np.round(left / left.std(axis=0), 6)


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_rows_of_zeros_from_which_a_line_was_removed(share):
    values = np.random.default_rng(4).normal(100.0, 5.0, size=(300, 3))
    bad = np.random.default_rng(5).random(300) < share
    values[bad] = 0.0
    gaps = find_gaps(without_line(values))
    assert list(gaps.rows) == list(bad)
    assert gaps.straight == bad.sum()
    assert f"{bad.sum()} on a straight line in all regions at once" in gaps.sentence


def test_a_padded_end_from_which_a_line_was_removed(series):
    series[150:] = 0.0
    assert list(np.flatnonzero(find_gaps(without_line(series)).rows)) == list(range(150, 200))


def test_interpolated_rows(series):
    censored = np.array([5, 6, 40, 41, 42, 90, 150, 151])
    measured = np.setdiff1d(np.arange(200), censored)
    for column in series.T:
        column[censored] = np.interp(censored, measured, column[measured])
    assert list(np.flatnonzero(find_gaps(series).rows)) == list(censored)
    assert list(np.flatnonzero(find_gaps(without_line(series)).rows)) == list(censored)


@pytest.mark.parametrize("seed", range(5))
def test_measured_series_are_not_straight(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(1000, 2))
    slow = noise.copy()
    for i in range(1, len(noise)):
        slow[i] = 0.99 * slow[i - 1] + noise[i]
    for values in (noise, slow, np.cumsum(slow, axis=0)):
        assert not find_gaps(values).rows.any()
    # A few levels repeat, and are straight, by chance.
    levels = np.rint(rng.normal(scale=1.2, size=(1000, 3)))
    assert find_gaps(levels).straight == 0


def test_the_regions_numbers_above_their_values_are_no_volume():
    rng = np.random.default_rng(1)
    baseline = 1e4 + 100 * rng.standard_normal(6)
    values = baseline + 200 * rng.standard_normal((300, 6))
    values[0] = [40, 42, 44, 46, 48, 50]
    gaps = find_gaps(values)
    assert list(np.flatnonzero(gaps.rows)) == [0]
    assert gaps.impossible == 1
    assert "1 far outside of what is measured in all regions" in gaps.sentence
    # Without a baseline, a row must be much further off.
    around_zero = rng.standard_normal((300, 4))
    around_zero[9] = 80.0
    assert list(np.flatnonzero(find_gaps(around_zero).rows)) == [9]


def test_a_spike_of_head_motion_and_heavy_tails_are_measurements():
    rng = np.random.default_rng(2)
    spike = 1e4 + 100 * rng.standard_normal((300, 6))
    spike[20] += 3000
    assert not find_gaps(spike).rows.any()
    heavy = rng.standard_t(2, size=(5000, 3)) * np.repeat([1.0, 10.0], 2500)[:, None]
    assert not find_gaps(heavy).rows.any()
    one = 1e4 + 100 * rng.standard_normal((300, 6))
    one[50, 0] = 0.0
    assert not find_gaps(one).rows.any()
