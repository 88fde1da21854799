"""Fit linear equations with feedback whose disturbances' scales grow with the causes."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from causal_ivae.discovery.network.entropy import GAUSSIAN_ENTROPY, GAUSSIAN_LOG_COSH, LOG_COSH, ODD
from causal_ivae.discovery.network.linear import LARGEST, RIDGE
from causal_ivae.discovery.network.units import Units
from causal_ivae.unmixing.training.threads import torch_threads

_LARGEST_SCALE = 3.0
_FIRST_SCALE = 0.02
_REGIONS_OF_A_STEP = 10
_FEWEST_VOLUMES = 500
"""The mean log-determinant is taken over at least so many volumes (all, if there are fewer)."""


def fit_scales(
    units: Units, adjacent: NDArray[np.bool_], start: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit coefficients of both directions where the disturbances' scales depend on the causes.

    Parameters
    ----------
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric.
    start : ndarray, shape (n_regions, n_regions), float64
        Coefficients to start from.

    Returns
    -------
    coefficients : ndarray, shape (n_regions, n_regions), float64
        ``coefficients[i, j]`` is the effect of region j on region i.
    loss : float
        Negative log-likelihood with the penalty (nats per volume).

    Notes
    -----
    n_i = s_i(x) e_i with s_i(x)^2 = 1 + sum over causes k of c_ik x_k^2, c >= 0, such as where the
    strength of a connection changes.  The Jacobian of e by x is exact: row i is
    (I - B)_i / s_i - e_i c_ik x_k / s_i^2.  Its determinant costs the third power of the number of
    regions, so that in networks of 20 regions or more its mean is taken over every second, third,
    ... volume.
    """
    effect, cause = np.nonzero(adjacent)
    n, d = len(effect), len(adjacent)
    filled = np.arange(units.values.shape[1]) < units.counts[:, None]
    x = torch.as_tensor(units.values[filled], dtype=torch.float32)
    unit = torch.as_tensor(np.repeat(np.arange(len(units.counts)), units.counts))
    counts = torch.as_tensor(units.counts, dtype=torch.float32)[:, None]
    squares, eye = x.square(), torch.eye(d)
    step = max(1, min(d // _REGIONS_OF_A_STEP, len(x) // _FEWEST_VOLUMES))
    place = torch.as_tensor(np.stack([effect, cause]))

    def negative(free: torch.Tensor) -> torch.Tensor:
        b = torch.zeros(d, d).index_put((place[0], place[1]), free[:n])
        c = torch.zeros(d, d).index_put((place[0], place[1]), free[n:])
        w = eye - b
        residual, variance = x @ w.T, 1.0 + squares @ c.T
        scaled = residual / variance.sqrt()
        power = torch.zeros(len(counts), d).index_add(0, unit, scaled.square()) / counts
        sd = power.sqrt() + 1e-9
        z = scaled / sd[unit]
        size = z.abs()
        even = (size + torch.log1p(torch.exp(-2 * size)) - np.log(2.0)).mean(0)
        odd = (z * torch.exp(-z.square() / 2)).mean(0)
        share = (residual[::step] / variance[::step])[..., None]
        jacobian = w - share * c * x[::step, None, :]
        volume = torch.linalg.slogdet(jacobian)[1].mean()
        entropy = sd.log()[unit].mean(0) + 0.5 * variance.log().mean(0) + GAUSSIAN_ENTROPY
        entropy = entropy - LOG_COSH * (even - GAUSSIAN_LOG_COSH).square() - ODD * odd.square()
        total: torch.Tensor = entropy.sum() - volume + RIDGE * free.square().sum()
        return total

    def loss(free: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        leaf = torch.tensor(free, dtype=torch.float32, requires_grad=True)
        value = negative(leaf)
        (gradient,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), np.nan_to_num(gradient.numpy().astype(np.float64))

    first = np.concatenate([start[effect, cause], np.full(n, _FIRST_SCALE)])
    with torch_threads(1):
        found = minimize(
            loss,
            first,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-LARGEST, LARGEST)] * n + [(0.0, _LARGEST_SCALE)] * n,
            options={"maxiter": 40},
        )
    b = np.zeros(adjacent.shape)
    b[effect, cause] = found.x[:n]
    return b, float(found.fun)
