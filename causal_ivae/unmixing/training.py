"""The training loop of every stack: one Adam over all members, in one array."""

import copy
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
_FALL = 0.2
"""Share of the steps over which a member's rate falls once it gains nothing."""
_GAIN = 0.005
"""Nats per row that count as a gain."""
_WORTH_LEAVING = 0.25
"""Share of a stack that must be done before it is made smaller."""
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
        self._sizes = [math.prod(p.shape[1:]) for p in learned]
        at = 0
        for parameter in learned:
            place = slice(at, at + parameter.numel())
            view = self._values[place].view(parameter.shape)
            view.copy_(parameter.data)
            parameter.data = view
            parameter.grad = self._gradients[place].view(parameter.shape)
            at = place.stop

    def taken(self, model: StackedModel, which: Tensor) -> tuple["PackedAdam", StackedModel]:
        """Return the optimiser and the stack of some members, to go on as if alone.

        Parameters
        ----------
        model : StackedModel
            The stack that this optimiser is of.
        which : Tensor, shape (members,), int64
        """
        stack = model.taken(which)
        other = PackedAdam(stack, self._weight_decay)
        other._steps = self._steps
        for mine, theirs in zip(self._moments, other._moments, strict=True):
            at = to = 0
            for parameter in (p for p in model.parameters() if p.requires_grad):
                size = math.prod(parameter.shape[1:])
                members = mine[at : at + parameter.numel()].view(-1, size)[which]
                theirs[to : to + members.numel()] = members.flatten()
                at, to = at + parameter.numel(), to + members.numel()
        return other, stack

    def step(self, loss: Tensor, rate: float, share: Tensor | None = None) -> None:
        """Lower the losses of all members, shape (members,), by one step.

        Parameters
        ----------
        loss : Tensor, shape (members,)
        rate : float
            Learning rate.
        share : Tensor, optional, shape (members,)
            Of that rate, for every member.
        """
        before = None if share is None else self._values.clone()
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
        if before is not None and share is not None:
            weight = torch.ones_like(before)
            at = 0
            for size in self._sizes:
                to = at + size * len(share)
                weight[at:to].view(len(share), size).copy_(share[:, None].expand(-1, size))
                at = to
            torch.lerp(before, self._values, weight, out=self._values)


class Schedule:
    """Learning rates, and when a member is done.

    Without patience all members follow a cosine from the learning rate to a hundredth of it.  With
    it each keeps the rate until its objective has gained nothing for so long, then follows the
    cosine for a fifth of the steps and is done; it does so in time for the last step in any case.

    Parameters
    ----------
    settings : settings of a model
    members : int
    device : torch.device
    """

    def __init__(self, settings: ModelSettings, members: int, device: torch.device) -> None:
        self._settings = settings
        self._fall = max(1, round(_FALL * settings.steps))
        self._best = torch.full((members,), -torch.inf, device=device)
        self._gained = torch.zeros(members, device=device)
        self._falls_from = torch.full((members,), float(settings.steps - self._fall), device=device)

    def rate(self, step: int) -> tuple[float, Tensor | None]:
        """Return the learning rate of a step, and each member's share of it if they differ."""
        settings = self._settings
        if not settings.patience:
            return settings.learning_rate * _cosine(step / settings.steps), None
        share = ((step - self._falls_from) / self._fall).clamp_min(0.0)
        cosine = 0.5 * (1.0 + torch.cos(math.pi * share))
        falling = _LEAST_RATE + (1.0 - _LEAST_RATE) * cosine
        return settings.learning_rate, torch.where(share < 1.0, falling, 0.0)

    def note(self, step: int, objective: Tensor) -> None:
        """Take note of what the members have reached after so many steps."""
        settings = self._settings
        gained = objective > self._best + _GAIN
        self._best = torch.where(gained, objective, self._best)
        self._gained = torch.where(gained, float(step), self._gained)
        waited = step - self._gained >= settings.patience * settings.steps
        start = torch.where(waited, float(step), torch.inf)
        self._falls_from = torch.minimum(self._falls_from, start)

    def done(self, step: int) -> Tensor:
        """Return who learns nothing any more, shape (members,)."""
        return step >= self.taken_by()

    def taken_by(self) -> Tensor:
        """Return the steps after which each member is done, as far as is known, (members,)."""
        if not self._settings.patience:
            return torch.full_like(self._gained, self._settings.steps)
        return self._falls_from + self._fall

    def worth_keeping(self, step: int) -> Tensor | None:
        """Return who is left, shape (members,), int64; None where too few are done."""
        if not self._settings.patience:
            return None
        done = self.done(step)
        enough = bool(done.sum() >= _WORTH_LEAVING * len(done))
        return (~done).nonzero().squeeze(1) if enough else None

    def taken(self, which: Tensor) -> "Schedule":
        """Return the schedule of some members."""
        taken = copy.copy(self)
        taken._best, taken._gained = self._best[which], self._gained[which]
        taken._falls_from = self._falls_from[which]
        return taken


def _cosine(share: float) -> float:
    return _LEAST_RATE + (1.0 - _LEAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * share))


def train(
    model: StackedModel,
    columns: Tensor,
    settings: ModelSettings,
    *,
    values: Tensor,
    u: Tensor,
    order_seed: int,
    kept: Tensor | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Train a stack with Adam and a cosine schedule.

    Parameters
    ----------
    model : StackedModel
    columns, settings, values, u, order_seed, kept, progress, watch
        As in `causal_ivae.unmixing.ensemble.fit_stack`.

    Returns
    -------
    curve_steps : ndarray, shape (points,), int64
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches up to each of `curve_steps`.
    final : ndarray, shape (members,), float64
        Objective on all rows at the end; NaN for a member whose training diverged.
    taken : ndarray, shape (members,), int64
        Steps that each member learned for.
    """
    with torch.no_grad():
        model.start(values[:, columns].transpose(0, 1), u)
    least = _evaluate(model, values, columns, u) - _WORSE
    if isinstance(settings, AutoencoderSettings) and not settings.weights.plain:
        # What is lowered is not the ELBO, which may well fall.
        least[np.isfinite(least)] = -np.inf
    decay = settings.weight_decay if isinstance(settings, TCLSettings) else 0.0
    points = np.linspace(0, settings.steps, CURVE_POINTS + 1).round().astype(np.int64)
    curve_steps = np.unique(points)[1:]
    curves = torch.zeros(len(columns), len(curve_steps), device=values.device)
    order = _order(len(values), settings, order_seed).to(values.device)
    stack, place = model, torch.arange(len(columns), device=values.device)
    optimizer, schedule = PackedAdam(stack, decay), Schedule(settings, len(columns), values.device)
    taken = schedule.taken_by()
    step = 0
    for point, stop in enumerate(curve_steps.tolist()):
        if not len(place):
            break
        running = torch.zeros(len(place), device=values.device)
        counted = None if kept is None else kept[place]
        steps = range(step, stop)
        for minibatch in _minibatches(stack, values, columns[place], u, order, steps, counted):
            objective, loss = stack.objective(minibatch)
            optimizer.step(loss, *schedule.rate(minibatch.step))
            running += objective.detach()
        going = ~schedule.done(step)
        curves[place[going], point:] = (running / (stop - step))[going, None]
        step = stop
        schedule.note(step, curves[place, point])
        if stack is not model:
            model.put(place, stack)
        taken[place] = schedule.taken_by()
        left = schedule.worth_keeping(step)
        if left is not None:
            optimizer, stack = optimizer.taken(stack, left)
            schedule, place = schedule.taken(left), place[left]
        if watch is not None:
            with torch.inference_mode():
                watch(step, model)
        if progress is not None:
            progress(step / settings.steps if len(place) else 1.0)
    final = _evaluate(model, values, columns, u)
    final[~(np.isfinite(final) & (final >= least))] = np.nan
    return curve_steps, curves.double().cpu().numpy(), final, taken.long().cpu().numpy()


def _order(n_times: int, settings: ModelSettings, seed: int) -> Tensor:
    """Return the rows of every step, shape (steps, batch): epoch by epoch, each in a new order."""
    batch = min(settings.batch_size, n_times)
    shuffle = torch.Generator().manual_seed(seed)
    epochs = math.ceil(settings.steps * batch / n_times)
    order = torch.cat([torch.randperm(n_times, generator=shuffle) for _ in range(epochs)])
    return order[: settings.steps * batch].view(settings.steps, batch)


def _minibatches(
    model: StackedModel,
    values: Tensor,
    columns: Tensor,
    u: Tensor,
    order: Tensor,
    steps: range,
    kept: Tensor | None,
) -> Iterator[Minibatch]:
    """Yield the minibatches of some steps; rows and random numbers of many are made at once."""
    n_times = len(values)
    all_steps, batch = order.shape
    noise_shape = model.noise_shape(batch)
    numbers = batch * columns.numel() + len(columns) * math.prod(noise_shape or (0,))
    ahead = max(1, _AHEAD // numbers)
    for start in range(steps.start, steps.stop, ahead):
        some = range(start, min(start + ahead, steps.stop))
        rows = order[start : some.stop]
        x = values[rows.flatten()[:, None, None], columns].transpose(0, 1)
        x = x.contiguous().view(len(columns), *rows.shape, -1)
        noise = standard_normals(model.keys, some, noise_shape) if noise_shape else None
        segments = u[rows]
        for i, step in enumerate(some):
            yield Minibatch(
                x=x[:, i],
                u=segments[i],
                step=step,
                share=(step + 1) / all_steps,
                n_times=n_times,
                noise=None if noise is None else noise[i],
                weight=None if kept is None else kept[:, segments[i]],
            )


def _evaluate(
    model: StackedModel, values: Tensor, columns: Tensor, u: Tensor
) -> NDArray[np.float64]:
    with torch.inference_mode():
        value = model.evaluate(values[:, columns].transpose(0, 1), u)
    return value.double().cpu().numpy()
