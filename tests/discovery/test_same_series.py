"""Two copies of one series have no direction, and spoil no other pair."""

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.discovery.multivariate import discover_all
from causal_ivae.discovery.same_series import correlations, first_copies
from causal_ivae.settings import EquationSettings, IndependenceSettings, UnmixingSettings

FEW = UnmixingSettings.model_validate(
    {"restarts": 2, "ivae": {"steps": 40}, "tcl": {"steps": 40}}
    | {"structural": {"steps": 30, "trial_steps": 10, "passes": 0.0}}
)
FAST = IndependenceSettings(draws=99)
SEGMENTS = np.arange(240) // 40


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return np.repeat(rng.uniform(0.5, 2.0, size=(6, 3)), 40, axis=0) * rng.laplace(size=(240, 3))


@pytest.mark.parametrize("method", ["structural", "ivae", "tcl"])
@pytest.mark.parametrize("scale", [1.0, -2.0])
def test_a_copy_is_undecided_and_said(values, method, scale):
    copied = np.column_stack([values, 100.0 + scale * values[:, 0]])
    graph = discover(copied, SEGMENTS, list("abcd"), method=method, unmixing=FEW, independence=FAST)
    edges = graph.edges.set_index(["x", "y"])
    row = edges.loc[("a", "d")]
    assert (row["decision"], row["cause"], row["effect"]) == ("undecided", "", "")
    assert row["reason"] == f"a and d are the same series up to scale, r = {np.sign(scale):.4f}."
    assert row[["score", "p_value", "q_value", "confidence"]].isna().all()
    others = edges.drop(index=[("a", "d")])
    assert (others["reason"] == "").all()
    sure = ["p_value", "q_value"] if method == "structural" else ["interval_level"]
    assert others[["score", *sure]].notna().all().all()
    assert len(graph.diagnostics) == 5
    # Pairs do not know of each other.
    alone = discover(values, SEGMENTS, list("abc"), method=method, unmixing=FEW, independence=FAST)
    assert "reason" not in alone.edges
    same = others.loc[[("a", "b"), ("a", "c"), ("b", "c")], "score"].to_numpy()
    np.testing.assert_allclose(same, alone.edges["score"], atol=1e-6)


@pytest.mark.parametrize("estimate", [discover, discover_all])
def test_copies_alone_are_undecided(values, estimate, tmp_path):
    graph = estimate(values[:, [0, 0]], SEGMENTS, independence=FAST)
    row = graph.edges.iloc[0]
    assert (row["decision"], row["cause"]) == ("undecided", "")
    assert row["reason"] == "x1 and x2 are the same series up to scale, r = 1.0000."
    assert np.isnan(row["score"])
    assert graph.diagnostics.empty
    paths = UnitPaths(tmp_path, "sub-01")
    graph.write(paths)
    assert CausalGraph.read(paths, graph.method).edges["reason"].tolist() == [row["reason"]]


def test_a_copy_is_in_no_graph_of_all_regions(values):
    copied = np.column_stack([values[:, :2], -3.0 * values[:, 1]])
    quick = EquationSettings(steps=20)
    graph = discover_all(copied, SEGMENTS, list("abc"), equations=quick, independence=FAST)
    alone = discover_all(values[:, :2], SEGMENTS, list("ab"), equations=quick, independence=FAST)
    assert graph.names == ("a", "b", "c")
    edges = graph.edges.set_index(["x", "y"])
    assert edges.loc[("a", "b"), "score"] == alone.edges["score"].item()
    for pair in (("a", "c"), ("b", "c")):
        row = edges.loc[pair]
        assert row["decision"] == "undecided"
        assert row["reason"] == "b and c are the same series up to scale, r = -1.0000."
        assert np.isnan(row["p_value"])


def test_strongly_correlated_regions_are_oriented(values):
    near = np.column_stack([values, values[:, 0] + 0.05 * values[:, 1]])
    graph = discover(near, SEGMENTS, unmixing=FEW, independence=FAST)
    assert "reason" not in graph.edges


def test_correlations_are_pearson(values):
    pairs = np.array([[0, 1], [1, 2], [0, 0]])
    expected = np.corrcoef(values.T)[tuple(pairs.T)]
    found = correlations(values.astype(np.float32), pairs)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_of_three_copies_the_first_stands_for_all(values):
    x = values - values.mean(axis=0)
    x = (x / x.std(axis=0)).astype(np.float32)
    copies = np.column_stack([x[:, 0], x[:, 1], x[:, 0], -x[:, 0], x[:, 1]])
    np.testing.assert_array_equal(first_copies(copies), [0, 1, 0, 0, 1])
