"""The skeleton: what separates pairs, what collides, and at which level it errs."""

import sys

import numpy as np
import pytest
import torch

from causal_ivae import discover
from causal_ivae.discovery.skeleton import correlation_test, find_skeleton, kernel_test
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.settings import IndependenceSettings, ScreenSettings, UnmixingSettings

CPU = torch.device("cpu")
BLOCKS = np.arange(900) // 150


def autoregressive(rng: np.random.Generator, columns: int, phi: float = 0.6) -> np.ndarray:
    series = rng.normal(size=(len(BLOCKS), columns))
    for t in range(1, len(series)):
        series[t] = phi * series[t - 1] + np.sqrt(1 - phi**2) * series[t]
    return series


@pytest.fixture
def diamond() -> np.ndarray:
    """0 -> 1, 0 -> 2, 1 -> 3 <- 2, and 4 by itself."""
    x = autoregressive(np.random.default_rng(0), 5)
    x[:, 1] += x[:, 0]
    x[:, 2] += x[:, 0]
    x[:, 3] += x[:, 1] + x[:, 2]
    return x


def test_a_diamond(diamond):
    skeleton = find_skeleton(5, correlation_test(diamond, BLOCKS), alpha=0.01)
    edges = {tuple(edge) for edge in np.argwhere(np.triu(skeleton.adjacent)).tolist()}
    assert edges == {(0, 1), (0, 2), (1, 3), (2, 3)}
    np.testing.assert_array_equal(skeleton.adjacent, skeleton.adjacent.T)
    assert skeleton.given[0, 3] == (1, 2)
    assert skeleton.given[1, 2] == (0,)
    assert skeleton.colliders(1, 2) == skeleton.colliders(2, 1) == (3,)
    assert skeleton.colliders(0, 3) == ()
    assert skeleton.colliders(1, 3) == ()
    separated = ~skeleton.adjacent & ~np.eye(5, dtype=bool)
    assert (skeleton.p_value[separated] > 0.01).all()
    assert (skeleton.p_value[skeleton.adjacent] <= 0.01).all()


def test_no_more_is_given_than_allowed(diamond):
    given = []

    def test(pairs, known):
        given.append(known)
        return inner(pairs, known)

    inner = correlation_test(diamond, BLOCKS)
    find_skeleton(5, test, alpha=0.01, max_given=1)
    assert {len(known) for known in given} == {0, 1}
    # All pairs that are given the same are tested at once, and once.
    assert len(given) == len(set(given))


def test_autocorrelated_regions_that_are_independent_have_few_edges():
    rng = np.random.default_rng(1)
    kept = [
        find_skeleton(
            8, correlation_test(autoregressive(rng, 8, 0.8), BLOCKS), alpha=0.05, max_given=0
        ).adjacent
        for _ in range(20)
    ]
    share = np.array(kept)[:, *np.triu_indices(8, 1)].mean()
    assert 0.02 < share < 0.08


def test_the_kernel_sees_what_correlation_does_not():
    x = autoregressive(np.random.default_rng(2), 3, 0.3)
    x[:, 1] = x[:, 0] ** 2 + 0.3 * x[:, 1]
    x[:, 2] = np.abs(x[:, 1]) + 0.5 * x[:, 2]
    options = {"seed": 0, "device": CPU, "memory_gib": 1.0}
    kernel = kernel_test(x, BLOCKS, IndependenceSettings(draws=199), **options)
    skeleton = find_skeleton(3, kernel, alpha=0.05)
    assert skeleton.adjacent.tolist() == [
        [False, True, False], [True, False, True], [False, True, False],
    ]  # fmt: skip
    assert skeleton.given[0, 2] == (1,)
    assert not find_skeleton(3, correlation_test(x, BLOCKS), alpha=0.001).adjacent[0, 1]


def test_too_few_volumes():
    values = autoregressive(np.random.default_rng(3), 3, 0.99)[:60]
    test = correlation_test(values, np.zeros(60, dtype=int))
    with pytest.raises(InputError, match="too few for partial correlations among 2 regions"):
        test(np.array([[0, 1]]), ())


def test_discover_unmixes_the_pairs_of_the_skeleton(diamond):
    names = tuple("abcde")
    result = discover(
        diamond,
        BLOCKS,
        names,
        method="tcl",
        unmixing=UnmixingSettings.model_validate({"restarts": 1, "tcl": {"steps": 20}}),
        independence=IndependenceSettings(draws=99),
        screen=ScreenSettings(by="skeleton", test="partial_correlation", alpha=0.01),
    )
    screen = result.screen.set_index(["x", "y"])
    assert list(screen.columns) == ["statistic", "p_value", "kept", "given", "colliders"]
    kept = screen.index[screen["kept"] == 1].tolist()
    assert kept == [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    assert screen.loc[("a", "d"), "given"] == "b, c"
    assert screen.loc[("b", "c"), "colliders"] == "d"
    left_out = result.edges.set_index(["x", "y"]).loc[screen.index[screen["kept"] == 0]]
    assert (left_out["decision"] == "none").all()
    assert (left_out["p_value"] > 0.01).all()
    assert len(result.diagnostics) == 4


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "causallearn.utils.PCUtils.SkeletonDiscovery", None)
    with pytest.raises(SettingsError, match=r"screen 'skeleton' needs.*pip install causal-learn"):
        find_skeleton(3, lambda *_: None, alpha=0.05)
