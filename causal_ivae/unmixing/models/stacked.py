"""What every stack of models offers to the training loop."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Auxiliary:
    """What the auxiliary variable u is.

    Attributes
    ----------
    segments : int
        Number of segments, where u is a label, shape (rows,) int64; else 0.
    features : int
        Number of columns, where u is continuous, shape (rows, features) float32; else 0.
    """

    segments: int = 0
    features: int = 0


@dataclass(frozen=True)
class Minibatch:
    """The rows of one training step.

    Attributes
    ----------
    x : Tensor, shape (members, rows, n_features), float32
    u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
    share : Tensor, shape ()
        Share of training done after this step, in (0, 1].
    n_times : int
        Rows of the whole training set.
    noise : Tensor or None, shape (members, *StackedModel.noise_shape(rows)), float32
        Standard normal numbers, of the stream that the step's number names.
    weight : Tensor or None, shape (members, rows), float32
        What each row counts for each member; None where all count alike.
    """

    x: Tensor
    u: Tensor
    share: Tensor
    n_times: int
    noise: Tensor | None = None
    weight: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """Average values (members, rows) over the rows that count, shape (members,)."""
        if self.weight is None:
            return values.mean(-1)
        return (values * self.weight).sum(-1) / self.weight.sum(-1).clamp_min(1.0)


class StackedModel(nn.Module, ABC):
    """A stack of models of one kind; every parameter has a leading axis of members.

    Attributes
    ----------
    keys : Tensor, shape (members, 2), int32
        Of the members' random streams, from `causal_ivae.unmixing.models.draws.member_keys`.
    n_components : int
    """

    keys: Tensor
    n_components: int

    @abstractmethod
    def objective(self, batch: Minibatch) -> tuple[Tensor, Tensor]:
        """Return what is to grow, and what the optimiser is to lower, each (members,).

        The first is what is recorded, in nats per row; the second may weight its terms.
        """

    @abstractmethod
    def evaluate(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the objective on all rows given, nats per row, shape (members,)."""

    @abstractmethod
    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the estimated disturbances, shape (members, rows, n_components)."""

    def taken(self, which: Tensor) -> Self:
        """Return a stack of some members, which shares nothing with this one.

        Parameters
        ----------
        which : Tensor, shape (members,), int64
        """
        taken = copy.deepcopy(self)
        for tensor in (*taken.parameters(), *taken.buffers()):
            tensor.data = tensor.data[which]
            tensor.grad = None
        taken.keys = self.keys[which]
        return taken

    def put(self, which: Tensor, members: "StackedModel") -> None:
        """Put the members of another stack of this kind in the places given."""
        theirs = members.state_dict()
        with torch.no_grad():
            for name, mine in self.state_dict().items():
                mine[which] = theirs[name]
        self.keys[which] = members.keys

    def noise_shape(self, rows: int) -> tuple[int, ...] | None:  # noqa: ARG002
        """Return the shape, per member, of the normal numbers that a step on some rows needs."""
        return None

    def start(self, x: Tensor, u: Tensor) -> None:
        """Set what is estimated before training, from all rows."""

    def finish(self, x: Tensor, u: Tensor) -> None:
        """Estimate what follows training, from all rows."""
