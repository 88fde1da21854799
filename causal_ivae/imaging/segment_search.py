"""Find segments in the series themselves by changes of variance, if there is no design."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.settings import SegmentSettings

_STEP = 5
"""Borders lie on every fifth volume, which costs a 25th of the time and blurs less than BOLD."""
_STARTS = 3
"""A hidden Markov model is fitted from this many starting values."""
_SMALLEST_VARIANCE = 1e-3
_ITERATIONS = 100


def change_points(series: RegionSeries, settings: SegmentSettings) -> list[str]:
    """Name the segment of every kept volume by an optimal search for changes of variance.

    Each stretch of a run without a gap is searched separately, so that no segment spans a gap.
    Stretches shorter than ``segments.min_volumes`` are in no segment (an empty name).

    Raises
    ------
    SettingsError
        If the package ruptures is not installed.

    Notes
    -----
    PELT (Killick et al. 2012) minimises the sum over segments of
    ``n * sum_i log(variance of region i in the segment)``, which is -2 log-likelihood of
    independent Gaussians of mean zero, plus ``penalty * (n_regions + 1) * log(n_times)`` for each
    segment.  A `penalty` of 1 is the Bayesian information criterion, which assumes that volumes are
    independent.
    """
    rpt = _ruptures()
    values = _usable(series)
    price = settings.penalty * (values.shape[1] + 1) * np.log(len(values))
    names = np.full(len(values), "", dtype=object)
    numbers = dict.fromkeys(series.run_names, 0)
    for rows in _pieces(series):
        if len(rows) < settings.min_volumes:
            continue
        ends = [len(rows)]
        if len(rows) >= 2 * settings.min_volumes + _STEP:
            search = rpt.Pelt(
                custom_cost=_variance_cost(rpt), min_size=settings.min_volumes, jump=_STEP
            )
            ends = search.fit(values[rows]).predict(pen=price)
        run = series.run_names[series.runs[rows[0]]]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            numbers[run] += 1
            names[rows[start:end]] = f"{run}_segment-{numbers[run]:02d}"
    return list(names)


def hidden_states(series: RegionSeries, settings: SegmentSettings) -> list[str]:
    """Name the segment of every kept volume by the state of a hidden Markov model.

    A state has a variance of every region, and a segment holds all volumes in one state, as with
    blocks of a task.  No transition is modelled across a gap or between runs.  ``state-1`` has the
    smallest variance.

    Raises
    ------
    SettingsError
        If the package hmmlearn is not installed.
    InputError
        If there are fewer volumes than the states need.

    Notes
    -----
    States are Gaussian with mean zero (every run has mean 0) and diagonal covariance.  They
    are fitted by expectation maximisation, and the most probable path is returned.  Transitions
    are fixed: for one region, a stay lasts ``stay_seconds`` on average.  As regions are not
    independent of each other, the odds against a switch are raised to the power
    ``sqrt(n_regions)``; otherwise states would change from volume to volume.  The most likely of
    three fits is kept.  They start from the principal components of the variances in windows of
    ``stay_seconds``, so that nothing is random.
    """
    model = _hmm()
    values = _usable(series)
    pieces = _pieces(series)
    lengths = [len(rows) for rows in pieces]
    window = max(settings.min_volumes // 2, round(settings.stay_seconds / series.tr), 2)
    variances = np.array(
        [
            (values[rows[start : start + window]] ** 2).mean(axis=0) + _SMALLEST_VARIANCE
            for rows in pieces
            for start in range(0, len(rows) - window + 1, window)
        ]
    )
    if len(variances) < settings.states:
        raise InputError(
            f"Subject '{series.label}' has {len(variances)} stretches of {window} volumes without "
            f"a gap; {settings.states} hidden states need as many (segments.states, "
            "segments.stay_seconds)."
        )
    fits = []
    for groups in _groups(variances, settings.states):
        fit = model.GaussianHMM(
            settings.states, covariance_type="diag", params="mc", init_params="",
            # The strong prior keeps the means at zero.
            means_prior=0.0, means_weight=1e12, n_iter=_ITERATIONS, tol=1e-2,
        )  # fmt: skip
        fit.startprob_ = np.full(settings.states, 1 / settings.states)
        fit.transmat_ = _transitions(settings, series.tr, values.shape[1])
        fit.means_ = np.zeros((settings.states, values.shape[1]))
        fit.covars_ = np.array([variances[group].mean(axis=0) for group in groups])
        with _only_errors_of("hmmlearn"):
            fit.fit(values, lengths)
        fits.append((float(fit.score(values, lengths)), fit))
    best = max(fits, key=lambda scored: scored[0])[1]
    spread = np.array([np.diag(covariance).sum() for covariance in best.covars_])
    rank = np.empty(settings.states, dtype=np.int64)
    rank[np.argsort(spread, kind="stable")] = np.arange(1, settings.states + 1)
    width = len(str(settings.states))
    return [f"state-{rank[state]:0{width}d}" for state in best.predict(values, lengths)]


def _usable(series: RegionSeries) -> NDArray[np.float64]:
    """Return the series of regions that have values; regions that will be dropped have none."""
    return series.values[:, np.isfinite(series.values).all(axis=0)].astype(np.float64)


def _pieces(series: RegionSeries) -> list[NDArray[np.int64]]:
    """Return the rows of every stretch of one run without a gap."""
    breaks = (np.diff(series.runs) != 0) | (np.diff(series.volumes) != 1)
    return np.split(np.arange(len(series.runs)), np.flatnonzero(breaks) + 1)


def _groups(variances: NDArray[np.float64], n_states: int) -> list[list[NDArray[np.int64]]]:
    """Divide windows into equal groups along each principal component of their log variances."""
    logs = np.log(variances)
    left = np.linalg.svd(logs - logs.mean(axis=0), full_matrices=False)[0]
    return [
        np.array_split(np.argsort(component, kind="stable"), n_states)
        for component in left.T[:_STARTS]
    ]


def _transitions(settings: SegmentSettings, tr: float, n_regions: int) -> NDArray[np.float64]:
    leave = min(0.5, tr / settings.stay_seconds)
    odds = (leave / (settings.states - 1) / (1 - leave)) ** np.sqrt(n_regions)
    # A probability of exactly zero would make an unlikely switch impossible.
    matrix = np.full((settings.states, settings.states), max(odds, 1e-200))
    np.fill_diagonal(matrix, 1.0)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix


def _variance_cost(rpt: Any) -> Any:
    class VarianceCost(rpt.base.BaseCost):  # type: ignore[misc]
        """Compute -2 log-likelihood of Gaussians of mean zero, up to a constant."""

        model = "variance"
        min_size = 2

        def fit(self, signal: NDArray[np.float64]) -> "VarianceCost":
            self.signal = signal
            zero = np.zeros((1, signal.shape[1]))
            self.squares = np.concatenate([zero, np.cumsum(signal**2, axis=0)])
            return self

        def error(self, start: int, end: int) -> float:
            variance = (self.squares[end] - self.squares[start]) / (end - start)
            logs = np.log(np.maximum(variance, _SMALLEST_VARIANCE))
            return float((end - start) * logs.sum())

    return VarianceCost()


def _ruptures() -> Any:
    try:
        import ruptures
    except ModuleNotFoundError as error:
        raise _missing("changepoints", "ruptures") from error
    return ruptures


@contextmanager
def _only_errors_of(logger: str) -> Iterator[None]:
    """Silence the warnings of a library about rounding errors of its likelihood."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _hmm() -> Any:
    try:
        from hmmlearn import hmm
    except ModuleNotFoundError as error:
        raise _missing("hmm", "hmmlearn") from error
    return hmm


def _missing(kind: str, package: str) -> SettingsError:
    return SettingsError(f"Segments by '{kind}' need the package {package}: pip install {package}.")
