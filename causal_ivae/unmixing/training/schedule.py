"""Decide how fast each member of a stack learns, and when it is done."""

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.settings import TrainingSettings

_LEAST_RATE = 0.01
"""The learning rate falls to this share of its starting value."""
_FALL = 0.2
"""A member that no longer improves lowers its rate over this share of the steps."""
_GAIN = 0.005
"""A smaller improvement (nats per row) does not count."""
_WORTH_LEAVING = 0.25
"""A stack is made smaller once this share of its members is done."""


class Schedule:
    """Hold the learning rates of a stack's members and decide when each is done.

    Without patience, all members follow a cosine from the learning rate to a hundredth of it.  With
    patience, a member keeps its rate until its objective has not improved for that share of the
    steps, then follows the cosine for a fifth of the steps and is done.  It always begins to follow
    the cosine early enough to be done at the last step.

    Attributes
    ----------
    rates : ndarray, shape (steps,), float64
        Learning rate of every step.
    """

    def __init__(self, settings: TrainingSettings, members: int, device: torch.device) -> None:
        self._settings = settings
        self._fall = max(1, round(_FALL * settings.steps))
        self._best = torch.full((members,), -torch.inf, device=device)
        self._gained = torch.zeros(members, device=device)
        self._falls_from = torch.full((members,), float(settings.steps - self._fall), device=device)
        self.rates = np.full(settings.steps, settings.learning_rate)
        if not settings.patience:
            self.rates *= _cosine(np.arange(settings.steps) / settings.steps)

    def share(self, step: int | Tensor) -> Tensor | None:
        """Return each member's share of a step's rate, (members,); None if all shares are 1."""
        settings = self._settings
        if not settings.patience:
            return None
        fallen = ((step - self._falls_from) / self._fall).clamp_min(0.0)
        cosine = 0.5 * (1.0 + torch.cos(math.pi * fallen))
        falling = _LEAST_RATE + (1.0 - _LEAST_RATE) * cosine
        return torch.where(fallen < 1.0, falling, 0.0)

    def note(self, step: int, objective: Tensor) -> None:
        """Record the objective that the members have reached at a step."""
        settings = self._settings
        gained = objective > self._best + _GAIN
        self._best = torch.where(gained, objective, self._best)
        self._gained = torch.where(gained, float(step), self._gained)
        waited = step - self._gained >= settings.patience * settings.steps
        start = torch.where(waited, float(step), torch.inf)
        # The tensor is changed in place, since a captured CUDA graph reads it.
        torch.minimum(self._falls_from, start, out=self._falls_from)

    def done(self, step: int) -> Tensor:
        """Return which members have stopped learning, shape (members,), bool."""
        return step >= self.taken_by()

    def taken_by(self) -> Tensor:
        """Return the step after which each member is done, as known so far, shape (members,)."""
        if not self._settings.patience:
            return torch.full_like(self._gained, self._settings.steps)
        return self._falls_from + self._fall

    def worth_keeping(self, step: int) -> Tensor | None:
        """Return the members that are not done, (members,) int64; None if too few are done."""
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


def _cosine(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return _LEAST_RATE + (1.0 - _LEAST_RATE) * 0.5 * (1.0 + np.cos(math.pi * share))
