"""Accuracy and error rates of whole decisions on simulated truth; `make validate` prints them.

Every bar is set well outside the sampling error of the number measured when it was written, so
that it fails when something breaks and not when luck turns.
"""

from functools import cache

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.discovery.methods import METHODS
from causal_ivae.simulate.known_graphs import simulate_noisy_pair, simulate_pair
from causal_ivae.unmixing.estimators import IVAE, TCL
from causal_ivae.unmixing.matching import mean_correlations

pytestmark = pytest.mark.slow

PAIRS = 40
# 14 windows of 60 s at a repetition time of 0.72 s, and the autocorrelation of BOLD.
BOLD = {"n_segments": 14, "n_per_segment": 83, "autocorrelation": 0.7}
INDEPENDENT_ROWS = {"n_segments": 20, "n_per_segment": 200}


@cache
def decided(method: str, kinds: tuple[str, ...], layers: int, bold: bool) -> CausalGraph:
    pairs = [
        simulate_pair(
            kinds[k % len(kinds)],
            layers=layers,
            seed=9000 + k,
            **(BOLD if bold else INDEPENDENT_ROWS),
        )
        for k in range(PAIRS)
    ]
    names = [f"{k}{region}" for k in range(PAIRS) for region in "xy"]
    return discover(
        np.hstack([pair.values for pair in pairs]),
        pairs[0].segments,
        names,
        method=method,
        skeleton=[(f"{k}x", f"{k}y") for k in range(PAIRS)],
    )


@pytest.mark.parametrize("bold", [False, True], ids=["rows", "bold"])
@pytest.mark.parametrize("layers", [1, 3, 5])
@pytest.mark.parametrize("method", METHODS)
def test_known_directions(method, layers, bold):
    edges = decided(method, ("x->y", "y->x"), layers, bold).edges
    truth = np.where(np.arange(PAIRS) % 2 == 0, "x->y", "y->x")
    sign = np.where(edges["score"] > 0, "x->y", "y->x")
    directed = edges["cause"] != ""
    right = (edges["decision"] == truth)[directed]
    print(
        f"\n{method}, {layers} layers, {'bold' if bold else 'rows'}: sign of the score right "
        f"{(sign == truth).mean():.2f} (chance .50); decided {directed.sum()} of {PAIRS}, "
        f"right {right.mean():.2f}"
    )
    assert (sign == truth).mean() >= {1: 0.85, 3: 0.65, 5: 0.5}[layers]


@pytest.mark.parametrize("kind", ["none", "common cause"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_false_directions(method, layers, kind):
    result = decided(method, (kind,), layers, True)
    counts = result.edges["decision"].value_counts().to_dict()
    print(f"\n{method}, {layers} layers, {kind}: {counts}")
    directed = (result.edges["cause"] != "").mean()
    # Independent pairs are held at alpha; an unobserved common cause breaks the assumptions.
    assert directed <= (0.15 if kind == "none" else 0.6)


@pytest.mark.parametrize("layers", [1, 3])
def test_recovery_of_disturbances(layers):
    pairs = [simulate_pair(layers=layers, seed=100 + k) for k in range(5)]
    for estimator, target in ((IVAE(prior="laplace"), np.asarray), (TCL(), np.abs)):
        raw, found = [], []
        for pair in pairs:
            x, u = pair.values, pair.segments
            z = estimator.set_params(seed=0).fit_transform(x, u)
            truth = target(pair.disturbances)
            raw.append(float(mean_correlations(truth, target(x))))
            found.append(float(mean_correlations(truth, z)))
        print(
            f"\n{type(estimator).__name__}, {layers} layers: MCC {np.mean(found):.2f} "
            f"(raw observations {np.mean(raw):.2f}) against "
            f"{'s' if target is np.asarray else '|s|'}; each {np.round(found, 2)}"
        )
        assert np.mean(found) > 0.5


@pytest.mark.parametrize(
    "method",
    [
        "structural",
        "ivae",
        pytest.param(
            "tcl",
            marks=pytest.mark.xfail(
                reason="does not model noise of its own in each region", strict=False
            ),
        ),
    ],
)
@pytest.mark.parametrize(
    "noise", [(0.2, 0.6), (0.3, 1.0), (0.2, 0.8), (0.5, 0.8), (0.3, 0.6), (0.5, 1.5)], ids=str
)
def test_one_signal_seen_with_unequal_noise_has_no_direction(method, noise):
    pairs = [
        simulate_noisy_pair(noise=noise if k % 2 else noise[::-1], seed=770000 + k, **BOLD)
        for k in range(PAIRS)
    ]
    names = [f"{k}{region}" for k in range(PAIRS) for region in "xy"]
    edges = discover(
        np.hstack([pair.values for pair in pairs]),
        pairs[0].segments,
        names,
        method=method,
        skeleton=[(f"{k}x", f"{k}y") for k in range(PAIRS)],
    ).edges
    directed = edges["cause"] != ""
    cleaner = np.where(np.arange(PAIRS) % 2, "x->y", "y->x")
    print(
        f"\n{method}, one signal with noise of standard deviations {noise}: {directed.sum()} of "
        f"{PAIRS} directed, {(edges['decision'] == cleaner).sum()} from the cleaner to the noisier"
    )
    assert directed.mean() <= 0.05
