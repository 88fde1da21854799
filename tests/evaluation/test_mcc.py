import numpy as np
import pytest

from causal_ivae.errors import InputError
from causal_ivae.evaluation import mean_correlation, mean_correlations


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
        (np.full((400, 3), np.nan), "pearson", "z_est holds values that are not finite"),
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
    with pytest.raises(InputError, match="do not broadcast"):
        mean_correlations(np.zeros((2, 400, 3)), np.zeros((3, 400, 3)))
