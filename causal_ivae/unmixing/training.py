"""The training loop of every stack: one Adam over all members, in one array."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from causal_ivae.config import AutoencoderSettings, ModelSettings, TCLSettings
from causal_ivae.unmixing.draws import standard_normals
from causal_ivae.unmixing.model import Minibatch, StackedModel

CURVE_POINTS = 50
_WORSE = 0.1
"""Nats per row below its start at which a member counts as diverged."""
_LEAST_RATE = 0.01
"""Learning rate at the end, as a share of that at the start."""
_ALIGNED = 16
"""Numbers in a cache line, which any vector register divides."""
_AHEAD = 2**20
"""Numbers of minibatches and draws that are made ahead at a time."""

Progress = Callable[[float], None]
Watch = Callable[[int, StackedModel], None]


class PackedAdam:
    """Adam over all that a stack learns, in one array.

    The model's parameters and their gradients become views of two arrays, so that a step is one
    kernel over all of them.

    Parameters
    ----------
    model : StackedModel
    weight_decay : float
        L2 penalty.

    Notes
    -----
    Kingma and Ba 2015, "Adam", algorithm 1, by torch's fused kernel.  The arrays are padded to
    whole vector registers: otherwise their last few numbers take another path through the kernel,
    and a member's rounding would depend on the size of its stack.
    """

    def __init__(self, model: StackedModel, weight_decay: float = 0.0) -> None:
        learned = [p for p in model.parameters() if p.requires_grad]
        length = math.ceil(sum(p.numel() for p in learned) / _ALIGNED) * _ALIGNED
        device = model.keys.device
        self._weight_decay = weight_decay
        self._values = torch.zeros(length, device=device)
        self._gradients = torch.zeros_like(self._values)
        self._moments = torch.zeros_like(self._values), torch.zeros_like(self._values)
        self._steps = torch.zeros((), device=device)
        at = 0
        for parameter in learned:
            place = slice(at, at + parameter.numel())
            view = self._values[place].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            parameter.grad = self._gradients[place].view(parameter.shape)
            at = place.stop

    def step(self, loss: Tensor, rate: float) -> None:
        """Lower the losses of all members, shape (members,), by one step."""
        self._gradients.zero_()
        torch.autograd.backward(loss.sum())
        adam(
            [self._values],
            [self._gradients],
            [self._moments[0]],
            [self._moments[1]],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=self._weight_decay,
            eps=1e-8,
            maximize=False,
        )


def train(
    model: StackedModel,
    columns: Tensor,
    settings: ModelSettings,
    *,
    values: Tensor,
    u: Tensor,
    order_seed: int,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Train a stack with Adam and a cosine schedule.

    Parameters
    ----------
    model : StackedModel
    columns, settings, values, u, order_seed, progress, watch
        As in `causal_ivae.unmixing.ensemble.fit_stack`.

    Returns
    -------
    curve_steps : ndarray, shape (points,), int64
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches up to each of `curve_steps`.
    final : ndarray, shape (members,), float64
        Objective on all rows at the end; NaN for a member whose training diverged.
    """
    with torch.no_grad():
        model.start(values[:, columns].transpose(0, 1), u)
    least = _evaluate(model, values, columns, u) - _WORSE
    if isinstance(settings, AutoencoderSettings) and not settings.weights.plain:
        # What is lowered is not the ELBO, which may well fall.
        least[np.isfinite(least)] = -np.inf
    decay = settings.weight_decay if isinstance(settings, TCLSettings) else 0.0
    optimizer = PackedAdam(model, decay)
    points = np.linspace(0, settings.steps, CURVE_POINTS + 1).round().astype(np.int64)
    curve_steps = np.unique(points)[1:]
    curves = torch.zeros(len(columns), len(curve_steps), device=values.device)
    running = torch.zeros(len(columns), device=values.device)
    counted, point = 0, 0
    for minibatch in _minibatches(model, values, columns, u, settings, order_seed):
        objective, loss = model.objective(minibatch)
        optimizer.step(loss, _rate(settings, minibatch.step))
        running += objective.detach()
        counted += 1
        done = minibatch.step + 1
        if done == curve_steps[point]:
            curves[:, point] = running / counted
            running.zero_()
            counted, point = 0, point + 1
            if watch is not None:
                with torch.inference_mode():
                    watch(done, model)
            if progress is not None:
                progress(done / settings.steps)
    final = _evaluate(model, values, columns, u)
    final[~(np.isfinite(final) & (final >= least))] = np.nan
    return curve_steps, curves.double().cpu().numpy(), final


def _rate(settings: ModelSettings, step: int) -> float:
    """Cosine schedule from the learning rate to a hundredth of it."""
    share = 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
    return settings.learning_rate * (_LEAST_RATE + (1.0 - _LEAST_RATE) * share)


def _minibatches(
    model: StackedModel,
    values: Tensor,
    columns: Tensor,
    u: Tensor,
    settings: ModelSettings,
    order_seed: int,
) -> Iterator[Minibatch]:
    """Yield the minibatch of every step; rows and random numbers of many steps are made at once.

    Rows are drawn without replacement until all are used, epoch by epoch.
    """
    n_times = len(values)
    batch = min(settings.batch_size, n_times)
    shuffle = torch.Generator().manual_seed(order_seed)
    epochs = math.ceil(settings.steps * batch / n_times)
    order = torch.cat([torch.randperm(n_times, generator=shuffle) for _ in range(epochs)])
    order = order[: settings.steps * batch].view(settings.steps, batch).to(values.device)
    noise_shape = model.noise_shape(batch)
    numbers = batch * columns.numel() + len(columns) * math.prod(noise_shape or (0,))
    ahead = max(1, _AHEAD // numbers)
    for first in range(0, settings.steps, ahead):
        steps = range(first, min(first + ahead, settings.steps))
        rows = order[first : steps.stop]
        x = values[rows.flatten()[:, None, None], columns].transpose(0, 1)
        x = x.contiguous().view(len(columns), *rows.shape, -1)
        noise = standard_normals(model.keys, steps, noise_shape) if noise_shape else None
        segments = u[rows]
        for i, step in enumerate(steps):
            yield Minibatch(
                x=x[:, i],
                u=segments[i],
                step=step,
                share=(step + 1) / settings.steps,
                n_times=n_times,
                noise=None if noise is None else noise[i],
            )


def _evaluate(
    model: StackedModel, values: Tensor, columns: Tensor, u: Tensor
) -> NDArray[np.float64]:
    with torch.inference_mode():
        value = model.evaluate(values[:, columns].transpose(0, 1), u)
    return value.double().cpu().numpy()
