"""Posteriors with a full covariance: of perceptrons, and of iVAE of binary columns."""

import numpy as np
import pytest
import torch
from torch import Tensor

from causal_ivae.settings import GeneralIVAESettings, IVAESettings
from causal_ivae.unmixing.estimators import IVAE, SegmentICA
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.unmixing.models import variational
from causal_ivae.unmixing.models.binary_ivae import StackedBinaryIVAE
from causal_ivae.unmixing.models.draws import member_keys, standard_normal
from causal_ivae.unmixing.models.ivae import StackedIVAE
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.variational import Posterior
from causal_ivae.validation.paper.mixtures import SimulatedMixture, simulate_binary

KEYS = member_keys([3, 4], torch.device("cpu"))
U = torch.arange(60) % 3
BINARY = GeneralIVAESettings(likelihood="bernoulli", prior="gaussian")


def binary_rows(count: int = 60, features: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(2, count, features, generator=generator) > 0).double()


def scrambled(model: StackedIVAE | StackedBinaryIVAE, seed: int = 0):
    """Move a stack far from where it starts, in double precision."""
    model = model.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator, dtype=torch.float64))
    return model


def covariance_of(posterior: Posterior) -> Tensor:
    unit = torch.eye(posterior.mean.shape[-1]).double()
    beside = unit if posterior.beside is None else unit + posterior.beside
    factor = posterior.log_diagonal.exp()[..., None] * beside
    return factor @ factor.mT


MODELS = {
    "perceptrons": (StackedIVAE, IVAESettings(prior="gaussian", decoder="mlp")),
    "binary": (StackedBinaryIVAE, BINARY),
}


@pytest.mark.parametrize("components", [3, 1])
@pytest.mark.parametrize(("kind", "settings"), MODELS.values(), ids=MODELS.keys())
@torch.no_grad()
def test_a_full_posterior_has_the_draws_and_the_entropy_of_its_covariance(
    kind, settings, components
):
    model = scrambled(kind(KEYS, 5, components, Auxiliary(3), settings))
    posterior = model.posterior(binary_rows(), U)
    covariance = covariance_of(posterior)
    log_scale, _ = model.prior.at(U, posterior.mean)
    precision = torch.diag_embed(torch.exp(-2.0 * log_scale))
    # This is the divergence of two Gaussian distributions in its textbook form.
    expected = 0.5 * (
        (precision @ covariance).diagonal(dim1=-2, dim2=-1).sum(-1)
        + (posterior.mean.square() * torch.exp(-2.0 * log_scale)).sum(-1)
        - components
        + 2.0 * log_scale.sum(-1)
        - torch.linalg.slogdet(covariance).logabsdet
    )
    torch.testing.assert_close(model._kl(posterior, U), expected)
    many = posterior.draw(standard_normal(KEYS, 7, (2000, 60, components)).movedim(1, 0).double())
    empirical = torch.einsum("smri,smrj->mrij", many - posterior.mean, many - posterior.mean) / 2000
    assert ((empirical - covariance).abs() / covariance.abs().amax()).max() < 0.2
    if components > 1:
        assert posterior.beside.abs().amax() > 0.05


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
@torch.no_grad()
def test_the_posterior_of_binary_columns_is_the_prior_times_what_the_encoder_says(family):
    settings = BINARY.model_copy(update={"prior": family, "modulates": "mean_variance"})
    model = scrambled(StackedBinaryIVAE(KEYS, 5, 2, Auxiliary(3), settings))
    model.prior.mean.add_(1.0)
    x = binary_rows()
    posterior = model.posterior(x, U)
    out = model.encoder(x)
    # The encoder's outputs are h, then log R_11, R_21 and log R_22.
    factor = torch.zeros(2, 60, 2, 2).double()
    factor[..., 0, 0], factor[..., 1, 0] = out[..., 2].exp(), out[..., 3]
    factor[..., 1, 1] = out[..., 4].exp()
    log_scale, mean = model.prior.at(U, posterior.mean)
    variance = torch.exp(2.0 * log_scale) * (2.0 if family == "laplace" else 1.0)
    precision = torch.diag_embed(1.0 / variance) + factor @ factor.mT
    torch.testing.assert_close(covariance_of(posterior), torch.linalg.inv(precision))
    informed = out[..., :2] + mean / variance
    torch.testing.assert_close(
        posterior.mean, torch.linalg.solve(precision, informed[..., None])[..., 0]
    )


def mixture(seed: int = 0) -> SimulatedMixture:
    return simulate_binary(
        n_segments=10,
        n_per_segment=300,
        n_test_per_segment=50,
        n_sources=4,
        n_features=40,
        seed=seed,
    )


@torch.no_grad()
def test_binary_columns_start_from_linear_ica_with_log_odds_that_fit_them():
    train = mixture().train
    x = torch.as_tensor(train.observations, dtype=torch.float32).expand(2, -1, -1)
    u = torch.as_tensor(train.segments)
    model = StackedBinaryIVAE(KEYS, 40, 4, Auxiliary(10), BINARY)
    model.start(x, u)
    linear = SegmentICA(4).fit_transform(train.observations, train.segments)
    for z in model.disturbances(x, u).double().numpy():
        assert mean_correlation(linear, z) > 0.97
    share = x[0].mean(0).double()
    independent = (share * share.log() + (1.0 - share) * (1.0 - share).log()).sum()
    assert (model.evaluate(x, u) > independent + 0.8).all()


def test_binary_sources_are_recovered_better_than_by_linear_ica():
    data = mixture()
    x, u = data.train.observations, data.train.segments
    model = IVAE(4, likelihood="bernoulli", steps=400, restarts=1, device="cpu").fit(x, u)
    of_linear = SegmentICA(4).fit(x, u).transform(data.test.observations)
    of_model = model.transform(data.test.observations, data.test.segments)
    recovered = mean_correlation(data.test.sources, of_model)
    assert recovered > mean_correlation(data.test.sources, of_linear) + 0.01
    assert recovered > 0.9


def test_binary_columns_take_a_continuous_auxiliary_variable():
    rng = np.random.default_rng(0)
    u = rng.uniform(-1.0, 1.0, size=1500)
    sources = rng.normal(size=(1500, 2)) * np.exp(np.column_stack([1.5 * u, -1.5 * u]))
    odds = sources @ rng.normal(size=(2, 30))
    x = (rng.uniform(size=odds.shape) < 1.0 / (1.0 + np.exp(-odds))).astype(float)
    model = IVAE(2, likelihood="bernoulli", steps=300, restarts=1, device="cpu").fit(x, u)
    assert mean_correlation(sources, model.transform(x, u)) > 0.9


@pytest.mark.parametrize(("kind", "settings"), MODELS.values(), ids=MODELS.keys())
@torch.no_grad()
def test_rows_are_evaluated_in_parts_with_the_same_result(kind, settings, monkeypatch):
    model = scrambled(kind(KEYS, 5, 3, Auxiliary(3), settings))
    x = binary_rows()
    functions = model.evaluate, model.disturbances, model.kl_per_component
    whole = [function(x, U) for function in functions]
    monkeypatch.setattr(variational, "_AT_ONCE", 7)
    for function, expected in zip(functions, whole, strict=True):
        torch.testing.assert_close(function(x, U), expected)


@torch.no_grad()
def test_the_precision_of_a_prior_is_that_of_its_draws():
    for family in ("gaussian", "laplace"):
        settings = BINARY.model_copy(update={"prior": family})
        prior: StackedPrior = scrambled(StackedBinaryIVAE(KEYS, 5, 2, Auxiliary(1), settings)).prior
        u = torch.zeros(20_000, dtype=torch.int64)
        drawn = prior.draw(u, KEYS, 3)
        precision, _ = prior.precision(u, drawn)
        torch.testing.assert_close(drawn.var(1), 1.0 / precision[:, 0], rtol=0.05, atol=0.0)


def test_binary_columns_that_repeat_or_exclude_each_other_are_fitted():
    rng = np.random.default_rng(2)
    u = np.repeat(np.arange(4), 100)
    one = rng.integers(0, 2, size=(400, 3)).astype(float)
    classes = np.eye(4)[rng.integers(0, 4, size=400)]
    for x in (np.column_stack([one, one[:, 0]]), classes):
        model = IVAE(likelihood="bernoulli", steps=5, restarts=1, device="cpu").fit(x, u)
        assert np.isfinite(model.transform(x, u)).all()


@torch.no_grad()
def test_a_member_that_is_not_finite_does_not_stop_the_others():
    x = binary_rows(300).float()
    x[0, 0, 0] = torch.nan
    u = torch.arange(300) % 3
    model = StackedBinaryIVAE(KEYS, 5, 2, Auxiliary(3), BINARY)
    model.start(x, u)
    value = model.evaluate(x, u)
    assert value[0].isnan()
    assert value[1].isfinite()
