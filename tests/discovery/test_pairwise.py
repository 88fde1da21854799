"""discover() from arrays to a graph: truth, negative controls, laws, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from causal_ivae import discover
from causal_ivae.derivatives.tables import (
    DIAGNOSTICS,
    EDGES,
    EVIDENCE,
    PROBABILITY_COLUMNS,
    RESTARTS,
    TESTS,
    TRAINING,
)
from causal_ivae.discovery import graph_tables, orientation
from causal_ivae.discovery.chunks import Chunks
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.seeding import child_seed
from causal_ivae.settings import IndependenceSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing import both_directions
from causal_ivae.unmixing.diagnostics import residual_dependence
from causal_ivae.unmixing.training import ensemble

QUICK = UnmixingSettings.model_validate(
    {
        "restarts": 2,
        "structural": {
            "trial_steps": 20,
            "steps": 60,
            "passes": 0,
            "hidden": 8,
            "layers": 2,
            "knots": 4,
        },
        "ivae": {"steps": 60},
        "tcl": {"steps": 60},
    }
)
FEW_DRAWS = IndependenceSettings(draws=99)
PAIR_METHODS = [name for name, method in METHODS.items() if isinstance(method, PairMethod)]


@pytest.fixture(scope="module")
def three_regions():
    pair = simulate_pair(n_segments=6, n_per_segment=60)
    other = np.random.default_rng(0).normal(size=(360, 1))
    return np.hstack([pair.values, other]), pair.segments


def quick(values, segments, names=("a", "b", "c"), **options):
    options = {"unmixing": QUICK, "independence": FEW_DRAWS, "method": "structural"} | options
    return discover(values, segments, names, **options)


@pytest.fixture(scope="module")
def several_pairs():
    """Linear and independent pairs side by side: columns 2k and 2k + 1 are a pair."""
    kinds = ["x->y", "y->x", "none"] * 4
    pairs = [
        simulate_pair(kind, layers=1, n_segments=15, n_per_segment=100, seed=k)
        for k, kind in enumerate(kinds)
    ]
    names = [f"{k}{region}" for k in range(len(kinds)) for region in "xy"]
    skeleton = [(f"{k}x", f"{k}y") for k in range(len(kinds))]
    values = np.hstack([pair.values for pair in pairs])
    return values, pairs[0].segments, names, skeleton, np.array(kinds)


@pytest.mark.parametrize("method", METHODS)
def test_known_directions_and_independent_pairs(method, several_pairs):
    values, segments, names, skeleton, kinds = several_pairs
    unmixing = UnmixingSettings.model_validate(
        {"restarts": 4, "structural": {"steps": 300}, "ivae": {"steps": 400}}
    )
    result = discover(values, segments, names, method=method, skeleton=skeleton, unmixing=unmixing)
    decision = result.edges["decision"].to_numpy()
    directed = kinds != "none"
    score = result.edges["score"].to_numpy()[directed]
    assert (np.sign(score) == np.where(kinds[directed] == "x->y", 1, -1)).mean() >= 7 / 8
    wrong = np.where(kinds == "x->y", "y->x", "x->y")
    assert (decision[directed] == wrong[directed]).sum() == 0
    assert np.isin(decision[~directed], ["none", "undecided"]).all()


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_tables_have_their_columns_and_every_test(method, three_regions):
    result = quick(*three_regions, method=method)
    leaning = ("leaning", "probability_leaning", "why")
    own = leaning if method == "structural" else ("interval_level",)
    assert set(result.edges.columns) == {*EDGES.required, *own, "quality"}
    assert tuple(result.edges.columns[: len(EDGES.required)]) == EDGES.required
    assert list(result.edges["quality"]) == list(result.diagnostics["verdict"])
    assert tuple(result.tests.columns) == TESTS.names
    assert tuple(result.restarts.columns) == RESTARTS.names
    assert tuple(result.training.columns) == TRAINING.names
    assert tuple(result.diagnostics.columns) == DIAGNOSTICS.names
    assert result.diagnostics[["x", "y"]].equals(result.edges[["x", "y"]])
    assert (result.restarts[["retried", "diverged"]] == 0).all(axis=None)
    assert (result.restarts["steps"] == 60).all()
    assert len(result.edges) == 3
    # Two restarts of a pair, or its two directions.
    assert len(result.restarts) == 3 * 2
    assert len(result.tests) == 3 + 3 * 2 * 4
    four = result.tests[(result.tests["restart"] == 1) & (result.tests["x"] == "b")]
    assert list(zip(four["first"], four["second"], strict=True)) == [
        ("b", "n1"), ("b", "n2"), ("c", "n1"), ("c", "n2"),
    ]  # fmt: skip
    assert result.tests["p_value"].between(0.01, 1.0).all()
    assert result.edges["score"].between(-1, 1).all()
    assert result.edges["confidence"].between(0, 1).all()
    assert result.method == method
    probability = result.edges[list(PROBABILITY_COLUMNS)]
    if method == "structural":
        assert tuple(result.evidence.columns) == EVIDENCE.names
        assert (result.edges["q_value"] >= result.edges["p_value"] - 1e-12).all()
        assert result.evidence[["x", "y"]].equals(result.edges[["x", "y"]])
        np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    else:
        assert result.edges[["p_value", "q_value"]].isna().all(axis=None)
        assert result.edges["interval_level"].between(0, 1).all()
        assert result.evidence is None
        assert probability.isna().all(axis=None)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_adding_a_region_changes_no_other_pair(method, three_regions):
    values, segments = three_regions
    three = quick(values, segments, method=method)
    two = quick(values[:, :2], segments, names=("a", "b"), method=method)
    columns = ["decision", "score", "p_value", "confidence", *PROBABILITY_COLUMNS]
    assert three.edges.loc[[0], columns].equals(two.edges[columns])
    if method == "structural":
        assert three.evidence.loc[[0]].equals(two.evidence)
    same = three.tests[(three.tests["x"] == "a") & (three.tests["y"] == "b")]
    np.testing.assert_array_equal(
        same.sort_values(["restart", "first", "second"])["p_value"],
        two.tests.sort_values(["restart", "first", "second"])["p_value"],
    )


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_diagnostics_of_a_pair_do_not_depend_on_the_others(method, three_regions):
    values, segments = three_regions
    three = quick(values, segments, method=method).diagnostics
    two = quick(values[:, :2], segments, names=("a", "b"), method=method).diagnostics
    assert three.loc[[0], ["verdict", "reasons", "rank"]].equals(
        two[["verdict", "reasons", "rank"]]
    )
    numbers = three.select_dtypes("number").columns
    np.testing.assert_allclose(three.loc[[0], numbers], two[numbers], rtol=1e-4)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_diagnostics_see_segments_that_change_nothing(method):
    """Disturbances whose scales change with the segment, beside some whose scales do not."""
    changing = simulate_pair(layers=1, n_segments=20, n_per_segment=100, seed=3)
    steady = simulate_pair(layers=1, n_segments=1, n_per_segment=2000, seed=3)
    names = ("a", "b", "c", "d")
    unmixing = UnmixingSettings.model_validate(
        {
            "restarts": 2,
            "structural": {"steps": 300},
            "ivae": {"steps": 600},
            "tcl": {"steps": 300},
        }
    )
    table = quick(
        np.hstack([changing.values, steady.values]), changing.segments, names, method=method,
        skeleton=[("a", "b"), ("c", "d")], unmixing=unmixing, seed=1,
    ).diagnostics  # fmt: skip
    assert table.loc[0, "rank"] == 2
    assert table.loc[1, "rank"] < 2
    assert table.loc[1, "verdict"] == "modulation not shown"
    assert table.loc[1, "reasons"].startswith("Modulation not shown because ")
    modulation = table[["modulation_1", "modulation_2"]].to_numpy()
    error = table[["modulation_error_1", "modulation_error_2"]].to_numpy()
    assert (modulation[0] > 3 * error[0]).all()
    # TCL fits chance differences between segments as well, so three errors would be too few.
    assert (modulation[1] < 4 * error[1]).all()
    assert modulation[1].max() < 0.5 * modulation[0].min()
    assert table["kl_1"].notna().all() == (method == "ivae")


@pytest.mark.parametrize("method", ["structural", "ivae"])
def test_segments_needed_follow_what_is_modulated(method, three_regions):
    values, segments = three_regions
    few = segments // 2
    own = getattr(QUICK, method).model_copy(update={"modulates": "mean_variance"})
    both = QUICK.model_copy(update={method: own})
    table = quick(values, few, unmixing=both, method=method).diagnostics
    assert (table["segments"] == 3).all()
    assert (table["segments_needed"] == 5).all()
    assert (table["verdict"] == "not identifiable").all()
    assert "3 segments are fewer than the 5 that it takes" in table.loc[0, "reasons"]
    # What one method modulates does not concern another.
    assert (
        quick(values, few, unmixing=both, method="tcl").diagnostics["segments_needed"] == 3
    ).all()


def test_a_single_restart_cannot_agree(three_regions):
    table = quick(*three_regions, restarts=1, method="ivae").diagnostics
    assert table["agreement"].isna().all()
    assert table["dependence_p"].between(0.01, 1.0).all()


def test_a_restart_that_diverged_is_marked_and_has_no_tests(three_regions, monkeypatch):
    real = ensemble.unmix_pairs

    def lose_one(*args, **options):
        fit = real(*args, **options)
        lost = np.arange(len(fit.objective)) == 2
        return replace(
            fit,
            objective=np.where(lost, np.nan, fit.objective),
            retried=lost,
            disturbances=torch.where(
                torch.as_tensor(lost)[:, None, None], torch.nan, fit.disturbances
            ),
        )

    whole = quick(*three_regions, method="ivae")
    monkeypatch.setattr(ensemble, "unmix_pairs", lose_one)
    result = quick(*three_regions, method="ivae")
    lost = (result.restarts["x"] == "a") & (result.restarts["y"] == "c")
    lost &= result.restarts["restart"] == 0
    assert list(result.restarts["diverged"]) == list(lost.astype(int))
    assert list(result.restarts["retried"]) == list(lost.astype(int))
    of_lost = (result.tests["x"] == "a") & (result.tests["y"] == "c")
    of_lost &= (result.tests["restart"] == 0).fillna(value=False)
    numbers = ["statistic", "null_mean", "p_value"]
    assert of_lost.sum() == 4
    assert result.tests.loc[of_lost, numbers].isna().all(axis=None)
    assert result.tests.loc[~of_lost, numbers].notna().all(axis=None)
    # The other restart is judged instead, and no other pair is.
    assert np.isnan(result.diagnostics.loc[1, "agreement"])
    assert (result.diagnostics["retried"] == 0).all()
    assert result.diagnostics.loc[[0, 2]].equals(whole.diagnostics.loc[[0, 2]])


def test_a_direction_that_diverged_leaves_its_pair_undecided(three_regions, monkeypatch):
    real = both_directions.fit_hypotheses

    def lose_one(*args, **options):
        found = real(*args, **options)
        likelihood = found.log_likelihood.copy()
        likelihood[1, 0] = np.nan
        return replace(found, log_likelihood=likelihood)

    whole = quick(*three_regions)
    monkeypatch.setattr(both_directions, "fit_hypotheses", lose_one)
    result = quick(*three_regions)
    assert list(result.restarts["diverged"]) == [0, 0, 1, 0, 0, 0]
    assert result.restarts.loc[2, "vote"] == "inconclusive"
    edge = result.edges.loc[1]
    assert edge["cause"] == ""
    assert edge[["score", "probability_forward", "probability_backward"]].tolist() == [0.0] * 3
    assert edge["probability_unknown"] + edge["probability_none"] == pytest.approx(1.0)
    of_lost = (result.tests["x"] == "a") & (result.tests["y"] == "c")
    of_lost &= (result.tests["restart"] == 0).fillna(value=False)
    assert result.tests.loc[of_lost, "p_value"].isna().all()
    assert result.tests.loc[~of_lost, "p_value"].notna().all()
    assert np.isfinite(result.evidence.select_dtypes("number")).all(axis=None)
    others = ["x", "y", "decision", "score", "confidence", *PROBABILITY_COLUMNS]
    assert result.edges.loc[[0, 2], others].equals(whole.edges.loc[[0, 2], others])


def test_same_seed_same_numbers_and_units_do_not_matter(three_regions):
    values, segments = three_regions
    first = quick(values, segments)
    assert first.edges.equals(quick(values, segments).edges)
    rescaled = quick(values * [2.0, 4.0, 0.5] + [8.0, 0.0, -3.0], segments).edges
    np.testing.assert_allclose(rescaled["score"], first.edges["score"], atol=0.05)
    assert not first.edges.equals(quick(values, segments, seed=1).edges)


def test_skeleton_limits_the_pairs(three_regions):
    result = quick(*three_regions, skeleton=[("c", "a"), ("a", "c")])
    assert result.edges[["x", "y"]].to_numpy().tolist() == [["a", "c"]]
    assert result.matrix[0, 1] == 0.0


def test_restarts_argument_wins(three_regions):
    result = quick(*three_regions, restarts=3, skeleton=[("a", "b")], method="ivae")
    assert len(result.restarts) == 3


def test_blocks_are_what_time_shifts_keep_within(three_regions):
    values, segments = three_regions
    halves = segments * 2 + (np.arange(len(segments)) % 60 >= 30)
    whole = quick(values, segments, skeleton=[("a", "b")])
    split = quick(values, segments, skeleton=[("a", "b")], blocks=halves)
    assert not np.allclose(whole.tests["statistic"], split.tests["statistic"])
    np.testing.assert_array_equal(whole.restarts["objective"], split.restarts["objective"])


def test_a_block_does_not_span_segments(three_regions):
    values, segments = three_regions
    whole = quick(values, segments, skeleton=[("a", "b")])
    one_run = quick(values, segments, skeleton=[("a", "b")], blocks=np.zeros(len(segments), int))
    assert whole.tests.equals(one_run.tests)


def test_names_may_be_numpy_strings(three_regions):
    names = np.array(["a", "b", "c"])
    assert quick(*three_regions, names=names).edges.equals(quick(*three_regions).edges)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_the_disturbances_are_those_that_the_diagnostics_are_about(three_regions, method):
    values, segments = three_regions
    graph = quick(values, segments, method=method, key="01")
    assert graph.disturbances.shape == (3, 2, 360)
    assert graph.disturbances.dtype == np.float32
    np.testing.assert_allclose(graph.disturbances.mean(axis=2), 0.0, atol=1e-4)
    np.testing.assert_allclose(graph.disturbances.std(axis=2), 1.0, atol=2e-2)
    # The disturbance that is shifted is that of the supposed effect, which may be either.
    p_values = [
        residual_dependence(
            torch.from_numpy(graph.disturbances[:, order]).mT,
            segments,
            draws=99,
            seed=child_seed(0, "01"),
        )
        for order in ([0, 1], [1, 0])
    ]
    off = np.abs(np.stack(p_values) - graph.diagnostics["dependence_p"].to_numpy()).min(axis=0)
    np.testing.assert_allclose(off, 0.0, atol=1e-9)


def test_of_many_curves_the_last_points_are_kept(three_regions, monkeypatch):
    whole = quick(*three_regions, method="ivae").training
    monkeypatch.setattr(graph_tables, "_CURVE_NUMBERS", len(whole) // 3)
    thinned = quick(*three_regions, method="ivae").training
    assert len(thinned) <= len(whole) // 3
    assert thinned["step"].max() == 60
    both = whole.merge(thinned, on=["x", "y", "restart", "step"])
    assert len(both) == len(thinned)
    assert (both["objective_x"] == both["objective_y"]).all()


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_a_chunk_of_pairs_lets_its_disturbances_go(method, three_regions, monkeypatch):
    held = []

    def spied(chunks, work):
        parts = whole(chunks, work)
        for part in parts:
            fit = part.hypotheses.fit if method == "structural" else part.fit
            held.append(fit.disturbances.untyped_storage().nbytes())
        return parts

    whole = Chunks.map
    monkeypatch.setattr(Chunks, "map", spied)
    quick(*three_regions, method=method)
    assert held
    assert set(held) == {0}


def test_progress_reaches_the_end(three_regions):
    seen = []
    quick(*three_regions, progress=lambda stage, share: seen.append((stage, share)))
    assert seen[-1] == ("testing", 1.0)
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert {stage for stage, _ in seen} == {"unmixing", "testing"}
    assert shares[0] < 0.1


def test_cycles_are_reported_and_broken_on_request(three_regions, monkeypatch):
    def round_and_round(*args):
        confidence = np.array([0.9, 0.8, 0.7])
        return replace(orient(*args), decision=np.array([1, 2, 1]), confidence=confidence)

    orient = orientation.orient
    monkeypatch.setattr(orientation, "orient", round_and_round)
    whole = quick(*three_regions, method="tcl")
    (cycle,) = whole.cycles
    assert (cycle.cause, cycle.effect) == ("b", "c")
    assert whole.adjacency.sum() == 3
    broken = quick(*three_regions, method="tcl", acyclic=True)
    assert broken.cycles == whole.cycles
    assert broken.edges["decision"].tolist() == ["x->y", "y->x", "undecided"]
    assert set(broken.graph.edges) == {("a", "b"), ("c", "a")}
    assert broken.settings["decision"]["acyclic"]
