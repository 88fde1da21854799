"""Cut fits into stacks that memory holds, and put together what the stacks leave behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_IN_CACHE = 2**19
"""Activations of one layer of a stack, on a CPU: with more than its caches hold, a step of wide
networks takes a third longer."""
_MOST_ON_CPU = 64
"""Members of a stack on a CPU; more are not faster."""

Progress = Callable[[float], None]
"""Told the share of the work that is done."""
R = TypeVar("R")


@dataclass(frozen=True)
class FitSize:
    """What one fit takes of a machine while it is trained.

    Attributes
    ----------
    numbers : int
        float32 numbers that are held for every volume of a training step.
    width : int
        Columns of the widest layer.
    batch_size : int
        Volumes of a training step.
    """

    numbers: int
    width: int
    batch_size: int

    def n_bytes(self, n_times: int) -> int:
        """Return the memory of one fit: the activations of all volumes, or of a training step."""
        return 4 * self.numbers * max(n_times, 2 * self.batch_size)

    def members_at_once(self, n_times: int, memory_gib: float, device: torch.device) -> int:
        """Return how many fits to so many volumes make a stack."""
        room = max(1, int(memory_gib * 2**30 / self.n_bytes(n_times)))
        if device.type != "cpu":
            return room
        in_cache = max(1, _IN_CACHE // (self.width * min(self.batch_size, n_times)))
        return min(room, in_cache, _MOST_ON_CPU)

    def stacks_at_once(self, n_times: int, memory_gib: float, device: torch.device) -> int:
        """Return how many stacks are trained at the same time: on a CPU one for each core.

        Together they stay within the memory given.
        """
        if device.type != "cpu":
            return 1
        stack = self.members_at_once(n_times, memory_gib, device) * self.n_bytes(n_times)
        return max(1, min(torch.get_num_threads(), int(memory_gib * 2**30 / stack)))


def in_stacks(
    count: int,
    at_once: int,
    fit: Callable[[slice, Progress | None], R],
    progress: Progress | None = None,
) -> list[R]:
    """Fit so many members, a stack after the other.

    Parameters
    ----------
    count : int
        All members.
    at_once : int
        Members of a stack.
    fit : callable
        Given which members a stack has, and whom to tell how far its training is.
    progress : callable, optional
        Told how far all of them are.

    Returns
    -------
    list
        What `fit` returned for every stack, in their order.
    """
    stacks = [slice(start, min(start + at_once, count)) for start in range(0, count, at_once)]
    return [
        fit(stack, part_of(progress, stack.start / count, stack.stop / count)) for stack in stacks
    ]


def part_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Return whom a part of the work tells its own share; the part lies between two shares."""
    return None if progress is None else lambda share: progress(start + (stop - start) * share)


@dataclass(frozen=True)
class Fit:
    """What training one stack left behind.

    Attributes
    ----------
    disturbances : Tensor, shape (members, n_times, n_components), float32, on the device
    objective : ndarray, shape (members,), float64
        ELBO (iVAE, nats per volume) or log-probability of the segment (TCL, nats per volume)
        on all volumes at the end; NaN where training diverged.
    slope : ndarray, shape (members,), float64
        Of the objective over the last tenth of training, per 100 steps.
    curve_steps : ndarray, shape (points,), int64
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches up to each of `curve_steps`.
    taken : ndarray, shape (members,), int64
        Steps that each member learned for, of the training that counts.
    retried : ndarray, shape (members,), bool
        Training diverged, and was done again from a fresh seed at half the rate.
    modulation : ndarray or None, shape (members, n_segments, n_components, 2), float64
        Log scale and mean of p(z|u) in every segment; None where a model has none.
    kl : ndarray or None, shape (members, n_components), float64
        KL(q(z_i|x,u) || p(z_i|u)), mean over volumes, nats; None where a model has none.
    """

    disturbances: Tensor
    objective: NDArray[np.float64]
    slope: NDArray[np.float64]
    curve_steps: NDArray[np.int64]
    curves: NDArray[np.float64]
    taken: NDArray[np.int64]
    retried: NDArray[np.bool_]
    modulation: NDArray[np.float64] | None = None
    kl: NDArray[np.float64] | None = None

    def of(self, members: NDArray[np.int64]) -> "Fit":
        """Return the fits of some members, in the order given."""
        places = torch.as_tensor(members, device=self.disturbances.device)
        return self._with(lambda name: getattr(self, name)[members], self.disturbances[places])

    def without_disturbances(self) -> "Fit":
        """Return only what has the size of tables: no volumes of the disturbances."""
        return replace(self, disturbances=no_volumes(self.disturbances))

    @classmethod
    def joined(cls, fits: Sequence["Fit"]) -> "Fit":
        """Return the fits of several stacks as one, the members of the first before the others."""
        return fits[0]._with(
            lambda name: np.concatenate([getattr(fit, name) for fit in fits]),
            torch.cat([fit.disturbances for fit in fits]),
        )

    def _with(self, changed: Callable[[str], Any], disturbances: Tensor) -> "Fit":
        """Return a fit with other members; the points of the training curve stay."""
        by_member = {field.name for field in fields(self)} - {"disturbances", "curve_steps"}
        there = {name for name in by_member if getattr(self, name) is not None}
        changes = {name: changed(name) for name in there}
        return replace(self, disturbances=disturbances, **changes)


def no_volumes(disturbances: Tensor) -> Tensor:
    """Return disturbances (..., n_times, n_components) of no volumes."""
    # A slice would keep all of them in memory.
    return disturbances.new_empty((*disturbances.shape[:-2], 0, disturbances.shape[-1]))
