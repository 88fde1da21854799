"""Minimise one smooth function for every stack member by the L-BFGS method."""

from collections.abc import Callable

import torch
from torch import Tensor

_HISTORY = 20
_SUFFICIENT = 1e-4
_SHORTER = 0.3
_TRIALS = 12
_LEAST_FALL = 1e-12
"""A member ends where its function would fall by less than this to first order."""
_LEAST_CURVATURE = 1e-12


def minimise(
    function: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int,
    enough: Callable[[Tensor], bool] = lambda _: False,
) -> Tensor:
    """Go down from a start for a number of steps, shape (members, n).

    Parameters
    ----------
    function : callable
        Returns the values of all members, shape (members,), at variables of the start's shape.  A
        member's value must depend on its own variables only.
    start : Tensor, shape (members, n)
    enough : callable, optional
        Called with the variables after every step; returns whether it was the last one.

    Notes
    -----
    This is algorithm 7.5 of Nocedal and Wright 2006, "Numerical Optimization".  Every member has
    steps of its own, which are shortened until its function falls; those along which the gradient
    did not grow leave no trace in the approximate curvature.  The work of all members is done at
    once.
    """

    def at(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        values = function(x)
        (gradient,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), gradient

    x = start.detach()
    value, gradient = at(x)
    past: list[tuple[Tensor, Tensor, Tensor]] = []
    ended = torch.zeros_like(value, dtype=torch.bool)
    size = 1.0 / gradient.abs().sum(-1, keepdim=True).clamp_min(1.0)
    for _ in range(steps):
        direction = -_curved(gradient, past, size)
        slope = (gradient * direction).sum(-1)
        uphill = slope >= 0.0
        direction = torch.where(uphill[:, None], -size * gradient, direction)
        slope = torch.where(uphill, (gradient * direction).sum(-1), slope)
        ended = ended | (slope > -_LEAST_FALL)
        length = torch.ones_like(value)
        for _ in range(_TRIALS):
            new_value, new_gradient = at(x + length[:, None] * direction)
            fell = new_value <= value + _SUFFICIENT * length * slope
            if bool((fell | ended).all()):
                break
            length = torch.where(fell, length, _SHORTER * length)
        # A member that found no lower value stays where it is from then on.
        fell = fell & ~ended
        ended = ~fell
        moved = torch.where(fell[:, None], length[:, None] * direction, 0.0)
        change = torch.where(fell[:, None], new_gradient - gradient, 0.0)
        x, gradient = x + moved, gradient + change
        value = torch.where(fell, new_value, value)
        curvature = (moved * change).sum(-1, keepdim=True)
        bent = curvature > _LEAST_CURVATURE
        inverse = torch.where(bent, 1.0 / curvature.clamp_min(_LEAST_CURVATURE), 0.0)
        squares = change.square().sum(-1, keepdim=True).clamp_min(_LEAST_CURVATURE**2)
        size = torch.where(bent, curvature / squares, size)
        past = [*past[1 - _HISTORY :], (moved, change, inverse)]
        if enough(x) or bool(ended.all()):
            break
    return x


def _curved(gradient: Tensor, past: list[tuple[Tensor, Tensor, Tensor]], size: Tensor) -> Tensor:
    """Return the product of the approximate inverse curvature with the gradient."""
    shares = []
    for moved, change, inverse in reversed(past):
        share = inverse * (moved * gradient).sum(-1, keepdim=True)
        gradient = gradient - share * change
        shares.append(share)
    product = size * gradient
    for (moved, change, inverse), share in zip(past, reversed(shares), strict=True):
        product = product + moved * (share - inverse * (change * product).sum(-1, keepdim=True))
    return product
