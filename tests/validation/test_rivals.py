"""Other people's methods find directions that they are made for, and turn with the columns."""

from importlib.util import find_spec

import numpy as np
import pytest

from causal_ivae.errors import SettingsError
from causal_ivae.settings import TCLSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.validation.suites import rivals
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.pairs import Pairs
from causal_ivae.validation.suites.rivals import RIVALS, patel_tau, skewness_ratio, tanh_ratio
from causal_ivae.validation.suites.suite import choose

TURNED = {"x->y": "y->x", "y->x": "x->y", "none": "none", "undecided": "undecided"}


def linear(law, seed, n=4000):
    rng = np.random.default_rng(seed)
    cause, noise = law(rng, (2, n))
    return np.column_stack([cause, 0.8 * cause + 0.6 * noise])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("measure", "law"),
    [
        (tanh_ratio, lambda rng, size: rng.laplace(size=size)),
        (skewness_ratio, lambda rng, size: rng.exponential(size=size) - 1.0),
        (skewness_ratio, lambda rng, size: 1.0 - rng.exponential(size=size)),
    ],
)
def test_measures_of_linear_pairs(measure, law, sign):
    x = np.stack([linear(law, seed) for seed in range(5)]) * [1.0, sign]
    assert (measure(x) > 0).all()
    np.testing.assert_allclose(measure(x[..., ::-1]), -measure(x))
    np.testing.assert_allclose(measure(3.0 * x + 1.0), measure(x))
    assert measure(x[0]).shape == ()


def test_patel_tau_is_the_share_by_which_the_second_region_is_more_active():
    x = np.zeros((100, 2))
    x[:40, 0] = 1.0
    x[:80, 1] = 1.0
    assert patel_tau(x) == pytest.approx(0.5)
    assert patel_tau(x[:, ::-1]) == pytest.approx(-0.5)


@pytest.mark.parametrize("name", [name for name in RIVALS if name not in ("coin", "patel-tau")])
def test_a_rival_finds_the_direction_and_turns_with_the_columns(name):
    rival = RIVALS[name]
    there = rival.package is None or find_spec(rival.package) is not None
    assert there, f"{rival.package} is not installed; 'make install' installs it"
    if name in ("anm", "resit"):
        # Linear Laplace pairs; few rows, because these methods are slow.
        x = linear(lambda rng, size: rng.laplace(size=size), 0, n=300)
        segments = np.zeros(300, dtype=int)
    elif name == "hs-skew":
        x = linear(lambda rng, size: rng.exponential(size=size), 0, n=300)
        segments = np.zeros(300, dtype=int)
    elif name == "cd-nod":
        # Only the cause changes from domain to domain.
        rng = np.random.default_rng(0)
        segments = np.repeat(np.arange(4), 75)
        cause = 2.0 * rng.permutation(4)[segments] + rng.normal(size=300)
        x = np.column_stack([cause, cause + rng.normal(size=300)])
    else:
        pair = simulate_pair("x->y", layers=1, n_segments=6, n_per_segment=60, seed=1)
        x, segments = pair.values, pair.segments
    verdict = rival(x, segments)
    turned = rival(x[:, ::-1], segments)
    assert verdict.decision == "x->y"
    assert verdict.score > 0
    assert turned.decision == TURNED[verdict.decision]
    assert turned.score == pytest.approx(-verdict.score, rel=1e-3)


def test_rows_are_taken_by_the_seed_and_the_pair_and_said(monkeypatch):
    seen = []
    rival = rivals.Rival("spy", "", lambda x, u: (seen.append((x, u)), (0.0, "none"))[1], 50)
    x = np.random.default_rng(0).normal(size=(200, 2))
    u = np.repeat([0, 1], 100)
    assert rival(x, u, seed=1, key="a").rows == 50
    rival(x, u, seed=1, key="a")
    rival(x, u, seed=1, key="b")
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert not np.array_equal(seen[0][0], seen[2][0])
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    for row, label in zip(*seen[0], strict=True):
        (where,) = np.flatnonzero((standard == row).all(axis=1))
        assert u[where] == label


def test_a_coin_is_fair():
    rng = np.random.default_rng(0)
    draws = [RIVALS["coin"](rng.normal(size=(20, 2)), np.zeros(20)).score > 0 for _ in range(400)]
    assert 0.4 < np.mean(draws) < 0.6


def test_a_missing_package_is_named():
    packages = {"coin": None, "resit": "not_there"}
    with pytest.raises(SettingsError, match="'resit' needs the package 'not_there'"):
        choose(("coin", "resit"), (), packages, print)
    said = []
    assert choose(None, ("coin", "resit", "coin"), packages, said.append) == ("coin",)
    assert "'not_there', which is not installed, and is left out" in said[0]
    with pytest.raises(SettingsError, match="Did you mean 'coin'"):
        choose(("coim",), (), packages, print)


def test_a_method_has_the_settings_it_depends_on_and_no_others():
    unmixing = quick_settings()
    one = Pairs(unmixing=unmixing)
    other = Pairs(unmixing=unmixing.model_copy(update={"tcl": TCLSettings(steps=7)}))
    assert one.settings_of("tcl") != other.settings_of("tcl")
    for name in ("ivae", "anm", "hs-tanh"):
        assert one.settings_of(name) == other.settings_of(name)


def test_remarks_tell_which_rows_and_who_never_abstains():
    assert Pairs(methods=("tcl", "anm", "hs-tanh", "coin")).remarks() == [
        "anm sees at most 400 rows, taken at random.",
        "Never abstaining: anm, hs-tanh, coin.",
    ]
    assert Pairs(methods=("tcl", "direct-lingam")).remarks() == []
