"""The four-test rule, and the decision on tables made by hand."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from causal_ivae.discovery import orientation
from causal_ivae.discovery.orientation import VOTES, four_test_rule, orient
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.outcomes import DECISIONS
from causal_ivae.settings import DecisionSettings

BLOCKS, RESTARTS = 12, 4


@pytest.mark.parametrize(
    ("p_values", "vote"),
    [
        ([[0.0, 0.9], [0.0, 0.0]], "x->y"),  # x is independent of n2
        ([[0.9, 0.0], [0.0, 0.0]], "x->y"),  # the same, disturbances in the other order
        ([[0.0, 0.0], [0.9, 0.0]], "y->x"),
        ([[0.0, 0.0], [0.0, 0.9]], "y->x"),
        ([[0.0, 0.9], [0.9, 0.0]], "none"),
        ([[0.9, 0.9], [0.0, 0.0]], "inconclusive"),
        ([[0.9, 0.0], [0.9, 0.0]], "inconclusive"),
        ([[0.0, 0.0], [0.0, 0.0]], "inconclusive"),
        ([[0.9, 0.9], [0.9, 0.9]], "inconclusive"),
        ([[0.013, 0.0], [0.0, 0.0]], "x->y"),  # .013 is above .05 / 4
        ([[0.012, 0.0], [0.0, 0.0]], "inconclusive"),
    ],
)
def test_rule(p_values, vote):
    assert VOTES[int(four_test_rule(np.array(p_values), 0.05))] == vote


def table(excess: np.ndarray, p_value: np.ndarray) -> IndependenceTable:
    total = excess.sum(-1)
    return IndependenceTable(total, np.zeros_like(total), p_value, excess, np.ones_like(excess))


def made(x_least: float, y_least: float, *, dependent: bool = True, spread: float = 0.1):
    """One pair whose regions have these least dependences, against components 1 and 0."""
    rng = np.random.default_rng(0)
    excess = 5.0 + np.zeros((1, 2, RESTARTS, 2, BLOCKS))
    excess[0, 0, :, 1] = x_least
    excess[0, 1, :, 0] = y_least
    excess += spread * rng.normal(size=excess.shape)
    tests = table(excess.reshape(1, 2, 2 * RESTARTS, BLOCKS), np.zeros((1, 2, 2 * RESTARTS)))
    own = np.full((1, 1, 1, BLOCKS), 4.0 if dependent else 0.0)
    dependence = table(own, np.full((1, 1, 1), 0.001 if dependent else 0.6))
    return dependence, tests


def decide(dependence, tests, usable=None, *, identified=True, **settings):
    usable = np.ones((1, RESTARTS), dtype=bool) if usable is None else usable
    shown = np.array([identified])
    result = orient(dependence, tests, usable, shown, DecisionSettings(**settings), seed=0)
    return DECISIONS[result.decision[0]], result


@pytest.mark.parametrize(
    ("x_least", "y_least", "decision"),
    [(0.1, 2.0, "x->y"), (2.0, 0.1, "y->x"), (1.0, 1.0, "undecided")],
)
def test_the_more_independent_region_is_the_cause(x_least, y_least, decision):
    found, result = decide(*made(x_least, y_least))
    assert found == decision
    assert 0.5 <= result.confidence[0] <= 1.0
    assert np.sign(result.score[0]) == (1 if x_least < y_least else -1) or decision == "undecided"


def test_swapping_the_regions_swaps_the_decision_exactly():
    dependence, tests = made(0.5, 1.0, spread=0.5)
    forward = decide(dependence, tests)[1]
    swapped = IndependenceTable(
        *(getattr(tests, f)[:, ::-1] for f in IndependenceTable.__dataclass_fields__)
    )
    backward = decide(dependence, swapped)[1]
    assert backward.score[0] == -forward.score[0]
    assert backward.interval_level[0] == pytest.approx(forward.interval_level[0])
    np.testing.assert_allclose(backward.interval, -forward.interval[:, ::-1])


@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_the_interval_holds_zero_where_the_score_may_be_zero(spread):
    for y_least in np.linspace(0.6, 1.4, 9):
        dependence, tests = made(1.0, float(y_least), spread=spread)
        result = decide(dependence, tests)[1]
        low, high = result.interval[0]
        assert -1 <= low <= result.score[0] <= high <= 1
        assert (result.interval_level[0] >= 0.95) == (low > 0 or high < 0)
        assert np.isnan(result.p_value[0])


@pytest.mark.parametrize("blocks", [2, 5])
def test_the_direction_is_tested_as_the_mean_of_blocks(blocks):
    # Of one restart whose two dependences add up to one in every block, the score is the mean
    # over blocks of their difference, whose error and test are known.
    difference = np.array([0.3, -0.1, 0.25, 0.4, 0.05])[:blocks]
    excess = np.full((1, 2, 2, blocks), 9.0)
    excess[0, 0, 1], excess[0, 1, 0] = (1 - difference) / 2, (1 + difference) / 2
    tests = table(excess, np.zeros((1, 2, 2)))
    dependence = table(np.full((1, 1, 1, blocks), 4.0), np.zeros((1, 1, 1)))
    found = orient(dependence, tests, np.ones((1, 1), dtype=bool), np.ones(1, dtype=bool),
                   DecisionSettings(resamples=100_000), seed=0)  # fmt: skip
    known = ttest_1samp(difference, 0.0)
    assert found.score[0] == pytest.approx(difference.mean())
    assert found.error[0] == pytest.approx(difference.std(ddof=1) / np.sqrt(blocks), rel=0.01)
    assert 1.0 - found.interval_level[0] == pytest.approx(known.pvalue, rel=0.03)
    low, high = known.confidence_interval()
    expected = np.clip([low, high], -1.0, 1.0)
    np.testing.assert_allclose(found.interval[0], expected, atol=0.01)


def test_the_resamples_that_are_dependent_are_told_by_the_null_of_what_was_drawn():
    # A block that is drawn k times has k times its statistic and k times its error.
    weight = np.array([[3, 0], [2, 1], [1, 2], [0, 3]])
    excess, sd = np.array([[2.0, 1.5]]), np.ones((1, 2))
    shares = orientation._shares(excess, sd, np.ones((1, 4)), weight, 0.05)
    number = weight @ excess[0] / np.sqrt(np.square(weight).sum(axis=1))
    dependent = number > norm.isf(0.05)
    assert dependent.tolist() == [True, True, True, False]
    np.testing.assert_allclose(shares, [[0.0, 0.75, 0.0, 0.25]])


def test_no_dependence_is_no_edge():
    found, result = decide(*made(0.1, 2.0, dependent=False))
    assert found == "none"
    assert result.interval_level[0] > 0.95


def test_one_block_does_not_decide():
    dependence, tests = made(1.0, 1.0, spread=0.0)
    tests.block_excess[0, 1, ::2, 0] += 3.0
    assert decide(dependence, tests)[0] == "undecided"
    alone = table(tests.block_excess[..., :1], tests.p_value)
    own = table(np.full((1, 1, 1, 1), 4.0), np.zeros((1, 1, 1)))
    found, result = decide(own, alone)
    assert found == "undecided"
    assert np.isnan(result.interval).all()


def test_a_diverged_restart_does_not_count():
    dependence, tests = made(0.1, 2.0)
    tests.block_excess.reshape(1, 2, RESTARTS, 2, BLOCKS)[:, :, 0] = 1e6
    usable = np.array([[False, True, True, True]])
    found, result = decide(dependence, tests, usable)
    assert found == "x->y"
    assert np.isnan(result.restart_score[0, 0])
    assert result.score[0] > 0.8


@pytest.mark.parametrize("sound", [1, 2])
def test_diverged_restarts_favour_no_direction(sound):
    usable = np.arange(RESTARTS)[None] < sound
    forward, backward = (
        1.0 - decide(*made(*least), usable)[1].interval_level[0]
        for least in ((0.1, 2.0), (2.0, 0.1))
    )
    assert forward == pytest.approx(backward, rel=0.2)
    everything = 1.0 - decide(*made(0.1, 2.0))[1].interval_level[0]
    assert min(forward, backward) > everything


@pytest.mark.parametrize("blocks", [2, 3, 5, 14])
def test_few_blocks_make_no_directions_out_of_nothing(blocks):
    pairs, rng = 400, np.random.default_rng(1)
    shared = rng.gamma(2.0, size=(pairs, 2, 1, blocks))
    excess = np.full((pairs, 2, RESTARTS, 2, blocks), 9.0)
    excess[:, 0, :, 1] = shared[:, 0] + 0.2 * rng.normal(size=(pairs, RESTARTS, blocks))
    excess[:, 1, :, 0] = shared[:, 1] + 0.2 * rng.normal(size=(pairs, RESTARTS, blocks))
    flat = excess.reshape(pairs, 2, 2 * RESTARTS, blocks)
    tests = table(flat, np.zeros(flat.shape[:-1]))
    dependence = table(np.full((pairs, 1, 1, blocks), 4.0), np.full((pairs, 1, 1), 0.001))
    usable = np.ones((pairs, RESTARTS), dtype=bool)
    settings = DecisionSettings(resamples=499)
    result = orient(dependence, tests, usable, np.ones(pairs, dtype=bool), settings, seed=0)
    # Percentiles of the resamples decide .36 of these pairs at 2 blocks and .29 at 3.
    assert np.isin(result.decision, [1, 2]).mean() < 0.11


def test_disturbances_that_collapsed_favour_no_direction():
    dependence, tests = made(0.0, 0.0, spread=0.0)
    found, result = decide(dependence, tests)
    assert found == "undecided"
    assert result.interval_level[0] == pytest.approx(0.0)
    assert result.confidence[0] == pytest.approx(0.5)


def test_disturbances_that_are_not_identified_have_no_direction():
    assert decide(*made(0.1, 2.0))[0] == "x->y"
    found, result = decide(*made(0.1, 2.0), identified=False)
    assert found == "undecided"
    assert result.score[0] == decide(*made(0.1, 2.0))[1].score[0]
    assert decide(*made(0.1, 2.0, dependent=False), identified=False)[0] == "none"


def test_chunks_of_pairs_change_no_number(monkeypatch):
    rng = np.random.default_rng(0)
    tests = table(rng.normal(size=(5, 2, 2 * RESTARTS, BLOCKS)), np.zeros((5, 2, 2 * RESTARTS)))
    dependence = table(np.full((5, 1, 1, BLOCKS), 4.0), np.full((5, 1, 1), 0.001))
    usable, shown = np.ones((5, RESTARTS), dtype=bool), np.ones(5, dtype=bool)
    whole = orient(dependence, tests, usable, shown, DecisionSettings(), seed=0)
    monkeypatch.setattr(orientation, "_CHUNK_NUMBERS", 1)
    chunks = orient(dependence, tests, usable, shown, DecisionSettings(), seed=0)
    np.testing.assert_array_equal(whole.interval_level, chunks.interval_level)
    np.testing.assert_array_equal(whole.confidence, chunks.confidence)


def test_paper_rule_takes_the_majority_of_restarts():
    dependence, tests = made(0.1, 2.0)
    p_value = tests.p_value.reshape(1, 2, RESTARTS, 2)
    p_value[0, 1, :3, 0] = 0.9  # three of four restarts find y independent of n1
    found, result = decide(dependence, tests, rule="paper")
    assert found == "y->x"
    assert result.confidence[0] == pytest.approx(0.75)
    assert decide(dependence, tests, rule="paper", identified=False)[0] == "undecided"
    p_value[0, 1, 2, 0] = 0.0
    assert decide(dependence, tests, rule="paper")[0] == "undecided"
