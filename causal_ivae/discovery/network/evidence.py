"""Gather the evidence for the directions of all adjacent pairs of a network."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery.network.acyclic import arrow_gains, local_scores
from causal_ivae.discovery.network.linear import RIDGE, fit_feedback, objective
from causal_ivae.discovery.network.scales import fit_scales
from causal_ivae.discovery.network.units import Units, innovations
from causal_ivae.seeding import generator

SCALES_PAY = 0.01
"""Scales that depend on causes are fitted if they gain this many nats per volume."""
_REGIONS_OF_SCALES = 10
"""Gains of larger networks are taken for this many regions, the most of the calibrated ones.

Each scale gains a little by chance, so that the gain of a whole network grows with its size.
"""
_ROWS_OF_SCALES = 2500


@dataclass(frozen=True)
class NetworkEvidence:
    """Hold the evidence of one form of the series (as they are, or their innovations) by pair.

    Positive numbers of the first six favour x -> y.

    Attributes
    ----------
    difference : ndarray, shape (n_pairs,), float64
        Size of the coefficient of x -> y less that of y -> x in equations with feedback.
    difference_z : ndarray, shape (n_pairs,), float64
        The same over its standard error.
    wald : ndarray, shape (n_pairs,), float64
        What x -> y adds to the likelihood less what y -> x adds (nats per volume).
    gain : ndarray, shape (n_pairs,), float64
        Log-likelihood of the best acyclic graph with x -> y less that with y -> x (nats per
        volume).
    gain_t : ndarray, shape (n_pairs,), float64
        The same over its standard error.
    tanh_t : ndarray, shape (n_pairs,), float64
        Mean over units of the pairwise likelihood ratio of Hyvarinen and Smith 2013 (eq. 9) over
        its standard error.
    larger, smaller : ndarray, shape (n_pairs,), float64
        Sizes of the two coefficients.
    larger_z, smaller_z : ndarray, shape (n_pairs,), float64
        Their sizes over their standard errors, sorted by themselves.
    agreement : ndarray, shape (n_pairs,), float64
        Share of the segments (of subjects, where these are pooled) whose own gain has the sign of
        that of all.
    gain_without_one : ndarray, shape (n_pairs,), float64
        The gain without the segment that speaks most for its sign; with another sign, the direction
        depends on this segment.  Nothing is fitted again.
    scales : ndarray, shape (n_pairs,), float64
        What scales that depend on causes gain in the acyclic graph (nats per volume), in networks
        of more than ten regions for ten of them; the same for all pairs.
    """

    difference: NDArray[np.float64]
    difference_z: NDArray[np.float64]
    wald: NDArray[np.float64]
    gain: NDArray[np.float64]
    gain_t: NDArray[np.float64]
    tanh_t: NDArray[np.float64]
    larger: NDArray[np.float64]
    smaller: NDArray[np.float64]
    larger_z: NDArray[np.float64]
    smaller_z: NDArray[np.float64]
    agreement: NDArray[np.float64]
    gain_without_one: NDArray[np.float64]
    scales: NDArray[np.float64]

    @classmethod
    def of_units(
        cls, units: Units, pairs: NDArray[np.int64], seed: int, *, growing: bool = True
    ) -> Self:
        """Gather the evidence.

        Parameters
        ----------
        pairs : ndarray, shape (n_pairs, 2), int64
            The adjacent pairs, x < y.
        seed : int
            Seed of the random starts of the search of large networks.
        growing : bool
            False for the light form, which leaves out that scales may grow with the causes.
        """
        d = units.values.shape[2]
        x, y = pairs.T
        adjacent = np.zeros((d, d), dtype=bool)
        adjacent[x, y] = adjacent[y, x] = True
        ratio = _tanh_ratio(units, x, y)
        strength = units.weights @ ratio
        # Every search has random numbers of its own, so that one changes nothing in another.
        constant = arrow_gains(
            units,
            local_scores(units, adjacent, scales=False),
            pairs,
            strength,
            generator(seed, "constant scales"),
        )
        best = constant
        if growing:
            best = arrow_gains(
                units,
                local_scores(units, adjacent, scales=True),
                pairs,
                strength,
                generator(seed, "growing scales"),
            )
        covariance = np.tensordot(units.weights, units.products(), axes=1)
        precision = np.linalg.inv(covariance + 1e-6 * np.eye(d))
        starts = [
            -0.5 * precision / np.diag(precision)[:, None],
            _regression(covariance, best.graph),
        ]
        if (constant.graph != best.graph).any():
            starts.append(_regression(covariance, constant.graph))
        fit = fit_feedback(units, adjacent, starts)
        pay = (best.total - constant.total) * min(1.0, _REGIONS_OF_SCALES / d)
        b = fit.coefficients
        if pay > SCALES_PAY:
            few = units.thinned(_ROWS_OF_SCALES)
            found, loss = fit_scales(few, adjacent, starts[1])
            if loss < objective(few, b)[0] + RIDGE * np.square(b).sum():
                b = found
        number = np.zeros((d, d), dtype=np.int64)
        number[fit.effect, fit.cause] = np.arange(len(fit.effect))
        forward, backward = number[y, x], number[x, y]
        variance = np.diag(fit.covariance)
        turned = np.sign(b[y, x]) * np.sign(b[x, y]) * fit.covariance[forward, backward]
        of_difference = variance[forward] + variance[backward] - 2.0 * turned
        straight, reverse = np.abs(b[y, x]), np.abs(b[x, y])
        z = straight / np.sqrt(variance[forward]), reverse / np.sqrt(variance[backward])
        curvature = np.diag(fit.inverse_hessian)
        agreement, gain_without_one = _by_segment(units, best.by_unit)
        return cls(
            difference=straight - reverse,
            difference_z=(straight - reverse) / np.sqrt(np.maximum(of_difference, 1e-8)),
            wald=0.5 * (straight**2 / curvature[forward] - reverse**2 / curvature[backward]),
            gain=best.gain,
            gain_t=best.t,
            tanh_t=strength / (units.error(ratio) + 1e-9),
            larger=np.maximum(straight, reverse),
            smaller=np.minimum(straight, reverse),
            larger_z=np.maximum(*z),
            smaller_z=np.minimum(*z),
            agreement=agreement,
            gain_without_one=gain_without_one,
            scales=np.full(len(pairs), pay),
        )

    def odd(self) -> NDArray[np.float64]:
        """Return the features that change their sign with the arrow, shape (n_pairs, 6)."""
        return np.column_stack(
            [
                np.arcsinh(self.difference_z),
                np.arcsinh(5.0 * self.difference),
                np.arcsinh(self.gain_t),
                np.arcsinh(100.0 * self.gain),
                np.arcsinh(self.tanh_t),
                np.arcsinh(100.0 * self.wald),
            ]
        )

    def even(self) -> NDArray[np.float64]:
        """Return the features that do not, shape (n_pairs, 10)."""
        odd = self.odd()
        return np.column_stack(
            [
                np.log(self.larger + 0.02),
                np.log((self.smaller + 0.02) / (self.larger + 0.02)),
                np.abs(odd[:, :4]),
                np.sign(odd[:, 0]) * np.sign(odd[:, 2]),
                np.arcsinh(self.smaller_z),
                np.arcsinh(self.larger_z),
                np.log1p(100.0 * np.maximum(self.scales, 0.0)),
            ]
        )


def gather(
    values: NDArray[np.floating],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
    seed: int,
    *,
    growing: bool = True,
) -> tuple[NetworkEvidence, NetworkEvidence]:
    """Gather the evidence on the series and on their innovations.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    segments, blocks : ndarray, shape (n_times,), int64
    pairs : ndarray, shape (n_pairs, 2), int64
        The adjacent pairs, x < y.
    growing : bool
        False for the light form of the evidence, see `NetworkEvidence.of_units`.
    """
    whitened, kept = innovations(values, segments, blocks)
    return (
        NetworkEvidence.of_units(Units.of(values, segments), pairs, seed, growing=growing),
        NetworkEvidence.of_units(Units.of(whitened, segments[kept]), pairs, seed, growing=growing),
    )


def arrow_features(
    series: NetworkEvidence, whitened: NetworkEvidence, log_odds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the features of the model of arrows, those that change sign and those that do not.

    Parameters
    ----------
    series, whitened : NetworkEvidence
        On the series and on their innovations.
    log_odds : ndarray, shape (n_pairs,), float64
        Log odds that the pair is adjacent.

    Returns
    -------
    odd : ndarray, shape (n_pairs, 12), float64
    even : ndarray, shape (n_pairs, 26), float64
    """
    first, second = series.odd(), whitened.odd()
    agreement = [
        np.sign(first[:, 0]) * np.sign(second[:, 0]),
        np.sign(first[:, 2]) * np.sign(second[:, 2]),
        np.sign(first[:, 2] + first[:, 0]) * np.sign(first[:, 4]),
        np.sign(second[:, 2] + second[:, 0]) * np.sign(second[:, 4]),
    ]
    connected = [log_odds, np.square(log_odds) / 10.0]
    even = np.column_stack([*connected, series.even(), whitened.even(), *agreement])
    return np.hstack([first, second]), even


def _tanh_ratio(units: Units, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the pairwise likelihood ratio of every unit, shape (n_units, n_pairs).

    Notes
    -----
    Hyvarinen and Smith 2013, JMLR 14:111-152, equation 9: rho (E[x tanh y] - E[tanh x y]).
    """
    bent = np.swapaxes(units.values, 1, 2) @ np.tanh(units.values) / units.counts[:, None, None]
    return np.asarray(units.products()[:, x, y] * (bent[:, x, y] - bent[:, y, x]))


def _by_segment(
    units: Units, by_unit: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of segments agrees on the gain of every pair, and the gain without one.

    Parameters
    ----------
    by_unit : ndarray, shape (n_units, n_pairs), float64
    """
    _, number = np.unique(units.segment, return_inverse=True)
    weight = np.bincount(number, units.weights)
    parts = np.zeros((len(weight), by_unit.shape[1]))
    np.add.at(parts, number, units.weights[:, None] * by_unit)
    total = parts.sum(axis=0)
    signed = parts * np.where(total < 0.0, -1.0, 1.0)
    most = signed.argmax(axis=0)
    left = total - np.take_along_axis(parts, most[None], axis=0)[0]
    return (signed > 0.0).mean(axis=0), left / np.maximum(1.0 - weight[most], 1e-9)


def _regression(covariance: NDArray[np.float64], graph: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the least-squares coefficients of every region on its causes in a graph."""
    b = np.zeros_like(covariance)
    for i in range(len(graph)):
        causes = np.flatnonzero(graph[:, i])
        own = covariance[np.ix_(causes, causes)] + 1e-6 * np.eye(len(causes))
        b[i, causes] = np.linalg.solve(own, covariance[causes, i])
    return b
