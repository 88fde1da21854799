"""Plant arrows into series without any, through the haemodynamic responses of the regions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.simulate.haemodynamics import RESPONSE_STEP, haemodynamic_responses

_REGULARISATION = 0.05
"""Power of the response, relative to its largest, below which content is hardly passed on."""
_OF_REGION, _OF_SUBJECT = 0.87, 0.5
"""Shares of the standard deviation of delays that are the region's, and the subject's alone."""


@dataclass(frozen=True)
class PlantedArrows:
    """Hold series with arrows that are known.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float64
    arrows : ndarray, shape (n_arrows, 2), int64
        Cause and effect of every arrow.  No region has two causes.
    """

    values: NDArray[np.float64]
    arrows: NDArray[np.int64]


def plant_arrows(
    values: NDArray[np.floating],
    subjects: NDArray[np.int64],
    blocks: NDArray[np.int64],
    tr: float,
    strength: float,
    rng: np.random.Generator,
    *,
    delay_sd: float = 0.5,
) -> PlantedArrows:
    """Add arrows of one strength at random places to series that have none.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    subjects : ndarray, shape (n_times,), int64
        Haemodynamic responses differ between subjects.
    blocks : ndarray, shape (n_times,), int64
        Stretches of volumes without a gap.
    tr : float
        Repetition time (s).
    strength : float
        Share of the standard deviation of the effect that comes from the cause, 0 to 1.
    delay_sd : float
        Standard deviation of the responses' time to peak between regions (s).

    Returns
    -------
    PlantedArrows
        Half as many arrows as regions, without a cycle.

    Notes
    -----
    What reaches the effect is the cause filtered by h_effect / h_cause, the ratio of the two
    regions' haemodynamic responses, regularised so that content too fast for the response of the
    cause is not passed on, since it cannot come from activity that drives another region.  Adding
    the cause's series as it is would flatter every method: its fast measurement noise would then
    show the direction.
    """
    x = np.asarray(values, dtype=np.float64)
    n_regions = x.shape[1]
    order = rng.permutation(n_regions)
    # Every effect comes later in a random order than its cause, so that there is no cycle.
    place = np.sort(rng.choice(np.arange(1, n_regions), max(1, n_regions // 2), replace=False))
    causes = order[(rng.random(len(place)) * place).astype(np.int64)]
    arrows = np.column_stack([causes, order[place]])
    scale = x.std(axis=0) + 1e-12
    planted = x / scale
    late = _OF_REGION * delay_sd * rng.standard_normal(n_regions)
    for subject in np.unique(subjects):
        rows = np.flatnonzero(subjects == subject)
        responses = haemodynamic_responses(rng, (n_regions,), _OF_SUBJECT * delay_sd, late)
        planted[rows] = _passed_on(planted[rows], blocks[rows], arrows, tr, strength, responses)
    return PlantedArrows(planted * scale, arrows)


def _passed_on(
    values: NDArray[np.float64],
    blocks: NDArray[np.int64],
    arrows: NDArray[np.int64],
    tr: float,
    strength: float,
    responses: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Add to every effect what its cause passes on, block by block."""
    result = values.copy()
    result[:, arrows[:, 1]] *= np.sqrt(1.0 - strength**2)
    seconds = RESPONSE_STEP * (np.arange(len(responses)) + 0.5)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        spectrum = np.fft.rfft(result[rows], axis=0)
        frequency = np.fft.rfftfreq(len(rows), tr)
        transfer = np.exp(-2j * np.pi * frequency[:, None] * seconds) @ responses
        transfer /= np.abs(transfer).max(axis=0)
        for cause, effect in arrows:
            known = transfer[:, cause]
            inverse = known.conj() / (np.square(np.abs(known)) + _REGULARISATION)
            spectrum[:, effect] += strength * transfer[:, effect] * inverse * spectrum[:, cause]
        result[rows] = np.fft.irfft(spectrum, len(rows), axis=0)
    return result
