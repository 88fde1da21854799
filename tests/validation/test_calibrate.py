from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from causal_ivae.discovery.probability import Evidence
from causal_ivae.settings import StructuralSettings, UnmixingSettings
from causal_ivae.validation.suites import calibrate
from causal_ivae.validation.suites.assumed_arrows import (
    collect_arrows,
    fit_slope,
    reliability_of_slope,
)
from causal_ivae.validation.suites.calibrate import (
    Design,
    collect,
    decided_shares,
    described,
    fit,
    judged_elsewhere,
)

QUICK = UnmixingSettings(
    structural=StructuralSettings(trial_steps=10, steps=20, hidden=4, layers=1, folds=2)
)


NOISE = [f"{test}_noise_{way}ward" for test in ("lagged", "modulated") for way in ("for", "back")]


def made_up(count, seed):
    """Evidence that tells the kinds of pairs apart, with noise."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["x->y", "y->x", "common cause", "none"], count)
    sign = np.select([kind == "x->y", kind == "y->x"], [1.0, -1.0], 0.0)
    left = np.exp(rng.normal(-8.0, 0.5, (count, 2)))
    left[:, 0] *= np.where(sign == 1, 1.0, 30.0)
    left[:, 1] *= np.where(sign == -1, 1.0, 30.0)
    return pd.DataFrame(
        {
            "kind": kind,
            "mechanism": "nonlinear",
            "shortfall": 0.0,
            "gain": 0.05 * sign + 0.02 * rng.normal(size=count),
            "statistic": 3.0 * sign + rng.normal(size=count),
            "residual_forward": left[:, 0],
            "residual_backward": left[:, 1],
            "residual_sd_forward": 1e-4,
            "residual_sd_backward": 1e-4,
            "dependence": 1e-2,
            "dependence_p": np.where(kind == "none", rng.uniform(size=count), 1e-3),
            **dict.fromkeys(NOISE, 0.0),
        }
    )


def test_fitted_probabilities_are_what_they_say():
    found, new = fit(made_up(1500, 0)), made_up(3000, 1)
    probability = found.probabilities(Evidence.of_table(new))
    directed = probability[:, 1:3].max(axis=1)
    said = np.where(probability[:, 1] > probability[:, 2], "x->y", "y->x")
    right = said == new["kind"]
    for low, high in ((0.0, 0.2), (0.8, 1.0)):
        chosen = (directed >= low) & (directed <= high)
        assert chosen.sum() > 100
        assert abs(directed[chosen].mean() - right[chosen].mean()) < 0.06
    assert right[directed > 0.8].mean() > 0.9


def test_every_design_is_judged_by_the_others(monkeypatch):
    designs = tuple(Design(4, 10 * size) for size in range(1, 5))
    monkeypatch.setattr(calibrate, "DESIGNS", designs)
    parts = [made_up(400, seed).assign(**asdict(d)) for seed, d in enumerate(designs)]
    # In the last design everything points the wrong way, which a fit to it would learn.
    turn = {"x->y": "y->x", "y->x": "x->y"}
    parts[3]["kind"] = parts[3]["kind"].replace(turn)
    table = pd.concat(parts, ignore_index=True)
    said, right = judged_elsewhere(table)
    arrow = table["kind"].str.contains("->").to_numpy()
    assert right[:1200][arrow[:1200]].mean() > 0.9
    assert right[1200:][arrow[1200:]].mean() < 0.1
    # The others are at odds about each of the first three designs, but agree about the last.
    assert said[1200:][arrow[1200:]].mean() > said[:1200][arrow[:1200]].mean() + 0.1
    assert not right[~arrow].any()
    levels = {"noise_x": 0.0, "noise_y": 0.0}
    arrows = made_up(400, 9)
    arrows = arrows[arrows["kind"].str.contains("->")]
    arrows = arrows.assign(forward=arrows["kind"] == "x->y", network=np.arange(len(arrows)) % 5)
    about = described(pd.concat(parts[:2], ignore_index=True).assign(**levels), arrows)
    assert sum(one["count"] for one in about["Reliability"]["Bins"]) == 800
    assert about["AssumedArrows"]["Arrows"] == len(arrows)


def test_odds_of_known_arrows_are_scaled_to_what_networks_show():
    found, arrows = fit(made_up(1500, 0)), made_up(2000, 1)
    arrows = arrows[arrows["kind"].str.contains("->")].reset_index(drop=True)
    forward, network = (arrows["kind"] == "x->y").to_numpy(), np.arange(len(arrows)) % 20
    rng = np.random.default_rng(2)
    # A third of the arrows are turned round, about which no evidence tells anything.
    turned = arrows.assign(forward=forward ^ (rng.random(len(arrows)) < 0.3), network=network)
    slope = fit_slope(found, turned)
    assert 0.0 < slope < 0.5 < fit_slope(found, arrows.assign(forward=forward, network=network))
    about = reliability_of_slope(found, turned)
    assert about["Right"] == pytest.approx(0.7, abs=0.05)
    assert about["ExpectedCalibrationError"] < 0.06
    assert about["ExpectedCalibrationErrorWithoutFactor"] > 0.2
    evidence = Evidence.of_table(turned)
    scaled = replace(found, assumed=slope).probabilities(evidence, assume_arrow=True)
    np.testing.assert_allclose(scaled[:, 1:3].sum(axis=1), 1.0)
    odds = np.log(scaled[:, 1] / scaled[:, 2])
    np.testing.assert_allclose(odds, slope * found.direction_odds(evidence), rtol=1e-6)


def test_arrows_of_a_network_are_collected_with_their_directions():
    table = collect_arrows(0, seed=4, unmixing=QUICK)
    assert len(table) >= 1
    assert table["forward"].dtype == bool
    assert np.isfinite(Evidence.of_table(table).features()[0]).all()


def test_pairs_of_every_kind_are_collected_the_same_way_again():
    design = Design(4, 40)
    table = collect(design, range(12), seed=3, unmixing=QUICK)
    assert set(table["kind"]) == {"x->y", "y->x", "none", "cyclic", "common cause", "noise"}
    noisy = table["kind"] == "noise"
    assert (table.loc[~noisy, ["noise_x", "noise_y"]] == 0).all(axis=None)
    ratio = (table["noise_x"] / table["noise_y"])[noisy]
    assert np.abs(np.log(ratio)).between(0.0, np.log(6.0)).all()
    assert set(table["autocorrelation"]) == {0.0, 0.3, 0.6, 0.85}
    assert np.isfinite(Evidence.of_table(table).features()[0]).all()
    again = collect(design, range(6, 12), seed=3, unmixing=QUICK)
    pd.testing.assert_frame_equal(table[6:].reset_index(drop=True), again)


def test_shares_of_decided_pairs_are_told_by_kind_and_noise_ratio():
    table = pd.DataFrame(
        {
            "kind": ["x->y", "x->y", "noise", "noise", "noise", "none"],
            "noise_x": [0.0, 0.0, 0.2, 0.8, 0.3, 0.0],
            "noise_y": [0.0, 0.0, 0.66, 0.2, 0.3, 0.0],
            "dependence_p": [0.01, 0.01, 0.01, 0.01, 0.2, 0.9],
        }
    )
    said = np.array([0.9, 0.8, 0.75, 0.6, 0.9, 0.1])
    right = np.array([True, False, False, False, False, False])
    found = decided_shares(table, said, right)
    assert (found["Right"]["Share"], found["Wrong"]["Share"]) == (0.5, 0.5)
    assert found["False"]["noise"] == {"Share": pytest.approx(1 / 3), "Pairs": 3}
    by_ratio = {name: one["Share"] for name, one in found["FalseByNoiseRatio"].items()}
    assert by_ratio == {"1 to 2": 0.0, "3 to 4": 1.0, "4 to 6": 0.0}
