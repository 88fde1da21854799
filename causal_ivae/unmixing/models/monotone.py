"""Define increasing functions for every stack member, with gradients in few memory passes."""

from typing import Any

import torch
from torch import Tensor, nn

from causal_ivae.unmixing.models.networks import Initialiser

_MIN_SHARE = 1e-2
FASTER = 2.0
"""Widths and slopes learn so much faster than weights, since their logarithms differ by units."""


class StackedMonotone(nn.Module):
    """Alternate affine and increasing functions of one variable for every stack member.

    Parameters
    ----------
    layers, knots : int
        Number of increasing functions, and of the pieces of each between -bound and bound; an
        increasing function is linear elsewhere.

    Notes
    -----
    The function is y = A_K(s_K(... A_1(s_1(A_0(x))))) with A_k(x) = exp(a_k) x + b_k.  The slope of
    s_k is positive and piecewise linear: the piecewise-quadratic transforms of Mueller, McWilliams,
    Rousselle, Gross, Novak 2019, "Neural importance sampling", section 4.2, with linear tails.
    """

    def __init__(self, init: Initialiser, layers: int, knots: int, bound: float) -> None:
        super().__init__()
        self.bound = bound
        self.widths = init.symmetric(layers, knots, bound=0.1)
        self.log_slopes = init.symmetric(layers, knots + 1, bound=0.1)

    def forward(self, x: Tensor, log_scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the log slopes at x.

        Parameters
        ----------
        x : Tensor, shape (members, rows)
        log_scale, shift : Tensor, shape (members, layers + 1, rows or 1)
            The a_k and b_k of the affine functions.

        Returns
        -------
        y, log_slope : Tensor, shape (members, rows)
        """
        table = pieces(FASTER * self.widths, FASTER * self.log_slopes, self.bound)
        y, log_slope = _Chain.apply(x, log_scale, shift, table)  # type: ignore[no-untyped-call]
        return y, log_slope


def pieces(widths: Tensor, log_slopes: Tensor, bound: float) -> Tensor:
    """Return the pieces of increasing functions whose slopes are piecewise linear, tails included.

    Parameters
    ----------
    widths : Tensor, shape (members, functions, knots)
        Their softmax gives the shares of [-bound, bound] that the pieces take.
    log_slopes : Tensor, shape (members, functions, knots + 1)
        At the edges of the pieces.

    Returns
    -------
    Tensor, shape (members, functions, 4, knots + 2)
        The left edge, the value and the slope there, and half the slope's change per unit.
    """
    table: Tensor = _Table.apply(widths, log_slopes, bound)  # type: ignore[no-untyped-call]
    return table


class _Table(torch.autograd.Function):
    """Compute the pieces of every increasing function from their widths and log slopes.

    A piece of width w whose slope goes from v to v' rises by w (v + v') / 2, and half the slope's
    change per unit is (v' - v) / 2w.
    """

    @staticmethod
    def forward(context: Any, widths: Tensor, log_slopes: Tensor, bound: float) -> Tensor:
        """Return the pieces, tails included, shape (members, layers, 4, knots + 2).

        The four entries are the left edge, the value and the slope there, and half the slope's
        change per unit.
        """
        knots = widths.shape[-1]
        share = widths.softmax(-1)
        width = (2.0 * bound * (1.0 - _MIN_SHARE)) * share + 2.0 * bound * _MIN_SHARE / knots
        slope = log_slopes.exp()
        middle = 0.5 * (slope[..., 1:] + slope[..., :-1])
        rise = width * middle
        table = widths.new_zeros(*widths.shape[:-1], 4, knots + 2)
        left, bottom, slopes, half = table.unbind(-2)
        left[..., 2:] = width.cumsum(-1)
        left -= bound
        bottom[..., 2:] = rise.cumsum(-1)
        bottom -= 0.5 * rise.sum(-1, keepdim=True)
        # The lower tail continues to the left of the first edge with the slope there.
        slopes[..., 0] = slope[..., 0]
        slopes[..., 1:] = slope
        torch.div(middle - slope[..., :-1], width, out=half[..., 1:-1])
        context.save_for_backward(share, width, slope, middle, half[..., 1:-1])
        context.range = 2.0 * bound * (1.0 - _MIN_SHARE)
        return table

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of widths and log slopes."""
        share, width, slope, middle, half = context.saved_tensors
        # An edge depends on all widths to its left, and the value there on all rises to its left.
        of_edge, of_rise = gradient[..., :2, 2:].flip(-1).cumsum(-1).flip(-1).unbind(-2)
        of_rise = of_rise - 0.5 * gradient[..., 1, :].sum(-1, keepdim=True)
        of_turn = gradient[..., 3, 1:-1] / width
        of_width = of_edge + of_rise * middle - of_turn * half
        of_middle = of_rise * width
        of_slope = gradient[..., 2, 1:].clone()
        of_slope[..., 0] += gradient[..., 2, 0]
        of_slope[..., 1:] += 0.5 * (of_middle + of_turn)
        of_slope[..., :-1] += 0.5 * (of_middle - of_turn)
        of_share = share * (of_width - (share * of_width).sum(-1, keepdim=True))
        return context.range * of_share, slope * of_slope, None


class _Chain(torch.autograd.Function):
    """Evaluate all affine and increasing functions in turn, given the pieces.

    In a piece with left edge e, value b, slope v and half slope change h, and with t = x - e,
    s(x) = b + t (v + h t)  and  s'(x) = v + 2 h t.  A row's piece is picked by a product with its
    indicators.  This is exact in full single precision and faster than a search, and its gradient
    always adds in the same order.
    """

    @staticmethod
    def forward(
        context: Any, x: Tensor, log_scale: Tensor, shift: Tensor, table: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the values and the log slopes at x."""
        members, layers, _, pieces = table.shape
        scale = log_scale.exp()
        scales, shifts = scale.unbind(1), shift.unbind(1)
        beyond = x.new_ones(members, pieces + 1, x.shape[1])
        beyond[:, -1] = 0.0
        slopes = x.new_empty(members, layers, x.shape[1])
        saved = []
        y = x
        for i, pieces_of in enumerate(table.unbind(1)):
            inner = torch.addcmul(shifts[i], y, scales[i])
            torch.gt(inner[:, None], pieces_of[:, 0, 1:, None], out=beyond[:, 1:-1])
            where = beyond[:, :-1] - beyond[:, 1:]
            left, bottom, slope, half = torch.bmm(pieces_of, where).unbind(1)
            step = inner - left
            bend = half * step
            middle = slope + bend
            torch.add(middle, bend, out=slopes[:, i])
            saved += [y, where, step, half]
            y = torch.addcmul(bottom, step, middle)
        context.save_for_backward(scale, slopes, *saved, y)
        return torch.addcmul(shifts[-1], y, scales[-1]), slopes.log().sum(1) + log_scale.sum(1)

    @staticmethod
    def backward(
        context: Any, of_y: Tensor, of_log: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the gradients of the arguments of `forward`."""
        scale, slopes, *saved, last = context.saved_tensors
        of_slopes = of_log[:, None] / slopes
        gradient = of_y
        gradients, inputs, of_tables = [of_y], [last], []
        for i in reversed(range(slopes.shape[1])):
            y, where, step, half = saved[4 * i : 4 * i + 4]
            of_value, of_slope = gradient * scale[:, i + 1], of_slopes[:, i]
            along, twice = of_value * step, of_slope + of_slope
            gradient = torch.addcmul(twice * half, of_value, slopes[:, i])
            parts = torch.stack(
                (-gradient, of_value, along + of_slope, step * (along + twice)), dim=1
            )
            of_tables.append(torch.bmm(parts, where.mT))
            gradients.append(gradient)
            inputs.append(y)
        of_shift = torch.stack(gradients[::-1], dim=1)
        of_scale = of_shift * torch.stack(inputs[::-1], dim=1)
        of_log_scale = torch.addcmul(of_log[:, None], of_scale, scale)
        if scale.shape[2] == 1:
            of_log_scale = of_log_scale.sum(2, keepdim=True)
            of_shift = of_shift.sum(2, keepdim=True)
        of_table = torch.stack(of_tables[::-1], dim=1)
        return gradient * scale[:, 0], of_log_scale, of_shift, of_table
