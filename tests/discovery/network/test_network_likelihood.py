"""The network likelihood has the right derivatives and finds the equations that made the data."""

import numpy as np
import pytest

from causal_ivae.discovery.network import acyclic
from causal_ivae.discovery.network.acyclic import arrow_gains, local_scores
from causal_ivae.discovery.network.evidence import NetworkEvidence
from causal_ivae.discovery.network.linear import RIDGE, fit_feedback, objective
from causal_ivae.discovery.network.scales import fit_scales
from causal_ivae.discovery.network.units import Units

COEFFICIENTS = np.zeros((5, 5))
COEFFICIENTS[[1, 2, 3, 0, 4], [0, 1, 2, 3, 2]] = [0.6, 0.5, -0.5, 0.4, 0.5]
"""A cycle 0 -> 1 -> 2 -> 3 -> 0, and 2 -> 4."""


def series(coefficients=COEFFICIENTS, n=30, length=150, seed=0):
    rng = np.random.default_rng(seed)
    scale = np.exp(0.5 * rng.normal(size=(n, 1, len(coefficients))))
    noise = (scale * rng.laplace(size=(n, length, len(coefficients)))).reshape(n * length, -1)
    values = noise @ np.linalg.inv(np.eye(len(coefficients)) - coefficients).T
    return values, np.repeat(np.arange(n), length)


def adjacent_of(coefficients):
    return (coefficients != 0) | (coefficients != 0).T


def pairs_of(coefficients):
    return np.argwhere(np.triu(adjacent_of(coefficients), 1))


@pytest.fixture(scope="module")
def units():
    return Units.of(*series())


def test_the_gradient_is_that_of_the_likelihood(units):
    b = 0.2 * np.random.default_rng(1).normal(size=(5, 5)) * adjacent_of(COEFFICIENTS)
    gradient = np.tensordot(units.weights, objective(units, b)[1], axes=1)
    for i, j in np.argwhere(adjacent_of(COEFFICIENTS)):
        step = np.zeros((5, 5))
        step[i, j] = 1e-2
        slope = (objective(units, b + step)[0] - objective(units, b - step)[0]) / 2e-2
        assert gradient[i, j] == pytest.approx(slope, abs=2e-3)


def test_feedback_is_recovered_with_standard_errors(units):
    fit = fit_feedback(units, adjacent_of(COEFFICIENTS), [np.zeros((5, 5))])
    # The series were scaled to variance one; coefficients scale with them.
    values, _ = series()
    scale = values.std(axis=0)
    true = COEFFICIENTS * scale / scale[:, None]
    error = np.sqrt(np.diag(fit.covariance))
    z = (fit.coefficients - true)[fit.effect, fit.cause] / error
    assert np.abs(z).max() < 4.0
    assert error.max() < 0.06
    assert fit.coefficients[1, 0] > 5 * abs(fit.coefficients[0, 1])


def test_the_inverse_hessian_is_that_of_finite_differences(units):
    fit = fit_feedback(units, adjacent_of(COEFFICIENTS), [np.zeros((5, 5))])
    n = len(fit.effect)
    hessian = np.empty((n, n))
    for k in range(n):
        step = np.zeros((5, 5))
        step[fit.effect[k], fit.cause[k]] = 1e-2
        slopes = [
            np.tensordot(units.weights, objective(units, fit.coefficients + sign * step)[1], 1)
            for sign in (1, -1)
        ]
        hessian[k] = (slopes[0] - slopes[1])[fit.effect, fit.cause] / 2e-2
    hessian += 2 * RIDGE * np.eye(n)
    np.testing.assert_allclose(fit.inverse_hessian @ hessian, np.eye(n), atol=0.03)


def test_scales_that_grow_with_the_cause_tell_the_direction():
    rng = np.random.default_rng(4)
    x = rng.normal(size=6000)
    y = 0.3 * x + np.sqrt(1 + 0.5 * x**2) * rng.normal(size=6000)
    units = Units.of(np.column_stack([x, y]), np.repeat(np.arange(30), 200))
    both = ~np.eye(2, dtype=bool)
    regression = np.array([[0.0, 0.0], [np.corrcoef(x, y)[0, 1], 0.0]])
    b, _ = fit_scales(units, both, regression)
    assert b[1, 0] > 5 * abs(b[0, 1])
    pairs, strength = np.array([[0, 1]]), np.zeros(1)
    constant, growing = (
        arrow_gains(units, local_scores(units, both, scales=scales), pairs, strength, rng)
        for scales in (False, True)
    )
    assert growing.total > constant.total + 0.02
    assert growing.gain[0] > 0.01
    assert growing.t[0] > 5
    assert abs(constant.gain[0]) < 0.01


ACYCLIC = np.zeros((6, 6))
ACYCLIC[[1, 2, 3, 4, 5, 5], [0, 0, 1, 2, 3, 4]] = [0.6, 0.6, 0.5, -0.5, 0.5, 0.5]


def gains(units, coefficients, seed=0):
    scores = local_scores(units, adjacent_of(coefficients), scales=False)
    pairs = pairs_of(coefficients)
    rng = np.random.default_rng(seed)
    return arrow_gains(units, scores, pairs, np.zeros(len(pairs)), rng)


def test_the_best_acyclic_graph_is_the_one_that_made_the_data():
    units = Units.of(*series(ACYCLIC, seed=5))
    found = gains(units, ACYCLIC)
    np.testing.assert_array_equal(found.graph, ACYCLIC.T != 0)
    x, y = pairs_of(ACYCLIC).T
    sign = np.where(ACYCLIC[y, x] != 0, 1, -1)
    assert (sign * found.gain > 0).all()
    assert (sign * found.t > 2).all()


def test_single_flips_find_what_the_exact_search_finds(monkeypatch):
    units = Units.of(*series(ACYCLIC, seed=6))
    exact = gains(units, ACYCLIC)
    monkeypatch.setattr(acyclic, "MAX_REGIONS", 2)
    climbed = gains(units, ACYCLIC)
    np.testing.assert_array_equal(climbed.graph, exact.graph)
    assert climbed.total == pytest.approx(exact.total)
    np.testing.assert_array_equal(np.sign(climbed.gain), np.sign(exact.gain))
    # Turning an arrow with all others free is what the exact search does, too.
    assert np.median(np.abs(climbed.gain / exact.gain - 1.0)) < 0.1


def test_the_order_of_regions_does_not_matter():
    values, segments = series(ACYCLIC, seed=7)
    order = np.array([3, 0, 5, 1, 4, 2])
    straight = gains(Units.of(values, segments), ACYCLIC)
    turned = gains(Units.of(values[:, order], segments), ACYCLIC[np.ix_(order, order)])
    signed = np.zeros((2, 6, 6))
    for k, (found, coefficients) in enumerate(
        ((straight, ACYCLIC), (turned, ACYCLIC[np.ix_(order, order)]))
    ):
        x, y = pairs_of(coefficients).T
        signed[k, x, y], signed[k, y, x] = found.gain, -found.gain
    np.testing.assert_allclose(signed[0][np.ix_(order, order)], signed[1], atol=1e-9)


def test_evidence_says_whether_a_direction_depends_on_one_segment():
    rng = np.random.default_rng(8)
    alike = rng.laplace(size=(8, 200, 2))
    one = rng.normal(size=(8, 200, 2))
    one[3] = rng.laplace(size=(200, 2)) ** 3 / 4.0
    found = []
    for noise in (alike, one):
        noise[:, :, 1] += 0.6 * noise[:, :, 0]
        units = Units.of(noise.reshape(-1, 2), np.repeat(np.arange(8), 200))
        assert set(units.segment) == set(range(8))
        assert len(units.counts) > 8
        found.append(NetworkEvidence.of_units(units, np.array([[0, 1]]), seed=0, growing=False))
    shared, single = found
    assert shared.agreement[0] >= 0.75
    assert shared.gain[0] > shared.gain_without_one[0] > 0.7 * shared.gain[0]
    assert abs(single.gain_without_one[0]) < 0.5 * abs(single.gain[0])
