"""How fast each member of a stack learns, and when it is done."""

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.settings import ModelSettings

_LEAST_RATE = 0.01
"""Learning rate at the end, as a share of that at the start."""
_FALL = 0.2
"""Share of the steps over which a member's rate falls once it gains nothing."""
_GAIN = 0.005
"""Nats per row that count as a gain."""
_WORTH_LEAVING = 0.25
"""Share of a stack that must be done before it is made smaller."""


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

    Attributes
    ----------
    rates : ndarray, shape (steps,), float64
        Learning rate of every step.
    """

    def __init__(self, settings: ModelSettings, members: int, device: torch.device) -> None:
        self._settings = settings
        self._fall = max(1, round(_FALL * settings.steps))
        self._best = torch.full((members,), -torch.inf, device=device)
        self._gained = torch.zeros(members, device=device)
        self._falls_from = torch.full((members,), float(settings.steps - self._fall), device=device)
        self.rates = np.full(settings.steps, settings.learning_rate)
        if not settings.patience:
            self.rates *= _cosine(np.arange(settings.steps) / settings.steps)

    def share(self, step: int | Tensor) -> Tensor | None:
        """Return each member's share of the rate of a step, (members,); None where all have it."""
        settings = self._settings
        if not settings.patience:
            return None
        fallen = ((step - self._falls_from) / self._fall).clamp_min(0.0)
        cosine = 0.5 * (1.0 + torch.cos(math.pi * fallen))
        falling = _LEAST_RATE + (1.0 - _LEAST_RATE) * cosine
        return torch.where(fallen < 1.0, falling, 0.0)

    def note(self, step: int, objective: Tensor) -> None:
        """Take note of what the members have reached after so many steps."""
        settings = self._settings
        gained = objective > self._best + _GAIN
        self._best = torch.where(gained, objective, self._best)
        self._gained = torch.where(gained, float(step), self._gained)
        waited = step - self._gained >= settings.patience * settings.steps
        start = torch.where(waited, float(step), torch.inf)
        # In place: a captured step reads it.
        torch.minimum(self._falls_from, start, out=self._falls_from)

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


def _cosine(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return _LEAST_RATE + (1.0 - _LEAST_RATE) * 0.5 * (1.0 + np.cos(math.pi * share))
