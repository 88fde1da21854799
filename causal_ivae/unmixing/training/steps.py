"""Take the steps of training, which are each one graph of kernels on a GPU."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from causal_ivae.unmixing.models.draws import standard_normals
from causal_ivae.unmixing.models.stacked import Minibatch, StackedModel
from causal_ivae.unmixing.training.adam import PackedAdam
from causal_ivae.unmixing.training.schedule import Schedule

_AHEAD = 2**20
"""On a CPU, minibatches and draws are prepared in parts of this many numbers."""
_WARMING = 3
"""A graph is captured after this many ordinary steps, in which libraries initialise themselves."""


@dataclass(frozen=True)
class Rows:
    """Hold the data that the members of a stack are trained on, and the order of the rows.

    Attributes
    ----------
    values : Tensor, shape (n_times, n_columns), float32
    u : Tensor, shape (n_times,) int64 or (n_times, n_auxiliary) float32
    order : Tensor, shape (steps, batch), int64
        Row numbers of every step.
    columns : Tensor, shape (members, n_features), int64
        Columns that each member is trained on.
    kept : Tensor or None, shape (members, n_segments), float32
        1 for the segments that a member is trained on; None if all members use all segments.
    """

    values: Tensor
    u: Tensor
    order: Tensor
    columns: Tensor
    kept: Tensor | None = None

    def of(self, members: Tensor) -> "Rows":
        """Return the data of some members."""
        kept = None if self.kept is None else self.kept[members]
        return replace(self, columns=self.columns[members], kept=kept)

    def minibatches(self, model: StackedModel, steps: Tensor) -> list[Minibatch]:
        """Return the minibatches of some steps, whose rows and random numbers are made at once.

        Parameters
        ----------
        model : StackedModel
            The model whose random numbers they hold.
        steps : Tensor, shape (steps,), int64
            Step numbers on the device, so that the host need not wait for it.
        """
        all_steps, batch = self.order.shape
        rows = self.order.index_select(0, steps)
        x = self.values[rows.flatten()[:, None, None], self.columns].transpose(0, 1)
        x = x.contiguous().view(len(self.columns), *rows.shape, -1)
        shape = model.noise_shape(batch)
        noise = standard_normals(model.keys, steps, shape) if shape else None
        segments = self.u[rows]
        shares = (steps + 1) / all_steps
        return [
            Minibatch(
                x=x[:, i],
                u=segments[i],
                share=share,
                n_times=len(self.values),
                noise=None if noise is None else noise[i],
                weight=None if self.kept is None else self.kept[:, segments[i]],
            )
            for i, share in enumerate(shares)
        ]


def by_member(values: Tensor, columns: Tensor) -> Tensor:
    """Return the columns of every member, shape (members, n_times, n_features).

    Parameters
    ----------
    values : Tensor, shape (n_times, n_columns)
    columns : Tensor, shape (members, n_features), int64
    """
    # Sums over the volumes of a transposed view would round differently in stacks of other sizes.
    return values[:, columns].transpose(0, 1).contiguous()


class Steps:
    """Take the steps of a stack's training one after the other.

    Parameters
    ----------
    optimizer : PackedAdam
        The optimiser of that model.
    schedule : Schedule
        The schedule of its members.
    start : int
        Number of the first step.

    Notes
    -----
    A step of small networks consists of some hundred kernels of microseconds each, and launching
    one from Python takes longer than running it.  On a GPU a whole step (minibatch, random numbers,
    gradients, Adam) is therefore captured as a CUDA graph, which reads the step number and the
    learning rate on the device and is replayed without the host.
    """

    def __init__(
        self,
        model: StackedModel,
        optimizer: PackedAdam,
        schedule: Schedule,
        rows: Rows,
        start: int = 0,
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._schedule, self._rows = schedule, rows
        device = rows.values.device
        self._reached = torch.zeros(len(rows.columns), device=device)
        self._next = start
        self._number = torch.full((1,), start, device=device)
        self._rates = torch.as_tensor(schedule.rates, dtype=torch.float32, device=device)
        self._graph = _Graph(self.take_numbered, device) if device.type == "cuda" else None

    def take(self, count: int) -> Tensor:
        """Take a number of steps and return their mean objective on minibatches, (members,)."""
        self._reached.zero_()
        steps = range(self._next, self._next + count)
        self._next = steps.stop
        if self._graph is not None:
            self._graph.launch(count)
        else:
            for step, minibatch in zip(steps, self._minibatches(steps), strict=True):
                self._take(minibatch, float(self._schedule.rates[step]), self._schedule.share(step))
        return self._reached / count

    def take_numbered(self) -> None:
        """Take the step whose number is on the device, without waiting for the device."""
        (minibatch,) = self._rows.minibatches(self._model, self._number)
        rate = self._rates.index_select(0, self._number)[0]
        self._take(minibatch, rate, self._schedule.share(self._number))
        self._number += 1

    def end(self) -> None:
        """Free the memory of the captured graph."""
        if self._graph is not None:
            self._graph = None
            torch.cuda.empty_cache()

    def _take(self, minibatch: Minibatch, rate: float | Tensor, share: Tensor | None) -> None:
        objective, loss = self._model.objective(minibatch)
        self._optimizer.step(loss, rate, share)
        self._reached += objective.detach()

    def _minibatches(self, steps: range) -> Iterator[Minibatch]:
        columns, batch = self._rows.columns, self._rows.order.shape[1]
        drawn = math.prod(self._model.noise_shape(batch) or (0,))
        ahead = max(1, _AHEAD // (batch * columns.numel() + len(columns) * drawn))
        for start in range(steps.start, steps.stop, ahead):
            some = torch.arange(start, min(start + ahead, steps.stop))
            yield from self._rows.minibatches(self._model, some)


class _Graph:
    """Repeat work on a GPU, which is captured after some repetitions and then replayed."""

    def __init__(self, work: Callable[[], None], device: torch.device) -> None:
        self._work, self._device = work, device
        self._done = 0
        self._captured: torch.cuda.CUDAGraph | None = None
        # One stream for all launches, since every stream has workspaces of its own.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def launch(self, count: int) -> None:
        """Do the work a number of times and wait until it is done."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(count):
                    self._once()
            self._stream.synchronize()

    def _once(self) -> None:
        if self._captured is None and self._done >= _WARMING:
            self._captured = self._capture()
        if self._captured is None:
            self._work()
        else:
            self._captured.replay()
        self._done += 1

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Capture the work; what goes wrong in it is raised, and not what ends the capture."""
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Calls of other threads, such as of another worker's program, do not spoil the capture.
        graph.capture_begin(capture_error_mode="thread_local")
        try:
            self._work()
        except BaseException:
            with suppress(RuntimeError):
                graph.capture_end()
            raise
        graph.capture_end()
        return graph
