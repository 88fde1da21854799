"""Arrows of methods of pairs are set against those of twins, which have none."""

import numpy as np
import pandas as pd
import pytest
import torch

from causal_ivae import discover
from causal_ivae.discovery.methods import METHODS
from causal_ivae.discovery.pair_twins import beside_twins
from causal_ivae.discovery.problem import Found, Problem
from causal_ivae.reporting.twins_text import twins_sentences
from causal_ivae.settings import (
    DecisionSettings,
    IndependenceSettings,
    Pipeline,
    ScreenSettings,
    UnmixingSettings,
)

QUICK = {"restarts": 2, "pair_twins": 2, "tcl": {"steps": 20, "ica_iterations": 5}}


@pytest.fixture(scope="module")
def chain():
    """Five regions, each of which drives the next by skewed disturbances."""
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(2000, 5)) - 1.0
    for k in range(1, 5):
        values[:, k] += 0.7 * values[:, k - 1]
    return (values / values.std(axis=0)).astype(np.float32)


def problem_of(values, **decision):
    n = values.shape[1]
    return Problem(
        values=values,
        segments=np.repeat(np.arange(10), len(values) // 10),
        blocks=np.zeros(len(values), dtype=np.int64),
        names=tuple("abcdefg"[:n]),
        pairs=np.stack(np.triu_indices(n, 1), axis=1),
        unmixing=UnmixingSettings(pair_twins=20),
        independence=IndependenceSettings(),
        decision=DecisionSettings.model_validate({"decoy_share": 0.2, **decision}),
        screen=ScreenSettings(),
        seed=0,
        key="",
        device=torch.device("cpu"),
    )


def judge_by(measure, calls):
    """Return a method that takes the sign of a measure of all pairs, which must exceed .15."""

    def judge(problem):
        calls.append(len(problem.pairs))
        x, y = (problem.values[:, ends] for ends in problem.pairs.T)
        score = measure(x, y)
        decision = np.select([score > 0.15, score < -0.15], ["x->y", "y->x"], "undecided")
        names = np.array(problem.names, dtype=object)[problem.pairs]
        edges = {"x": names[:, 0], "y": names[:, 1], "decision": decision.astype(object)}
        return Found({"edges": pd.DataFrame({**edges, "confidence": np.abs(score)})})

    return judge


def skewness(x, y):
    return (x * x * y - x * y * y).mean(axis=0)


def test_arrows_stay_that_twins_do_not_show(chain):
    calls = []
    problem = problem_of(chain)
    found = beside_twins(problem, judge_by(skewness, calls))
    alone = judge_by(skewness, [])(problem).tables["edges"]
    edges = found.tables["edges"]
    drawn = edges[edges["decision"] == "x->y"]
    assert {("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")} <= set(
        zip(drawn["cause"], drawn["effect"], strict=True)
    )
    assert len(drawn) <= (alone["decision"] == "x->y").sum()
    assert (drawn["q_value"] <= 0.2).all()
    # Pairs of six twins are one stack; no more twins were needed.
    assert calls == [10, 60]
    assert found.about["Twins"] == 6
    assert found.about["ClaimsPerTwin"] < 0.2 * found.about["Claims"]


@pytest.mark.parametrize("guard", ["share", "network"])
def test_arrows_that_twins_show_as_well_are_undecided(guard):
    rng = np.random.default_rng(1)
    values = (rng.normal(size=(2000, 1)) + rng.normal(size=(2000, 5))).astype(np.float32)

    def correlation(x, y):
        return (x * y).mean(axis=0)

    found = beside_twins(
        problem_of(values / values.std(axis=0), guard=guard), judge_by(correlation, [])
    )
    edges = found.tables["edges"]
    assert (edges["decision"] == "undecided").all()
    assert (edges["cause"] == "").all()
    claimed = edges["why"] == "twins"
    assert claimed.sum() == found.about["Claims"] > 5
    assert (edges.loc[claimed, "q_value"] > 0.2).all()
    assert edges.loc[~claimed, "q_value"].isna().all()
    assert (found.about["LeastConfidenceDrawn"] is None) == (guard == "share")
    assert list(found.tables["twins"]["claims"]) == sorted(
        found.tables["twins"]["claims"], reverse=True
    )


def test_a_setting_asks_for_twins_and_the_page_says_what_they_show(chain):
    segments = np.repeat(np.arange(10), 200)
    values, names = chain[:, :3], ["a", "b", "c"]
    options = {"method": "tcl", "independence": IndependenceSettings(draws=99)}
    graph, alone = (
        discover(
            values,
            segments,
            names,
            unmixing=UnmixingSettings.model_validate({**QUICK, "pair_twins": twins}),
            **options,
        )
        for twins in (2, 0)
    )
    assert graph.sidecar["Twins"] == 2
    assert {"probability", "claims", "claims_per_twin"} == set(graph.tables["twins"])
    # Two twins are too few for any arrow, and nothing else changes for the pairs.
    assert not graph.adjacency.any()
    assert (graph.edges["score"] == alone.edges["score"]).all()
    assert graph.sidecar["Claims"] == int(alone.adjacency.sum())
    assert "Twins" not in alone.sidecar
    first, *_ = twins_sentences("TCL", graph)
    assert "would be drawn without regard to twins" in first
    assert "(2 twins)" in first
    assert twins_sentences("TCL", alone) == []


def test_the_number_of_twins_makes_results_of_methods_of_pairs_stale():
    plain = Pipeline()
    more = Pipeline.model_validate({"unmixing": {"pair_twins": 3}})
    for method in METHODS.values():
        assert method.digest(plain) != method.digest(more)
