"""Divide fits into stacks that fit into memory, and join the results of the stacks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Progress = Callable[[float], None]
"""A function of this type is called with the share of the work that is done."""
R = TypeVar("R")


def in_stacks(
    count: int,
    at_once: int,
    fit: Callable[[slice, Progress | None], R],
    progress: Progress | None = None,
) -> list[R]:
    """Fit a number of members, one stack after the other.

    Parameters
    ----------
    count : int
        Number of all members.
    at_once : int
        Number of members in a stack.
    fit : callable
        Function that fits one stack, given its members and a function for its progress.
    progress : callable, optional
        Called with the share of all work that is done.

    Returns
    -------
    list
        Results of `fit` for every stack, in their order.
    """
    stacks = [slice(start, min(start + at_once, count)) for start in range(0, count, at_once)]
    return [
        fit(stack, part_of(progress, stack.start / count, stack.stop / count)) for stack in stacks
    ]


def part_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Return a progress function for a part of the work that lies between two shares of it."""
    return None if progress is None else lambda share: progress(start + (stop - start) * share)


@dataclass(frozen=True)
class Fit:
    """Hold the results of training one stack.

    Attributes
    ----------
    disturbances : Tensor, shape (members, n_times, n_components), float32, on the device
    objective : ndarray, shape (members,), float64
        ELBO, log-likelihood or log-probability of the segment (TCL) on all volumes at the end (nats
        per volume); NaN if training diverged.
    slope : ndarray, shape (members,), float64
        Gain of the objective per 100 steps, over the last tenth of training.
    curve_steps : ndarray, shape (points,), int64
        Steps at the points of the training curves.
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches since the step before, at each of `curve_steps`.
    taken : ndarray, shape (members,), int64
        Number of steps that each member took, without those of a training that diverged.
    retried : ndarray, shape (members,), bool
        True if training diverged and was repeated from another seed at half the learning rate.
    modulation : ndarray or None, shape (members, n_segments, n_components, 2), float64
        Log scale and mean of p(z|u) in every segment; None for a model without them.
    kl : ndarray or None, shape (members, n_components), float64
        Mean KL(q(z_i|x,u) || p(z_i|u)) over volumes (nats); None for a model without it.
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
        """Return the fits of some members in the given order."""
        places = torch.as_tensor(members, device=self.disturbances.device)
        return self._with(lambda name: getattr(self, name)[members], self.disturbances[places])

    def without_disturbances(self) -> "Fit":
        """Return the fit without the volumes of the disturbances, which take most memory."""
        return replace(self, disturbances=no_volumes(self.disturbances))

    @classmethod
    def joined(cls, fits: Sequence["Fit"]) -> "Fit":
        """Join the fits of several stacks in their order."""
        return fits[0]._with(
            lambda name: np.concatenate([getattr(fit, name) for fit in fits]),
            torch.cat([fit.disturbances for fit in fits]),
        )

    def continued(self, ended: "Fit", member: int) -> "Fit":
        """Return a fit of which one member was trained once more; other curves stay flat.

        Its steps are added up, whether it went on or started again.

        Parameters
        ----------
        ended : Fit
            That training of the member alone.
        """
        curves = np.repeat(self.curves[:, -1:], len(ended.curve_steps), axis=1)
        curves[member] = ended.curves[0]
        taken = self.taken.copy()
        taken[member] += ended.taken[0]
        whole: dict[str, Any] = {
            "curve_steps": np.concatenate(
                (self.curve_steps, self.curve_steps[-1] + ended.curve_steps)
            ),
            "curves": np.concatenate((self.curves, curves), axis=1),
            "taken": taken,
        }
        whole["retried"] = self.retried.copy()
        whole["retried"][member] |= ended.retried[0]
        for name in ("disturbances", "objective", "slope", "modulation", "kl"):
            mine, theirs = getattr(self, name), getattr(ended, name)
            if mine is not None and theirs is not None:
                whole[name] = mine.clone() if isinstance(mine, Tensor) else mine.copy()
                whole[name][member] = theirs[0]
        return replace(self, **whole)

    def _with(self, changed: Callable[[str], Any], disturbances: Tensor) -> "Fit":
        """Return a fit with other members but the same points of the training curve."""
        by_member = {field.name for field in fields(self)} - {"disturbances", "curve_steps"}
        there = {name for name in by_member if getattr(self, name) is not None}
        changes = {name: changed(name) for name in there}
        return replace(self, disturbances=disturbances, **changes)


def no_volumes(disturbances: Tensor) -> Tensor:
    """Return disturbances like the given ones but without volumes, (..., 0, n_components)."""
    # A slice would keep all volumes in memory.
    return disturbances.new_empty((*disturbances.shape[:-2], 0, disturbances.shape[-1]))
