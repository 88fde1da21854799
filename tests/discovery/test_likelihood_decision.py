"""The three hypotheses of a pair, weighed by likelihoods that are made by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from causal_ivae.discovery.likelihood_decision import weigh
from causal_ivae.outcomes import DECISIONS

SEGMENTS = 8
PAIR = np.array([[0, 1]])
# Every equation of two regions: without a cause, and with the other region as its cause.
REGION = np.array([0, 0, 1, 1])
CAUSES = np.array([[0, 0], [0, 1], [0, 0], [1, 0]], dtype=bool)


def spread(mean: float, error: float) -> np.ndarray:
    """Return numbers by segment with this mean and this standard error of the mean."""
    values = np.where(np.arange(SEGMENTS) % 2, 1.0, -1.0)
    return mean + error * values * np.sqrt(SEGMENTS - 1)


def weighed(forward: np.ndarray, backward: np.ndarray, alpha: float = 0.05):
    """Weigh what an edge adds to the likelihood of every segment in either direction."""
    evidence = np.stack([np.zeros(SEGMENTS), backward, np.zeros(SEGMENTS), forward])
    resampled = np.zeros((4, 2, 2), dtype=bool)
    resampled[:3, 0, 1] = True
    return weigh(REGION, CAUSES, evidence, PAIR, resampled, alpha)


def p_of(difference: np.ndarray) -> float:
    return ttest_1samp(difference, 0.0).pvalue


@pytest.mark.parametrize("turned", [False, True])
def test_a_direction_must_beat_the_other_one_and_no_edge(turned):
    strong, weak = spread(5.0, 0.5), spread(4.0, 0.2)
    cases = (
        (strong, np.full(SEGMENTS, -9.0), True),  # beats both clearly
        (strong, strong - spread(1.0, 0.9), False),  # does not beat the other direction
        (spread(0.5, 0.4), weak - 40.0, False),  # does not beat no edge
    )
    for better, worse, decided in cases:
        both = (worse, better) if turned else (better, worse)
        found = weighed(*both)
        expected = max(p_of(better - worse), p_of(better))
        assert found.p_value[0] == pytest.approx(expected)
        assert (expected < 0.05) == decided
        direction = "y->x" if turned else "x->y"
        assert DECISIONS[found.decision[0]] == (direction if decided else "undecided")
        np.testing.assert_allclose(found.log_likelihood[0], [*(b.sum() for b in both), 0.0])
        # The columns of shares are x -> y, y -> x and neither, whatever is decided.
        np.testing.assert_allclose(found.share[0], [0.75, 0.0, 0.25])


def test_no_edge_has_the_p_value_of_the_better_direction():
    found = weighed(spread(-1.0, 0.3), spread(-2.0, 0.3))
    assert DECISIONS[found.decision[0]] == "none"
    assert found.p_value[0] == 1.0


def test_the_level_decides():
    better, worse = spread(1.0, 0.35), np.full(SEGMENTS, -9.0)
    p_value = p_of(better)
    for alpha, word in ((1.01 * p_value, "x->y"), (0.99 * p_value, "undecided")):
        assert DECISIONS[weighed(better, worse, alpha).decision[0]] == word
