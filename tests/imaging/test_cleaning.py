import warnings

import numpy as np
import pytest

from causal_ivae.errors import InputError, TooShortError
from causal_ivae.imaging.cleaning import polynomial_design, regress_out, require_signal


def test_residuals_are_those_of_one_least_squares_fit():
    rng = np.random.default_rng(0)
    values, design = rng.normal(size=(60, 2)) + 5, rng.normal(size=(60, 3)) * [1, 1e4, 1e-4]
    kept = np.ones(60, dtype=bool)
    kept[[4, 5, 40]] = False
    residuals, rank = regress_out(values, design, kept, "run")
    assert residuals.shape == (57, 2)
    assert rank == 4
    np.testing.assert_allclose(residuals.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(design[kept].T @ residuals, 0, atol=1e-6)


def test_censored_rows_play_no_part():
    rng = np.random.default_rng(1)
    values, design = rng.normal(size=(60, 2)), rng.normal(size=(60, 3))
    kept = np.ones(60, dtype=bool)
    kept[[0, 20, 59]] = False
    clean, _ = regress_out(values, design, kept, "run")
    values[~kept], design[~kept] = 1e6, -1e6
    np.testing.assert_array_equal(regress_out(values, design, kept, "run")[0], clean)


def test_a_filter_over_censored_volumes_would_leak():
    # Why no filter is used: nilearn interpolates censored frames with a spline, but not the
    # frame k where its mirror frame n - 1 - k is censored too, and the filter spreads its spike.
    from nilearn.signal import clean

    rng = np.random.default_rng(2)
    quiet = rng.normal(size=(200, 1))
    spiked = quiet.copy()
    bad = [60, 139]
    spiked[bad] += 100.0
    sample = np.setdiff1d(np.arange(200), bad)
    leak = []
    with warnings.catch_warnings():
        # Its parameter names and messages change between versions; only the numbers matter here.
        warnings.simplefilter("ignore")
        for values in (quiet, spiked):
            leak.append(
                clean(
                    values, sample_mask=sample, filter="butterworth", high_pass=0.01, t_r=2.0,
                    standardize=None, detrend=False,
                )
            )  # fmt: skip
    kept = np.isin(np.arange(200), sample)
    cosines = np.cos(np.pi * (np.arange(200)[:, None] + 0.5) / 200 * np.arange(1, 6))
    ours = [regress_out(values, cosines, kept, "run")[0] for values in (quiet, spiked)]
    np.testing.assert_array_equal(ours[0], ours[1])
    assert np.abs(leak[0] - leak[1]).max() > 0.1


def test_too_few_degrees_of_freedom_are_counted():
    rng = np.random.default_rng(3)
    design = rng.normal(size=(40, 30))
    with pytest.raises(TooShortError, match=r"run A: 40 kept volumes and 31 independent.* leave 9"):
        regress_out(rng.normal(size=(40, 2)), design, np.ones(40, dtype=bool), "run A")
    # A regressor given twice costs one degree of freedom.
    twice = np.column_stack([design[:, :15], design[:, :15]])
    assert regress_out(rng.normal(size=(40, 2)), twice, np.ones(40, dtype=bool), "run A")[1] == 16


def test_polynomials_are_removed():
    time = np.linspace(-3, 8, 50)
    values = np.column_stack([4 + 2 * time, 1 - time**2]) + 0.0
    kept = np.ones(50, dtype=bool)
    linear, _ = regress_out(values, polynomial_design(50, 1), kept, "run")
    np.testing.assert_allclose(linear[:, 0], 0, atol=1e-10)
    assert linear[:, 1].std() > 1
    quadratic, _ = regress_out(values, polynomial_design(50, 2), kept, "run")
    np.testing.assert_allclose(quadratic, 0, atol=1e-10)


def test_columns_with_nothing_left_are_named():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(50, 2)) * [3, 0.1] + [100, 1]
    require_signal(values, np.abs(values).max(axis=0), ("a", "b"), "run")
    values[:, 1] = 1e-13 * rng.normal(size=50)
    with pytest.raises(InputError, match=r"run A: nothing is left of 'b'"):
        require_signal(values, np.array([100.0, 1.0]), ("a", "b"), "run A")
