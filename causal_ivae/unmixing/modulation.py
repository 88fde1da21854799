"""Measure how much the distribution of recovered disturbances changes with the segment."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2
from torch import Tensor

from causal_ivae.seeding import generator
from causal_ivae.unmixing.training.stacks import Fit

_SCALINGS = 5
"""Rows and columns are scaled in turn this many times to make sampling errors equal."""
_TRACY_WIDOM_95 = 0.9793
"""This is the 95 % quantile of the Tracy-Widom distribution of order 1."""
_LEVEL = 0.05
_POWER = 0.8
_DRAWS = 2000
"""Draws of the random matrices from which the modulation that would have been shown is found."""


@dataclass(frozen=True)
class Modulation:
    """Hold for every model how much the distribution of its disturbances changes with the segment.

    `causal_ivae.unmixing.diagnostics.Diagnostics` defines the quantities.

    Attributes
    ----------
    rank : ndarray, shape (models,), int64
        Rank of the matrix L of theorem 1.
    condition : ndarray, shape (models,), float64
        Condition number of L.
    strength, error : ndarray, shape (models, n_components), float64
        Modulation of every disturbance and its standard error.
    detectable : ndarray, shape (models,), float64
        Modulation that all disturbances must have for full rank to be shown in 80 % of cases.
    """

    n_segments: int
    rank: NDArray[np.int64]
    condition: NDArray[np.float64]
    strength: NDArray[np.float64]
    error: NDArray[np.float64]
    detectable: NDArray[np.float64]

    @classmethod
    def of(cls, fit: Fit, best: NDArray[np.int64], z: Tensor, u: Tensor, n_statistics: int) -> Self:
        """Measure the modulation in some members of a fit.

        Parameters
        ----------
        best : ndarray, shape (models,), int64
            One member of every model.
        z : Tensor, shape (models, n_times, n_components), float32
            The disturbances of these members.
        u : Tensor, shape (n_times,), int64
        n_statistics : int
            k of theorem 1.
        """
        counts = torch.bincount(u)
        n_segments = len(counts)
        z = z.double().nan_to_num(0.0)
        means, variances = _moments(z, u, counts)
        if fit.modulation is None:
            log_scale = (0.5 * variances.clamp_min(1e-12).log()).cpu().numpy()
            mean = means.cpu().numpy()
        else:
            log_scale, mean = np.moveaxis(np.nan_to_num(fit.modulation[best]), -1, 0)
        noise, mean_noise = _sampling_variance(z, u, counts, means, variances)
        excess = log_scale.var(axis=1, ddof=1) - noise.mean(axis=1)
        strength = np.sqrt(excess.clip(min=0.0))
        spread = log_scale.var(axis=1, ddof=1) * math.sqrt(2.0 / (n_segments - 1))
        # The error of a square root by the delta method.  Where the excess is within noise, it is
        # the largest strength that noise could hide.
        error = np.where(excess > spread, spread / (2.0 * strength.clip(min=1e-12)), spread**0.5)
        rank, condition, factor = _rank(log_scale, mean, noise, mean_noise, n_statistics)
        detectable = np.sqrt((factor - 1.0) * noise.mean(axis=1).max(axis=1))
        return cls(n_segments, rank, condition, strength, error, detectable)


def _moments(z: Tensor, u: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of every segment, each (models, segments, components)."""
    shape = (len(z), len(counts), z.shape[-1])
    size = counts.double().clamp_min(1.0)[:, None]
    mean = z.new_zeros(shape).index_add_(1, u, z) / size
    return mean, z.new_zeros(shape).index_add_(1, u, (z - mean[:, u]).square()) / size


def _sampling_variance(
    z: Tensor, u: Tensor, counts: Tensor, mean: Tensor, variance: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sampling variances of every segment's log scale and standardised mean.

    Each has the shape (models, segments, components), as `mean` and `variance` have.
    """
    size = counts.double().clamp_min(1.0)[:, None]
    residual = z - mean[:, u]
    residual = residual / variance.clamp_min(1e-24).sqrt()[:, u]
    together = (u[1:] == u[:-1]).to(z.dtype)[:, None]
    length = max(len(u) / len(counts), 6.0)
    rho = (residual[:, 1:] * residual[:, :-1] * together).sum(1) / together.sum().clamp_min(1.0)
    # Deviations from a segment's own mean are less autocorrelated (Kendall 1954).
    rho = ((length * rho + 1.0) / (length - 4.0)).clamp(-0.99, 0.99)
    slowed = (1.0 + rho**2) / (1.0 - rho**2)
    # The kurtosis is too small in short segments, by an amount that grows with it; simulated normal
    # and Laplace series of 40 to 200 volumes, autocorrelated or not, come out within 4 %.
    raw = residual.pow(4).mean(1)
    error = (raw - 1.0).clamp_min(0.1) * slowed / length
    heavy = (raw * (1.0 + error) - 3.0).clamp_min(0.0)
    kurtosis = raw * (1.0 + (1.0 + 0.8 * heavy) * error)
    # This is the factor of an AR(1) process's sample variance (Bartlett 1946).
    of_scale = (kurtosis - 1.0).clamp_min(0.5) * slowed
    # A sample variance is nearly a gamma variable, whose logarithm has this variance.
    of_scale = 0.25 * torch.special.polygamma(1, size / of_scale[:, None])
    of_mean = (1.0 + rho) / (1.0 - rho)
    return (of_scale.cpu().numpy(), (of_mean[:, None] / size).cpu().numpy())


def _rank(
    log_scale: NDArray[np.float64],
    mean: NDArray[np.float64],
    noise: NDArray[np.float64],
    mean_noise: NDArray[np.float64],
    n_statistics: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return rank and condition number of the differences of lambda over segments.

    The third result is the variance over segments, in units of sampling error, that `_factor` says.
    """
    # Each disturbance is taken in units of its pooled scale, so that units do not matter.
    pooled = 0.5 * np.log(np.exp(2.0 * log_scale).mean(axis=1, keepdims=True))
    precision = np.exp(-2.0 * (log_scale - pooled))
    columns, shown, variances = [precision], [log_scale], [noise]
    if n_statistics == 2:
        centred = (mean - mean.mean(axis=1, keepdims=True)) * np.exp(-pooled)
        columns.append(centred * precision)
        shown.append(centred)
        variances.append(mean_noise / precision)
    learned = np.concatenate(columns, axis=-1)
    relative = learned / np.abs(learned).mean(axis=1, keepdims=True).clip(min=1e-300)
    values = _singular_values(relative - relative.mean(axis=1, keepdims=True))
    condition = np.full(len(values), np.inf)
    np.divide(values[:, 0], values[:, -1], out=condition, where=values[:, -1] > 0.0)
    # The rank is taken of log scales and means, since the sampling error of precisions is uneven
    # and would hide differences.  To first order, the differences of both span the same space.
    table, variance = np.concatenate(shown, axis=-1), np.concatenate(variances, axis=-1)
    degrees = table.shape[1] - 1
    # The rank of the differences is the rank of (1, lambda) minus one, and scaling of rows and
    # columns does not change the latter.
    constant = np.ones((*table.shape[:2], 1))
    for _ in range(_SCALINGS):
        for axis in (1, 2):
            scale = np.sqrt(variance.mean(axis=axis, keepdims=True)).clip(min=1e-12)
            table, variance = table / scale, variance / scale**2
            constant = constant / scale if axis == 2 else constant
    constant /= np.linalg.norm(constant, axis=1, keepdims=True)
    table = table - constant * (constant * table).sum(axis=1, keepdims=True)
    # Errors that remain uneven reduce the effective number of segments.
    share = variance / variance.sum(axis=1, keepdims=True)
    segments = np.minimum(1.0 / np.square(share).sum(axis=1).max(axis=-1), degrees)
    edges = _edges(segments, table.shape[-1])
    found = np.square(_singular_values(table)) / degrees
    rank = np.minimum.accumulate(found > edges, axis=1).sum(axis=1)
    draws = np.array([_factor(int(count), table.shape[-1]) for count in np.ceil(segments)])
    return rank, condition, draws


def _edges(rows: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Return the value that sampling error alone exceeds in 5 % of cases, (models, columns).

    The first is for the largest eigenvalue of the covariance of `columns` variables, in units of
    sampling error.  The next is for the largest one that is left once the first is real, and so
    on, each with a row and a column less.
    """
    left = [(np.maximum(rows - k, 1.0), columns - k) for k in range(columns)]
    largest = [
        chi2.isf(_LEVEL, degrees) if many == 1 else _largest_by_chance(degrees, many)
        for degrees, many in left
    ]
    return np.stack([edge / rows for edge in largest], axis=-1)


@cache
def _factor(rows: int, columns: int) -> float:
    """Return the variance over segments, in units of sampling error, that shows full rank in 80 %.

    All variables have this variance, sampling error included, and are independent.
    """
    rng = generator(0, "detectable modulation", rows, columns)
    values = np.linalg.svd(rng.normal(size=(_DRAWS, rows, columns)), compute_uv=False)
    if rows < columns:
        return math.inf
    needed = _edges(np.array([float(rows)]), columns) / (np.square(values) / rows)
    return max(1.0, float(np.quantile(needed.max(axis=1), _POWER)))


def _largest_by_chance(rows: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Return the 95 % quantile of the largest eigenvalue of X'X for standard normal X.

    The approximation is that of Johnstone 2001.
    """
    root, other = np.sqrt(np.maximum(rows - 1.0, 1.0)), math.sqrt(columns)
    spread = (root + other) * (1.0 / root + 1.0 / other) ** (1.0 / 3.0)
    return np.asarray((root + other) ** 2 + _TRACY_WIDOM_95 * spread)


def _singular_values(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all singular values, largest first, shape (models, columns); 0 if rows are too few."""
    given = np.linalg.svd(table, compute_uv=False)
    values = np.zeros((len(table), table.shape[-1]))
    values[:, : given.shape[1]] = given
    return values
