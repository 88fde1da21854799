"""P-values by all sign flips of the subjects' scores, or by random ones."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from causal_ivae.group.sign_flips import sign_flip_p


def test_by_hand():
    # Of the eight sums of +-1 +-2 +-3, two are as large as 6, four as large as 4 or 0.
    p = sign_flip_p(np.array([[1.0, 1.0], [2.0, -2.0], [3.0, 3.0]]), draws=99, seed=0)
    assert p == pytest.approx([2 / 8, 6 / 8])


@pytest.mark.parametrize("n_subjects", [2, 6, 9])
def test_all_flips_are_those_of_scipy(n_subjects):
    scores = np.random.default_rng(n_subjects).normal(0.3, 1, size=(n_subjects, 15)).round(1)
    theirs = permutation_test(
        (scores,), np.mean, permutation_type="samples", n_resamples=2**n_subjects,
        vectorized=True, axis=0,
    )  # fmt: skip
    assert sign_flip_p(scores, draws=99, seed=0) == pytest.approx(theirs.pvalue)


def test_the_smallest_p_is_reached():
    for n_subjects in (3, 7, 13):
        scores = np.arange(1.0, n_subjects + 1)[:, None] * [1, -1]
        p = sign_flip_p(scores, draws=99, seed=0)
        assert p == pytest.approx(2 / 2**n_subjects)
    scores = np.ones((40, 1))
    assert sign_flip_p(scores, draws=99, seed=0) == pytest.approx(1 / 100)


def test_ties_count_whatever_the_rounding():
    scores = np.array([[0.1], [0.2], [0.3], [-0.6]])
    assert sign_flip_p(scores, draws=99, seed=0) == pytest.approx(1)
    assert sign_flip_p(np.zeros((5, 2)), draws=99, seed=0) == pytest.approx(1)


@pytest.mark.parametrize("n_subjects", [8, 20])
def test_false_positive_rate_under_the_null(n_subjects):
    # Heavy tails and unequal subjects, symmetric around zero.
    rng = np.random.default_rng(n_subjects)
    scores = rng.standard_t(3, size=(n_subjects, 3000)) * rng.uniform(0.5, 2, (n_subjects, 1))
    p = sign_flip_p(scores, draws=999, seed=0)
    # The standard error of a rate of .05 is .004 here.
    for alpha in (0.05, 0.25):
        assert np.mean(p <= alpha) == pytest.approx(alpha, abs=0.025)
    assert np.mean(p) == pytest.approx(0.5, abs=0.02)


def test_power_grows_with_the_effect():
    noise = np.random.default_rng(0).normal(size=(12, 500))
    power = [np.mean(sign_flip_p(noise + e, draws=99, seed=0) <= 0.05) for e in (0, 0.5, 1.0)]
    assert power[0] < 0.08
    assert 0.25 < power[1] < power[2]
    assert power[2] > 0.8


def test_another_pair_changes_no_p_value():
    scores = np.random.default_rng(0).normal(size=(16, 3))
    alone = sign_flip_p(scores[:, :2], draws=499, seed=5)
    assert np.array_equal(sign_flip_p(scores, draws=499, seed=5)[:2], alone)
    assert not np.array_equal(sign_flip_p(scores[:, :2], draws=499, seed=6), alone)


def test_random_flips_agree_with_all_of_them(monkeypatch):
    scores = np.random.default_rng(0).normal(0.3, 1, size=(10, 20))
    exact = sign_flip_p(scores, draws=99, seed=0)
    monkeypatch.setattr("causal_ivae.group.sign_flips._EXACT_SUBJECTS", 5)
    assert sign_flip_p(scores, draws=19999, seed=0) == pytest.approx(exact, abs=0.015)
