"""Define invertible maps of two columns that leave one of them as it is."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

PLACES = torch.linspace(-4.0, 4.0, 9, dtype=torch.float64)
"""At these values of the rescaled column, the slope of its increasing function is free."""
_WIDTH = float(PLACES[1] - PLACES[0])
_LEAST_SLOPE = 1e-3
_UNIT = 0.5413
"""Softplus of this is 1, so that a table of zeros gives slopes of 1."""


@dataclass(frozen=True)
class TriangularMap:
    """Map one column given the other for every stack member: y1 = s(x1 | x2), y2 = x2.

    Attributes
    ----------
    given : Tensor, shape (members,), int64
        Position of the column that stays as it is, 0 or 1.
    knots : Tensor, shape (members, knots), float64
        Increasing values of that column.
    table : Tensor, shape (members, knots, 2 + places), float64
        At every knot: the shift and the log scale of the other column, and what gives the slopes of
        its increasing function at `PLACES`.  Shift, log scale and slopes are linear between knots
        and constant beyond.

    Notes
    -----
    With r = (x1 - shift) / scale, s is the integral from 0 to r of a slope that is positive, linear
    between places and constant beyond.
    """

    given: Tensor
    knots: Tensor
    table: Tensor

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mapped columns and the log-determinant of the Jacobian.

        Parameters
        ----------
        x : Tensor, shape (members, rows, 2)

        Returns
        -------
        y : Tensor, shape (members, rows, 2)
        log_determinant : Tensor, shape (members, rows)
        """
        stays, changes = self._columns(x.double())
        y, log_slope = transformed(changes, self._at(stays))
        return self._joined(stays, y).to(x.dtype), log_slope.to(x.dtype)

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that is mapped to y, shape (members, rows, 2)."""
        stays, value = self._columns(y.double())
        row = self._at(stays)
        places = PLACES.to(y.device)
        slopes = row[..., 2:]
        heights = slopes @ _areas(places, _away(places)).mT
        piece = (value[..., None] >= heights).sum(-1).clamp(1, len(places) - 1) - 1
        low, high, bottom = (
            of.gather(-1, piece[..., None])[..., 0]
            for of in (slopes[..., :-1], slopes[..., 1:], heights[..., :-1])
        )
        before, after = value < heights[..., 0], value > heights[..., -1]
        rise, half = value - bottom, 0.5 * (high - low) / _WIDTH
        root = (low.square() + 4.0 * half * rise).clamp_min(0.0).sqrt()
        r = places[piece] + 2.0 * rise / (low + root)
        r = torch.where(before, places[0] + (value - heights[..., 0]) / slopes[..., 0], r)
        r = torch.where(after, places[-1] + (value - heights[..., -1]) / slopes[..., -1], r)
        x = row[..., 0] + r * row[..., 1].exp()
        return self._joined(stays, x).to(y.dtype)

    def of(self, members: Tensor) -> "TriangularMap":
        """Return the maps of some members."""
        return TriangularMap(self.given[members], self.knots[members], self.table[members])

    def _at(self, stays: Tensor) -> Tensor:
        """Return the row of the table for every value, shape (members, rows, 2 + places)."""
        piece, share = bracketed(stays, self.knots)
        table = with_slopes(self.table)
        return torch.lerp(_entries(table, piece), _entries(table, piece + 1), share[..., None])

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = (self.given == 0)[:, None]
        one, two = x.unbind(-1)
        return torch.where(first, one, two), torch.where(first, two, one)

    def _joined(self, stays: Tensor, changed: Tensor) -> Tensor:
        first = (self.given == 0)[:, None]
        pair = (torch.where(first, stays, changed), torch.where(first, changed, stays))
        return torch.stack(pair, dim=-1)


def bracketed(values: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
    """Return the piece between knots in which a value lies, and how far along it.

    Parameters
    ----------
    values : Tensor, shape (members, rows)
    knots : Tensor, shape (members, knots)

    Returns
    -------
    piece : Tensor, shape (members, rows), int64
    share : Tensor, shape (members, rows)
        Between 0 and 1, also beyond the first and the last knot.
    """
    piece = (
        torch.searchsorted(knots.contiguous(), values.contiguous()).clamp(1, knots.shape[1] - 1) - 1
    )
    left, right = knots.gather(1, piece), knots.gather(1, piece + 1)
    return piece, ((values - left) / (right - left).clamp_min(1e-12)).clamp(0.0, 1.0)


def transformed(changes: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Return the increasing function of a column and its log slope, each (members, rows).

    Parameters
    ----------
    changes : Tensor, shape (members, rows)
    row : Tensor, shape (members, rows, 2 + places) or (members, rows, 2)
        Shift, log scale and slopes of every row; without slopes the function is linear.
    """
    # The gradient of a split is one array, that of every slice an array of the size of the whole.
    shift, log_scale, slopes = torch.split(row, [1, 1, row.shape[-1] - 2], dim=-1)
    log_scale = log_scale[..., 0]
    r = (changes - shift[..., 0]) * torch.exp(-log_scale)
    if not slopes.shape[-1]:
        return r, -log_scale
    value, slope = _Increasing.apply(r, slopes)  # type: ignore[no-untyped-call]
    return value, slope.log() - log_scale


class _Increasing(torch.autograd.Function):
    """Evaluate the integral from 0 to r of a slope that is linear between places, and that slope.

    The gradients in closed form take half the memory passes that those of every operation do.
    """

    @staticmethod
    def forward(context: Any, r: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the integral and the slope at r (members, rows)."""
        away = _away(r)
        areas, hats = _areas(r, away), 1.0 - away.abs()
        slope = (slopes * hats).sum(-1)
        context.save_for_backward(slopes, away, areas, hats, slope)
        return (slopes * areas).sum(-1), slope

    @staticmethod
    def backward(context: Any, of_value: Tensor, of_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of r and of the slopes at the places."""
        slopes, away, areas, hats, slope = context.saved_tensors
        # A hat changes by one over a width, and not where its place is further away than that.
        turn = (slopes * away.sign() * (hats > 0.0)).sum(-1) / -_WIDTH
        of_r = torch.addcmul(of_value * slope, of_slope, turn)
        of_slopes = torch.addcmul(of_value[..., None] * areas, of_slope[..., None], hats)
        return of_r, of_slopes


def with_slopes(table: Tensor) -> Tensor:
    """Return a table with the slopes in place of what gives them."""
    slopes = softplus(table[..., 2:] + _UNIT) + _LEAST_SLOPE
    return torch.cat((table[..., :2], slopes), dim=-1)


def _away(r: Tensor) -> Tensor:
    """Return how many widths a value within the places is from each of them, within -1 and 1."""
    places = PLACES.to(r.device)
    inner = r.clamp(places[0], places[-1])
    return ((inner[..., None] - places) / _WIDTH).clamp(-1.0, 1.0)


def _areas(r: Tensor, away: Tensor) -> Tensor:
    """Return the integrals from 0 to r of functions that are 1 at one place and 0 at the others."""
    places = PLACES.to(r.device)
    at_zero = (-places / _WIDTH).clamp(-1.0, 1.0)
    area = _WIDTH * (_below(away) - _below(at_zero))
    # Beyond the places the slope stays as it is at the last of them.
    area[..., 0] += (r - places[0]).clamp_max(0.0)
    area[..., -1] += (r - places[-1]).clamp_min(0.0)
    return area


def _below(t: Tensor) -> Tensor:
    """Return the integral of 1 - |t| from 0 to t."""
    return t - 0.5 * t * t.abs()


def _entries(table: Tensor, at: Tensor) -> Tensor:
    return table.gather(1, at[..., None].expand(-1, -1, table.shape[2]))
