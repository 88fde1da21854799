"""Reliability and expected calibration error."""

import numpy as np
import pytest

from causal_ivae.validation.suites.calibration_error import expected_calibration_error, reliability


def test_error_is_the_distance_of_confidence_and_share_right():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    table = reliability(confidence, right)
    np.testing.assert_allclose(table["confidence"], [0.55, 0.95])
    np.testing.assert_allclose(table["right"], [0.5, 0.75])
    assert list(table["count"]) == [2, 4]
    expected = (2 * 0.05 + 4 * 0.2) / 6
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)


def test_a_calibrated_confidence_has_no_error_and_certainty_counts():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=20_000)
    right = rng.uniform(size=20_000) < confidence
    assert expected_calibration_error(confidence, right) < 0.02
    assert expected_calibration_error(np.ones(4), np.ones(4, dtype=bool)) == 0.0
    assert expected_calibration_error(np.ones(4), np.zeros(4, dtype=bool)) == 1.0


def test_nothing_has_no_error():
    assert expected_calibration_error([], []) is None
