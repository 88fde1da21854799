"""Pairs by other laws: only the effect depends on both disturbances."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import kurtosis

from causal_ivae.errors import SettingsError
from causal_ivae.independence import hsic_test
from causal_ivae.validation.suites.mechanisms import (
    LAWS,
    MECHANISMS,
    MODULATIONS,
    simulate_mechanism_pair,
)

KINDS = list(product(MECHANISMS, ("x->y", "y->x", "none")))


@pytest.mark.parametrize(("mechanism", "direction"), KINDS)
def test_only_the_effect_depends_on_both_disturbances(mechanism, direction):
    pair = simulate_mechanism_pair(
        direction, mechanism=mechanism, n_segments=8, n_per_segment=80, seed=2
    )
    p_value = np.array(
        [
            [hsic_test(x, n, pair.segments, "permutation").p_value for n in pair.disturbances.T]
            for x in pair.values.T
        ]
    )
    expected = np.eye(2, dtype=bool) | pair.adjacency.T  # row: region, column: disturbance
    np.testing.assert_array_equal(p_value < 0.005, expected)


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("law", LAWS)
def test_scales_change_over_segments_and_draws_are_seeded(law, modulation):
    def draw(seed):
        return simulate_mechanism_pair(law=law, modulation=modulation, seed=seed)

    pair = draw(1)
    np.testing.assert_allclose(pair.values.std(axis=0), 1.0)
    np.testing.assert_array_equal(pair.values, draw(1).values)
    assert not np.array_equal(pair.values, draw(2).values)
    scale = np.array([pair.disturbances[pair.segments == s].std(axis=0) for s in range(20)])
    assert (scale.max(axis=0) / scale.min(axis=0) > 1.5).all()
    assert abs(np.corrcoef(scale.T)[0, 1]) < 0.9


def test_laws_differ_within_a_segment():
    def tails(law):
        pair = simulate_mechanism_pair(law=law, n_segments=3, n_per_segment=20_000, seed=0)
        return kurtosis(pair.disturbances[pair.segments == 0], axis=0)

    assert (tails("uniform") < -1.0).all()
    assert (tails("student") > 0.5).all()
    assert (tails("generalised_gaussian") > 0.3).all()


def test_autocorrelation_is_that_of_the_disturbances():
    pair = simulate_mechanism_pair(autocorrelation=0.7, n_segments=5, n_per_segment=2000)
    first = pair.disturbances[pair.segments == 0]
    lagged = [np.corrcoef(n[:-1], n[1:])[0, 1] for n in first.T]
    np.testing.assert_allclose(lagged, 0.7, atol=0.05)


@pytest.mark.parametrize("what", ["mechanism", "law", "modulation"])
def test_unknown_kinds_are_named(what):
    with pytest.raises(SettingsError, match=f"Unknown {what} 'additve'"):
        simulate_mechanism_pair(**{what: "additve"})
