"""The conditional prior p(z|u): densities, divergences, draws, and the parts of the ELBO."""

import numpy as np
import pytest
import torch
from scipy.stats import bernoulli, kstest, laplace, norm
from torch import Tensor

from causal_ivae.settings import GeneralIVAESettings, IVAESettings
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.ivae import StackedIVAE
from causal_ivae.unmixing.models.networks import Initialiser
from causal_ivae.unmixing.models.priors import StackedPrior, segment_means
from causal_ivae.unmixing.models.stacked import Auxiliary, Minibatch
from causal_ivae.unmixing.models.variational import _decomposed_kl

CPU = torch.device("cpu")
LAWS = {"gaussian": norm, "laplace": laplace}
families = pytest.mark.parametrize("family", LAWS)


BY_SEGMENT = Auxiliary(segments=4)


def make_prior(family="gaussian", auxiliary=BY_SEGMENT, modulates="mean_variance") -> StackedPrior:
    """Return the prior of two members and three components, far from where it starts."""
    init = Initialiser(member_keys([1, 2], CPU))
    prior = StackedPrior(init, 3, auxiliary, family=family, modulates=modulates).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in prior.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_((0.7 if auxiliary.segments else 0.15) * noise)
    return prior


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@families
@pytest.mark.parametrize("modulates", ["variance", "mean_variance"])
@torch.no_grad()
def test_the_density_is_scipys(family, modulates):
    prior = make_prior(family, modulates=modulates)
    z, u = 2.0 * normal(2, 50, 3), torch.arange(50) % 4
    value = prior.log_density(z, u).numpy()
    for row in range(50):
        scale = prior.log_scale[:, u[row]].exp().numpy()
        centre = 0.0 if prior.mean is None else prior.mean[:, u[row]].numpy()
        expected = LAWS[family].logpdf(z[:, row].numpy(), centre, scale)
        np.testing.assert_allclose(value[:, row], expected)
    assert (prior.mean is None) is (modulates == "variance")


@families
@pytest.mark.parametrize("auxiliary", [Auxiliary(4), Auxiliary(features=2), Auxiliary()])
@torch.no_grad()
def test_the_closed_form_kl_agrees_with_monte_carlo(family, auxiliary):
    prior = make_prior(family, auxiliary)
    mean, log_std = 1.5 * normal(2, 5, 3, seed=1), normal(2, 5, 3, seed=2) - 0.5
    u = normal(5, 2, seed=4) if auxiliary.features else torch.tensor([0, 1, 2, 3, 0])
    closed = prior.kl(mean, log_std, u)
    noise = normal(40_000, 2, 5, 3, seed=5)
    z = mean + log_std.exp() * noise
    log_q = -0.5 * noise.square() - log_std - 0.5 * np.log(2 * np.pi)
    ratio = log_q - prior.log_density(z, u)
    error = ratio.std(0) / 200.0
    assert ((closed - ratio.mean(0)).abs() < 5.0 * error + 1e-9).all()
    assert (closed > 0).all()
    assert error.max() < 0.1 * closed.max()


@torch.no_grad()
def test_the_kl_of_a_law_from_itself_is_nil():
    prior = make_prior("gaussian")
    u = torch.tensor([0, 1, 2, 3])
    closed = prior.kl(prior.mean[:, u], prior.log_scale[:, u], u)
    torch.testing.assert_close(closed, torch.zeros_like(closed))


@families
@pytest.mark.parametrize("auxiliary", [Auxiliary(4), Auxiliary(features=1), Auxiliary()])
@torch.no_grad()
def test_draws_follow_the_law(family, auxiliary):
    prior = make_prior(family, auxiliary)
    keys = member_keys([7, 8], CPU)
    labels = torch.arange(4).repeat_interleave(1500)
    u = labels.double()[:, None] - 1.5 if auxiliary.features else labels
    z = prior.draw(u, keys, 11)
    assert torch.equal(z, prior.draw(u, keys, 11))
    assert not torch.equal(z, prior.draw(u, keys, 12))
    log_scale, mean = prior.at(u, z)
    for segment in range(4):
        first = segment * 1500
        for member in range(2):
            for i in range(3):
                law = LAWS[family](mean[member, first, i], log_scale[member, first, i].exp())
                drawn = z[member, labels == segment, i].numpy()
                assert kstest(drawn, law.cdf).pvalue > 1e-4
                assert kstest(1.6 * drawn + 0.2, law.cdf).pvalue < 1e-4
                assert drawn.mean() == pytest.approx(law.mean(), abs=5 * law.std() / 1500**0.5)


@torch.no_grad()
def test_without_u_the_prior_is_standard_normal_and_nothing_is_learned():
    prior = make_prior(auxiliary=Auxiliary(), modulates="variance")
    assert not list(prior.parameters())
    z = normal(2, 20, 3)
    expected = norm.logpdf(z.numpy())
    np.testing.assert_allclose(prior.log_density(z, torch.arange(20)).numpy(), expected)


@pytest.mark.parametrize("modulates", ["variance", "mean_variance"])
@torch.no_grad()
def test_a_continuous_u_gives_every_row_its_own_law(modulates):
    prior = make_prior("laplace", Auxiliary(features=2), modulates)
    u, z = normal(30, 2, seed=1), normal(2, 30, 3)
    log_scale, mean = prior.at(u, z)
    assert log_scale.shape == mean.shape == (2, 30, 3)
    assert log_scale.std(1).min() > 0.01
    assert (mean.std(1).min() > 0.01) == (modulates == "mean_variance")
    expected = laplace.logpdf(z.numpy(), mean.numpy(), log_scale.exp().numpy())
    np.testing.assert_allclose(prior.log_density(z, u).numpy(), expected)
    swapped = prior.at(u.flip(0), z)[0]
    torch.testing.assert_close(swapped, log_scale.flip(1))
    assert not torch.allclose(log_scale[0], log_scale[1])


@families
@torch.no_grad()
def test_the_prior_that_matches_has_the_largest_likelihood(family):
    prior = make_prior(family, modulates="variance")
    u = torch.arange(4).repeat(50)
    z = normal(2, 200, 3) * torch.tensor([0.5, 1.0, 2.0, 4.0]).double()[u][:, None]
    prior.match(z, u)
    best = prior.log_density(z, u).sum((1, 2))
    for change in (-0.05, 0.05):
        prior.log_scale.add_(change)
        assert (prior.log_density(z, u).sum((1, 2)) < best).all()
        prior.log_scale.sub_(change)
    ratio = prior.log_scale.mean((0, 2)).diff().exp()
    torch.testing.assert_close(ratio, torch.full((3,), 2.0).double(), rtol=0.15, atol=0)


@torch.no_grad()
def test_means_of_segments():
    values, u = normal(2, 90, 3), torch.tensor([0, 2, 2] * 30)
    means = segment_means(values, u)
    assert means.shape == (2, 3, 3)
    torch.testing.assert_close(means[:, 0], values[:, u == 0].mean(1))
    torch.testing.assert_close(means[:, 2], values[:, u == 2].mean(1))
    assert (means[:, 1] == 0).all()


def decomposed(z: Tensor, mean: Tensor, log_std: Tensor, n_times: int) -> tuple[Tensor, ...]:
    log_prior = (-0.5 * z.square() - 0.5 * np.log(2 * np.pi)).sum(-1)
    batch = Minibatch(z, torch.empty(0), share=torch.tensor(1.0), n_times=n_times)
    return _decomposed_kl(z, mean, log_std, log_prior, batch)


def test_the_parts_of_the_kl_sum_to_it():
    mean, log_std = normal(2, 400, 3, seed=1), 0.3 * normal(2, 400, 3, seed=2) - 1.0
    z = mean + log_std.exp() * normal(2, 400, 3, seed=3)
    log_q = torch.distributions.Normal(mean, log_std.exp()).log_prob(z).sum(-1)
    log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    parts = decomposed(z, mean, log_std, 5000)
    torch.testing.assert_close(sum(parts), (log_q - log_prior).mean(-1))
    closed = make_prior(auxiliary=Auxiliary()).kl(mean, log_std, torch.arange(400)).sum(-1).mean(-1)
    torch.testing.assert_close(sum(parts), closed, rtol=0.05, atol=0)


def test_each_part_of_the_kl_is_what_it_is_called():
    rows, n = 1500, 2
    # Weighted sampling counts 1 / (rows n_times) for every row (Chen et al. 2018, equation S3), so
    # that with all rows at once each aggregate density is too low by a factor of n_times.
    offset = np.log(rows)
    log_std = torch.full((1, rows, n), np.log(0.5)).double()
    std = np.sqrt(1.25)  # of the code over all rows
    noise = 0.5 * normal(1, rows, n, seed=3)

    def parts(mean):
        information, correlation, dimensions = decomposed(mean + noise, mean, log_std, rows)
        return (
            float(information) - offset,
            float(correlation) + offset - n * offset,
            float(dimensions) + n * offset,
        )

    independent = normal(1, rows, n, seed=1)
    together = normal(1, rows, 1, seed=2).expand(1, rows, n)
    information, correlation, dimensions = parts(independent)
    assert information == pytest.approx(n * np.log(std / 0.5), abs=0.15)
    assert correlation == pytest.approx(0.0, abs=0.08)
    assert dimensions == pytest.approx(n * (0.5 * (1.25 - 1.0) - np.log(std)), abs=0.08)
    information, correlation, dimensions = parts(together)
    rho = 1.0 / 1.25
    assert correlation == pytest.approx(-0.5 * np.log(1.0 - rho**2), abs=0.08)
    assert dimensions == pytest.approx(n * (0.5 * (1.25 - 1.0) - np.log(std)), abs=0.1)
    nothing_coded = parts(torch.zeros(1, rows, n).double())
    assert nothing_coded[0] == pytest.approx(0.0, abs=0.02)


@torch.no_grad()
def test_the_likelihood_of_binary_columns_is_bernoullis():
    settings = GeneralIVAESettings(likelihood="bernoulli", posterior="diagonal")
    model = StackedIVAE(member_keys([1, 2], CPU), 4, 2, Auxiliary(3), settings).double()
    logits = 3.0 * normal(2, 60, 4)
    x = (normal(2, 60, 4, seed=1) > 0).double()
    expected = bernoulli.logpmf(x.numpy(), 1.0 / (1.0 + np.exp(-logits.numpy()))).sum(-1)
    np.testing.assert_allclose(model._log_likelihood(x, logits).numpy(), expected)
    extreme = torch.full((2, 1, 4), 200.0).double()
    value = model._log_likelihood(torch.zeros(2, 1, 4).double(), extreme)
    torch.testing.assert_close(value, torch.full((2, 1), -800.0).double())


@torch.no_grad()
def test_the_likelihood_of_other_columns_is_gaussian():
    model = StackedIVAE(
        member_keys([1, 2], CPU), 4, 2, Auxiliary(3), IVAESettings(decoder="mlp")
    ).double()
    model.log_noise.add_(0.5 * normal(2, 1, 4, seed=4))
    x, decoded = normal(2, 60, 4), normal(2, 60, 4, seed=1)
    expected = norm.logpdf(x.numpy(), decoded.numpy(), model.log_noise.exp().numpy()).sum(-1)
    np.testing.assert_allclose(model._log_likelihood(x, decoded).numpy(), expected)


@pytest.mark.parametrize("auxiliary", [Auxiliary(3), Auxiliary(features=2)])
@torch.no_grad()
def test_importance_weights_average_to_the_likelihood(auxiliary):
    # With a linear decoder and a Gaussian prior log p(x|u) is known.
    settings = IVAESettings(prior="gaussian", layers=1, posterior="diagonal")
    model = StackedIVAE(member_keys([1, 2], CPU), 2, 1, auxiliary, settings).double()
    encoder, decoder = model.encoder.layers[0], model.decoder.layers[0]
    encoder.weight.zero_()
    encoder.bias.copy_(torch.tensor([0.0, 0.5]))  # wider than any posterior here
    if model.encoder.table is not None:
        model.encoder.table.zero_()
    x = normal(2, 6, 2)
    u = normal(6, 2, seed=1) if auxiliary.features else torch.arange(6) % 3
    weights = model.log_importance_weights(x, u, 5, 20_000)
    assert weights.shape == (20_000, 2, 6)
    estimate = weights.logsumexp(0) - np.log(20_000)
    log_scale, _ = model.prior.at(u, torch.zeros(2, 6, 1).double())
    loading = decoder.weight
    covariance = log_scale.exp().square()[..., None] * (loading.mT @ loading)[:, None]
    covariance = covariance + torch.diag_embed(model.log_noise.exp().square())
    law = torch.distributions.MultivariateNormal(decoder.bias, covariance)
    torch.testing.assert_close(estimate, law.log_prob(x), atol=0.1, rtol=0)
    assert (model.evaluate(x, u) < estimate.mean(-1)).all()
