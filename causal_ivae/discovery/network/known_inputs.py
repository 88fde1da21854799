"""Test which regions inputs that are known reach, directly or through other regions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from causal_ivae.discovery.network.units import series_of_own, unit_labels
from causal_ivae.haemodynamic_response import double_gamma

_RIDGE = 1e-8
LEAST_T = 4.0
"""An input reaches a region if its total effect is so many standard errors from zero."""
_LEAST_CAUSE = 0.35
"""Regions count as possible causes of another from this probability of an arrow on."""
_INTERCEPT, _WEIGHTS = -3.128, np.array([0.34, 1.243, 1.947, 2.595])
"""Logistic regression of direct arrows on `InputEffects.features`.

Fitted to 65 simulated studies of 1 to 10 subjects whose inputs, with blocks of 8 to 24 s, had
strengths of .15 to .6 (`causal_ivae.simulate.bold_networks.TaskInput`); cross-validated by study,
.95 of the arrows with a probability of .7 or more are right, and .85 of the true ones are found.
"""


@dataclass(frozen=True)
class KnownInput:
    """Hold the regressors of one input.

    Attributes
    ----------
    regressors : ndarray, shape (n_times, 2), float64
        The input, of standard deviation one, and its derivative in time.
    convolved : bool
        True if the input was convolved with a haemodynamic response.
    """

    regressors: NDArray[np.float64]
    convolved: bool


@dataclass(frozen=True)
class InputEffects:
    """Hold the effects of one input on all regions, in standard deviations.

    Attributes
    ----------
    total, total_t : ndarray, shape (n_regions,), float64
        Effect through all paths, and over its standard error.
    direct, direct_t : ndarray, shape (n_regions,), float64
        What is left of it given the regions that may be causes of the region, and over its error.
    remaining, remaining_t : ndarray, shape (n_regions,), float64
        The same given all other regions.
    through : tuple of tuple of int, length n_regions
        The regions that were given for the direct effect and that the input reaches.
    """

    total: NDArray[np.float64]
    total_t: NDArray[np.float64]
    direct: NDArray[np.float64]
    direct_t: NDArray[np.float64]
    remaining: NDArray[np.float64]
    remaining_t: NDArray[np.float64]
    through: tuple[tuple[int, ...], ...]

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Return which regions the input reaches by any path, shape (n_regions,)."""
        return np.abs(self.total_t) >= LEAST_T

    def features(self) -> NDArray[np.float64]:
        """Return the features of the probability of a direct arrow, shape (n_regions, 4)."""
        size = np.abs(self.total) + 1e-9
        shares = np.stack([self.direct, self.remaining]) * np.sign(self.total) / size
        least_t = np.minimum(np.abs(self.direct_t), np.abs(self.remaining_t))
        return np.column_stack(
            [
                np.log1p(np.abs(self.total_t)),
                np.clip(shares.min(axis=0), -0.5, 1.2),
                np.log1p(least_t),
                np.log(size / size.max()),
            ]
        )

    def probability(self) -> NDArray[np.float64]:
        """Return the probability that the input drives every region directly."""
        return np.asarray(expit(_INTERCEPT + self.features() @ _WEIGHTS))


def known_input(
    series: NDArray[np.floating],
    regions: NDArray[np.floating],
    blocks: NDArray[np.int64],
    tr: float,
) -> KnownInput:
    """Choose whether an input is convolved with a haemodynamic response, and take its derivative.

    Parameters
    ----------
    series : ndarray, shape (n_times,)
        For instance 1 in the blocks of a task and 0 else, or this as it was convolved before.
    regions : ndarray, shape (n_times, n_regions)
    blocks : ndarray, shape (n_times,), int64
        Stretches of volumes without a gap.
    tr : float
        Repetition time (s).

    Returns
    -------
    KnownInput
        Of the two forms the one that explains more of the variance of all regions.

    Notes
    -----
    The response is `causal_ivae.haemodynamic_response.double_gamma`; the derivative stands for
    regions that respond earlier or later.
    """
    x = np.asarray(series, dtype=np.float64)
    forms = [_with_derivative(x, blocks), _with_derivative(_convolved(x, blocks, tr), blocks)]
    explained = [np.square(form @ _least_squares(form, regions)).sum() for form in forms]
    convolved = bool(explained[1] > explained[0])
    return KnownInput(forms[int(convolved)], convolved)


def without_inputs(
    regions: NDArray[np.floating], regressors: NDArray[np.float64], segments: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Take the inputs' effects off the regions, for every subject or run by itself.

    What is left follows the same equations between the regions: x = B x + C s + n is
    (I - B)^-1 (C s + n), of which regression on s takes the first part off.
    """
    left = np.asarray(regions, dtype=np.float64).copy()
    own = series_of_own(segments)
    for label in np.unique(own):
        rows = own == label
        design = np.column_stack([np.ones(rows.sum()), regressors[rows]])
        left[rows] -= design @ _least_squares(design, left[rows])
    return left


def input_effects(
    regions: NDArray[np.floating],
    regressors: NDArray[np.float64],
    number: int,
    segments: NDArray[np.int64],
    arrows: NDArray[np.float64],
) -> InputEffects:
    """Estimate the effects of one input beside all others.

    Parameters
    ----------
    regions : ndarray, shape (n_times, n_regions)
    regressors : ndarray, shape (n_times, 2 * n_inputs), float64
        Of all inputs, each with its derivative.
    number : int
        Which input.
    segments : ndarray, shape (n_times,), int64
        Standard errors hold for segments (or windows within them) as the units of observation.
    arrows : ndarray, shape (n_regions, n_regions), float64
        Probability of an arrow from every region (row) to every other (column).
    """
    x = np.asarray(regions, dtype=np.float64)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-12)
    unit, d, place = unit_labels(segments), x.shape[1], 2 * number
    total, total_t = _effect(regressors, x, place, unit)
    reached = np.abs(total_t) >= LEAST_T
    given: list[list[int]] = []
    found = np.empty((4, d))
    for region in range(d):
        others = np.delete(np.arange(d), region)
        causes = others[arrows[others, region] >= _LEAST_CAUSE]
        given.append(causes[reached[causes]].tolist())
        for row, known in ((0, causes), (2, others)):
            design = np.column_stack([regressors, x[:, known]])
            effect, t = _effect(design, x[:, [region]], place, unit)
            found[row : row + 2, region] = effect[0], t[0]
    direct, direct_t, remaining, remaining_t = found
    through = tuple(map(tuple, given))
    return InputEffects(total, total_t, direct, direct_t, remaining, remaining_t, through)


def _effect(
    design: NDArray[np.float64], target: NDArray[np.float64], place: int, unit: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one coefficient for every column of the target, and its t value.

    The standard error allows for any dependence within units (Liang and Zeger 1986).
    """
    inverse = np.linalg.inv(design.T @ design + _RIDGE * len(design) * np.eye(design.shape[1]))
    coefficient = inverse @ (design.T @ target)
    left = target - design @ coefficient
    # The influence of every volume on the coefficient.
    influence = (design @ inverse[place])[:, None] * left
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    by_unit = np.add.reduceat(influence[order], starts, axis=0)
    n = len(starts)
    error = np.sqrt(np.square(by_unit).sum(axis=0) * n / max(n - 1, 1)) + 1e-12
    return coefficient[place], coefficient[place] / error


def _least_squares(
    design: NDArray[np.float64], target: NDArray[np.floating]
) -> NDArray[np.float64]:
    return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0])


def _convolved(
    series: NDArray[np.float64], blocks: NDArray[np.int64], tr: float
) -> NDArray[np.float64]:
    """Convolve a series with a haemodynamic response, from the start of every block anew."""
    response = double_gamma(tr)
    result = np.empty_like(series)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        result[rows] = np.convolve(series[rows], response)[: len(rows)]
    return result


def _with_derivative(series: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a series and its derivative, of mean zero and standard deviation one."""
    slope = np.zeros_like(series)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        if len(rows) > 1:
            slope[rows] = np.gradient(series[rows])
    both = np.column_stack([series, slope])
    both -= both.mean(axis=0)
    return np.asarray(both / (both.std(axis=0) + 1e-12))
