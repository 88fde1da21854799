"""Units have enough volumes, and innovations hold nothing that the past predicts."""

import numpy as np
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.ar_model import AutoReg

from causal_ivae.discovery.network.units import Units, innovations, unit_labels


@pytest.mark.parametrize(
    ("segments", "counts"),
    [
        (np.repeat(np.arange(30), 40), [40] * 30),
        (np.zeros(1200, dtype=np.int64), [60] * 20),
        (np.repeat(np.arange(14), 83), [42, 41] * 14),
        (np.repeat(np.arange(60), 10), [30] * 20),
        (np.zeros(60, dtype=np.int64), [30, 30]),
        (np.zeros(12, dtype=np.int64), [12]),
    ],
)
def test_units_are_segments_or_windows_of_enough_volumes(segments, counts):
    labels = unit_labels(segments)
    np.testing.assert_array_equal(np.bincount(labels), counts)
    shuffled = np.random.default_rng(0).permutation(len(segments))
    assert np.array_equal(np.unique(unit_labels(segments[shuffled])), np.arange(len(counts)))


def test_moments_of_unequal_units_are_those_of_their_volumes():
    rng = np.random.default_rng(1)
    segments = np.repeat(np.arange(21), rng.integers(30, 60, 21))
    values = rng.normal(size=(len(segments), 3)) * [1.0, 5.0, 0.1] + segments[:, None]
    units = Units.of(values, segments)
    inside = values - np.array([values[segments == s].mean(axis=0) for s in segments])
    scaled = inside / inside.std(axis=0)
    for s, moments in enumerate(units.products()):
        own = scaled[segments == s]
        np.testing.assert_allclose(moments, own.T @ own / len(own), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(units.rows_of(units.values), scaled, atol=1e-5)
    assert units.weights.sum() == pytest.approx(1.0)


def test_innovations_are_those_of_an_autoregression():
    rng = np.random.default_rng(2)
    noise = rng.laplace(size=(4000, 2))
    values = np.column_stack(
        [lfilter([1.0], [1.0, -0.9, 0.4], noise[:, 0]), lfilter([1.0], [1.0, -0.5], noise[:, 1])]
    )
    whole = np.zeros(4000, dtype=np.int64)
    found, kept = innovations(values, whole, whole)
    assert kept.sum() == len(found) == 4000 - 8
    own = AutoReg(values[:, 0], 2, trend="n", hold_back=8).fit().resid
    np.testing.assert_allclose(found[:, 0], own, atol=1e-3)
    assert np.corrcoef(found[:, 0], noise[8:, 0])[0, 1] > 0.99


def test_no_lag_crosses_a_gap():
    rng = np.random.default_rng(3)
    blocks = np.repeat(np.arange(6), 120)
    values = rng.normal(size=(720, 2)).cumsum(axis=0)
    far = values + 1e3 * rng.normal(size=(6, 2))[blocks]
    one = np.zeros(720, dtype=np.int64)
    np.testing.assert_array_equal(
        np.flatnonzero(~innovations(values, one, blocks)[1]) % 120, np.tile(np.arange(8), 6)
    )
    # A step at a gap would be an innovation of a thousand standard deviations.
    assert np.abs(innovations(far - far.mean(axis=0), blocks, blocks)[0]).max() < 50.0
