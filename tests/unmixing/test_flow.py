"""The flow: an invertible map with the right Jacobian, a density, and what it recovers."""

import numpy as np
import pytest
import torch
from scipy.integrate import cumulative_trapezoid
from scipy.stats import kstest, laplace, multivariate_normal, norm
from torch import nn

from causal_ivae.settings import FlowSettings
from causal_ivae.unmixing.estimators import FastICA, FlowIVAE
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.unmixing.models.draws import member_keys, standard_normal
from causal_ivae.unmixing.models.flow import StackedCoupling, StackedFlow
from causal_ivae.unmixing.models.networks import Initialiser
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.validation.paper.mixtures import simulate_mixture

CPU = torch.device("cpu")
BOUND = 4.0
# (features, components, hidden units of the couplings)
SHAPES = [(1, 1, 8), (2, 2, 0), (2, 2, 8), (3, 3, 8), (5, 2, 8)]


def scrambled(module: nn.Module, strength: float, seed: int = 0) -> nn.Module:
    """Move all parameters far from where they start, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(strength * noise)
    return module


def make_flow(features, components, hidden, *, layers=4, strength=0.3, **changes) -> StackedFlow:
    settings = FlowSettings(layers=layers, knots=5, hidden=hidden, bound=BOUND, **changes)
    keys = member_keys([3, 4], CPU)
    return scrambled(StackedFlow(keys, features, components, Auxiliary(4), settings), strength)


@pytest.mark.parametrize("flipped", [False, True])
@torch.no_grad()
def test_a_coupling_is_undone_by_its_inverse_and_changes_one_part(flipped):
    coupling = StackedCoupling(Initialiser(member_keys([1, 2], CPU)), 5, 8, flipped=flipped)
    x = torch.randn(2, 5, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scrambled(coupling, 1.0)
    y, log_slope = coupling(x)
    torch.testing.assert_close(coupling.inverse(y), x)
    unchanged = (y == x).all(0).all(-1).tolist()
    assert unchanged == ([False] * 2 + [True] * 3 if flipped else [True] * 2 + [False] * 3)
    assert log_slope.shape == (2, 2 if flipped else 3, 50)
    assert log_slope.abs().max() > 1.0


@pytest.mark.parametrize(("features", "components", "hidden"), SHAPES)
@torch.no_grad()
def test_mixing_undoes_unmixing(features, components, hidden):
    flow = make_flow(features, components, hidden)
    x = 3.0 * torch.randn(2, 100, features, generator=torch.Generator().manual_seed(1)).double()
    z, _ = flow.unmix(x)
    torch.testing.assert_close(flow.mix(z), x, atol=1e-7, rtol=1e-7)
    assert torch.equal(flow.disturbances(x, torch.zeros(100).long()), z[..., :components])


@pytest.mark.parametrize(("features", "components", "hidden"), SHAPES)
def test_the_log_determinant_is_that_of_the_jacobian(features, components, hidden):
    flow = make_flow(features, components, hidden)
    x = 2.0 * torch.randn(2, 6, features, generator=torch.Generator().manual_seed(1)).double()
    _, log_determinant = flow.unmix(x)
    # Rows are independent, so the gradient of a sum over rows is every row's own.
    x.requires_grad_()
    z, _ = flow.unmix(x)
    jacobian = torch.stack(
        [torch.autograd.grad(z[..., i].sum(), x, retain_graph=True)[0] for i in range(features)],
        dim=-2,
    )
    expected = torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(log_determinant, expected)
    assert expected.std() > 0.05  # it changes from row to row


@pytest.mark.parametrize("prior", ["gaussian", "laplace"])
@torch.no_grad()
def test_the_density_of_one_column_integrates_to_one_and_samples_follow_it(prior):
    flow = make_flow(1, 1, 0, prior=prior, modulates="mean_variance")
    grid = torch.linspace(-80.0, 80.0, 40_001, dtype=torch.float64)
    for segment in (0, 3):
        u = torch.full((len(grid),), segment)
        density = flow.log_likelihood(grid[None, :, None].expand(2, -1, 1), u).exp().numpy()
        drawn = flow.sample(torch.full((3000,), segment)).numpy()
        for member in range(2):
            below = cumulative_trapezoid(density[member], grid.numpy(), initial=0.0)
            assert below[-1] == pytest.approx(1.0, abs=1e-4)
            cdf = lambda x, below=below: np.interp(x, grid.numpy(), below)  # noqa: E731
            assert kstest(drawn[member, :, 0], cdf).pvalue > 1e-3
            shifted = kstest(drawn[member, :, 0] + 0.2 * drawn[member].std(), cdf)
            assert shifted.pvalue < 1e-3


@torch.no_grad()
def test_the_density_of_two_columns_integrates_to_one():
    flow = make_flow(2, 2, 8, layers=3, prior="gaussian", strength=0.2)
    axis = torch.linspace(-20.0, 20.0, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis).expand(2, -1, 2)
    density = flow.log_likelihood(grid, torch.ones(grid.shape[1]).long()).exp()
    cell = (axis[1] - axis[0]) ** 2
    torch.testing.assert_close(density.sum(1) * cell, torch.ones(2).double(), atol=1e-3, rtol=0)


def gaussian_of(flow: StackedFlow, member: int, segment: int):
    """Return the law of x under a linear flow with a Gaussian prior."""
    corners = torch.cat([torch.zeros(1, 3), torch.eye(3)]).double()
    z = flow.unmix(corners.expand(2, -1, -1))[0][member].numpy()
    mixing = np.linalg.inv(z[1:] - z[0])  # z = x @ unmixing + z[0]
    scale = flow.prior.log_scale[member, segment].exp().numpy()
    centre = np.zeros(3)
    if flow.prior.mean is not None:
        centre = flow.prior.mean[member, segment].numpy()
    if flow.log_noise is not None:
        scale = np.r_[scale, flow.log_noise[member, 0].exp().numpy()]
    covariance = mixing.T @ np.diag(scale**2) @ mixing
    return multivariate_normal((centre - z[0]) @ mixing, covariance)


@pytest.mark.parametrize(("components", "modulates"), [(3, "mean_variance"), (2, "variance")])
@torch.no_grad()
def test_a_linear_flow_has_the_density_of_a_gaussian(components, modulates):
    flow = make_flow(3, components, 8, layers=1, prior="gaussian", modulates=modulates)
    flow.jitter = 0.0
    u = torch.arange(40) % 4
    x = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(1)).double()
    value = flow.log_likelihood(x, u).numpy()
    for member in range(2):
        for segment in range(4):
            rows = (u == segment).numpy()
            expected = gaussian_of(flow, member, segment).logpdf(x[member, rows].numpy())
            np.testing.assert_allclose(value[member, rows], expected)


@torch.no_grad()
def test_the_noise_added_where_components_are_fewer_can_be_given():
    flow = make_flow(3, 2, 8)
    u = torch.arange(40) % 4
    x = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(1)).double()
    assert flow.noise_shape(40) == (40, 3)
    added = standard_normal(flow.keys, 5, flow.noise_shape(40))
    value = flow.log_likelihood(x, u, added)
    assert torch.equal(flow.log_likelihood(x, u), flow.log_likelihood(x, u))
    assert not torch.equal(value, flow.log_likelihood(x, u))
    moved = x + flow.jitter * added
    flow.jitter = 0.0
    assert torch.equal(value, flow.log_likelihood(moved, u))
    whole = make_flow(3, 3, 8)
    assert whole.noise_shape(40) is None


@pytest.mark.parametrize(("prior", "law"), [("gaussian", norm), ("laplace", laplace)])
@torch.no_grad()
def test_samples_unmix_to_the_prior(prior, law):
    flow = make_flow(3, 2, 8, prior=prior)
    u = torch.arange(4).repeat(700)
    z, _ = flow.unmix(flow.sample(u))
    scale = flow.prior.log_scale.exp()
    for segment in range(4):
        rows = z[:, u == segment]
        standard = (rows[..., :2] / scale[:, segment, None]).numpy()
        noise = (rows[..., 2:] / flow.log_noise.exp()).numpy()
        for member in range(2):
            for i in range(2):
                assert kstest(standard[member, :, i], law.cdf).pvalue > 1e-4
            assert kstest(noise[member, :, 0], norm.cdf).pvalue > 1e-4
    pooled = (z[..., :2] / scale.mean(1, keepdim=True)).numpy()
    other = laplace if law is norm else norm
    assert kstest(pooled[0, :, 0], other.cdf).pvalue < 1e-4


@torch.no_grad()
def test_training_starts_from_the_linear_unmixing():
    rng = np.random.default_rng(0)
    u = torch.arange(10).repeat_interleave(200)
    std = np.exp(rng.uniform(-1.0, 1.0, (10, 2)))
    sources = rng.normal(size=(2000, 2)) * std[u.numpy()]
    x = torch.as_tensor(sources @ np.array([[1.0, 0.8], [0.8, 1.0]]) + 3.0).float()
    keys = member_keys([3, 4], CPU)
    flow = StackedFlow(keys, 2, 2, Auxiliary(10), FlowSettings(layers=2, prior="gaussian"))
    assert mean_correlation(sources, x.numpy()) < 0.9
    flow.start(x.expand(2, -1, 2), u)
    z = flow.disturbances(x.expand(2, -1, 2), u)
    for member in range(2):
        assert mean_correlation(sources, z[member].numpy()) > 0.98
        spread = [z[member][u == s].square().mean(0).sqrt().numpy() for s in range(10)]
        scale = flow.prior.log_scale[member].exp().numpy()
        np.testing.assert_allclose(scale, spread, rtol=1e-4)


@pytest.mark.parametrize("n_features", [2, 3])
def test_a_nonlinear_mixture_is_recovered(n_features):
    mixture = simulate_mixture(
        n_sources=2,
        n_features=n_features,
        n_segments=10,
        n_per_segment=300,
        n_test_per_segment=100,
        seed=0,
    )
    x, u, sources = (
        mixture.train.observations,
        mixture.train.segments,
        mixture.train.sources,
    )
    model = FlowIVAE(2, layers=4, steps=300, device="cpu", seed=1).fit(x, u)
    recovered = mean_correlation(sources, model.transform(x, u))
    assert recovered > 0.93
    assert recovered > mean_correlation(sources, FastICA(2).fit_transform(x)) + 0.05
    pairs = [(i, j) for i in range(n_features) for j in range(i)]
    assert recovered > max(mean_correlation(sources, x[:, pair]) for pair in pairs) + 0.05
    fresh = mixture.test
    held_out = model.transform(fresh.observations, fresh.segments)
    assert mean_correlation(fresh.sources, held_out) > 0.93
    assert model.diagnostics_.verdict == "usable"
