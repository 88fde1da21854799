"""Steps whose number the device holds, which is how a GPU takes them."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from causal_ivae.settings import (
    ElboWeights,
    EquationSettings,
    FlowSettings,
    IVAESettings,
    StructuralSettings,
    TCLSettings,
    VAESettings,
)
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.invertible_ivae import StackedInvertibleIVAE
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.models.structural_flow import StackedStructuralFlow
from causal_ivae.unmixing.training.adam import PackedAdam
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.unmixing.training.schedule import Schedule
from causal_ivae.unmixing.training.steps import Rows, Steps, _Graph

SEGMENTS, STEPS = 6, 12
SIZE = {"steps": STEPS, "batch_size": 64}
MODELS = {
    "iVAE": IVAESettings(modulates="mean_variance", **SIZE),
    "patient iVAE": IVAESettings(patience=0.1, **SIZE),
    "diagonal iVAE": IVAESettings(
        posterior="diagonal", hidden=8, modulates="mean_variance", learning_rate=0.01, **SIZE
    ),
    "beta-TC-VAE": VAESettings(hidden=8, weights=ElboWeights(total_correlation=4.0), **SIZE),
    "xtanh": IVAESettings(
        posterior="diagonal",
        hidden=8,
        activation="xtanh",
        prior="gaussian",
        learning_rate=0.01,
        **SIZE,
    ),
    "TCL": TCLSettings(hidden=8, **SIZE),
    "flow": FlowSettings(layers=3, **SIZE),
    "coupled flow": FlowSettings(layers=3, hidden=4, **SIZE),
    "structural": StructuralSettings(**SIZE),
    "linear": StructuralSettings(**SIZE),
    "equations": EquationSettings(**SIZE),
}
every_model = pytest.mark.parametrize("name", MODELS)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


def builder(name: str, device: torch.device) -> Callable[[list[int]], StackedModel]:
    settings, auxiliary = MODELS[name], Auxiliary(segments=SEGMENTS)
    if isinstance(settings, StructuralSettings):
        return lambda seeds: StackedStructuralFlow(
            member_keys(seeds, device), auxiliary, settings, linear=name == "linear"
        )
    return partial(make_model, n_features=2, auxiliary=auxiliary, settings=settings, device=device)


def rows(name: str, device: torch.device) -> Rows:
    pairs = [simulate_pair("x->y", n_segments=SEGMENTS, n_per_segment=40, seed=k) for k in (1, 2)]
    values = np.hstack([(p.values - p.values.mean(0)) / p.values.std(0) for p in pairs])
    order = torch.stack(
        [
            torch.randperm(len(values), generator=torch.Generator().manual_seed(s))
            for s in range(STEPS)
        ]
    )
    kept = torch.ones(3, SEGMENTS)
    kept[1, ::2] = 0.0
    return Rows(
        torch.as_tensor(values, dtype=torch.float32).to(device),
        torch.as_tensor(pairs[0].segments).to(device),
        order[:, :64].to(device),
        torch.tensor([[0, 1], [2, 3], [1, 0]]).to(device),
        kept.to(device) if isinstance(MODELS[name], StructuralSettings) else None,
    )


def made(name: str, device: torch.device) -> tuple[StackedModel, Steps]:
    model, data = builder(name, device)([1, 2, 3]), rows(name, device)
    with torch.no_grad():
        model.start(data.values[:, data.columns].transpose(0, 1), data.u)
    schedule = Schedule(MODELS[name], 3, device)
    return model, Steps(model, PackedAdam(model), schedule, data)


def state(model: StackedModel) -> torch.Tensor:
    return torch.cat([p.detach().flatten().cpu() for p in model.parameters()])


@every_model
def test_a_step_that_the_device_numbers_is_that_step(name):
    device = torch.device("cpu")
    (one, steps), (other, numbered) = (made(name, device) for _ in range(2))
    before = state(one)
    steps.take(5)
    reached = steps.take(STEPS - 5)
    for step in range(STEPS):
        if step == 5:
            numbered._reached.zero_()
        numbered.take_numbered()
    assert not torch.equal(before, state(one))
    # An invertible decoder divides its misfit, and so its rounding, by a small noise.
    atol = 2e-4 if isinstance(one, StackedInvertibleIVAE) else 1e-5
    torch.testing.assert_close(state(other), state(one), rtol=1e-4, atol=atol)
    torch.testing.assert_close(numbered._reached / (STEPS - 5), reached, rtol=1e-4, atol=atol)


@on_gpu
@every_model
def test_a_graph_on_a_gpu_takes_the_steps_of_a_cpu(name):
    (one, steps), (other, graph) = (made(name, torch.device(d)) for d in ("cpu", "cuda"))
    reached = [(s.take(2).cpu(), s.take(STEPS - 2).cpu()) for s in (steps, graph)]
    assert graph._graph is not None
    assert graph._graph._captured is not None
    for ours, theirs in zip(*reached, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-3)
    torch.testing.assert_close(state(other), state(one), rtol=1e-2, atol=1e-2)


@on_gpu
@every_model
def test_training_on_a_gpu_twice_is_the_same_to_the_last_bit(name):
    device = torch.device("cuda")
    data = rows(name, device)
    fits = [
        fit_stack(
            builder(name, device),
            [1, 2, 3],
            data.values,
            data.columns,
            data.u,
            MODELS[name].model_copy(update={"steps": 150}),
            order_seed=3,
            kept=data.kept,
        )[1]
        for _ in range(2)
    ]
    assert torch.equal(fits[0].disturbances, fits[1].disturbances)
    np.testing.assert_array_equal(fits[0].curves, fits[1].curves)
    np.testing.assert_array_equal(fits[0].taken, fits[1].taken)


@on_gpu
@pytest.mark.parametrize("name", ["iVAE", "structural"])
def test_a_member_hardly_depends_on_its_stack_on_a_gpu(name):
    device = torch.device("cuda")
    data = rows(name, device)

    def fit(members: list[int]) -> torch.Tensor:
        _, fitted = fit_stack(
            builder(name, device),
            [[1, 2, 3][i] for i in members],
            data.values,
            data.columns[members],
            data.u,
            MODELS[name],
            order_seed=3,
            kept=None if data.kept is None else data.kept[members],
        )
        return fitted.disturbances

    torch.testing.assert_close(fit([0, 1, 2])[1:2], fit([1]), rtol=1e-3, atol=1e-3)


@on_gpu
def test_the_memory_of_a_graph_on_a_gpu_is_given_back():
    device = torch.device("cuda")
    held = []
    for _ in range(4):
        _, steps = made("structural", device)
        steps.take(STEPS)
        steps.end()
        del steps
        held.append(torch.cuda.memory_reserved(device))
    assert held[-1] <= held[0]


@on_gpu
def test_what_goes_wrong_while_a_gpu_captures_is_raised_itself():
    def work() -> None:
        if torch.cuda.is_current_stream_capturing():
            raise ValueError("the model's own error")

    with pytest.raises(ValueError, match="own error"):
        _Graph(work, torch.device("cuda")).launch(10)
