"""Fit triangular maps of two columns by exact likelihood, as starts for the training of flows."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from causal_ivae.settings import FlowSettings, IVAESettings, TrainingSettings
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.triangular import (
    PLACES,
    TriangularMap,
    bracketed,
    transformed,
    with_slopes,
)
from causal_ivae.unmixing.training.lbfgs import minimise

_MOST_ROWS = 10_000
_HELD_OUT = 0.2
_KNOTS = 30
_MORE_KNOTS = 24
"""So many knots are added around the place where the regression bends most."""
_REGRESSIONS = 5
_LOG_CHI_SQUARED = 1.27
"""The mean of the logarithm of a squared standard normal number is minus this."""
_LOG_2PI = math.log(2.0 * math.pi)
_TINY = 1e-12
_RIDGE = 1e-6
_ROUGHNESS = 1e-4
_ROUGH_SCALE = 1e-5
_STEPS = (80, 150)
"""Steps with a linear map given the other column, and then with any increasing one."""
_SELDOM = 5
"""Rows that are held out are looked at after so many steps."""
_LEAST_GAIN = 3e-4
_PATIENCE = 12
"""Steps end if so many looks found no gain in any member (nats per row)."""


@dataclass(frozen=True)
class TriangularStart:
    """Hold the better of a pair's two triangular maps, and the rows that were held out.

    Attributes
    ----------
    map : TriangularMap
        One for every member.
    held_out : Tensor, shape (rows,), int64
        Rows that the maps were not fitted to; they chose the order and ended the fit.
    log_likelihood : Tensor, shape (members, 2), float64
        Of these rows (nats per row), if the first and if the second column stays as it is.
    """

    map: TriangularMap
    held_out: Tensor
    log_likelihood: Tensor


def suits(
    settings: TrainingSettings, n_features: int, n_components: int, auxiliary: Auxiliary
) -> bool:
    """Return whether a model can start from a triangular map: two columns with moving means."""
    invertible = isinstance(settings, FlowSettings) or (
        isinstance(settings, IVAESettings) and settings.invertible
    )
    return (
        invertible
        and getattr(settings, "modulates", "") == "mean_variance"
        and n_features == n_components == 2
        and auxiliary.segments > 0
    )


def fit_triangular(x: Tensor, u: Tensor) -> TriangularStart:
    """Fit x1 given x2 and x2 given x1, and keep the order with the higher likelihood.

    Parameters
    ----------
    x : Tensor, shape (members, rows, 2)
    u : Tensor, shape (rows,), int64

    Notes
    -----
    If x2 = z2 and x1 = f(z1, z2), the likelihood is log p(z1|u) + log |dz1/dx1| + log p(x2|u) with
    Gaussian p(z1|u) and p(x2|u), whose moments are those of the segments.  The map from x1 to z1
    starts from a regression of x1 on a piecewise linear function of x2, weighted by the segments'
    variances, and a scale that solves the least-squares problem of the residuals' log squares in
    the scale's and the segments' logarithms.  The log scale is then held as cumulative sums, so
    that one number moves all of it beyond a knot: the few segments on a bend fix its change there.
    """
    members = len(x)
    shuffled = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0)).to(x.device)
    train = min(_MOST_ROWS, x.shape[1] - round(_HELD_OUT * x.shape[1]))
    seen = shuffled[:train]
    held_out = shuffled[train : train + max(1, round(_HELD_OUT * _MOST_ROWS))]
    both = torch.cat((x, x.flip(-1))).double()
    both = torch.where(both.isfinite().all(-1).all(-1)[:, None, None], both, 0.0)
    fit = _Fit.of(both[:, seen], u[seen], int(u.max()) + 1)
    other = fit.beside(both[:, held_out], u[held_out])
    linear, _ = fit.climbed(fit.start(), other, _STEPS[0])
    level = linear.new_zeros(*linear.shape[:2], len(PLACES))
    start = torch.cat((linear, level), dim=-1)
    differences, likelihood = fit.climbed(start, other, _STEPS[1])
    by_order = likelihood.view(2, members).mT
    chosen = by_order.argmax(1) * members + torch.arange(members, device=x.device)
    # The columns of the second half have changed places.
    given = (chosen >= members).long()
    maps = TriangularMap(given, fit.knots[chosen], _cumulated(differences[chosen]))
    return TriangularStart(maps, held_out, by_order)


@dataclass(frozen=True)
class _Segments:
    """Average over the rows of every segment."""

    rows: Tensor
    shares: Tensor

    @classmethod
    def of(cls, u: Tensor, segments: int) -> "_Segments":
        rows = one_hot(u, segments).double()
        return cls(rows, rows / rows.sum(0).clamp_min(1.0))

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances in every segment, each (members, segments)."""
        # One product serves both moments, since reading the shares takes most of its time.
        mean, squares = (torch.stack((z, z.square())) @ self.shares).unbind(0)
        return mean, (squares - mean.square()).clamp_min(0.0) + _TINY

    def log_density(self, z: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """Return the mean over rows of the Gaussian log density, less log sqrt(2 pi)."""
        centred = (z - mean @ self.rows.mT).square() @ self.rows
        count = self.rows.sum(0)
        return -0.5 * (centred / variance + count * variance.log()).sum(-1) / len(self.rows)


@dataclass(frozen=True)
class _Fit:
    """Fit the second of two columns given the first."""

    stays: Tensor
    changes: Tensor
    segments: _Segments
    knots: Tensor
    basis: Tensor

    @classmethod
    def of(cls, x: Tensor, u: Tensor, segments: int) -> "_Fit":
        """Place the knots: at quantiles, and more where the regression bends."""
        stays, changes = (column.contiguous() for column in x.unbind(-1))
        levels = torch.linspace(0.0, 1.0, _KNOTS, dtype=x.dtype, device=x.device)
        knots = torch.quantile(stays, levels, dim=1).mT.contiguous()
        coarse = cls(stays, changes, _Segments.of(u, segments), knots, _hats(stays, knots))
        low, high = coarse._bend()
        more = torch.linspace(0.0, 1.0, _MORE_KNOTS + 2, dtype=x.dtype, device=x.device)[1:-1]
        level = (low[:, None] + (high - low)[:, None] * more) / (_KNOTS - 1)
        # As quantiles, they have enough rows around them also where rows are few.
        at = (level * (x.shape[1] - 1)).round().long()
        added = stays.sort(dim=1).values.gather(1, at)
        knots = torch.cat((knots, added), dim=1).sort(dim=1).values
        return replace(coarse, knots=knots, basis=_hats(stays, knots))

    def beside(self, x: Tensor, u: Tensor) -> "_Fit":
        """Return other rows with the same knots."""
        stays, changes = (column.contiguous() for column in x.unbind(-1))
        segments = _Segments.of(u, self.segments.rows.shape[1])
        return replace(
            self, stays=stays, changes=changes, segments=segments, basis=_hats(stays, self.knots)
        )

    def climbed(self, start: Tensor, other: "_Fit", steps: int) -> tuple[Tensor, Tensor]:
        """Maximise the likelihood until that of other rows grows no more.

        Parameters
        ----------
        start : Tensor, shape (members, knots, 2 + places) or (members, knots, 2)
            Shifts, differences of log scales, and what gives the slopes.

        Returns
        -------
        best : Tensor, with the shape of the start
        likelihood : Tensor, shape (members,)
            That of the other rows.
        """
        best, likelihood = start, self._likelihood_of(other, start)
        waited, taken = torch.zeros_like(likelihood), 0

        def enough(flat: Tensor) -> bool:
            nonlocal best, likelihood, waited, taken
            taken += 1
            if taken % _SELDOM:
                return False
            now = flat.view_as(start)
            value = self._likelihood_of(other, now)
            # A member that has ended does not go on while others do.
            better = (value > likelihood) & (waited < _PATIENCE)
            waited = torch.where(better & (value > likelihood + _LEAST_GAIN), 0.0, waited + 1.0)
            likelihood = torch.where(better, value, likelihood)
            best = torch.where(better[:, None, None], now, best)
            return bool((waited >= _PATIENCE).all())

        minimise(
            lambda flat: self._loss(flat.view_as(start)),
            start.flatten(1),
            steps=steps,
            enough=enough,
        )
        return best, likelihood

    def _likelihood_of(self, other: "_Fit", differences: Tensor) -> Tensor:
        """Return the likelihood of other rows, both columns together, shape (members,)."""
        table = with_slopes(_cumulated(differences))
        z, _ = transformed(self.changes, self.basis @ table)
        of_other, log_slope = transformed(other.changes, other.basis @ table)
        likelihood = other.segments.log_density(of_other, *self.segments.moments(z))
        own = other.segments.log_density(other.stays, *self.segments.moments(self.stays))
        return likelihood + log_slope.mean(-1) + own - _LOG_2PI

    def _loss(self, differences: Tensor) -> Tensor:
        """Return the negative log-likelihood with a penalty on roughness, shape (members,)."""
        table = with_slopes(_cumulated(differences))
        z, log_slope = transformed(self.changes, self.basis @ table)
        # At the rows' own moments, the mean Gaussian log density depends on the variances alone.
        _, variance = self.segments.moments(z)
        count = self.segments.rows.sum(0)
        fitted = 1.0 + variance.log() @ count / len(z[0])
        likelihood = log_slope.mean(-1) - 0.5 * fitted
        slopes = differences[..., 2:]
        rough = slopes.diff(dim=1).square().sum((1, 2)) + slopes.diff(dim=2).square().sum((1, 2))
        of_scale = differences[:, 1:, 1].diff(dim=1).square().sum(-1)
        return _ROUGHNESS * rough + _ROUGH_SCALE * of_scale - likelihood

    def start(self) -> Tensor:
        """Return shift and differences of the log scale at every knot, (members, knots, 2)."""
        bends = torch.eye(self.knots.shape[1], dtype=self.knots.dtype, device=self.knots.device)
        bends = bends.diff(n=2, dim=0)
        rough = bends.mT @ bends
        shift = self._regression(_ROUGHNESS * rough)
        residual = self.changes - (self.basis @ shift[..., None])[..., 0]
        log_squares = (residual.square() + _TINY).log() + _LOG_CHI_SQUARED
        knots, segments = self.knots.shape[1], self.segments.rows.shape[1]
        per_segment = self.segments.rows.expand(len(residual), -1, -1)
        design = torch.cat((2.0 * self.basis, per_segment), dim=-1)
        product = design.mT @ design
        product[:, :knots, :knots] += len(self.segments.rows) * _ROUGH_SCALE * rough
        identity = torch.eye(knots + segments, dtype=product.dtype, device=product.device)
        solved = torch.linalg.solve(product + _RIDGE * identity, design.mT @ log_squares[..., None])
        log_scale = solved[:, :knots, 0]
        log_scale = log_scale - log_scale.mean(1, keepdim=True)
        scaled = residual * torch.exp(-(self.basis @ log_scale[..., None])[..., 0])
        log_scale = log_scale + scaled.std(1, keepdim=True).clamp_min(_TINY).log()
        steps = torch.cat((log_scale[:, :1], log_scale.diff(dim=1)), dim=1)
        return torch.stack((shift, steps), dim=-1)

    def _regression(self, penalty: Tensor | float = 0.0) -> Tensor:
        """Regress on the basis, weighted by the segments' variances, shape (members, knots)."""
        weight = torch.ones_like(self.changes)
        identity = torch.eye(self.knots.shape[1], dtype=weight.dtype, device=weight.device)
        for _ in range(_REGRESSIONS):
            weighted = (self.basis * weight[..., None]).mT
            product = weighted @ self.basis + penalty + _RIDGE * identity
            shift = torch.linalg.solve(product, weighted @ self.changes[..., None])
            residual = self.changes - (self.basis @ shift)[..., 0]
            variance = residual.square() @ self.segments.shares + _TINY
            weight = (1.0 / variance) @ self.segments.rows.mT
            weight = weight / weight.mean(1, keepdim=True)
        regression: Tensor = shift[..., 0]
        return regression

    def _bend(self) -> tuple[Tensor, Tensor]:
        """Return the first and the last knot around the largest bend, by the residuals there."""
        shift = self._regression()
        squares = (self.changes - (self.basis @ shift[..., None])[..., 0]).square()
        identity = torch.eye(_KNOTS, dtype=squares.dtype, device=squares.device)
        product = self.basis.mT @ self.basis + 1e-3 * identity
        local = torch.linalg.solve(product, self.basis.mT @ squares[..., None])[..., 0]
        local = local.clamp_min(_TINY).sqrt()
        least = torch.stack((local[:, :-2], local[:, 1:-1], local[:, 2:])).amin(0)
        slopes = shift.diff(dim=1) / self.knots.diff(dim=1).clamp_min(_TINY)
        reach = 0.5 * (self.knots[:, 2:] - self.knots[:, :-2])
        at = (slopes.diff(dim=1).abs() * reach / least).argmax(1) + 1
        return (at - 2).clamp_min(0), (at + 2).clamp_max(_KNOTS - 1)


def _hats(values: Tensor, knots: Tensor) -> Tensor:
    """Return piecewise linear functions that are 1 at one knot, (members, rows, knots)."""
    piece, share = bracketed(values, knots)
    basis = values.new_zeros(*values.shape, knots.shape[1])
    basis.scatter_(2, piece[..., None], (1.0 - share)[..., None])
    return basis.scatter_add_(2, piece[..., None] + 1, share[..., None])


def _cumulated(differences: Tensor) -> Tensor:
    """Return a table whose log scales are the cumulative sums of differences."""
    shift, log_scale, slopes = differences.tensor_split((1, 2), dim=-1)
    return torch.cat((shift, log_scale.cumsum(1), slopes), dim=-1)
