"""Define increasing functions of every column and their inverses, for every stack member."""

from typing import Any

import torch
from torch import Tensor, nn

from causal_ivae.unmixing.models.monotone import FASTER, pieces
from causal_ivae.unmixing.models.networks import Initialiser


class StackedSplines(nn.Module):
    """Transform every column by an increasing spline, in several layers.

    Parameters
    ----------
    bound : float
        A spline has `knots` pieces between -bound and bound and is linear elsewhere.

    Notes
    -----
    The slope of a spline is positive and piecewise linear: the piecewise-quadratic transforms of
    Mueller, McWilliams, Rousselle, Gross, Novak 2019, "Neural importance sampling", section 4.2,
    with linear tails.
    """

    def __init__(
        self, init: Initialiser, layers: int, features: int, knots: int, bound: float
    ) -> None:
        super().__init__()
        self.bound = bound
        self.widths = init.symmetric(layers, features, knots, bound=0.1)
        self.log_slopes = init.symmetric(layers, features, knots + 1, bound=0.1)

    def tables(self) -> tuple[Tensor, ...]:
        """Return the pieces of every layer's splines, each (members * features, 4, pieces)."""
        members, layers, features, _ = self.widths.shape
        widths, log_slopes = (FASTER * w.flatten(1, 2) for w in (self.widths, self.log_slopes))
        table = pieces(widths, log_slopes, self.bound)
        by_layer = table.view(members, layers, features, *table.shape[2:]).unbind(1)
        return tuple(one.flatten(0, 1) for one in by_layer)

    def forward(self, x: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """Return the splines' values and slopes at x, each (members, features, rows)."""
        y, slope = _Forward.apply(x.flatten(0, 1), table)  # type: ignore[no-untyped-call]
        return y.view_as(x), slope.view_as(x)

    def inverse(self, y: Tensor, table: Tensor) -> Tensor:
        """Return the x that `forward` maps to y, shape (members, features, rows)."""
        x: Tensor = _Inverse.apply(y.flatten(0, 1), table)  # type: ignore[no-untyped-call]
        return x.view_as(y)


def _picked(values: Tensor, edges: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Return the piece of every row as indicators, and the table's entries of that piece.

    Parameters
    ----------
    values : Tensor, shape (splines, rows)
    edges : Tensor, shape (splines, pieces)
        Left edges of the pieces, in units of the values; the first is not looked at.
    table : Tensor, shape (splines, 4, pieces)

    Returns
    -------
    where : Tensor, shape (splines, pieces, rows)
    entries : Tensor, shape (splines, 4, rows)
    """
    splines, n_pieces = edges.shape
    beyond = values.new_ones(splines, n_pieces + 1, values.shape[1])
    beyond[:, -1] = 0.0
    torch.gt(values[:, None], edges[:, 1:, None], out=beyond[:, 1:-1])
    where = beyond[:, :-1] - beyond[:, 1:]
    return where, torch.bmm(table, where)


class _Forward(torch.autograd.Function):
    """Evaluate splines, given their pieces.

    In a piece with left edge e, value b, slope v and half slope change h, and with t = x - e, the
    value is b + t (v + h t) and the slope v + 2 h t.
    """

    @staticmethod
    def forward(context: Any, x: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the slopes at x."""
        where, entries = _picked(x, table[:, 0], table)
        left, bottom, start, half = entries.unbind(1)
        step = x - left
        bend = half * step
        middle = start + bend
        slope = middle + bend
        context.save_for_backward(where, step, half, slope)
        return torch.addcmul(bottom, step, middle), slope

    @staticmethod
    def backward(context: Any, of_y: Tensor, of_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of x and of the table."""
        where, step, half, slope = context.saved_tensors
        along, twice = of_y * step, of_slope + of_slope
        of_x = torch.addcmul(twice * half, of_y, slope)
        parts = torch.stack((-of_x, of_y, along + of_slope, step * (along + twice)), dim=1)
        return of_x, torch.bmm(parts, where.mT)


class _Inverse(torch.autograd.Function):
    """Invert splines, given their pieces."""

    @staticmethod
    def forward(context: Any, y: Tensor, table: Tensor) -> Tensor:
        """Return the x at which the splines have the values y."""
        where, entries = _picked(y, table[:, 1], table)
        left, bottom, start, half = entries.unbind(1)
        rise = y - bottom
        # This is the slope at x, from t (v + h t) = rise.
        slope = torch.addcmul(start.square(), half, rise, value=4.0).clamp_min_(0.0).sqrt_()
        step = 2.0 * rise / (start + slope)
        context.save_for_backward(where, step, slope)
        return left + step

    @staticmethod
    def backward(context: Any, of_x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of y and of the table."""
        where, step, slope = context.saved_tensors
        of_y = of_x / slope
        along = of_y * step
        parts = torch.stack((of_x, -of_y, -along, -along * step), dim=1)
        return of_y, torch.bmm(parts, where.mT)
