"""Laws of every stacked model: shapes, gradients, independence of members, saving."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from causal_ivae.settings import (
    ElboWeights,
    EquationSettings,
    FlowSettings,
    GeneralIVAESettings,
    IVAESettings,
    StructuralSettings,
    TCLSettings,
    TrainingSettings,
    VAESettings,
)
from causal_ivae.unmixing.models.draws import standard_normal
from causal_ivae.unmixing.models.networks import _product_look_up, look_up
from causal_ivae.unmixing.models.stacked import Auxiliary, Minibatch, StackedModel
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.unmixing.training.stacks import Fit

CPU = torch.device("cpu")
ROWS, SEGMENTS = 117, 5  # odd, so that a row of numbers fills no register
BY_SEGMENT = Auxiliary(segments=SEGMENTS)
SEEDS = [4, 2**40 + 5, 6]


@dataclass(frozen=True)
class Kind:
    """One way to set up a stacked model."""

    settings: TrainingSettings
    auxiliary: Auxiliary = BY_SEGMENT
    n_features: int = 2
    n_components: int = 2

    def build(self, seeds: list[int] = SEEDS) -> StackedModel:
        return self.builder()(seeds)

    def builder(self) -> Callable[[list[int]], StackedModel]:
        return partial(
            make_model,
            n_features=self.n_features,
            n_components=self.n_components,
            auxiliary=self.auxiliary,
            settings=self.settings,
            device=CPU,
        )

    def rows(self) -> tuple[Tensor, Tensor]:
        """Return values (rows, n_features) and u."""
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(ROWS, self.n_features, generator=generator)
        if getattr(self.settings, "likelihood", "gaussian") == "bernoulli":
            x = (x > 0).float()
        if self.auxiliary.features:
            return x, torch.randn(ROWS, self.auxiliary.features, generator=generator)
        return x, torch.arange(ROWS) % SEGMENTS

    def started(self, seeds: list[int] = SEEDS) -> tuple[StackedModel, Tensor, Tensor]:
        """Return a stack before its first step, and the rows as its members see them."""
        model = self.build(seeds)
        x, u = self.rows()
        x = x.expand(len(seeds), *x.shape)
        with torch.no_grad():
            model.start(x, u)
        return model, x, u

    def fit(self, seeds: list[int], steps: int) -> tuple[StackedModel, Fit]:
        values, u = self.rows()
        columns = torch.arange(self.n_features).repeat(len(seeds), 1)
        settings = self.settings.model_copy(update={"steps": steps, "batch_size": 61})
        return fit_stack(self.builder(), seeds, values, columns, u, settings, order_seed=3)


CONTINUOUS = Auxiliary(features=2)
WEIGHTS = ElboWeights(
    reconstruction=2.0, mutual_information=0.5, total_correlation=3.0, dimension_wise_kl=1.5
)
DIAGONAL = {"posterior": "diagonal"}
STRUCTURAL = StructuralSettings(layers=2, knots=4, hidden=8)
FLOW = FlowSettings(layers=3, knots=4, hidden=8)
KINDS = {
    "iVAE Gaussian": Kind(IVAESettings(prior="gaussian")),
    "iVAE Laplace": Kind(IVAESettings(prior="laplace")),
    "iVAE mean": Kind(IVAESettings(prior="gaussian", modulates="mean_variance")),
    "iVAE Laplace mean": Kind(IVAESettings(prior="laplace", modulates="mean_variance")),
    "iVAE continuous": Kind(IVAESettings(), CONTINUOUS),
    "iVAE continuous mean": Kind(IVAESettings(modulates="mean_variance"), CONTINUOUS),
    "iVAE fewer": Kind(IVAESettings(), n_features=4),
    "iVAE Bernoulli": Kind(GeneralIVAESettings(likelihood="bernoulli"), n_features=5),
    "iVAE perceptrons": Kind(IVAESettings(decoder="mlp"), n_features=4, n_components=3),
    "diagonal iVAE Gaussian": Kind(IVAESettings(prior="gaussian", **DIAGONAL)),
    "diagonal iVAE Laplace": Kind(IVAESettings(prior="laplace", **DIAGONAL)),
    "diagonal iVAE mean": Kind(IVAESettings(modulates="mean_variance", **DIAGONAL)),
    "diagonal iVAE weighted": Kind(IVAESettings(weights=WEIGHTS, **DIAGONAL)),
    "diagonal iVAE xtanh, noise given": Kind(
        IVAESettings(activation="xtanh", noise=0.2, warmup=0.0, **DIAGONAL)
    ),
    "diagonal iVAE continuous": Kind(IVAESettings(**DIAGONAL), CONTINUOUS),
    "diagonal iVAE fewer": Kind(IVAESettings(**DIAGONAL), n_features=4),
    "VAE": Kind(VAESettings()),
    "VAE weighted": Kind(VAESettings(weights=WEIGHTS, likelihood="bernoulli"), n_features=5),
    "flow": Kind(FLOW),
    "flow without couplings": Kind(FLOW.model_copy(update={"hidden": 0, "prior": "gaussian"})),
    "flow mean": Kind(FLOW.model_copy(update={"modulates": "mean_variance"}), n_features=2),
    "flow fewer": Kind(FLOW, n_features=4),
    "flow continuous": Kind(FLOW, CONTINUOUS),
    "equations": Kind(EquationSettings(), n_features=3, n_components=1),
    "equations mean": Kind(
        EquationSettings(modulates="mean_variance", prior="gaussian"), n_components=1
    ),
    "structural flow": Kind(STRUCTURAL),
    "structural flow mean": Kind(
        STRUCTURAL.model_copy(update={"modulates": "mean_variance", "prior": "gaussian"})
    ),
    "TCL": Kind(TCLSettings()),
    "TCL score matching": Kind(TCLSettings(ica="score_matching", maxout=3, layers=2)),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def batch(model: StackedModel, x: Tensor, u: Tensor, share: float = 1.0) -> Minibatch:
    shape = model.noise_shape(x.shape[1])
    noise = None if shape is None else standard_normal(model.keys, 0, shape)
    return Minibatch(x, u, share=torch.tensor(share), n_times=ROWS, noise=noise)


@every_kind
def test_shapes(kind):
    model, x, u = kind.started()
    with torch.no_grad():
        objective, loss = model.objective(batch(model, x, u))
        value = model.evaluate(x, u)
        model.finish(x, u)
        z = model.disturbances(x, u)
    assert objective.shape == loss.shape == value.shape == (3,)
    assert value.isfinite().all()
    assert z.shape == (3, ROWS, model.n_components)
    assert model.n_components == kind.n_components
    assert z.isfinite().all()
    if hasattr(model, "sample"):
        with torch.no_grad():
            drawn = model.sample(u)
        assert drawn.shape == (3, ROWS, kind.n_features)
        assert drawn.isfinite().all()


@every_kind
def test_a_gradient_reaches_every_parameter(kind):
    model, x, u = kind.started()
    model.objective(batch(model, x, u))[1].sum().backward()
    learned = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    assert len(learned) >= 5
    for name, parameter in learned:
        assert len(parameter) == 3, name
        assert parameter.grad is not None, name
        assert (parameter.grad.flatten(1).abs().amax(1) > 0).all(), name


def test_only_the_noise_that_was_given_is_not_learned():
    fixed = [
        f"{kind}: {name}"
        for kind, made in KINDS.items()
        for name, parameter in made.build().named_parameters()
        if not parameter.requires_grad
    ]
    assert fixed == ["diagonal iVAE xtanh, noise given: log_noise"]


@every_kind
def test_the_loss_is_the_objective_lowered(kind):
    model, x, u = kind.started()
    with torch.no_grad():
        objective, loss = model.objective(batch(model, x, u))
    weights = getattr(kind.settings, "weights", ElboWeights())
    same = torch.allclose(loss, -objective, rtol=1e-5)
    assert same is weights.plain


def test_the_kl_term_is_annealed():
    model, x, u = KINDS["diagonal iVAE Gaussian"].started()
    kl = model.kl_per_component(x, u).sum(-1)
    elbo, loss = model.objective(batch(model, x, u, share=0.05))
    torch.testing.assert_close(loss, 0.05 / model.warmup * kl - (elbo + kl))
    unannealed = KINDS["diagonal iVAE xtanh, noise given"].started()[0]
    first, last = (unannealed.objective(batch(unannealed, x, u, share))[1] for share in (0.05, 1.0))
    assert torch.equal(first, last)


@every_kind
def test_rows_of_weight_zero_teach_nothing(kind):
    model, x, u = kind.started()
    counted = torch.ones(3, ROWS)
    counted[:, ::3] = 0.0
    spoilt = torch.where(counted[..., None] > 0, x, 1.0 - x)

    def learned(x, weight):
        told = replace(batch(model, x, u), weight=weight)
        objective, loss = model.objective(told)
        parameters = [p for p in model.parameters() if p.requires_grad]
        return objective, torch.cat(
            [g.flatten() for g in torch.autograd.grad(loss.sum(), parameters)]
        )

    (objective, gradient), (same, none) = learned(x, counted), learned(spoilt, counted)
    torch.testing.assert_close(objective, same)
    torch.testing.assert_close(gradient, none)
    assert not torch.allclose(learned(x, None)[1], learned(spoilt, None)[1], rtol=1e-3)
    torch.testing.assert_close(learned(x, torch.ones(3, ROWS)), learned(x, None))


@every_kind
def test_training_raises_the_objective(kind):
    model, x, u = kind.started(SEEDS[:1])
    with torch.no_grad():
        before = model.evaluate(x, u)
    _, fit = kind.fit(SEEDS[:1], 40)
    assert fit.objective[0] > before[0] + 0.01
    assert not fit.retried.any()
    assert fit.disturbances.isfinite().all()


@every_kind
def test_a_member_is_the_same_whatever_shares_its_stack(kind):
    # Sums over a stack of this size use whole registers for some members and not for others.
    model, together = kind.fit(SEEDS * 13, 8)
    lone, alone = kind.fit(SEEDS[1:2], 8)
    for name, value in lone.state_dict().items():
        assert torch.equal(value[0], model.state_dict()[name][1]), name
    assert torch.equal(together.disturbances[1:2], alone.disturbances)
    np.testing.assert_array_equal(together.objective[1:2], alone.objective)
    np.testing.assert_array_equal(together.curves[1:2], alone.curves)
    for name in ("kl", "modulation"):
        theirs, own = getattr(together, name), getattr(alone, name)
        assert (theirs is None) is (own is None)
        if own is not None:
            np.testing.assert_array_equal(theirs[1:2], own)
    assert not torch.equal(together.disturbances[0], together.disturbances[1])


@every_kind
def test_state_dict_round_trip(kind):
    model, x, u = kind.started()
    other = kind.build([91, 92, 93])
    with torch.no_grad():
        model.finish(x, u)
        z, value = model.disturbances(x, u), model.evaluate(x, u)
        assert not torch.equal(other.disturbances(x, u), z)
        other.load_state_dict(model.state_dict())
        other.keys.copy_(model.keys)
        assert torch.equal(other.disturbances(x, u), z)
        assert torch.equal(other.evaluate(x, u), value)


def test_what_a_fit_holds_beside_the_objective():
    for name, has_kl, has_modulation in (
        ("iVAE mean", True, True),
        ("iVAE continuous", True, False),
        ("VAE", True, False),
        ("flow", False, True),
        ("TCL", False, False),
    ):
        model, fit = KINDS[name].fit(SEEDS, 3)
        assert (fit.kl is not None) is has_kl, name
        assert (fit.modulation is not None) is has_modulation, name
        if has_kl:
            assert fit.kl.shape == (3, 2)
            assert (fit.kl > 0).all()
        if has_modulation:
            assert fit.modulation.shape == (3, SEGMENTS, 2, 2)
            means = fit.modulation[..., 1]
            expected = 0.0 if model.prior.mean is None else model.prior.mean.detach()
            np.testing.assert_array_equal(means, np.broadcast_to(expected, means.shape))


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
