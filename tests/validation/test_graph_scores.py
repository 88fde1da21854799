import math

import numpy as np
import pytest

from causal_ivae.errors import InputError
from causal_ivae.validation.suites.graph_scores import score_graph

# Row = cause, column = effect: region 0 drives region 1.
FORWARD = np.array([[0, 1], [0, 0]])


def graph(n_regions, *edges):
    adjacency = np.zeros((n_regions, n_regions), dtype=bool)
    for cause, effect in edges:
        adjacency[cause, effect] = True
    return adjacency


def test_a_reversed_edge_is_wrong_but_its_skeleton_right():
    scores = score_graph(FORWARD, FORWARD.T)
    assert (scores.precision, scores.recall, scores.f1) == (0, 0, 0)
    assert scores.skeleton_f1 == 1
    assert scores.orientation_accuracy == 0
    assert scores.hamming == 1


def test_the_true_graph_scores_one():
    scores = score_graph(FORWARD, FORWARD)
    assert (scores.precision, scores.recall, scores.f1) == (1, 1, 1)
    assert (scores.orientation_accuracy, scores.hamming) == (1, 0)


def test_counts_of_a_mixed_graph():
    truth = graph(4, (0, 1), (1, 2), (2, 3))
    # One right, one reversed, one extra, one missing.
    found = graph(4, (0, 1), (2, 1), (0, 3))
    scores = score_graph(truth, found)
    assert scores.precision == pytest.approx(1 / 3)
    assert scores.recall == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx(1 / 3)
    assert scores.skeleton_f1 == pytest.approx(2 / 3)
    assert scores.orientation_accuracy == 0.5
    assert scores.hamming == 3


def test_a_reciprocal_pair_is_not_oriented():
    scores = score_graph(graph(2, (0, 1), (1, 0)), FORWARD)
    assert (scores.precision, scores.recall) == (1, 0.5)
    assert math.isnan(scores.orientation_accuracy)
    assert scores.hamming == 1


def test_an_empty_estimate_has_no_precision():
    scores = score_graph(FORWARD, np.zeros((2, 2)))
    assert math.isnan(scores.precision)
    assert (scores.recall, scores.f1, scores.hamming) == (0, 0, 1)


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (np.eye(2), "region 0 drives itself"),
        (np.zeros((3, 3)), r"shape \(2, 2\) but the estimated one \(3, 3\)"),
        (np.zeros((2, 3)), "square adjacency"),
        (FORWARD * 0.4, "only 0 and 1"),
    ],
)
def test_bad_input_is_named(estimate, message):
    with pytest.raises(InputError, match=message):
        score_graph(FORWARD, estimate)
