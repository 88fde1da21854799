"""Judge a network: which pairs are adjacent, and the probability of every arrow."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from causal_ivae.discovery.network.adjacency import adjacency_features
from causal_ivae.discovery.network.evidence import (
    SCALES_PAY,
    NetworkEvidence,
    arrow_features,
    gather,
)
from causal_ivae.discovery.network.scaling import scaled
from causal_ivae.discovery.network.units import Units
from causal_ivae.discovery.network.weights import NetworkWeights, network_weights

LEAST_ADJACENT = 0.3
"""Arrows are looked for between pairs with at least this probability of being adjacent."""
LEANING_SLOPE = 0.36
"""Factor of the log odds of the two directions, where no arrows are planted into the data.

Fitted to 668 arrows that were planted through haemodynamic responses into real series of three
studies: the evidence there is weaker than in simulated ones.
"""


@dataclass(frozen=True)
class NetworkJudgement:
    """Hold the probabilities of all pairs of a network.

    Attributes
    ----------
    pairs : ndarray, shape (n_pairs, 2), int64
        Every pair of regions, x < y.
    adjacent : ndarray, shape (n_pairs,), float64
        Probability that the pair is directly connected, whichever way.
    kept : ndarray, shape (n_pairs,), bool
        True for pairs between which arrows were looked for.
    arrows : ndarray, shape (n_pairs, 4), float64
        Probabilities of `causal_ivae.discovery.network.weights.ARROWS`.
    scaled_by_segment : bool
        True if every segment was divided by its own standard deviations.
    series, whitened : NetworkEvidence or None
        Evidence of the pairs that were kept; None if there are none.
    """

    pairs: NDArray[np.int64]
    adjacent: NDArray[np.float64]
    kept: NDArray[np.bool_]
    arrows: NDArray[np.float64]
    scaled_by_segment: bool = False
    series: NetworkEvidence | None = None
    whitened: NetworkEvidence | None = None

    @property
    def scales_pay(self) -> bool:
        """Return whether scales that grow with the causes fit the series better."""
        forms = (self.series, self.whitened)
        return any(one is not None and one.scales.max() > SCALES_PAY for one in forms)

    @property
    def directed(self) -> NDArray[np.float64]:
        """Return the probabilities of x -> y and of y -> x, alone or both, shape (n_pairs, 2)."""
        return np.asarray(self.arrows[:, 1:3] + self.arrows[:, 3:])

    def leaning_odds(self) -> NDArray[np.float64]:
        """Return the log odds of x -> y against y -> x, shape (n_pairs,)."""
        return np.asarray(np.log(self.arrows[:, 1] + 1e-6) - np.log(self.arrows[:, 2] + 1e-6))

    def leaning(self, slope: float | None = None) -> NDArray[np.float64]:
        """Return the probability of x -> y if one of the two drives the other, shape (n_pairs,).

        Parameters
        ----------
        slope : float, optional
            Factor of the log odds, from arrows planted into the data; default `LEANING_SLOPE`.
        """
        return np.asarray(expit((LEANING_SLOPE if slope is None else slope) * self.leaning_odds()))


def judge(
    values: NDArray[np.floating],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    *,
    possible: NDArray[np.bool_] | None = None,
    seed: int = 0,
    weights: NetworkWeights | None = None,
) -> NetworkJudgement:
    """Judge all pairs of a network together.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
        Of any unit, with one baseline and gain for each region over all segments of a subject.
    segments : ndarray, shape (n_times,), int64
        The units of resampling, for instance subjects.  If they are fewer than 20, windows of at
        least 25 volumes.
    blocks : ndarray, shape (n_times,), int64
        Stretches of volumes without a gap.
    possible : ndarray, shape (n_pairs,), bool, optional
        Pairs of a given skeleton, between which arrows are looked for; by default those with a
        probability of at least .3 of being adjacent.
    weights : NetworkWeights, optional
        Default: those that come with the program.
    """
    scaled_values, by_segment = scaled(values, segments, seed)
    found = judge_scaled(
        scaled_values, segments, blocks, possible=possible, seed=seed, weights=weights
    )
    return replace(found, scaled_by_segment=by_segment)


def judge_scaled(
    values: NDArray[np.floating],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    *,
    possible: NDArray[np.bool_] | None = None,
    seed: int = 0,
    weights: NetworkWeights | None = None,
    growing: bool = True,
) -> NetworkJudgement:
    """Judge all pairs of a network whose series keep the scales that they have.

    Parameters
    ----------
    values, segments, blocks, possible, seed, weights
        As in `judge`.
    growing : bool
        False for the light form of the evidence, which takes half of the time: the scale of a
        disturbance does not grow with the causes of its region.
    """
    weights = weights or network_weights()
    pairs = np.stack(np.triu_indices(values.shape[1], 1), axis=1)
    log_odds = weights.adjacency.log_odds(
        adjacency_features(Units.of(values, segments), len(values))
    )
    adjacent = expit(log_odds)
    kept = adjacent >= LEAST_ADJACENT if possible is None else possible
    # Of a pair that is not looked at, nothing favours one direction.
    half = adjacent / 2.0
    arrows = np.column_stack([1.0 - adjacent, half, half, np.zeros(len(pairs))])
    if not kept.any():
        return NetworkJudgement(pairs, adjacent, kept, arrows)
    evidence = gather(values, segments, blocks, pairs[kept], seed, growing=growing)
    arrows[kept] = weights.arrows.probabilities(*arrow_features(*evidence, log_odds[kept]))
    return NetworkJudgement(pairs, adjacent, kept, arrows, False, *evidence)
