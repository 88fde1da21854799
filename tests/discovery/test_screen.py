"""The screen leaves out what it should, and says so."""

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.discovery.methods import PairMethod
from causal_ivae.discovery.screen import Screen, screen_pairs
from causal_ivae.discovery.skeleton import correlation_test, find_skeleton
from causal_ivae.errors import InputError
from causal_ivae.settings import IndependenceSettings, ScreenSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.training import ensemble

QUICK = UnmixingSettings.model_validate({"restarts": 2, "ivae": {"steps": 40}})
DRAWS = IndependenceSettings(draws=199)


def autoregressive(rng: np.random.Generator, n_times: int, columns: int, phi: float):
    series = rng.normal(size=(n_times, columns))
    for t in range(1, n_times):
        series[t] = phi * series[t - 1] + np.sqrt(1 - phi**2) * series[t]
    return series


def all_pairs(n: int):
    return np.stack(np.triu_indices(n, 1), axis=1)


@pytest.fixture(scope="module")
def two_pairs():
    first, second = (
        simulate_pair("x->y", layers=1, n_segments=8, n_per_segment=60, seed=k) for k in (1, 2)
    )
    return np.hstack([first.values, second.values]), first.segments, ("a", "b", "c", "d")


def run(two_pairs, **options):
    return discover(
        *two_pairs, method="ivae", unmixing=QUICK, independence=DRAWS, **options
    )  # fmt: skip


def test_the_screen_by_dependence_changes_no_decision(two_pairs):
    whole = run(two_pairs)
    screened = run(two_pairs, screen=ScreenSettings(by="dependence"))
    assert whole.screen is None
    kept = screened.screen["kept"] == 1
    assert 0 < kept.sum() < len(kept)
    assert screened.edges["decision"].tolist() == whole.edges["decision"].tolist()
    columns = ["score", "interval_level", "confidence"]
    np.testing.assert_array_equal(screened.edges.loc[kept, columns], whole.edges.loc[kept, columns])
    left_out = screened.edges[~kept]
    assert (left_out["decision"] == "none").all()
    assert (left_out["score"] == 0).all()
    assert left_out["confidence"].isna().all()
    own = whole.tests[whole.tests["restart"].isna()]["p_value"].to_numpy()
    np.testing.assert_array_equal(screened.screen["p_value"], own)
    np.testing.assert_array_equal(left_out["p_value"], own[~kept])
    # Every pair has its test of dependence, which the group needs; the rest is of what was unmixed.
    assert screened.tests["restart"].isna().sum() == len(kept)
    pairs = list(zip(*screened.edges.loc[kept, ["x", "y"]].to_numpy().T, strict=True))
    for table in (screened.restarts, screened.training, screened.diagnostics):
        assert list(dict.fromkeys(zip(table["x"], table["y"], strict=True))) == pairs


def test_what_is_screened_out_is_not_unmixed(two_pairs, monkeypatch):
    unmixed = []

    def spy(*args, **options):
        unmixed.extend(map(tuple, args[2].tolist()))
        return unmix(*args, **options)

    unmix = ensemble.unmix_pairs
    monkeypatch.setattr(ensemble, "unmix_pairs", spy)
    result = run(two_pairs, screen=ScreenSettings(by="partial_correlation", alpha=1e-6))
    names = result.names
    kept = result.screen[result.screen["kept"] == 1]
    assert unmixed == [
        (names.index(x), names.index(y)) for x, y in zip(kept["x"], kept["y"], strict=True)
    ]
    assert {("a", "b"), ("c", "d")} == set(zip(kept["x"], kept["y"], strict=True))


def test_the_likeliest_pair_is_kept_where_none_passes(two_pairs):
    values, segments, names = two_pairs
    noise = np.random.default_rng(3).normal(size=values.shape)
    result = run((noise, segments, names), screen=ScreenSettings(by="dependence", alpha=1e-9))
    assert result.screen["kept"].sum() == 1
    assert result.screen.loc[result.screen["kept"] == 1, "p_value"].item() == (
        result.screen["p_value"].min()
    )


def test_the_likeliest_pair_of_an_empty_skeleton_is_kept():
    series = autoregressive(np.random.default_rng(4), 600, 4, 0.3)
    blocks = np.arange(600) // 200
    skeleton = find_skeleton(4, correlation_test(series, blocks), alpha=1e-9)
    assert not skeleton.adjacent.any()
    settings = ScreenSettings(by="skeleton")
    screen = screen_pairs(series, blocks, all_pairs(4), settings, pytest.fail, lambda: skeleton)
    assert screen.kept.tolist() == (screen.p_value == screen.p_value.min()).tolist()


def by_partial_correlation(values: np.ndarray, blocks: np.ndarray) -> Screen:
    settings = ScreenSettings(by="partial_correlation", alpha=0.05)
    pairs = all_pairs(values.shape[1])
    return screen_pairs(values, blocks, pairs, settings, lambda: pytest.fail("not needed"))


def test_an_indirect_pair_is_screened_out_by_partial_correlation():
    rng = np.random.default_rng(0)
    a = autoregressive(rng, 1500, 1, 0.6)
    b = a + autoregressive(rng, 1500, 1, 0.6)
    c = b + autoregressive(rng, 1500, 1, 0.6)
    values = np.hstack([a, b, c])
    screen = by_partial_correlation(values, np.arange(1500) // 300)
    assert screen.kept.tolist() == [True, False, True]
    assert screen.statistic[0] > 0.4


def test_the_partial_correlation_keeps_its_level_on_autocorrelated_series():
    rng = np.random.default_rng(1)
    blocks = np.arange(600) // 200
    kept = np.concatenate(
        [by_partial_correlation(autoregressive(rng, 600, 12, 0.7), blocks).kept for _ in range(30)]
    )
    # 1,980 pairs, of which an iid null would keep some 15 %.
    assert 0.03 < kept.mean() < 0.07


def test_too_few_volumes_for_so_many_regions():
    values = autoregressive(np.random.default_rng(2), 80, 60, 0.5)
    with pytest.raises(InputError, match=r"too few for partial correlations among 60 regions"):
        by_partial_correlation(values, np.zeros(80, int))


def test_how_many_pairs_are_taken_at_once_changes_nothing(two_pairs, monkeypatch):
    whole = run(two_pairs)
    monkeypatch.setattr(PairMethod, "pairs_at_once", lambda *_: 2)
    parts = run(two_pairs)
    for name in ("edges", "restarts", "diagnostics", "tests", "training"):
        one, other = getattr(whole, name), getattr(parts, name)
        numbers = one.select_dtypes("number").columns
        np.testing.assert_allclose(
            one[numbers].to_numpy(float), other[numbers].to_numpy(float), rtol=1e-5, atol=1e-6
        )
        assert one.drop(columns=numbers).equals(other.drop(columns=numbers))


def test_the_share_of_connected_pairs_is_what_the_screen_keeps_beyond_its_level():
    def screened(by, kept):
        flags = np.arange(1000) < kept
        return Screen(by, np.zeros(1000), np.zeros(1000), flags)

    assert screened("none", 1000).connected(0.05) == 1.0
    # Of 1000 pairs, 150 connected ones and a twentieth of the 850 others are kept.
    assert screened("partial_correlation", 192).connected(0.05) == pytest.approx(0.78, abs=0.01)
    assert screened("dependence", 50).connected(0.05) == pytest.approx(0.001)
