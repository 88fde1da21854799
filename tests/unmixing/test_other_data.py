"""Estimators with a continuous auxiliary variable, and with binary columns."""

import numpy as np
import pytest

from causal_ivae.unmixing.estimators import IVAE, FlowIVAE
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.validation.paper.mixtures import simulate_binary


@pytest.mark.parametrize("kind", [IVAE, FlowIVAE])
def test_a_continuous_u_identifies(kind):
    rng = np.random.default_rng(0)
    u = rng.uniform(-1.0, 1.0, size=(2000, 2))
    sources = rng.normal(size=(2000, 2)) * np.exp(1.2 * u)
    x = sources @ np.array([[1.0, -0.7], [0.8, 1.0]]) * [3.0, 0.1] + 10.0
    assert mean_correlation(sources, x) < 0.85
    steps = 500 if kind is IVAE else 100
    model = kind(
        steps=steps, seed=1, device="cpu", **{"layers": 3, "knots": 4} if kind is FlowIVAE else {}
    ).fit(x, u)
    assert mean_correlation(sources, model.transform(x, u)) > 0.93
    # Units of u have no part in it.
    moved = kind(steps=20, device="cpu").fit(x, 1000.0 * u + 5.0).transform(x, 1000.0 * u + 5.0)
    np.testing.assert_allclose(
        moved, kind(steps=20, device="cpu").fit(x, u).transform(x, u), atol=1e-2
    )
    large = np.tile([1.0, -1.0], (2000, 1))
    spread = np.log(model.sample(large).std(axis=0) / model.sample(-large).std(axis=0))
    expected = [
        np.log(
            np.hypot(np.exp(1.2) * a, np.exp(-1.2) * b)
            / np.hypot(np.exp(-1.2) * a, np.exp(1.2) * b)
        )
        for a, b in ((1.0, 0.8), (-0.7, 1.0))
    ]
    np.testing.assert_allclose(spread, expected, atol=0.4)
    assert model.diagnose(x, u) == model.diagnostics_


def test_binary_columns():
    mixture = simulate_binary(
        n_segments=8, n_per_segment=250, n_test_per_segment=2, n_sources=2, n_features=20, seed=0
    )
    x, u = mixture.train.observations, mixture.train.segments
    model = IVAE(2, likelihood="bernoulli", steps=300, seed=1, device="cpu").fit(x, u)
    assert (model.mean_ == 0).all()
    assert (model.scale_ == 1).all()
    drawn = model.sample(u)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(axis=0), x.mean(axis=0), atol=0.06)
    share = x.mean(axis=0)
    independent = (share * np.log(share) + (1 - share) * np.log1p(-share)).sum()
    assert model.score(x, u) > independent + 0.3
    likelihood = model.log_likelihood(x, u)
    assert likelihood.mean() > model.score(x, u)
    assert (likelihood < 0).all()
