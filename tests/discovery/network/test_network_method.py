"""discover(method="network") finds the arrows of simulated BOLD, and none where there are none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_ivae import discover
from causal_ivae.discovery.network import power
from causal_ivae.discovery.network.linearity import MOST_GAIN, nonlinear_gain
from causal_ivae.discovery.network.power import BASES, Power, PowerRow
from causal_ivae.discovery.network.scaling import scaled
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.errors import InputError
from causal_ivae.outcomes import arrows_of
from causal_ivae.settings import (
    DecisionSettings,
    IndependenceSettings,
    NetworkSettings,
    PowerSettings,
    StructuralSettings,
    UnmixingSettings,
)
from causal_ivae.simulate.bold_networks import BoldDesign, simulate_bold_network
from causal_ivae.simulate.known_graphs import random_graph, simulate_network

GRAPH = np.zeros((5, 5), dtype=bool)
GRAPH[[0, 1, 2, 4], [1, 2, 3, 2]] = True
NAMES = list("abcde")
STUDY = BoldDesign(GRAPH, n_subjects=12, n_times=250, tr=1.5, noise=0.01, delay_sd=0.3)
SHORT = UnmixingSettings(
    structural=StructuralSettings(steps=20, trial_steps=10, passes=0.0, folds=1),
)
FAST = IndependenceSettings(null="gamma", surrogates=0)


def study(seed=1, **changes):
    return simulate_bold_network(replace(STUDY, **changes), seed=seed).stacked


def arrows(graph):
    found = arrows_of(graph.edges)
    return set(zip(found["cause"], found["effect"], strict=True))


TRUE = {(NAMES[i], NAMES[j]) for i, j in np.argwhere(GRAPH)}


@pytest.fixture(scope="module")
def found():
    return discover(*study(), NAMES)


def test_the_arrows_are_those_of_the_network(found):
    assert found.method == "network"
    assert arrows(found) <= TRUE
    assert len(arrows(found)) >= 3
    edges = found.edges
    total = edges.filter(["probability_none", "probability_forward", "probability_backward",
                          "probability_both", "probability_unknown"]).sum(axis=1)  # fmt: skip
    np.testing.assert_allclose(total, 1.0)
    near = edges["probability_adjacent"] > 0.5
    assert set(zip(edges["x"][near], edges["y"][near], strict=True)) == {
        tuple(sorted(pair)) for pair in TRUE
    }
    assert (edges.loc[edges["decision"] == "none", "probability_none"] >= 0.7).all()
    assert edges["score"].abs().max() <= 1.0


def test_the_result_says_what_its_twins_claim(found):
    twins = found.tables["twins"].set_index("probability")
    about = found.sidecar
    assert 6 <= about["Twins"] <= 20
    assert about["Claims"] == twins.loc[0.7, "claims"] >= 3
    assert about["ClaimsPerTwin"] == pytest.approx(twins.loc[0.7, "claims_per_twin"])
    # Nothing is drawn at a level at which twins claim more than a twentieth of what the data claim.
    assert about["LeastProbabilityDrawn"] >= 0.7
    assert about["NonlinearGain"] < MOST_GAIN
    drawn = found.edges["decision"].isin(["x->y", "y->x"])
    assert (found.edges.loc[drawn, "q_value"] <= 0.05).all()
    assert len(found.tables["network"]) == (found.edges["probability_adjacent"] >= 0.3).sum()


def test_the_order_of_regions_and_their_signs_and_units_change_nothing(found):
    values, segments = study()
    order = np.array([2, 4, 0, 3, 1])
    changed = (values * [3.0, -1.0, 1.0, 100.0, -0.2] + 50.0)[:, order]
    again = discover(changed, segments, [NAMES[i] for i in order])
    matrix = again.matrix[np.ix_(np.argsort(order), np.argsort(order))]
    np.testing.assert_allclose(matrix, found.matrix, atol=0.02)
    assert arrows(again) == arrows(found)


def test_nothing_is_drawn_in_a_twin_or_between_different_people():
    values, segments = study()
    twin = Twins(values, segments, segments).draw(np.random.default_rng(5))
    assert not arrows(discover(twin, segments, NAMES))
    people = values.reshape(12, 250, 5)
    mixed = np.stack([np.roll(people[:, :, i], i, axis=0) for i in range(5)], axis=2)
    graph = discover(mixed.reshape(-1, 5), segments, NAMES)
    assert not arrows(graph)
    assert (graph.edges["decision"] == "none").mean() >= 0.8


def test_data_of_which_arrows_are_drawn_can_decide(monkeypatch, found):
    rows = [PowerRow(base, 0.6, 60, 60, 20, 10, 31) for base in BASES]
    monkeypatch.setattr(power, "estimate_power", lambda *_, **__: Power(tuple(rows), 0.1, 0))
    graph = discover(*study(), NAMES, power=PowerSettings())
    assert arrows(graph) == arrows(found)
    assert not graph.sidecar["Power"]["CannotDecide"]
    nothing = discover(
        *study(), NAMES, power=PowerSettings(), decision=DecisionSettings(confidence=0.9999)
    )
    assert not arrows(nothing)
    assert nothing.sidecar["Power"]["CannotDecide"]


@pytest.mark.parametrize(("connected", "right", "drawn"), [(60, 30, False), (6, 1, True)])
def test_no_arrow_is_drawn_where_planted_ones_lean_the_wrong_way_as_often(
    monkeypatch, found, connected, right, drawn
):
    rows = tuple(PowerRow(base, 0.6, 60, connected, 20, 10, right) for base in BASES)
    monkeypatch.setattr(power, "estimate_power", lambda *_, **__: Power(rows, 0.1, 0))
    graph = discover(*study(), NAMES, power=PowerSettings())
    assert arrows(graph) == (arrows(found) if drawn else set())
    was_drawn = found.edges["decision"].isin(["x->y", "y->x", "both"])
    expected = found.edges["why"].mask(was_drawn, "" if drawn else "planted")
    assert list(graph.edges["why"]) == list(expected)
    assert (graph.sidecar["LeastProbabilityDrawn"] is None) is not drawn
    assert graph.sidecar["WithheldByPlantedArrows"] is not drawn


def test_without_twins_the_probability_alone_decides():
    twin = UnmixingSettings(network=NetworkSettings(twins=0))
    graph = discover(*study(), NAMES, unmixing=twin)
    assert graph.sidecar["Twins"] == 0
    assert graph.sidecar["LeastProbabilityDrawn"] == 0.7
    assert graph.edges["q_value"].isna().all()
    strict = discover(*study(), NAMES, decision=DecisionSettings(guard="network"))
    assert arrows(strict) <= arrows(graph)


def test_a_given_skeleton_is_taken_as_it_is():
    graph = discover(*study(), NAMES, skeleton=[("b", "a"), ("c", "d")])
    assert graph.edges[["x", "y"]].to_numpy().tolist() == [["a", "b"], ["c", "d"]]
    assert arrows(graph) <= {("a", "b"), ("c", "d")}
    assert len(graph.tables["network"]) == 2


def test_a_copy_of_a_region_is_judged_once(found):
    values, segments = study()
    twice = np.column_stack([values, -2.0 * values[:, 1]])
    graph = discover(twice, segments, [*NAMES, "copy"])
    edges = graph.edges
    copied = (edges["x"] == "copy") | (edges["y"] == "copy")
    assert (edges.loc[copied, "decision"] == "undecided").all()
    assert edges.loc[copied, "reason"].str.contains("b and copy are the same series").all()
    others = edges.loc[~copied].reset_index(drop=True)
    pd.testing.assert_series_equal(others["score"], found.edges["score"], atol=1e-6)
    assert (others["reason"] == "").all()


def test_two_regions_are_left_to_structural_flows():
    values, segments = study()
    options = {"unmixing": SHORT, "independence": FAST}
    network = discover(values[:, :2], segments, NAMES[:2], **options)
    alone = discover(values[:, :2], segments, NAMES[:2], method="structural", **options)
    assert (network.method, network.made_by) == ("network", "structural")
    pd.testing.assert_frame_equal(network.edges, alone.edges)


def test_nonlinear_networks_are_left_to_structural_flows():
    nonlinear = simulate_network(random_graph(4, 0.8, seed=3), layers=3, seed=3)
    assert nonlinear_gain(nonlinear.values, nonlinear.segments) > MOST_GAIN
    graph = discover(nonlinear.values, nonlinear.segments, unmixing=SHORT, independence=FAST)
    assert graph.made_by == "structural"
    assert graph.sidecar["NonlinearGain"] > MOST_GAIN
    linear = simulate_network(random_graph(4, 0.8, seed=3), layers=1, seed=3)
    assert nonlinear_gain(linear.values, linear.segments) < MOST_GAIN / 2


def test_fewer_volumes_than_regions_need_are_refused():
    values = np.random.default_rng(0).normal(size=(60, 40))
    with pytest.raises(InputError, match=r"60 volumes are too few for a network of 40 regions"):
        discover(values, 20)


def test_scales_are_each_segments_own_where_the_equations_say_so():
    rng = np.random.default_rng(0)
    segments = np.repeat(np.arange(10), 200)
    scale = np.exp(0.7 * rng.normal(size=(10, 3)))[segments]
    noise = rng.laplace(size=(2000, 3))
    effect = np.eye(3) + 0.6 * np.eye(3, k=-1)
    # Gains of the measurement differ between subjects, or the disturbances' scales do.
    gains = (noise @ effect.T) * scale
    modulated = (noise * scale) @ effect.T
    assert scaled(gains, segments)[1]
    same, by_segment = scaled(modulated, segments)
    assert not by_segment
    np.testing.assert_array_equal(same, modulated)
