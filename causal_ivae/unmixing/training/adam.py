"""Optimise all members of a stack by one Adam over one array."""

import math

import torch
from torch import Tensor
from torch.optim.adam import adam

from causal_ivae.unmixing.models.stacked import StackedModel

_ALIGNED = 16
"""A cache line holds this many numbers, a multiple of every vector register's."""


class PackedAdam:
    """Optimise all parameters of a stack by Adam on one array.

    The model's parameters and their gradients become views of two arrays, so that one kernel makes
    a step of all of them.

    Parameters
    ----------
    weight_decay : float
        L2 penalty.
    squares : float
        Decay of the mean squared gradient, beta2 of the paper.

    Notes
    -----
    This is algorithm 1 of Kingma and Ba 2015, "Adam", by torch's fused kernel.  The arrays are
    padded to whole vector registers, since the kernel treats the last few numbers of other arrays
    differently, and a member's rounding would depend on the size of its stack.
    """

    def __init__(
        self, model: StackedModel, weight_decay: float = 0.0, squares: float = 0.999
    ) -> None:
        learned = [p for p in model.parameters() if p.requires_grad]
        length = math.ceil(sum(p.numel() for p in learned) / _ALIGNED) * _ALIGNED
        device = model.keys.device
        self._weight_decay, self._squares = weight_decay, squares
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
        """Return the optimiser and the stack of some members, to train these on their own.

        Parameters
        ----------
        model : StackedModel
            The stack that this optimiser trains.
        which : Tensor, shape (members,), int64
        """
        stack = model.taken(which)
        other = PackedAdam(stack, self._weight_decay, self._squares)
        other._steps = self._steps
        for mine, theirs in zip(self._moments, other._moments, strict=True):
            at = to = 0
            for parameter in (p for p in model.parameters() if p.requires_grad):
                size = math.prod(parameter.shape[1:])
                members = mine[at : at + parameter.numel()].view(-1, size)[which]
                theirs[to : to + members.numel()] = members.flatten()
                at, to = at + parameter.numel(), to + members.numel()
        return other, stack

    def step(self, loss: Tensor, rate: float | Tensor, share: Tensor | None = None) -> None:
        """Make one step for all members.

        Parameters
        ----------
        loss : Tensor, shape (members,)
            The losses to lower.
        rate : float or Tensor, shape ()
            Learning rate; a tensor must be on the model's device.
        share : Tensor, optional, shape (members,)
            Each member's share of that rate; 1 by default.
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
            beta2=self._squares,
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
