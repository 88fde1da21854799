"""The simulators do what their docstrings say."""

import numpy as np
import pytest

from causal_ivae.independence import hsic_test
from causal_ivae.simulate.structural import simulate_bold, simulate_pair


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("direction", ["x->y", "y->x", "none", "cyclic"])
def test_only_the_effect_depends_on_both_disturbances(direction, layers):
    pair = simulate_pair(direction, layers=layers, n_segments=10, n_per_segment=60, seed=4)
    p_value = np.array(
        [
            [hsic_test(x, n, pair.segments, "permutation").p_value for n in pair.disturbances.T]
            for x in pair.values.T
        ]
    )
    dependent = p_value < 0.005
    expected = np.eye(2, dtype=bool) | pair.adjacency.T  # row: region, column: disturbance
    np.testing.assert_array_equal(dependent, expected)


def test_series_are_standardised_and_seeded():
    pair = simulate_pair(seed=2)
    np.testing.assert_allclose(pair.values.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(pair.values.std(axis=0), 1.0)
    np.testing.assert_array_equal(pair.values, simulate_pair(seed=2).values)
    assert not np.array_equal(pair.values, simulate_pair(seed=3).values)
    assert pair.values.shape == (4000, 2)
    assert len(np.unique(pair.segments)) == 20


def test_bold_is_smooth_and_carries_the_graph():
    adjacency = np.zeros((4, 4), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    bold = simulate_bold(adjacency, n_times=3000, seed=1)
    lagged = [np.corrcoef(x[:-1], x[1:])[0, 1] for x in bold.values.T]
    assert min(lagged) > 0.7
    correlation = np.abs(np.corrcoef(bold.values.T))
    assert correlation[0, 1] > 0.3
    assert correlation[1, 2] > 0.3
    assert correlation[3, :3].max() < 0.15
    other = simulate_bold(adjacency, n_times=3000, seed=1, subject="02")
    assert not np.array_equal(bold.values, other.values)


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="cycle"):
        simulate_bold(np.array([[False, True], [True, False]]))
