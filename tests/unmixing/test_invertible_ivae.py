"""iVAE with an invertible decoder: its bound, its limit without noise, and what it recovers."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from causal_ivae.settings import FlowSettings, IVAESettings
from causal_ivae.unmixing.estimators import IVAE, FlowIVAE, SegmentICA
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.unmixing.models.draws import member_keys, standard_normal
from causal_ivae.unmixing.models.invertible_ivae import StackedInvertibleIVAE
from causal_ivae.unmixing.models.stacked import Auxiliary, Minibatch
from causal_ivae.validation.paper.mixtures import simulate_mixture

CPU = torch.device("cpu")
KEYS = member_keys([3, 4], CPU)
U = torch.arange(60) % 3


def scrambled(settings: IVAESettings, features: int = 3, components: int = 3, seed: int = 0):
    """Return a stack far from where it starts, whitening included, in double precision."""
    model = StackedInvertibleIVAE(KEYS, features, components, Auxiliary(3), settings).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.add_(0.3 * noise)
    return model


def rows(count: int = 60, features: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, count, features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("components", [3, 2])
@torch.no_grad()
def test_a_direction_is_carried_as_the_jacobian_carries_it(components):
    flow = scrambled(IVAESettings(maps=4), 3, components).flow
    x, direction = rows(5), rows(10)[:, 5:]
    z, log_determinant, along = flow.unmix_along(x, direction)
    expected_z, expected_log = flow.unmix(x)
    torch.testing.assert_close(z, expected_z)
    torch.testing.assert_close(log_determinant, expected_log)
    step = 1e-6
    moved = (flow.unmix(x + step * direction)[0] - flow.unmix(x - step * direction)[0]) / (2 * step)
    torch.testing.assert_close(along, moved, atol=1e-6, rtol=1e-6)
    with_couplings = FlowSettings(layers=3, hidden=8)
    coupled = type(flow)(KEYS, 3, 3, Auxiliary(3), with_couplings).double()
    with pytest.raises(NotImplementedError, match="couplings"):
        coupled.unmix_along(x, direction)


@pytest.mark.parametrize("components", [3, 2])
@torch.no_grad()
def test_the_bound_reaches_the_likelihood_as_the_noise_vanishes(components):
    model = scrambled(IVAESettings(maps=4, prior="gaussian", final_noise=1e-5), 3, components)
    x = rows()
    y = (x - model.centre) @ model.whitening
    z, log_determinant = model.flow.unmix(y)
    volume = torch.linalg.slogdet(model.whitening).logabsdet[:, None]
    exact = model.flow.log_prior(z, U) + log_determinant + volume
    torch.testing.assert_close(model.evaluate(x, U), exact.mean(1), atol=1e-3, rtol=0)


@torch.no_grad()
def test_the_bound_is_below_the_likelihood_where_there_is_noise():
    # With one linear map and a Gaussian prior log p(x|u) is known, and the bound is tight only
    # where the noise is far below the disturbances.
    settings = IVAESettings(maps=1, prior="gaussian", final_noise=0.4)
    model = scrambled(settings, 2, 2)
    x = rows(12, 2)
    u = U[:12]
    weight, bias = model.flow.weights[:, 0], model.flow.biases[:, 0]
    # y = (z - b) W^-1, and x = y V^-1 + c.
    back = torch.linalg.inv(weight) @ torch.linalg.inv(model.whitening)
    scale, _ = model.prior.at(u, torch.zeros(2, 12, 2).double())
    expected = []
    for member in range(2):
        spread = torch.linalg.inv(model.whitening[member])
        for row in range(12):
            of_z = torch.diag(scale[member, row].exp() ** 2)
            covariance = back[member].T @ of_z @ back[member] + 0.4**2 * spread.T @ spread
            mean = -bias[member, :, 0] @ back[member] + model.centre[member, 0]
            law = multivariate_normal(mean.numpy(), covariance.numpy())
            expected.append(law.logpdf(x[member, row].numpy()))
    exact = np.reshape(expected, (2, 12))
    weights = model.log_importance_weights(x, u, 5, 4000)
    assert weights.shape == (4000, 2, 12)
    estimate = weights.logsumexp(0) - np.log(4000)
    np.testing.assert_allclose(estimate.numpy(), exact, atol=0.15)
    bound = weights.mean(0).mean(1)
    assert (bound.numpy() < exact.mean(1) - 0.01).all()
    draws = [
        Minibatch(x, u, torch.tensor(1.0).double(), 12, standard_normal(KEYS, i, (12, 2)).double())
        for i in range(400)
    ]
    mean = torch.stack([model.objective(draw)[0] for draw in draws]).mean(0)
    torch.testing.assert_close(mean, bound, atol=0.05, rtol=0)


@torch.no_grad()
def test_the_noise_falls_during_training_and_then_stays():
    model = scrambled(IVAESettings(maps=3, final_noise=1e-3))
    x, noise = rows(), standard_normal(KEYS, 0, (60, 3)).double()

    def at(share: float) -> Tensor:
        given = Minibatch(x, U, torch.tensor(share).double(), 60, noise)
        return model.objective(given)[0]

    assert not torch.equal(at(0.1), at(0.5))
    torch.testing.assert_close(at(0.6), at(1.0))


@torch.no_grad()
def test_samples_have_the_prior_in_their_disturbances():
    model = scrambled(IVAESettings(maps=3, prior="gaussian"))
    u = torch.arange(3).repeat_interleave(4000)
    z = model.disturbances(model.sample(u), u)
    log_scale, _ = model.prior.at(torch.arange(3), torch.zeros(2, 3, 3).double())
    for segment in range(3):
        spread = z[:, u == segment].std(1)
        torch.testing.assert_close(spread, log_scale[:, segment].exp(), rtol=0.05, atol=0.02)


def jacobian_of(model: StackedInvertibleIVAE, y: Tensor, column: int) -> Tensor:
    """Return the derivatives of a disturbance by the columns of y, shape (members, rows, 3)."""
    with torch.enable_grad():
        given = y.detach().requires_grad_()
        return torch.autograd.grad(model.flow.unmix(given)[0][..., column].sum(), given)[0]


@torch.no_grad()
def test_the_marginals_of_q_are_those_of_its_jacobian():
    model = scrambled(IVAESettings(maps=3, prior="gaussian"))
    x = rows(6)
    y = (x - model.centre) @ model.whitening
    jacobian = torch.stack([jacobian_of(model, y, column) for column in range(3)], dim=-2)
    std = 1e-3 * jacobian.square().sum(-1).sqrt()
    expected = model.prior.kl(model.disturbances(x, U[:6]), std.log(), U[:6]).mean(-2)
    torch.testing.assert_close(model.kl_per_component(x, U[:6]), expected)


def test_whitening_makes_the_result_the_same_in_any_units():
    rng = np.random.default_rng(0)
    segments = np.repeat(np.arange(8), 100)
    sources = rng.laplace(size=(800, 2)) * rng.uniform(0.3, 3.0, size=(8, 2))[segments]
    x = np.tanh(sources) + 0.3 * sources
    x = x @ [[1.0, 0.9], [0.2, 0.3]]
    stretched = x @ [[1.0, 0.0], [0.97, 0.05]]
    scores = [
        mean_correlation(
            sources,
            IVAE(prior="laplace", steps=200, maps=4, device="cpu")
            .fit(v, segments)
            .transform(v, segments),
        )
        for v in (x, stretched)
    ]
    assert min(scores) > 0.95


def test_it_recovers_what_linear_ica_does_not_and_its_bound_is_the_flows_likelihood():
    mixture = simulate_mixture(
        n_segments=20, n_per_segment=200, n_sources=2, activation="xtanh", seed=1
    )
    x, u, sources = mixture.train.observations, mixture.train.segments, mixture.train.sources
    test, of_test = mixture.test.observations, mixture.test.segments
    full = IVAE(steps=600, batch_size=256, learning_rate=0.02, device="cpu").fit(x, u)
    flow = FlowIVAE(prior="gaussian", steps=600, device="cpu").fit(x, u)
    recovered = mean_correlation(sources, full.transform(x, u))
    assert recovered > 0.97
    assert recovered > mean_correlation(sources, SegmentICA().fit_transform(x, u)) + 0.02
    assert abs(full.score(test, of_test) - flow.score(test, of_test)) < 0.2


def test_the_solution_of_the_flow_stays_a_solution():
    mixture = simulate_mixture(
        n_segments=20, n_per_segment=200, n_sources=2, activation="xtanh", seed=1
    )
    x, u, sources = mixture.train.observations, mixture.train.segments, mixture.train.sources
    flow = FlowIVAE(prior="gaussian", steps=600, device="cpu").fit(x, u)
    scaled = torch.as_tensor((x - flow.mean_) / flow.scale_, dtype=torch.float32)[None]
    labels = torch.as_tensor(u)
    settings = IVAESettings(prior="gaussian", maps=8)
    model = StackedInvertibleIVAE(member_keys([0], CPU), 2, 2, Auxiliary(20), settings)
    model.flow.load_state_dict(flow.model_.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def score() -> float:
        with torch.no_grad():
            return mean_correlation(sources, model.disturbances(scaled, labels)[0].double().numpy())

    before = score()
    generator = torch.Generator().manual_seed(0)
    for step in range(300):
        some = torch.randint(len(u), (256,), generator=generator)
        noise = standard_normal(model.keys, step, (256, 2))
        given = Minibatch(scaled[:, some], labels[some], torch.tensor(1.0), len(u), noise)
        optimizer.zero_grad()
        model.objective(given)[1].sum().backward()
        optimizer.step()
    assert before > 0.9
    assert abs(score() - before) < 0.02


def test_all_starts_are_trained_without_noise_and_the_best_one_by_its_bound():
    mixture = simulate_mixture(
        n_segments=20, n_per_segment=100, n_sources=2, activation="xtanh", seed=1
    )
    x, u = mixture.train.observations, mixture.train.segments
    model = IVAE(steps=200, restarts=3, device="cpu").fit(x, u)
    assert model.n_iter_ == 200
    steps = model.training_curve_[:, 0]
    assert (np.diff(steps) > 0).all()
    assert steps[-1] == 200
    assert not model.model_.noiseless
    # All objectives are bounds, which that of the fit that was trained by it exceeds.
    assert model.restart_objectives_.max() == model.objective_
    assert model.objective_ - np.log(model.scale_).sum() == pytest.approx(
        model.score(x, u), abs=1e-3
    )
    # The curve goes on where the likelihood ended, near the bound at the last noise level.
    before, after = (model.training_curve_[steps == at, 1][0] for at in (160, 200))
    assert abs(after - before) < 0.5


@torch.no_grad()
def test_without_noise_the_objective_is_the_flows_likelihood():
    model = scrambled(IVAESettings(maps=4))
    x = rows()
    model.noiseless = True
    expected = model.flow.log_likelihood((x - model.centre) @ model.whitening, U).mean(-1)
    expected += torch.linalg.slogdet(model.whitening).logabsdet
    torch.testing.assert_close(model.evaluate(x, U), expected)
    batch = Minibatch(x, U, torch.tensor(0.1), 60, torch.zeros(2, 60, 3).double())
    value, loss = model.objective(batch)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(loss, -expected)
