"""discover_all() on simulated networks: truth, negative controls, laws, bad input."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from causal_ivae import discover_all
from causal_ivae.derivatives.tables import DIAGNOSTICS, EDGES, EQUATIONS, RESTARTS, TESTS, TRAINING
from causal_ivae.discovery import multivariate
from causal_ivae.errors import FitError, InputError, SettingsError
from causal_ivae.settings import DecisionSettings, EquationSettings, IndependenceSettings
from causal_ivae.simulate.known_graphs import simulate_network

NAMES = ("a", "b", "c", "d")
QUICK = {
    "equations": EquationSettings(steps=150),
    "independence": IndependenceSettings(draws=199),
    "decision": DecisionSettings(resamples=300),
}


@pytest.fixture(scope="module")
def chain():
    """c -> a -> b, and d by itself."""
    adjacency = np.zeros((4, 4), dtype=bool)
    adjacency[2, 0] = adjacency[0, 1] = True
    return simulate_network(adjacency, layers=1, n_segments=20, n_per_segment=80, seed=1)


@pytest.fixture(scope="module")
def found(chain):
    return discover_all(chain.values, chain.segments, NAMES, **QUICK)


def test_the_direct_edges_of_a_chain(chain, found):
    np.testing.assert_array_equal(found.adjacency, chain.adjacency)
    assert set(found.graph.edges) == {("c", "a"), ("a", "b")}
    decided = found.edges[found.edges["cause"] != ""]
    assert (decided["p_value"] < 0.05).all()
    assert (decided["confidence"] > 0.9).all()
    assert found.matrix[2, 0] > 0.9
    assert found.matrix[0, 2] < -0.9
    assert found.cycles == ()


def test_every_region_depends_on_the_disturbances_of_its_ancestors(found):
    against = found.tests[found.tests["restart"].notna()]
    ratio = (against["statistic"] / against["null_mean"]).rename("ratio")
    wide = pd.concat([against[["second", "first"]], ratio], axis=1)
    table = wide.pivot_table(index="second", columns="first", values="ratio").to_numpy()
    dependent = np.eye(4, dtype=bool)
    for cause, effect in ((2, 0), (0, 1), (2, 1)):
        dependent[cause, effect] = True
    # Row: disturbance, column: region.  No fit is perfect, so p-values alone do not tell.
    np.testing.assert_array_equal(table > 1.5, dependent)
    assert table[dependent].min() > 2.0
    equations = found.equations.set_index(["cause", "effect"])
    assert equations.loc[("c", "b"), "ancestor"] == 1
    assert equations.loc[("c", "b"), "direct"] == 0
    assert equations.loc[("c", "b"), "dependence_p"] == 1 / 200
    assert equations.loc[("d", "b"), "dependence_p"] > 0.01
    assert (equations["slope"] > 0).equals(equations["direct"] == 1)
    assert (equations.loc[equations["direct"] == 1, "gain"] > 0.05).all()


def test_independent_regions_have_no_edge():
    alone = simulate_network(
        np.zeros((4, 4), dtype=bool), n_segments=20, n_per_segment=40, layers=2, seed=4
    )
    result = discover_all(alone.values, alone.segments, **QUICK)
    assert not result.adjacency.any()
    assert (result.edges["cause"] == "").all()
    assert result.names == ("x1", "x2", "x3", "x4")


def test_the_tables_have_their_columns(found):
    for table, columns in (
        (found.edges, EDGES.required),
        (found.tests, TESTS.names),
        (found.restarts, RESTARTS.names),
        (found.training, TRAINING.names),
        (found.diagnostics, DIAGNOSTICS.names),
        (found.equations, EQUATIONS.names),
    ):
        assert list(table.columns) == list(columns)
    assert len(found.edges) == 6
    assert len(found.tests) == 6 + 16
    assert len(found.equations) == 12


def test_names_and_order_of_the_regions_change_nothing(chain, found):
    turned = discover_all(
        chain.values[:, ::-1], chain.segments, NAMES[::-1], skeleton=None, **QUICK
    )
    assert nx.utils.edges_equal(turned.graph.edges, found.graph.edges, directed=True)


def test_a_skeleton_leaves_out_pairs_and_equations(chain, monkeypatch):
    fitted = []

    def spy(values, segments, equations, **options):
        fitted.append(equations)
        return fit(values, segments, equations, **options)

    fit = multivariate.cross_fit
    monkeypatch.setattr(multivariate, "cross_fit", spy)
    skeleton = [("a", "b"), ("c", "b")]
    result = discover_all(chain.values, chain.segments, NAMES, skeleton=skeleton, **QUICK)
    assert result.edges[["x", "y"]].to_numpy().tolist() == [["a", "b"], ["b", "c"]]
    assert len(fitted[0].region) == 1 * 2 + 4 + 2 + 1  # 0 + a, b with two, c, d
    assert result.equations["gain"].notna().sum() == 4


def test_restarts_that_diverge_do_not_count(chain, monkeypatch):
    def diverging(*args, **options):
        model, fit = fit_stack(*args, **options)
        fit.objective[::2] = np.nan
        return model, fit

    from causal_ivae.unmixing import cross_fit

    fit_stack = cross_fit.fit_stack
    monkeypatch.setattr(cross_fit, "fit_stack", diverging)
    options = {**QUICK, "equations": EquationSettings(steps=20)}
    result = discover_all(chain.values, chain.segments, NAMES, restarts=2, **options)
    votes = result.restarts.groupby("restart")["vote"].unique()
    assert votes[0].tolist() == ["inconclusive"]
    assert "y->x" in votes[1]
    with pytest.raises(FitError, match="Every restart of the equation of 'a' diverged"):
        discover_all(chain.values, chain.segments, NAMES, restarts=1, **options)


def test_bad_input_is_refused_in_a_line(chain):
    many = np.random.default_rng(0).normal(size=(300, 13))
    with pytest.raises(InputError, match=r"13 regions are more than the 12"):
        discover_all(many, np.arange(300) // 30)
    with pytest.raises(SettingsError, match="sets of causes"):
        discover_all(many[:, :12], np.arange(300) // 30)
    for options, said in (
        ({"restarts": 0}, "'restarts' is 0"),
        ({"seed": -1}, "'seed' is -1"),
        ({"max_causes": 0}, "'max_causes' is 0"),
        ({"skeleton": [("a", "e")]}, "Unknown region 'e'"),
    ):
        with pytest.raises(SettingsError, match=said):
            discover_all(chain.values, chain.segments, NAMES, **options)
