"""Newton's method finds minima of functions whose minima are known."""

import numpy as np
import pytest

from causal_ivae.discovery.network.newton import Point, minimise

CURVATURE = np.array([[2.0, 0.5], [0.5, 1.0]])


def quadratic(lowest):
    def at(x):
        away = x - lowest
        return Point(x, 0.5 * away @ CURVATURE @ away, CURVATURE @ away, lambda: CURVATURE)

    return at


def test_a_minimum_inside_the_bounds_is_found():
    found = minimise(quadratic(np.array([0.3, -0.2])), np.zeros(2), 0.9)
    np.testing.assert_allclose(found.x, [0.3, -0.2], atol=1e-6)


def test_at_a_bound_the_others_are_free():
    found = minimise(quadratic(np.array([3.0, -0.2])), np.zeros(2), 0.9)
    # With the first at .9 the gradient of the second vanishes at -.2 - .5 (.9 - 3) / 1.
    np.testing.assert_allclose(found.x, [0.9, 0.85], atol=1e-6)


@pytest.mark.parametrize("start", [0.01, -0.01])
def test_a_saddle_is_left_downwards(start):
    def at(x):
        square = x[0] ** 2
        return Point(
            x,
            0.25 * square**2 - 0.125 * square,
            np.array([x[0] ** 3 - 0.25 * x[0]]),
            lambda: np.array([[3.0 * square - 0.25]]),
        )

    found = minimise(at, np.array([start]), 0.9)
    assert found.x[0] == pytest.approx(np.sign(start) * 0.5, abs=1e-3)


def test_a_function_that_is_not_finite_beyond_is_not_entered():
    def at(x):
        value = -np.log(0.5 - x[0]) if x[0] < 0.5 else np.inf
        slope, curve = 1.0 / (0.5 - x[0]), 1.0 / (0.5 - x[0]) ** 2
        return Point(x, 4.0 * (x[0] - 0.45) ** 2 + value, np.array([8.0 * (x[0] - 0.45) + slope]),
                     lambda: np.array([[8.0 + curve]]))  # fmt: skip

    found = minimise(at, np.array([-0.9]), 0.9)
    assert found.x[0] < 0.5
    assert abs(found.gradient[0]) < 1e-2


def test_many_variables_need_no_second_derivatives():
    rng = np.random.default_rng(0)
    curvature, lowest = rng.uniform(0.5, 5.0, 300), rng.uniform(-1.5, 1.5, 300)

    def at(x):
        away = x - lowest
        return Point(x, 0.5 * away @ (curvature * away), curvature * away, lambda: 1 / 0)

    found = minimise(at, np.zeros(300), 0.9)
    np.testing.assert_allclose(found.x, np.clip(lowest, -0.9, 0.9), atol=2e-3)
