"""Turn the evidence for both directions of a pair into calibrated probabilities."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from scipy.stats import t as student_t

OUTCOMES = ("unknown", "x->y", "y->x", "none")
"""Outcomes in the order of `causal_ivae.outcomes.DECISIONS`; a pair has a probability of each."""

_FILE = "calibration.json"
_LEAST_P = 1e-300
_GAIN_UNIT = 0.01


@dataclass(frozen=True)
class Evidence:
    """Hold the evidence for either direction of every pair.

    Attributes
    ----------
    mechanism : ndarray, shape (pairs,), int64
        Index into `causal_ivae.unmixing.both_directions.MECHANISMS`.
    shortfall : ndarray, shape (pairs,), float64
        Held-out log-likelihood of the best model minus that of this mechanism (nats per volume).
    gain : ndarray, shape (pairs,), float64
        Log-likelihood under x -> y minus that under y -> x (nats per volume).
    statistic : ndarray, shape (pairs,), float64
        Result of `vuong_statistic`; positive favours x -> y.
    residual : ndarray, shape (pairs, 2), float64
        HSIC of the two disturbances given the segment minus its null mean, per volume, under x -> y
        and under y -> x.
    residual_sd : ndarray, shape (pairs, 2), float64
        Standard deviation of `residual` under the null.
    dependence : ndarray, shape (pairs,), float64
        The same as `residual` for the two regions themselves.
    dependence_p : ndarray, shape (pairs,), float64
        P-value of the test that the two regions are independent given the segment.
    lagged_noise, modulated_noise : ndarray, shape (pairs, 2), float64
        Standard normal numbers of the tests of `causal_ivae.discovery.measurement_noise`, under
        x -> y and under y -> x; positive if the supposed cause looks like a noisy measurement.
    """

    mechanism: NDArray[np.int64]
    shortfall: NDArray[np.float64]
    gain: NDArray[np.float64]
    statistic: NDArray[np.float64]
    residual: NDArray[np.float64]
    residual_sd: NDArray[np.float64]
    dependence: NDArray[np.float64]
    dependence_p: NDArray[np.float64]
    lagged_noise: NDArray[np.float64]
    modulated_noise: NDArray[np.float64]

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> Self:
        """Make the evidence from the table that `CausalGraph.evidence` holds."""

        def columns(*names: str) -> NDArray[np.float64]:
            return table[list(names)].to_numpy(dtype=np.float64)

        return cls(
            mechanism=(table["mechanism"] == "nonlinear").to_numpy().astype(np.int64),
            shortfall=columns("shortfall")[:, 0],
            gain=columns("gain")[:, 0],
            statistic=columns("statistic")[:, 0],
            residual=columns("residual_forward", "residual_backward"),
            residual_sd=columns("residual_sd_forward", "residual_sd_backward"),
            dependence=columns("dependence")[:, 0],
            dependence_p=columns("dependence_p")[:, 0],
            lagged_noise=columns("lagged_noise_forward", "lagged_noise_backward"),
            modulated_noise=columns("modulated_noise_forward", "modulated_noise_backward"),
        )

    @property
    def p_value(self) -> NDArray[np.float64]:
        """Return the two-sided p-values of `statistic`, for equally good predictions."""
        return np.asarray(2.0 * norm.sf(np.abs(self.statistic)))

    def features(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the features that change their sign with the arrow, and those that do not.

        Returns
        -------
        odd : ndarray, shape (pairs, 5), float64
            The statistic, the gain per volume by the linear and by the nonlinear mechanism (0 for
            the other one), and the ratio of the dependences that y -> x and x -> y leave, all on
            logarithmic scales; by how much the supposed cause looks noisier under y -> x.
        even : ndarray, shape (pairs, 17), float64
            A one; the smaller remaining dependence relative to that of the regions, by itself, and
            relative to chance, with squares of the first and the last and the product of the last
            two; the shortfall of the mechanism, and whether it is the linear one; the absolute
            differences between the directions in gain, by either mechanism, and in remaining
            dependence; how noisy the less and the more noisy supposed cause look from their
            neighbours in time, with their product, and the less noisy one from its change over
            segments, by either mechanism.

        Notes
        -----
        By the linear mechanism a gain means more, and noise that the change over segments shows
        means more, since an effect that is not linear in its cause changes the slope too.
        """
        noise = self.residual_sd.mean(axis=1) + 1e-12
        left = np.maximum(self.residual, 0.0) + noise[:, None]
        least = left.min(axis=1)
        lagged = np.arcsinh(np.maximum(self.lagged_noise, 0.0))
        modulated = np.arcsinh(np.maximum(self.modulated_noise, 0.0))
        linear = self.mechanism == 0
        gain = np.arcsinh(self.gain / _GAIN_UNIT)
        odd = np.stack(
            [
                np.arcsinh(self.statistic),
                gain * linear,
                gain * ~linear,
                np.log(left[:, 1] / left[:, 0]),
                lagged[:, 1] - lagged[:, 0],
            ],
            axis=1,
        )
        over_whole = np.log(least / (np.maximum(self.dependence, 0.0) + noise))
        over_chance = np.log(least / noise)
        by_itself = np.log(least / _GAIN_UNIT)
        even = np.stack(
            [
                np.ones(len(least)),
                over_whole,
                by_itself,
                over_chance,
                np.square(over_whole),
                np.square(over_chance),
                by_itself * over_chance,
                np.log1p(self.shortfall / _GAIN_UNIT),
                linear,
                np.abs(odd[:, 1]),
                np.abs(odd[:, 2]),
                np.abs(odd[:, 3]),
                lagged.min(axis=1),
                lagged.max(axis=1),
                lagged.min(axis=1) * lagged.max(axis=1),
                modulated.min(axis=1) * linear,
                modulated.min(axis=1) * ~linear,
            ],
            axis=1,
        )
        return odd, even


def vuong_statistic(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Vuong's statistic over blocks as a standard normal number.

    Parameters
    ----------
    gain : ndarray, shape (pairs, n_blocks), float64
        Log-likelihood of each block under one model minus that under another.

    Returns
    -------
    ndarray, shape (pairs,), float64
        Positive numbers if the first model predicts better; 0 for a single block.

    Notes
    -----
    This is equation 5.6 of Vuong 1989, "Likelihood ratio tests for model selection and non-nested
    hypotheses", with blocks of volumes as observations and Student's t distribution.
    """
    blocks = gain.shape[1]
    if blocks < 2:
        return np.zeros(len(gain))
    return vuong_number(gain.mean(axis=1), gain.std(axis=1, ddof=1) / np.sqrt(blocks), blocks)


def vuong_number(
    mean: NDArray[np.float64], error: NDArray[np.float64], blocks: int
) -> NDArray[np.float64]:
    """Return the standard normal number of a mean gain over blocks and its standard error."""
    if blocks < 2:
        return np.zeros_like(mean)
    ratio = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    tail = np.maximum(student_t.sf(np.abs(ratio), blocks - 1), _LEAST_P)
    return np.asarray(np.sign(ratio) * norm.isf(tail))


@dataclass(frozen=True)
class Calibration:
    """Model the outcome of a pair by logistic regression.

    Attributes
    ----------
    odd, even : ndarray, shape (5,) and (17,), float64
        Weights of `Evidence.features` in the log odds of x -> y against unknown.  The log odds of
        y -> x have the same weights with the sign of the odd ones changed.
    dependent : ndarray, shape (2,), float64
        Intercept, and weight of the standard normal number of `dependence_p`, in the log odds that
        the regions are dependent given the segment.
    directed : float
        Share of the pairs with an arrow among those that the weights were fitted to.
    assumed : float
        Factor of the log odds of the two directions where an arrow is assumed, below 1 because
        the weights are too sure of directions behind haemodynamic responses.
    """

    odd: NDArray[np.float64]
    even: NDArray[np.float64]
    dependent: NDArray[np.float64]
    directed: float
    assumed: float = 1.0

    def direction_odds(self, evidence: Evidence) -> NDArray[np.float64]:
        """Return the log odds of x -> y against y -> x, shape (pairs,), before any factor."""
        odd, _ = evidence.features()
        return np.asarray(2.0 * (odd * self.odd).sum(axis=1))

    def probabilities(
        self, evidence: Evidence, *, assume_arrow: bool = False, prior: float | None = None
    ) -> NDArray[np.float64]:
        """Return the probability of every outcome.

        Parameters
        ----------
        assume_arrow : bool
            True for probabilities given that x -> y or y -> x is true.
        prior : float, optional
            Share of the pairs that have an arrow, in (0, 1); default `directed`.

        Returns
        -------
        ndarray, shape (pairs, 4), float64
            Probabilities of `OUTCOMES`.

        Notes
        -----
        Another prior share multiplies the odds of an arrow by the ratio of the prior odds (Bayes'
        rule; Saerens, Latinne, Decaestecker 2002, equation 4).
        """
        if assume_arrow:
            odds = self.assumed * self.direction_odds(evidence)
            nothing = np.zeros_like(odds)
            return np.column_stack([nothing, expit(odds), expit(-odds), nothing])
        odd, even = evidence.features()
        # The rounding of matrix products would depend on the number of pairs.
        straight, common = (odd * self.odd).sum(axis=1), (even * self.even).sum(axis=1)
        logits = np.stack([np.zeros_like(common), common + straight, common - straight], axis=1)
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        score = self.dependent[0] + self.dependent[1] * normal_number(evidence.dependence_p)
        dependent = expit(score)
        found = np.column_stack([share * dependent[:, None], 1.0 - dependent])
        if prior is not None:
            asked, fitted = (value / (1.0 - value) for value in (prior, self.directed))
            found[:, 1:3] *= asked / fitted
            found /= found.sum(axis=1, keepdims=True)
        return found


def normal_number(p_value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal numbers of p-values, limited to [-6, 6]."""
    return np.asarray(np.clip(norm.isf(np.clip(p_value, 1e-12, 1.0 - 1e-12)), -6.0, 6.0))


@cache
def calibration() -> Calibration:
    """Return the bundled calibration."""
    tree = _read()
    odd, even, dependent = (
        np.array(tree["Weights"][name]) for name in ("odd", "even", "dependent")
    )
    return Calibration(
        odd,
        even,
        dependent,
        directed=float(tree["DirectedShare"]),
        assumed=float(tree["AssumedArrows"]["Factor"]),
    )


def calibration_entry() -> dict[str, Any]:
    """Return the sidecar's entry on how reliable the calibration is on simulated pairs.

    Returns
    -------
    dict
        ``Bins`` of the probability (``confidence``, share ``right``, ``count`` of pairs),
        ``ExpectedCalibrationError``, the number of ``Designs``, in words ``What`` they are, and the
        ``DirectedShare`` of the pairs that had an arrow.  Each design is judged by a calibration
        that was fitted to the others.
    """
    tree = _read()
    found = tree["Reliability"]
    return {
        "Bins": found["Bins"],
        "ExpectedCalibrationError": found["ExpectedCalibrationError"],
        "Designs": len(tree["Designs"]),
        "What": "designs: with an arrow, without one, with a common cause, with a cycle, and with "
        "noise that resembles an arrow",
        "DirectedShare": tree["DirectedShare"],
    }


def _read() -> dict[str, Any]:
    text = (files("causal_ivae.discovery") / _FILE).read_text(encoding="utf-8")
    tree: dict[str, Any] = json.loads(text)
    return tree
