"""Approximate the entropy of disturbances by moments, with its derivatives by the coefficients."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.units import Units

LOG_COSH, GAUSSIAN_LOG_COSH, ODD = 79.047, 0.37457, 7.4129
"""Constants of the maximum-entropy approximation (Hyvarinen 1998)."""
GAUSSIAN_ENTROPY = 0.5 * (1.0 + float(np.log(2.0 * np.pi)))
_ONE, _HALF = np.float32(1.0), np.float32(0.5)
_MOST_TOGETHER = 20
"""Second derivatives of more regions are taken one region at a time: most pairs are then apart."""


def log_cosh(z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return log cosh z without overflow, and tanh z, its derivative."""
    size = np.abs(z)
    twice = _ONE + np.exp(np.float32(-2.0) * size)
    tangent = np.copysign((np.float32(2.0) - twice) / twice, z)
    return np.asarray(size + np.log(_HALF * twice)), tangent


def negentropy(even: NDArray[np.float64], odd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the negentropy of a variable with these means of log cosh z and of z exp(-z^2 / 2).

    Notes
    -----
    Hyvarinen 1998, "New approximations of differential entropy for independent component analysis
    and projection pursuit", with the constants of Hyvarinen and Smith 2013, JMLR 14:111-152.
    """
    return np.asarray(LOG_COSH * np.square(even - GAUSSIAN_LOG_COSH) + ODD * np.square(odd))


@dataclass(frozen=True)
class Disturbances:
    """Hold the disturbances n = (I - B) x of all volumes, scaled to variance one in every unit.

    Attributes
    ----------
    units : Units
        The series x.
    sd : ndarray, shape (n_units, n_regions), float64
        Standard deviations of n.
    z : ndarray, shape (n_units, longest, n_regions), float32
        n over its standard deviation.
    bell, tangent : ndarray, shape of `z`, float32
        exp(-z^2 / 2) and tanh z.
    even, odd : ndarray, shape (n_regions,), float64
        Means of log cosh z and of z exp(-z^2 / 2).

    Notes
    -----
    If a coefficient changes, the standard deviation of n changes by -m, where m = E[z x], and z by
    -(x - z m) / sd, from which the derivatives follow.
    """

    units: Units
    sd: NDArray[np.float64]
    z: NDArray[np.float32]
    bell: NDArray[np.float32]
    tangent: NDArray[np.float32]
    even: NDArray[np.float64]
    odd: NDArray[np.float64]

    @classmethod
    def of(cls, units: Units, w: NDArray[np.float64]) -> Self:
        """Take the disturbances of series.

        Parameters
        ----------
        w : ndarray, shape (n_regions, n_regions), float64
            I - B.
        """
        residual = units.values @ w.T.astype(np.float32)
        sd = np.sqrt(units.mean(np.square(residual))) + 1e-9
        z: NDArray[np.float32] = np.divide(residual, sd[:, None], dtype=np.float32)
        bell = np.exp(-_HALF * np.square(z))
        bent, tangent = log_cosh(z)
        even, odd = units.weights @ units.mean(bent), units.weights @ units.mean(z * bell)
        return cls(units, sd, z, bell, tangent, even, odd)

    def total(self) -> float:
        """Return the sum of the entropies of all regions (nats per volume)."""
        size = self.units.weights @ np.log(self.sd)
        return float((size + GAUSSIAN_ENTROPY - negentropy(self.even, self.odd)).sum())

    def gradient(self) -> NDArray[np.float64]:
        """Return the gradient of the total by B in every unit (n_units, n_regions, n_regions)."""
        return np.asarray((self._across - self._along) / self.sd[:, :, None])

    def hessians(
        self, moments: NDArray[np.float64], adjacent: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return the second derivatives of every region's entropy by its coefficients.

        Parameters
        ----------
        moments : ndarray, shape (n_units, n_regions, n_regions), float64
            Those of `causal_ivae.discovery.network.units.Units.products`.
        adjacent : ndarray, shape (n_regions, n_regions), bool
            Row i: the regions whose effects on region i are coefficients.

        Returns
        -------
        ndarray, shape (n_derivatives,), float64
            Of region after region, the rows of a matrix (n_causes, n_causes) one after the other;
            entropies of different regions have no coefficient in common.
        """
        units, z, squares, along = self.units, self.z, np.square(self.z), self._along
        of_even, of_odd = self._weights
        curve = of_even * (_ONE - np.square(self.tangent))
        curve += of_odd * (squares - np.float32(3.0)) * z * self.bell
        power, tilted = units.mean(self._slope * z), self._with_series(curve * z) + self._across
        first = [
            np.einsum(
                "ui,uij->ij",
                units.weights[:, None] / self.sd,
                self._with_series(part) - units.mean(part * z)[:, :, None] * along,
            )
            for part in (self.tangent, (_ONE - squares) * self.bell)
        ]
        share = units.weights[:, None] / np.square(self.sd)
        curve_power = units.mean(curve * squares)
        curve *= (share / units.counts[:, None]).astype(np.float32)[:, None]
        excess = share * (1.0 + power)
        bent = excess + share * (1.0 + curve_power)
        rows, x = (one.reshape(-1, len(adjacent)) for one in (curve, units.values))

        def block(regions: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
            """Return the derivatives of some regions' entropies by the same coefficients each."""
            own, size = x[:, columns], len(columns)
            weighted = (rows[:, regions, None] * own[:, None]).reshape(len(x), -1)
            by_row = (own.T @ weighted).reshape(size, len(regions), size)
            second = np.tensordot(excess[:, regions], moments[:, columns][:, :, columns], (0, 0))
            second -= np.swapaxes(by_row, 0, 1)
            m = np.swapaxes(along[:, regions[:, None], columns], 0, 1)
            by_cause = np.swapaxes(m, 1, 2)
            second -= by_cause @ (bent.T[regions, :, None] * m)
            side = np.swapaxes(tilted[:, regions[:, None], columns], 0, 1)
            crossed = by_cause @ (share.T[regions, :, None] * side)
            second += crossed + np.swapaxes(crossed, 1, 2)
            for part, constant in zip(first, (LOG_COSH, ODD), strict=True):
                slope = part[regions[:, None], columns]
                second -= 2.0 * constant * slope[:, :, None] * slope[:, None, :]
            return np.asarray(second)

        if len(adjacent) > _MOST_TOGETHER:
            blocks = [block(np.array([i]), np.flatnonzero(row)) for i, row in enumerate(adjacent)]
            return np.concatenate([one.ravel() for one in blocks])
        every = np.arange(len(adjacent))
        return block(every, every)[adjacent[:, :, None] & adjacent[:, None]]

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the derivatives of the negentropy by the means of both functions of z."""
        of_even = 2.0 * LOG_COSH * (self.even - GAUSSIAN_LOG_COSH)
        return of_even.astype(np.float32), (2.0 * ODD * self.odd).astype(np.float32)

    @cached_property
    def _slope(self) -> NDArray[np.float32]:
        """Return the derivative of the negentropy by z."""
        of_even, of_odd = self._weights
        return np.asarray(of_even * self.tangent + of_odd * (_ONE - np.square(self.z)) * self.bell)

    @cached_property
    def _along(self) -> NDArray[np.float64]:
        """Return the means of z times every series, m of the notes."""
        return self._with_series(self.z)

    @cached_property
    def _across(self) -> NDArray[np.float64]:
        """Return the means of the slope times what z does not explain of every series."""
        power = self.units.mean(self._slope * self.z)
        return self._with_series(self._slope) - power[:, :, None] * self._along

    def _with_series(self, columns: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return means of products with all series (n_units, n_columns, n_regions)."""
        products = np.swapaxes(columns, 1, 2) @ self.units.values
        return np.asarray(products / self.units.counts[:, None, None])
