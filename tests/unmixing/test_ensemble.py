"""Laws of the stacked training, for every method."""

import numpy as np
import pytest
import torch

from causal_ivae.config import METHODS, UnmixingSettings
from causal_ivae.simulate.structural import simulate_pair
from causal_ivae.unmixing import ensemble
from causal_ivae.unmixing.draws import member_keys
from causal_ivae.unmixing.ensemble import make_model, unmix_pairs
from causal_ivae.unmixing.ivae import StackedIVAE
from causal_ivae.unmixing.networks import _product_look_up, look_up

CPU = torch.device("cpu")


def short(method: str, **changes: object) -> UnmixingSettings:
    settings = UnmixingSettings(restarts=2)
    fields = getattr(settings, method).model_dump() | {"steps": 40} | changes
    return UnmixingSettings.model_validate(settings.model_dump() | {method: fields})


def unmix(method, values, segments, pairs, names, settings=None, key="01", seed=0):
    return unmix_pairs(
        values,
        segments,
        np.array(pairs),
        names,
        method=method,
        settings=settings or short(method),
        seed=seed,
        key=key,
        device=CPU,
    )


@pytest.fixture(scope="module")
def data():
    pair = simulate_pair(n_segments=6, n_per_segment=50)
    extra = np.random.default_rng(0).normal(size=(300, 1))
    return np.hstack([pair.values, extra]).astype(np.float32), pair.segments


@pytest.mark.parametrize("method", METHODS)
def test_shapes(method, data):
    values, segments = data
    fit = unmix(method, values, segments, [(0, 1), (0, 2)], ("a", "b", "c"))
    assert fit.disturbances.shape == (4, 300, 2)
    assert fit.objective.shape == fit.slope.shape == (4,)
    assert fit.curves.shape == (4, len(fit.curve_steps))
    assert fit.curve_steps[-1] == 40
    assert torch.isfinite(fit.disturbances).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_member_is_the_same_whatever_shares_its_stack(method, data, monkeypatch):
    values, segments = data
    together = unmix(method, values, segments, [(0, 1), (0, 2), (1, 2)], ("a", "b", "c"))
    alone = unmix(method, values[:, 1:], segments, [(0, 1)], ("b", "c"))
    assert torch.equal(together.disturbances[4:], alone.disturbances)
    monkeypatch.setattr(ensemble, "_chunk_members", lambda *_: 1)
    in_chunks = unmix(method, values, segments, [(0, 1), (0, 2), (1, 2)], ("a", "b", "c"))
    assert torch.equal(together.disturbances, in_chunks.disturbances)
    np.testing.assert_array_equal(together.objective, in_chunks.objective)


@pytest.mark.parametrize("method", METHODS)
def test_seed_subject_and_restart_each_matter(method, data):
    values, segments = data
    base = unmix(method, values, segments, [(0, 1)], ("a", "b", "c"))
    again = unmix(method, values, segments, [(0, 1)], ("a", "b", "c"))
    assert torch.equal(base.disturbances, again.disturbances)
    assert not torch.equal(base.disturbances[0], base.disturbances[1])
    for other in ({"seed": 1}, {"key": "02"}):
        changed = unmix(method, values, segments, [(0, 1)], ("a", "b", "c"), **other)
        assert not torch.equal(base.disturbances, changed.disturbances)


@pytest.mark.parametrize("method", METHODS)
def test_training_raises_the_objective(method, data):
    values, segments = data
    fit = unmix(method, values, segments, [(0, 1)], ("a", "b", "c"), short(method, steps=300))
    assert (fit.objective > fit.curves[:, 0]).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_gradient_reaches_every_parameter(method):
    settings = (
        short(method, noise="learned", modulates="mean_variance")
        if method == "ivae"
        else (short(method))
    )
    model = make_model(
        [1, 2], n_features=2, n_segments=5, settings=getattr(settings, method), device=CPU
    )
    x = torch.randn(2, 60, 2, generator=torch.Generator().manual_seed(0))
    u = torch.arange(60) % 5
    if isinstance(model, StackedIVAE):
        reconstruction, kl = model.elbo_terms(x, u, 0)
        loss = kl - reconstruction
    else:
        loss = -model.log_likelihood(x, u)
    loss.sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad.flatten(1).abs().amax(1) > 0).all(), name


@pytest.mark.parametrize("prior", ["gaussian", "laplace"])
def test_closed_form_kl_agrees_with_monte_carlo(prior):
    settings = short("ivae", prior=prior, modulates="mean_variance").ivae
    model = StackedIVAE(member_keys([5], CPU), 2, 2, 4, settings)
    x = torch.randn(1, 6, 2, generator=torch.Generator().manual_seed(1))
    u = torch.tensor([0, 1, 2, 3, 0, 1])
    with torch.no_grad():
        mean, log_std = model.posterior(x, u)
        closed = model._kl(mean, log_std, u)
        noise = torch.randn(200_000, *mean.shape, generator=torch.Generator().manual_seed(2))
        z = mean + log_std.exp() * noise
        log_q = -0.5 * noise.square() - log_std - 0.5 * np.log(2 * np.pi)
        estimate = (log_q - model._log_prior(z, u)).mean(0)
    torch.testing.assert_close(closed, estimate, atol=0.02, rtol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_diverges_spoils_no_other(method, data):
    values, segments = data
    spoiled = values.copy()
    spoiled[0, 2] = np.inf
    fit = unmix(method, spoiled, segments, [(0, 1), (0, 2)], ("a", "b", "c"))
    sound = unmix(method, values, segments, [(0, 1)], ("a", "b", "c"))
    assert torch.equal(fit.disturbances[:2], sound.disturbances)
    assert np.isnan(fit.objective[2:]).all()


def test_both_ways_to_look_up_a_table_agree():
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(3, 5, 4, generator=generator).requires_grad_()
    u = torch.randint(5, (50,), generator=generator)
    weight = torch.randn(3, 50, 4, generator=generator)
    gradients = []
    for rows in (look_up(table, u), _product_look_up(table, u)):
        assert torch.equal(rows, table[:, u])
        gradients += torch.autograd.grad((rows * weight).sum(), table)
    torch.testing.assert_close(*gradients)
