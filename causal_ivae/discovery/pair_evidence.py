"""Decide directions from structural flows by their likelihoods and the dependence they leave."""

import numpy as np
import torch
from numpy.typing import NDArray

from causal_ivae.discovery.measurement_noise import NoiseTests
from causal_ivae.discovery.orientation import Orientation, four_test_rule
from causal_ivae.discovery.probability import OUTCOMES, Evidence, calibration, vuong_statistic
from causal_ivae.discovery.resampling import RESAMPLES, BlockSums, resampled_evidence
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.settings import DecisionSettings
from causal_ivae.unmixing.both_directions import Hypotheses
from causal_ivae.unmixing.diagnostics import Diagnostics, diagnose

_UNKNOWN, _NONE = OUTCOMES.index("unknown"), OUTCOMES.index("none")


def gather_evidence(
    hypotheses: Hypotheses,
    residual: IndependenceTable,
    dependence: IndependenceTable,
    noise: NoiseTests,
    n_times: int,
) -> Evidence:
    """Gather the evidence for either direction of every pair.

    Parameters
    ----------
    residual : IndependenceTable, shape (pairs, 2, 1)
        Tests of the disturbance of x against that of y, under x -> y and under y -> x.
    dependence : IndependenceTable, shape (pairs, 1, 1)
        Tests of x against y.
    """

    def excess(table: IndependenceTable) -> NDArray[np.float64]:
        return np.asarray((table.statistic - table.null_mean)[..., 0] / n_times)

    likelihood = hypotheses.log_likelihood
    gain = np.nan_to_num(likelihood[:, 0] - likelihood[:, 1])
    return Evidence(
        mechanism=hypotheses.mechanism,
        shortfall=np.nan_to_num(hypotheses.shortfall, posinf=0.0),
        gain=gain.sum(axis=1) / n_times,
        statistic=vuong_statistic(gain),
        residual=excess(residual),
        residual_sd=np.sqrt(np.square(residual.block_null_sd).sum(axis=-1))[..., 0] / n_times,
        dependence=excess(dependence)[:, 0],
        dependence_p=dependence.p_value[:, 0, 0],
        lagged_noise=noise.lagged,
        modulated_noise=noise.modulated,
    )


def orient_by_evidence(
    evidence: Evidence,
    sums: BlockSums,
    tests: IndependenceTable,
    usable: NDArray[np.bool_],
    settings: DecisionSettings,
    seed: int,
    *,
    connected: float = 1.0,
) -> Orientation:
    """Decide the direction of every pair by its probability.

    Parameters
    ----------
    sums : BlockSums
        The evidence of every block, from which resamples are made.
    tests : IndependenceTable, shape (pairs, 2, 4)
        Tests of regions against the disturbances of x and y, under x -> y and then under y -> x.
    usable : ndarray, shape (pairs, 2), bool
        True for directions whose fit can be used: its training did not diverge, and there are
        segments enough to identify its disturbances.  Pairs with only one get no direction.
    settings : DecisionSettings
        A direction needs the probability `settings.confidence` and a test of dependence that
        rejects at `settings.alpha`; "none" needs that probability and a test that does not reject.
        With `settings.assume_arrow`, all probabilities are conditional on one of the two directions
        being true, and "none" is never decided.
    seed : int
        Seed of the resamples.
    connected : float
        Estimated share of these pairs that are connected, if a screen chose them.  Without a
        `settings.prior`, the share with an arrow is taken to be this times that of the calibration.

    Returns
    -------
    Orientation
        ``score`` is the probability of x -> y minus that of y -> x, and ``interval`` its range from
        the 2.5 % to the 97.5 % quantile over resamples.  ``p_value`` is the larger one of the test
        of dependence (unless an arrow is assumed) and of Vuong's test that both directions predict
        equally well.  ``vote`` applies the four-test rule to the disturbances of each direction.
    """
    both = np.asarray(usable.all(axis=1))
    prior = settings.prior or connected * calibration().directed
    probability, decision = _decide(evidence, both, settings, prior)
    directed = probability[:, 1:3]
    pairs = len(usable)
    shares = np.zeros((pairs, len(OUTCOMES)))
    interval, error = np.empty((pairs, 2)), np.empty(pairs)
    resamples = settings.resamples or RESAMPLES
    for some, resampled in resampled_evidence(sums, evidence, resamples, seed):
        probable, decided = _decide(resampled, np.repeat(both[some], resamples), settings, prior)
        scores = (probable[:, 1] - probable[:, 2]).reshape(-1, resamples)
        error[some] = scores.std(axis=1)
        interval[some] = np.quantile(scores, [0.025, 0.975], axis=1).T
        kinds = decided.reshape(-1, resamples, 1) == np.arange(len(OUTCOMES))
        shares[some] = kinds.mean(axis=1)
    vote = four_test_rule(tests.p_value.reshape(pairs, 2, 2, 2).swapaxes(1, 2), settings.alpha)
    vote[~usable] = 0
    confidence = np.where(
        decision == _UNKNOWN,
        directed.max(axis=1),
        np.take_along_axis(probability, decision[:, None], axis=1)[:, 0],
    )
    score = directed[:, 0] - directed[:, 1]
    return Orientation(
        decision=decision,
        score=score,
        interval=interval,
        error=error,
        restart_score=np.repeat(score[:, None], 2, axis=1),
        vote=vote,
        p_value=(
            evidence.p_value
            if settings.assume_arrow
            else np.maximum(evidence.p_value, evidence.dependence_p)
        ),
        confidence=confidence,
        shares=shares,
        probability=probability,
    )


def _decide(
    evidence: Evidence, usable: NDArray[np.bool_], settings: DecisionSettings, prior: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the probabilities of every pair and its decision, an index into `OUTCOMES`."""
    probability = calibration().probabilities(
        evidence, assume_arrow=settings.assume_arrow, prior=prior
    )
    # The test of dependence needs no fit, so that its part stays.
    probability[~usable, _UNKNOWN] += probability[~usable, 1:3].sum(axis=1)
    probability[~usable, 1:3] = 0.0
    sure = probability >= settings.confidence
    if not settings.assume_arrow:
        dependent = evidence.dependence_p <= settings.alpha
        sure[:, 1:3] &= dependent[:, None]
        sure[:, _NONE] &= ~dependent
    sure[:, _UNKNOWN] = False
    return probability, np.where(sure.any(axis=1), sure.argmax(axis=1), _UNKNOWN)


def diagnose_better(
    hypotheses: Hypotheses,
    residual: IndependenceTable,
    segments: NDArray[np.int64],
    n_statistics: int,
) -> list[Diagnostics]:
    """Judge the fit of every pair's better direction.

    Parameters
    ----------
    residual : IndependenceTable, shape (pairs, 2, fits)
    segments : ndarray, shape (n_times,), int64
    n_statistics : int
        As in `causal_ivae.unmixing.diagnostics.diagnose`.
    """
    better = hypotheses.better
    pairs = np.arange(len(better))
    fit = hypotheses.fit.of(2 * pairs + better)
    return diagnose(
        fit,
        torch.as_tensor(segments, device=fit.disturbances.device),
        restarts=1,
        n_statistics=n_statistics,
        dependence_p=residual.p_value[pairs, better, hypotheses.best[pairs, better]],
    )
