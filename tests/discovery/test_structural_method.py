"""discover(method="structural") from arrays to probabilities, on simulated truth."""

import numpy as np
import pytest
from scipy.stats import norm

from causal_ivae import discover
from causal_ivae.derivatives.tables import EVIDENCE, PROBABILITY_COLUMNS
from causal_ivae.discovery.probability import OUTCOMES, Evidence, calibration
from causal_ivae.settings import DecisionSettings, IndependenceSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair

SMALL = UnmixingSettings.model_validate(
    {"structural": {"steps": 250, "hidden": 16, "layers": 2, "knots": 4}}
)
FEW_DRAWS = IndependenceSettings(draws=99)
NAMES = ("cause", "effect", "one", "other")
PAIRS = [("cause", "effect"), ("one", "other")]


@pytest.fixture(scope="module")
def series():
    """A nonlinear effect beside two independent regions, and the segments of both."""
    size = {"n_segments": 20, "n_per_segment": 150}
    pair = simulate_pair("x->y", layers=2, seed=5, **size)
    apart = simulate_pair("none", layers=2, seed=6, **size)
    return np.hstack([pair.values, apart.values]), pair.segments


def estimated(values, segments, names, skeleton=None, **decision):
    return discover(
        values,
        segments,
        names,
        method="structural",
        skeleton=skeleton,
        unmixing=SMALL,
        independence=FEW_DRAWS,
        decision=DecisionSettings(**{"confidence": 0.5} | decision),
    )


@pytest.fixture(scope="module")
def straight(series):
    return estimated(*series, NAMES, PAIRS)


@pytest.fixture(scope="module")
def turned(series):
    """The same with the columns of either pair exchanged."""
    values, segments = series
    order = [1, 0, 3, 2]
    return estimated(values[:, order], segments, [NAMES[i] for i in order])


def of_pair(table, x, y):
    """Return the one row of a pair."""
    (row,) = table[(table["x"] == x) & (table["y"] == y)].to_dict("records")
    return row


def test_the_direction_is_found_in_either_order_of_the_columns(straight, turned):
    for graph in (straight, turned):
        assert graph.graph.has_edge("cause", "effect")
        assert not graph.graph.has_edge("effect", "cause")
    one = of_pair(straight.edges, "cause", "effect")
    back = of_pair(turned.edges, "effect", "cause")
    assert (one["decision"], back["decision"]) == ("x->y", "y->x")
    mirrored = ("unknown", "backward", "forward", "none")
    probability = [one[name] for name in PROBABILITY_COLUMNS]
    reflected = [back[f"probability_{name}"] for name in mirrored]
    np.testing.assert_allclose(probability, reflected, atol=0.1)
    assert one["score"] == pytest.approx(-back["score"], abs=0.1)


def test_evidence_turns_round_with_the_columns(straight, turned):
    one = of_pair(straight.evidence, "cause", "effect")
    back = of_pair(turned.evidence, "effect", "cause")
    assert one["mechanism"] == back["mechanism"]
    # Other starting weights and other minibatches: alike, not the same.
    assert one["gain"] > 0
    assert one["gain"] == pytest.approx(-back["gain"], rel=0.2)
    assert one["statistic"] == pytest.approx(-back["statistic"], rel=0.2)
    assert one["residual_forward"] < one["residual_backward"]
    assert one["residual_backward"] == pytest.approx(back["residual_forward"], rel=0.3)
    assert one["dependence"] == pytest.approx(back["dependence"], rel=1e-3)


def test_the_interval_of_the_score_turns_round_with_the_columns(straight, turned):
    one = of_pair(straight.edges, "cause", "effect")
    back = of_pair(turned.edges, "effect", "cause")
    assert 0 < one["score_low"] < one["score_high"] <= 1
    assert one["score_low"] == pytest.approx(-back["score_high"], abs=0.15)
    assert one["score_high"] == pytest.approx(-back["score_low"], abs=0.15)


def test_training_curves_end_where_the_objectives_of_the_table_are(straight):
    ends = straight.training.groupby(["x", "y", "restart"])["objective"].last()
    final = straight.restarts.set_index(["x", "y", "restart"])["objective"]
    assert of_pair(straight.evidence, "cause", "effect")["mechanism"] == "nonlinear"
    # Batches differ a little; the slope of the normal scores, if left out, would differ by more.
    np.testing.assert_allclose(ends[final.index], final, atol=0.06)


def test_independent_regions_have_no_edge(straight, turned):
    for graph, pair in ((straight, ("one", "other")), (turned, ("other", "one"))):
        edge = of_pair(graph.edges, *pair)
        assert edge["decision"] == "none"
        assert edge["confidence"] == edge["probability_none"]
        evidence = of_pair(graph.evidence, *pair)
        alike = 2.0 * norm.sf(abs(evidence["statistic"]))
        assert edge["p_value"] == pytest.approx(max(evidence["dependence_p"], alike))


def test_probabilities_come_from_the_evidence_that_is_shown(straight):
    assert tuple(straight.evidence.columns) == EVIDENCE.names
    assert straight.evidence[["x", "y"]].equals(straight.edges[["x", "y"]])
    probability = straight.edges[list(PROBABILITY_COLUMNS)].to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert (probability >= 0).all()
    again = calibration().probabilities(Evidence.of_table(straight.evidence))
    np.testing.assert_allclose(probability, again)
    np.testing.assert_allclose(straight.edges["score"], probability[:, 1] - probability[:, 2])
    assert len(OUTCOMES) == len(PROBABILITY_COLUMNS)


def test_the_probability_that_is_asked_for_decides(series, straight):
    values, segments = series
    sure = of_pair(straight.edges, "cause", "effect")
    asked = (1.0 + sure["probability_forward"]) / 2.0
    strict = estimated(values[:, :2], segments, NAMES[:2], confidence=asked).edges.loc[0]
    assert strict["decision"] == "undecided"
    # Neither the confidence asked for nor a region left out changes a number.
    columns = ["score", "p_value", "confidence", *PROBABILITY_COLUMNS]
    assert [strict[name] for name in columns] == [sure[name] for name in columns]


def test_restarts_are_the_two_directions(straight):
    rows = straight.restarts[straight.restarts["x"] == "cause"]
    assert rows["restart"].tolist() == [0, 1]
    # The objective of a direction is the mean log-likelihood of the volumes held out.
    gain = of_pair(straight.evidence, "cause", "effect")["gain"]
    assert -rows["objective"].diff().iloc[1] == pytest.approx(gain)
    # A direction's cause depends least on the disturbance of its effect.
    tests = straight.tests[straight.tests["x"] == "cause"].set_index(["first", "second"])
    for restart, place in enumerate([("cause", "n2"), ("effect", "n1")]):
        assert tests.loc[tests["restart"] == restart, "statistic"].idxmin() == place
