"""Set the claims of the data against those of twins, which are all false."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.settings import DecisionSettings

_OF_NETWORKS = 0.95
"""With the guard "network" a claim must exceed all claims of this share of the twins."""


def least_drawn(
    claims: NDArray[np.float64],
    decoys: NDArray[np.float64],
    decision: DecisionSettings,
    confidence: float,
) -> float:
    """Return the probability from which arrows are drawn beside their twins; infinite for none.

    Parameters
    ----------
    claims, decoys, confidence
        See `threshold`; without twins, the threshold is the confidence.
    decision : DecisionSettings
        With the guard and its share.
    """
    if not len(decoys):
        return confidence
    if decision.guard == "network":
        highest = float(np.quantile(decoys.max(axis=1), _OF_NETWORKS, method="higher"))
        return max(confidence, float(np.nextafter(highest, 1.0)))
    least = threshold(claims, decoys, confidence, decision.decoy_share)
    return np.inf if least is None else least


def is_settled(
    claims: NDArray[np.float64],
    decoys: NDArray[np.float64],
    decision: DecisionSettings,
    most_twins: int,
    confidence: float,
) -> bool:
    """Return whether further twins could hardly change what `least_drawn` lets draw.

    Parameters
    ----------
    claims, decoys, decision, confidence
        See `least_drawn`.
    most_twins : int
        Number of twins that there would be in the end.
    """
    if decision.guard == "network":
        return not (claims >= confidence).any()
    return settled(claims, decoys, confidence, decision.decoy_share, most_twins)


def threshold(
    claims: NDArray[np.float64], decoys: NDArray[np.float64], confidence: float, share: float
) -> float | None:
    """Return the least probability at which claims are to be trusted; None if there is none.

    Parameters
    ----------
    claims : ndarray, shape (n,), float64
        Probabilities of all arrows of the data.
    decoys : ndarray, shape (n_twins, n), float64
        Those of the twins.
    confidence : float
        The threshold is at least this.
    share : float
        Largest share of the claims that a twin may make as well.

    Notes
    -----
    The target-decoy rule of proteomics (Elias and Gygi 2007, Nature Methods 4:207-214), with one
    more claim of all twins together as a correction for their number: (decoys >= t + 1) / twins is
    at most ``share`` times (claims >= t).
    """
    trusted = claims[decoy_q_values(claims, decoys, confidence) <= share]
    return float(trusted.min()) if len(trusted) else None


def decoy_q_values(
    claims: NDArray[np.float64], decoys: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    """Return for every arrow the least share of twins' claims at which it is claimed, at most 1.

    Parameters
    ----------
    claims, decoys, confidence
        See `threshold`.

    Returns
    -------
    ndarray, shape (n,), float64
        NaN for arrows with a probability below the confidence, and without twins.
    """
    q_value = np.full(len(claims), np.nan)
    sure = np.flatnonzero(claims >= confidence)
    sure = sure[np.argsort(-claims[sure], kind="stable")]
    if not len(sure) or not len(decoys):
        return q_value
    level = claims[sure]
    # Arrows of equal probability are claimed together.
    count = len(level) - np.searchsorted(level[::-1], level, side="left")
    false = decoys.size - np.searchsorted(np.sort(decoys, axis=None), level, side="left")
    share = (false + 1) / len(decoys) / count
    q_value[sure] = np.minimum(np.minimum.accumulate(share[::-1])[::-1], 1.0)
    return q_value


def settled(
    claims: NDArray[np.float64],
    decoys: NDArray[np.float64],
    confidence: float,
    share: float,
    most_twins: int,
) -> bool:
    """Return whether further twins could hardly change which claims are trusted.

    Parameters
    ----------
    claims, decoys, confidence, share
        See `threshold`.
    most_twins : int
        Number of twins that there would be in the end.

    Notes
    -----
    True if every claim of the data, if there are any, would be trusted at half of the share, too,
    or could not be trusted even if the twins to come claimed nothing.
    """
    sure = claims >= confidence
    silent = np.zeros((most_twins - len(decoys), decoys.shape[1]))
    trusted = decoy_q_values(claims, decoys, confidence)[sure] <= 0.5 * share
    hopeless = decoy_q_values(claims, np.vstack([decoys, silent]), confidence)[sure] > share
    return bool((trusted | hopeless).all())
