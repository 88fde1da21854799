"""Triangular maps of two columns, and fits that start from one."""

import numpy as np
import pytest
import torch

from causal_ivae import FlowIVAE
from causal_ivae.settings import FlowSettings, IVAESettings
from causal_ivae.unmixing import mean_correlation
from causal_ivae.unmixing.estimators import SegmentICA, triangular_beside
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.triangular import PLACES, TriangularMap, transformed
from causal_ivae.unmixing.training.lbfgs import minimise
from causal_ivae.unmixing.triangular_start import fit_triangular, suits

SEGMENTS, ROWS = 12, 250


@pytest.fixture(scope="module")
def bent():
    """Mix two sources: the second is observed, and where it is positive the first counts more."""
    rng = np.random.default_rng(0)
    u = np.repeat(np.arange(SEGMENTS), ROWS)
    mean = 3.0 * (rng.permutation(SEGMENTS) - (SEGMENTS - 1) / 2)
    std = rng.uniform(0.5, 3.0, size=(SEGMENTS, 2))
    z = std[u] * rng.normal(size=(len(u), 2))
    z[:, 1] += mean[u]
    side = z[:, 1] > 0
    # The increasing function of the first source has a bend too.
    bend = z[:, 0] + 0.5 * np.abs(z[:, 0])
    x1 = np.where(side, 1.0, 0.05) * bend + np.where(side, 2.0, -0.4) * z[:, 1]
    return np.column_stack([x1, z[:, 1]]), z, u


def random_map() -> TriangularMap:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(2, 6, 2 + len(PLACES), dtype=torch.float64, generator=generator)
    knots = torch.linspace(-2.0, 2.0, 6, dtype=torch.float64).expand(2, -1)
    return TriangularMap(torch.tensor([0, 1]), knots, table)


def test_a_triangular_map_has_an_inverse_and_a_jacobian():
    made = random_map()
    generator = torch.Generator().manual_seed(1)
    x = 3.0 * torch.randn(2, 500, 2, dtype=torch.float64, generator=generator)
    x[:, :3] *= 50.0
    y, log_determinant = made(x)
    for member, stays in enumerate((0, 1)):
        torch.testing.assert_close(y[member, :, stays], x[member, :, stays])
    torch.testing.assert_close(made.inverse(y), x, rtol=1e-9, atol=1e-9)
    step = 1e-6 * torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]], dtype=torch.float64)
    rise = ((made(x + step)[0] - made(x - step)[0]) / 2e-6).sum(-1)
    torch.testing.assert_close(rise.log(), log_determinant, rtol=1e-4, atol=1e-4)
    one = made.of(torch.tensor([1]))
    torch.testing.assert_close(one(x[1:])[0], y[1:])


def test_an_increasing_function_has_the_gradients_of_its_operations():
    generator = torch.Generator().manual_seed(2)
    # Some columns lie beyond the places, where the slope stays as it is.
    changes = 5.0 * torch.randn(2, 40, dtype=torch.float64, generator=generator)
    row = torch.rand(2, 40, 2 + len(PLACES), dtype=torch.float64, generator=generator)
    inputs = changes.requires_grad_(), row.requires_grad_()
    assert torch.autograd.gradcheck(transformed, inputs)


def test_every_member_of_a_stack_finds_its_own_minimum():
    def rosenbrock(x: torch.Tensor) -> torch.Tensor:
        factor = torch.tensor([100.0, 5.0, 20.0], dtype=x.dtype)[: len(x)]
        return (1.0 - x[:, 0]).square() + factor * (x[:, 1] - x[:, 0].square()).square()

    start = torch.tensor([[-1.2, 1.0], [3.0, -2.0], [0.0, 4.0]], dtype=torch.float64)
    found = minimise(rosenbrock, start, steps=80)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=1e-4, atol=1e-4)
    alone = minimise(rosenbrock, start[:1], steps=20)
    torch.testing.assert_close(minimise(rosenbrock, start, steps=20)[:1], alone)
    assert len(found) == 3
    seen = []
    minimise(rosenbrock, start, steps=80, enough=lambda x: bool(seen.append(x) or len(seen) == 4))
    assert len(seen) == 4


def test_the_start_finds_order_and_sources(bent):
    x, z, u = bent
    scaled = torch.as_tensor((x - x.mean(0)) / x.std(0))
    stack = torch.stack((scaled, scaled.flip(-1)))
    start = fit_triangular(stack, torch.as_tensor(u))
    assert start.map.given.tolist() == [1, 0]
    assert (start.log_likelihood.argmax(1) == start.map.given).all()
    y, _ = start.map(stack)
    assert mean_correlation(z, y[0].numpy()) > 0.9
    assert mean_correlation(z, y[1].numpy()) > 0.9
    assert mean_correlation(z, SegmentICA().fit_transform(x, u)) < 0.8
    # What was held out is not among the rows of the fit.
    assert len(start.held_out) == round(0.2 * len(u))
    alone = fit_triangular(stack[1:], torch.as_tensor(u))
    torch.testing.assert_close(alone.map(stack[1:])[0], y[1:], rtol=1e-3, atol=1e-3)


def test_the_best_fit_keeps_its_map(bent, tmp_path):
    x, z, u = bent
    short = {"modulates": "mean_variance", "layers": 3, "steps": 60, "seed": 1}
    flow = FlowIVAE(**short).fit(x, u)
    assert flow.map_ is not None
    assert len(flow.restart_objectives_) == 2
    assert flow.objective_ == flow.restart_objectives_[1] > flow.restart_objectives_[0]
    recovered = flow.transform(x, u)
    assert mean_correlation(z, recovered) > 0.9
    np.testing.assert_allclose(flow.inverse_transform(recovered), x, rtol=0.01, atol=0.05)
    assert flow.log_likelihood(x, u).mean() == pytest.approx(flow.score(x, u), abs=1e-3)
    flow.save(tmp_path / "flow.safetensors")
    loaded = FlowIVAE.load(tmp_path / "flow.safetensors")
    np.testing.assert_array_equal(loaded.transform(x, u), recovered)
    drawn = flow.sample(u)
    np.testing.assert_allclose(drawn.std(0), x.std(0), rtol=0.2)
    assert FlowIVAE(**short | {"modulates": "variance"}).fit(x, u).map_ is None


def test_a_triangular_start_that_gains_nothing_ends_the_fit(bent):
    x, _, u = bent
    short = {"modulates": "mean_variance", "layers": 3, "steps": 310, "seed": 1}
    # From few rows, the map alone is not yet the best that a fit can reach.
    assert FlowIVAE(**short).fit(x, u).n_iter_ == 310
    smooth = np.tanh(x / x.std(0)) @ [[1.0, 0.7], [-0.8, 1.0]]
    flow = FlowIVAE(**short | {"steps": 1000}).fit(np.tanh(smooth) + 0.3 * smooth, u)
    assert flow.map_ is not None
    # After 300 steps of both starts, that of the map has a tenth of the steps for itself.
    assert flow.n_iter_ == flow.training_curve_[-1, 0] == 400
    assert flow.objective_ == flow.restart_objectives_[-1]
    values = flow.training_curve_[:, 1]
    assert values[-1] > values[flow.training_curve_[:, 0] <= 300][-1]


def test_a_triangular_start_that_is_not_the_best_ends_no_fit(bent, monkeypatch):
    _, z, u = bent
    monkeypatch.setattr(triangular_beside, "_FITS", 10.0)
    mixed = z @ [[1.0, 0.7], [-0.8, 1.0]]
    flow = FlowIVAE(modulates="mean_variance", layers=3, steps=310, seed=1).fit(mixed, u)
    assert flow.map_ is None
    assert flow.n_iter_ == 310


def test_only_two_columns_with_moving_means_have_such_a_start():
    segments, moving = Auxiliary(segments=3), {"modulates": "mean_variance"}
    assert suits(FlowSettings(**moving), 2, 2, segments)
    assert suits(IVAESettings(**moving), 2, 2, segments)
    assert not suits(FlowSettings(), 2, 2, segments)
    assert not suits(FlowSettings(**moving), 3, 2, segments)
    assert not suits(FlowSettings(**moving), 2, 2, Auxiliary(features=1))
    assert not suits(IVAESettings(posterior="diagonal", **moving), 2, 2, segments)
