"""Train a stack of models of any kind."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.settings import AutoencoderSettings, TCLSettings, TrainingSettings
from causal_ivae.unmixing.models.stacked import StackedModel
from causal_ivae.unmixing.training.adam import PackedAdam
from causal_ivae.unmixing.training.memory import give_memory_back
from causal_ivae.unmixing.training.schedule import Schedule
from causal_ivae.unmixing.training.stacks import Progress
from causal_ivae.unmixing.training.steps import Rows, Steps, by_member

CURVE_POINTS = 50
_WORSE = 0.1
"""A member that ends this far below its start (nats per row) counts as diverged."""

Watch = Callable[[int, StackedModel], None]


def train(
    model: StackedModel,
    columns: Tensor,
    settings: TrainingSettings,
    *,
    values: Tensor,
    u: Tensor,
    order_seed: int,
    kept: Tensor | None = None,
    anew: bool = True,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Train a stack with Adam and a cosine schedule.

    Parameters
    ----------
    columns, settings, values, u, order_seed, kept, progress, watch
        As in `causal_ivae.unmixing.training.ensemble.fit_stack`.
    anew : bool
        False to go on from the parameters that an earlier training reached.

    Returns
    -------
    curve_steps : ndarray, shape (points,), int64
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches since the step before, at each of `curve_steps`.
    final : ndarray, shape (members,), float64
        Objective on all rows at the end; NaN for a member whose training diverged.
    taken : ndarray, shape (members,), int64
        Number of steps that each member learned.
    """
    if anew:
        with torch.no_grad():
            model.start(by_member(values, columns), u)
    least = _evaluate(model, values, columns, u) - _WORSE
    if isinstance(settings, AutoencoderSettings) and not settings.weights.plain:
        # The loss is a weighted ELBO then, so that the ELBO itself may fall.
        least[np.isfinite(least)] = -np.inf
    decay = settings.weight_decay if isinstance(settings, TCLSettings) else 0.0
    points = np.linspace(0, settings.steps, CURVE_POINTS + 1).round().astype(np.int64)
    curve_steps = np.unique(points)[1:]
    curves = torch.zeros(len(columns), len(curve_steps), device=values.device)
    order = _order(len(values), settings, order_seed).to(values.device)
    rows = Rows(values, u, order, columns, kept)
    stack, place = model, torch.arange(len(columns), device=values.device)
    optimizer = PackedAdam(stack, decay, settings.squares)
    schedule = Schedule(settings, len(columns), values.device)
    steps = Steps(stack, optimizer, schedule, rows)
    taken = schedule.taken_by()
    step = 0
    for point, stop in enumerate(curve_steps.tolist()):
        if not len(place):
            break
        reached = steps.take(stop - step)
        going = ~schedule.done(step)
        curves[place[going], point:] = reached[going, None]
        step = stop
        schedule.note(step, curves[place, point])
        if stack is not model:
            model.put(place, stack)
        taken[place] = schedule.taken_by()
        left = schedule.worth_keeping(step)
        if left is not None:
            optimizer, stack = optimizer.taken(stack, left)
            schedule, place = schedule.taken(left), place[left]
            steps.end()
            steps = Steps(stack, optimizer, schedule, rows.of(place), start=step)
        if watch is not None:
            with torch.inference_mode():
                watch(step, model)
        if progress is not None:
            progress(step / settings.steps if len(place) else 1.0)
    steps.end()
    final = _evaluate(model, values, columns, u)
    final[~(np.isfinite(final) & (final >= least))] = np.nan
    give_memory_back()
    return curve_steps, curves.double().cpu().numpy(), final, taken.long().cpu().numpy()


def _order(n_times: int, settings: TrainingSettings, seed: int) -> Tensor:
    """Return the rows of every step, shape (steps, batch); each epoch has a new random order."""
    batch = min(settings.batch_size, n_times)
    shuffle = torch.Generator().manual_seed(seed)
    epochs = math.ceil(settings.steps * batch / n_times)
    order = torch.cat([torch.randperm(n_times, generator=shuffle) for _ in range(epochs)])
    return order[: settings.steps * batch].view(settings.steps, batch)


def _evaluate(
    model: StackedModel, values: Tensor, columns: Tensor, u: Tensor
) -> NDArray[np.float64]:
    with torch.inference_mode():
        value = model.evaluate(by_member(values, columns), u)
    return value.double().cpu().numpy()
