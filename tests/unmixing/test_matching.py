"""Matching of components: the mean correlation coefficient, strong and weak, and restarts."""

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA

from causal_ivae.errors import InputError
from causal_ivae.unmixing.matching import (
    mean_correlation,
    mean_correlations,
    restart_agreement,
    weak_mean_correlations,
)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(0).laplace(size=(400, 3))


def test_order_sign_and_scale_do_not_matter(truth):
    estimate = truth[:, [2, 0, 1]] * [-3.0, 0.1, 20.0] + [5.0, 0.0, -1.0]
    assert mean_correlation(truth, estimate) == pytest.approx(1)
    assert 0 <= mean_correlation(truth, estimate) <= 1


def test_monotone_maps_leave_spearman_alone_but_not_pearson(truth):
    estimate = np.exp(3 * truth)
    assert mean_correlation(truth, estimate, "spearman") == pytest.approx(1)
    assert mean_correlation(truth, estimate) < 0.8


def test_independent_components_score_low(truth):
    other = np.random.default_rng(1).laplace(size=truth.shape)
    assert mean_correlation(truth, other) < 0.15


def test_each_estimate_serves_one_true_component(truth):
    repeated = np.column_stack([truth[:, 0]] * 3)
    expected = (1 + abs(np.corrcoef(truth.T))[0, 1:].sum()) / 3
    assert mean_correlation(truth, repeated) == pytest.approx(expected)


def test_assignment_is_optimal_not_greedy():
    # Correlations with orthonormal truth are the rows below: greedy takes .6 then 0, best is .5+.55
    basis = np.linalg.qr(np.random.default_rng(2).normal(size=(50, 6)))[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0]
    truth = basis[:, :2]
    first = 0.6 * basis[:, 0] + 0.55 * basis[:, 1] + np.sqrt(1 - 0.6**2 - 0.55**2) * basis[:, 2]
    second = 0.5 * basis[:, 0] + np.sqrt(1 - 0.5**2) * basis[:, 3]
    assert mean_correlation(truth, np.column_stack([first, second])) == pytest.approx(
        (0.5 + 0.55) / 2
    )


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_stack_gives_each_members_value(truth, method):
    stack = truth + np.random.default_rng(3).normal(size=(4, 2, *truth.shape))
    values = mean_correlations(truth, stack, method)
    assert values.shape == (4, 2)
    assert values[2, 1] == pytest.approx(mean_correlation(truth, stack[2, 1], method))


def test_a_constant_component_has_correlation_zero(truth):
    estimate = truth.copy()
    estimate[:, 1] = 0.1
    assert mean_correlation(truth, estimate) == pytest.approx(2 / 3, abs=0.05)
    assert mean_correlation(truth, np.full_like(truth, 0.1)) == 0


@pytest.mark.parametrize(
    ("estimate", "method", "message"),
    [
        (np.zeros((400, 2)), "pearson", r"z_true has shape \(400, 3\) but z_est has \(400, 2\)"),
        (np.full((400, 3), np.nan), "pearson", "'z_est'. .* got nan in row 0, column 0 instead"),
        (np.zeros(400), "pearson", "z_est must have shape"),
        (np.zeros((400, 3)), "kendall", "but got 'kendall' instead"),
    ],
)
def test_bad_input_is_named(truth, estimate, method, message):
    with pytest.raises(InputError, match=message):
        mean_correlation(truth, estimate, method)


def test_a_stack_is_sent_to_the_other_function(truth):
    with pytest.raises(InputError, match="use mean_correlations"):
        mean_correlation(truth[None], truth[None])
    for of_stacks in (mean_correlations, weak_mean_correlations):
        with pytest.raises(InputError, match="do not broadcast"):
            of_stacks(np.zeros((2, 400, 3)), np.zeros((3, 400, 3)))
        with pytest.raises(InputError, match=r"must be finite, but got inf in row 0"):
            of_stacks(truth, np.full_like(truth, np.inf))


def independent(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).laplace(size=shape)


def test_held_out_times_are_correlated_in_the_order_found_elsewhere(truth):
    other = independent(5, 300, 3)
    swapped = truth[:, [1, 2, 0]]
    right, wrong = other[:, [1, 2, 0]], other
    assert mean_correlations(truth, swapped, held_out=(other, right)) == pytest.approx(1)
    # Matched anew it would be 1.
    assert mean_correlations(truth, swapped, held_out=(other, wrong)) < 0.2
    assert mean_correlation(other, wrong) == pytest.approx(1)
    ranks = mean_correlations(truth, swapped, "spearman", held_out=(other, np.exp(right)))
    assert ranks == pytest.approx(1)


def test_held_out_stacks_broadcast(truth):
    estimates = np.stack([truth, truth[:, ::-1]])
    other = independent(5, 300, 3)
    values = mean_correlations(truth, estimates, held_out=(other, np.stack([other, other])))
    assert values[0] == pytest.approx(1)
    assert values[1] == pytest.approx((1 + 2 * abs(np.corrcoef(other.T)[0, 2])) / 3)


def test_weak_correlation_sees_through_any_linear_map(truth):
    mixing = np.random.default_rng(1).normal(size=(3, 3))
    assert mean_correlation(truth, truth @ mixing) < 0.9
    assert weak_mean_correlations(truth, truth @ mixing + 5.0) == pytest.approx(1)
    assert weak_mean_correlations(truth @ mixing, truth) == pytest.approx(1)
    units = [1e-6, 1.0, 1e6]
    assert weak_mean_correlations(truth, truth @ mixing * units) == pytest.approx(1)


def test_weak_correlation_is_that_of_scikit_learn(truth):
    noisy = truth + 2.0 * independent(4, 400, 3)
    left, right = CCA(3, scale=False, tol=1e-12, max_iter=10_000).fit_transform(truth, noisy)
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(left.T, right.T, strict=True)])
    assert weak_mean_correlations(truth, noisy) == pytest.approx(expected, abs=1e-6)


def test_weak_correlation_falls_for_what_is_not_linear_or_not_there(truth):
    assert weak_mean_correlations(truth, independent(2, 400, 3)) < 0.2
    assert weak_mean_correlations(truth, truth**3) < 0.9
    assert weak_mean_correlations(truth, np.abs(truth)) < 0.3


def test_weak_correlation_of_fewer_directions(truth):
    repeated = truth[:, [0, 0, 1]]
    assert weak_mean_correlations(truth, repeated) == pytest.approx(2 / 3, abs=1e-6)
    flat = np.column_stack([truth[:, :1], np.full((400, 2), 0.1)])
    assert weak_mean_correlations(truth, flat) == pytest.approx(1 / 3, abs=1e-6)
    assert weak_mean_correlations(truth, np.full_like(truth, 0.1)) == 0


def test_weak_correlation_at_held_out_times(truth):
    mixing = np.random.default_rng(1).normal(size=(3, 3))
    other = independent(5, 300, 3)
    same = weak_mean_correlations(truth, truth @ mixing, held_out=(other, other @ mixing))
    assert same == pytest.approx(1)
    moved = weak_mean_correlations(
        truth, truth @ mixing, held_out=(other, other @ np.roll(mixing, 1, axis=0))
    )
    assert moved < 0.9
    # Of noise, the maps that fit best promise what does not hold elsewhere.
    few, noise = independent(6, 8, 3), independent(7, 8, 3)
    assert weak_mean_correlations(few, noise) > 0.4
    held_out = (other, independent(8, 300, 3))
    assert weak_mean_correlations(few, noise, held_out=held_out) < 0.2
    flat = np.column_stack([truth[:, :1], np.full((400, 2), 0.1)])
    value = weak_mean_correlations(truth, flat, held_out=(other, other))
    assert value == pytest.approx(1 / 3, abs=0.1)


def test_weak_correlation_of_stacks(truth):
    stack = truth + independent(3, 4, 2, *truth.shape)
    values = weak_mean_correlations(truth, stack)
    assert values.shape == (4, 2)
    assert values[2, 1] == pytest.approx(float(weak_mean_correlations(truth, stack[2, 1])))
    held = weak_mean_correlations(truth, stack, held_out=(truth[::2], stack[:, :, ::2]))
    assert held.shape == (4, 2)
    assert (held > 0.5).all()


def agreement_of(stack: np.ndarray) -> float:
    [value] = restart_agreement(torch.as_tensor(stack[None], dtype=torch.float32))
    return value


@pytest.mark.parametrize("n", [2, 5])  # few components are matched by trying all orders
def test_restart_agreement_is_the_mean_over_pairs(n):
    shared = independent(0, 300, n)
    stack = shared + independent(1, 4, 300, n) * [[[0.1]], [[0.5]], [[1.0]], [[2.0]]]
    stack[1] = stack[1][:, ::-1] * -3.0 + 1.0
    pairs = [mean_correlation(stack[i], stack[j]) for i in range(4) for j in range(i)]
    assert agreement_of(stack) == pytest.approx(np.mean(pairs), abs=1e-5)
    assert agreement_of(stack) < 0.95
    assert agreement_of(np.stack([shared, -shared[:, ::-1]])) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_restarts_that_diverged_do_not_count_for_the_agreement(wrong):
    stack = independent(0, 300, 2) + 0.5 * independent(1, 4, 300, 2)
    spoiled = stack.copy()
    spoiled[2, 5, 1] = wrong
    both = restart_agreement(torch.as_tensor(np.stack([spoiled, stack]), dtype=torch.float32))
    assert both[0] == pytest.approx(agreement_of(stack[[0, 1, 3]]), abs=1e-6)
    assert both[1] == pytest.approx(agreement_of(stack), abs=1e-6)
    spoiled[[0, 1]] = wrong
    assert np.isnan(agreement_of(spoiled))
