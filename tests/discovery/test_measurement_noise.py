"""Whether noise in the supposed cause is seen, and none where there is none."""

import numpy as np
import pytest
from scipy.signal import lfilter

from causal_ivae.discovery.measurement_noise import measurement_noise
from causal_ivae.simulate.known_graphs import simulate_noisy_pair, simulate_pair

PAIRS = 40


def noise_in(simulate, **options):
    """Test x -> y and y -> x of many pairs of 14 segments of 83 volumes."""
    made = [
        simulate(n_segments=14, n_per_segment=83, seed=seed, **options) for seed in range(PAIRS)
    ]
    values = np.concatenate([pair.values for pair in made], axis=1)
    pairs = np.arange(2 * PAIRS).reshape(PAIRS, 2)
    return measurement_noise(values, made[0].segments, made[0].segments, pairs)


@pytest.mark.parametrize("layers", [1, 3])
def test_a_clean_cause_looks_clean(layers):
    found = noise_in(simulate_pair, layers=layers, autocorrelation=0.6)
    forward = found.lagged[:, 0]
    assert abs(forward.mean()) < 0.5
    assert 0.6 < forward.std() < 1.5
    assert (np.minimum(*found.lagged.T) > 1.7).mean() <= 0.1


def test_both_noisy_views_of_a_signal_look_noisy():
    smooth = noise_in(simulate_noisy_pair, noise=(0.3, 1.0), autocorrelation=0.6)
    assert np.median(smooth.lagged[:, 0]) > 2.0
    assert np.median(smooth.lagged[:, 1]) > 5.0
    # Without autocorrelation, only the change of the signal's variance tells.
    white = noise_in(simulate_noisy_pair, noise=(0.3, 1.0), autocorrelation=0.0)
    assert abs(np.median(white.lagged)) < 0.7
    assert (np.median(white.modulated, axis=0) > 2.0).all()


def test_views_of_opposite_sign_look_as_noisy():
    rng = np.random.default_rng(1)
    segments = np.repeat(np.arange(14), 83)
    signal = np.repeat(rng.uniform(0.5, 2.0, size=14), 83) * rng.normal(size=14 * 83)
    # Noise that is skewed to the right keeps both series from being turned.
    noise = rng.exponential(size=(14 * 83, 2)) - 1.0
    views = signal[:, None] * [1.0, -1.0] + noise
    found = measurement_noise(views, segments, segments, np.array([[0, 1]]))
    assert (found.modulated > 2.0).all()


def test_volumes_without_neighbours_do_not_count():
    """They hold another slope here, which would look like attenuation of that of the others."""
    rng = np.random.default_rng(2)
    x = lfilter([1.0], [1.0, -0.8], rng.normal(size=1000))
    slope = np.repeat([1.0, -1.0], 500)
    values = np.column_stack([x, slope * x + rng.normal(size=1000)])
    blocks = np.concatenate([np.repeat(np.arange(5), 100), np.repeat(np.arange(5, 255), 2)])
    found = measurement_noise(values, np.repeat([0, 1], 500), blocks, np.array([[0, 1]]))
    assert abs(found.lagged[0, 0]) < 2.0


def test_no_neighbour_is_taken_across_a_gap():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 2)).astype(np.float32)
    blocks = np.repeat(np.arange(200), 2)
    found = measurement_noise(values, blocks // 50, blocks, np.array([[0, 1], [1, 0]]))
    # A block of two volumes has none with two on either side.
    np.testing.assert_array_equal(found.lagged, 0.0)
    assert np.isfinite(found.modulated).all()
    np.testing.assert_allclose(found.modulated[0], found.modulated[1, ::-1])
