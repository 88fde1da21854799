"""A pair's result depends on its two series, not on their order, names, signs or neighbours."""

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.settings import IndependenceSettings, UnmixingSettings

FEW = UnmixingSettings.model_validate(
    {"restarts": 2, "ivae": {"steps": 40}, "tcl": {"steps": 40}}
    | {"structural": {"steps": 30, "trial_steps": 20, "passes": 0.0}}
)
SEGMENTS = np.arange(240) // 40
NUMBERS = ["score", "score_error", "p_value", "confidence"]
METHODS = ["structural", "ivae", "tcl"]


def edges(values, names, method):
    graph = discover(
        values,
        SEGMENTS,
        names,
        method=method,
        unmixing=FEW,
        independence=IndependenceSettings(draws=99),
    )
    return graph.edges.set_index(["x", "y"])


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(3)
    noise = np.repeat(rng.uniform(0.5, 2.0, size=(6, 3)), 40, axis=0) * rng.laplace(size=(240, 3))
    noise[:, 1] += np.tanh(noise[:, 0])
    return noise


@pytest.fixture(scope="module")
def as_given(values):
    return {method: edges(values, list("abc"), method) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("flipped", [[-1, 1, 1], [1, -1, -1]])
def test_flipped_series(values, as_given, method, flipped):
    found = edges(values * flipped, list("abc"), method)
    np.testing.assert_array_equal(found[NUMBERS], as_given[method][NUMBERS])
    assert (found["decision"] == as_given[method]["decision"]).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("names", [["b", "a", "c"], ["a", "b", "c"]], ids=["named", "unnamed"])
def test_swapped_columns(values, as_given, method, names):
    found = edges(values[:, [1, 0, 2]], names, method)
    turned, expected = found.loc[(names[0], names[1])], as_given[method].loc[("a", "b")]
    assert turned["score"] == pytest.approx(-expected["score"], abs=1e-9)
    others = ["p_value", "confidence", "score_error"]
    assert turned[others].tolist() == pytest.approx(
        expected[others].tolist(), abs=1e-9, nan_ok=True
    )
    if method == "structural":
        for one, other in (("forward", "backward"), ("backward", "forward")):
            probability = turned[f"probability_{one}"]
            assert probability == pytest.approx(expected[f"probability_{other}"], abs=1e-9)
    third = found.loc[(names[0], "c")]
    assert third["score"] == pytest.approx(as_given[method].loc[("b", "c"), "score"], abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_another_region(values, as_given, method):
    more = np.column_stack([np.random.default_rng(4).laplace(size=(240, 12)), values])
    names = [*map(str, range(12)), *"abc"]
    skeleton = [("a", "b"), ("a", "c"), ("b", "c"), ("0", "a"), ("1", "b"), ("2", "3"), ("4", "c")]
    graph = discover(
        more,
        SEGMENTS,
        names,
        method=method,
        skeleton=skeleton,
        unmixing=FEW,
        independence=IndependenceSettings(draws=99),
    )
    found = graph.edges.set_index(["x", "y"]).loc[as_given[method].index]
    np.testing.assert_array_equal(found[NUMBERS], as_given[method][NUMBERS])
