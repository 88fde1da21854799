"""Define what every stack of models offers to the training loop."""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Auxiliary:
    """Describe the auxiliary variable u.

    Attributes
    ----------
    segments : int
        Number of segments if u is a label, shape (rows,) int64; otherwise 0.
    features : int
        Number of columns if u is continuous, shape (rows, features) float32; otherwise 0.
    """

    segments: int = 0
    features: int = 0


@dataclass(frozen=True)
class Minibatch:
    """Hold the rows of one training step.

    Attributes
    ----------
    x : Tensor, shape (members, rows, n_features), float32
    u : Tensor, shape (rows,) int64 or (rows, n_auxiliary) float32
    share : Tensor, shape ()
        Share of training that is done after this step, in (0, 1].
    n_times : int
        Number of rows of the whole training set.
    noise : Tensor or None, shape (members, *StackedModel.noise_shape(rows)), float32
        Standard normal numbers of the step's own stream.
    weight : Tensor or None, shape (members, rows), float32
        Weight of each row for each member; None for equal weights.
    """

    x: Tensor
    u: Tensor
    share: Tensor
    n_times: int
    noise: Tensor | None = None
    weight: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """Return the weighted mean over rows of values (members, rows) or (members, rows, n).

        Every objective averages by this, so that rows of weight 0 teach a member nothing.
        """
        if self.weight is None:
            return values.mean(1)
        weight = self.weight if values.dim() == 2 else self.weight[..., None]
        return (values * weight).sum(1) / weight.sum(1).clamp_min(1.0)


class StackedModel(nn.Module, ABC):
    """Hold a stack of models of one kind, whose parameters have a leading axis of members.

    Attributes
    ----------
    keys : Tensor, shape (members, 2), int32
        Keys of the members' random streams, from `causal_ivae.unmixing.models.draws.member_keys`.
    n_components : int
        Number of disturbances that a member estimates.
    """

    keys: Tensor
    n_components: int

    @abstractmethod
    def objective(self, batch: Minibatch) -> tuple[Tensor, Tensor]:
        """Return the objective, which is recorded, and the loss to minimise, each (members,).

        The objective is in nats per row; the loss may weight its terms.
        """

    @abstractmethod
    def evaluate(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the objective on all given rows in nats per row, shape (members,)."""

    @abstractmethod
    def disturbances(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the estimated disturbances, shape (members, rows, n_components)."""

    def taken(self, which: Tensor) -> Self:
        """Return a stack of some members that shares no memory with this one.

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
        """Replace some members by those of another stack of this kind."""
        theirs = members.state_dict()
        with torch.no_grad():
            for name, mine in self.state_dict().items():
                mine[which] = theirs[name]
        self.keys[which] = members.keys

    def noise_shape(self, rows: int) -> tuple[int, ...] | None:  # noqa: ARG002
        """Return the shape, per member, of the random numbers of a step; None if it needs none."""
        return None

    def start(self, x: Tensor, u: Tensor) -> None:
        """Set the parameters that are estimated from all rows before training."""

    def finish(self, x: Tensor, u: Tensor) -> None:
        """Set the parameters that are estimated from all rows after training."""


class LikelihoodModel(StackedModel):
    """Maximise an exact likelihood."""

    @abstractmethod
    def log_likelihood(self, x: Tensor, u: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the log-likelihood of every row in nats, shape (members, rows).

        ``noise`` are the random numbers of a training step, for a model that needs some.
        """

    def objective(self, batch: Minibatch) -> tuple[Tensor, Tensor]:
        """Return the mean log-likelihood and, as the loss, its negative."""
        value = batch.mean(self.log_likelihood(batch.x, batch.u, batch.noise))
        return value, -value

    def evaluate(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the mean log-likelihood of all rows, shape (members,)."""
        return self.log_likelihood(x, u).mean(-1)
