"""Run published methods for the direction of a pair.

Three are closed forms, for any number of pairs at once: they take an array of shape
(..., n_times, 2), columns x and y of any unit, and return one of shape (...), float64, in which a
positive number favours x -> y.  The others come from their authors' or common packages.
"""

import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import skew

from causal_ivae.seeding import generator


def tanh_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """Return the likelihood ratio of the two directions for sparse disturbances.

    Notes
    -----
    rho E{x tanh(y) - tanh(x) y} of standardised x and y, rho their correlation: Hyvarinen and
    Smith 2013, "Pairwise likelihood ratios for estimation of non-Gaussian structural equation
    models", equation 9: a first-order approximation of the ratio for log-cosh densities.
    """
    first, second = _standardised(x)
    rho = (first * second).mean(axis=-1)
    difference = first * np.tanh(second) - np.tanh(first) * second
    return np.asarray(rho * difference.mean(axis=-1))


def skewness_ratio(x: ArrayLike) -> NDArray[np.float64]:
    """Return the measure of direction for skewed disturbances.

    Notes
    -----
    rho E{x^2 y - x y^2} of standardised x and y, each with its sign such that its skewness is
    positive: Hyvarinen and Smith 2013, section 3.3.
    """
    first, second = (
        series * np.where(skew(series, axis=-1) < 0, -1.0, 1.0)[..., None]
        for series in _standardised(x)
    )
    rho = (first * second).mean(axis=-1)
    return np.asarray(rho * (first**2 * second - first * second**2).mean(axis=-1))


def patel_tau(x: ArrayLike) -> NDArray[np.float64]:
    """Return Patel's tau of y over x: how much more often y is active than x, in [-1, 1].

    Notes
    -----
    With P the probability that a region is active, (P(y) - P(x)) / max(P(x), P(y)): Patel,
    Bowman, Rilling 2006, who call the region that is active more often the ascendant one.  As in
    Smith et al. 2011 activity is the series with its 10th and 90th percentiles scaled to 0 and 1
    and not binarised, and the sign is turned: the ascendant region is the effect.
    """
    series = np.moveaxis(np.asarray(x, dtype=np.float64), -1, 0)
    low, high = np.percentile(series, [10.0, 90.0], axis=-1, keepdims=True)
    active = np.clip((series - low) / np.maximum(high - low, np.finfo(float).tiny), 0.0, 1.0)
    first, second = active.mean(axis=-1)
    larger = np.maximum(np.maximum(first, second), np.finfo(float).tiny)
    return np.asarray((second - first) / larger)


def _standardised(x: ArrayLike) -> NDArray[np.float64]:
    """Return x and y, z-scored: shape (2, ..., n_times)."""
    series = np.moveaxis(np.asarray(x, dtype=np.float64), -1, 0)
    spread = series.std(axis=-1, keepdims=True)
    centred = series - series.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.maximum(spread, np.finfo(float).tiny))


ALPHA = 0.05
"""Methods with tests use this level."""


@dataclass(frozen=True)
class Verdict:
    """Hold the answer of a method on a pair.

    Attributes
    ----------
    score : float
        Positive favours x -> y; 0 where the method has nothing to say.
    decision : str
        "x->y", "y->x", "none" (not connected) or "undecided".
    rows : int
        Rows that it saw.
    """

    score: float
    decision: str
    rows: int


@dataclass(frozen=True)
class Rival:
    """Describe a method to compare with.

    Attributes
    ----------
    citation : str
        And how it is used here.
    judge : callable
        From x (n_times, 2) and segments (n_times,) to score and decision.
    most_rows : int or None
        Of more rows than this a random subset is taken, because the time of the method grows with
        their square or cube.
    package : str or None
        What must be installed.
    abstains : bool
        Whether it may say "none" or "undecided".
    """

    name: str
    citation: str
    judge: Callable[[NDArray[np.float64], NDArray[np.int64]], tuple[float, str]]
    most_rows: int | None = None
    package: str | None = None
    abstains: bool = False

    @property
    def there(self) -> bool:
        """Check whether its package is installed."""
        return self.package is None or find_spec(self.package) is not None

    def __call__(
        self, x: ArrayLike, segments: ArrayLike, *, seed: int = 0, key: str = ""
    ) -> Verdict:
        """Estimate the direction of a pair.

        Parameters
        ----------
        x : array_like, shape (n_times, 2)
            Columns x and y, of any unit.
        segments : array_like of int, shape (n_times,)
        key : str
            What the pair is; with `seed`, decides which rows are taken.
        """
        values = np.asarray(x, dtype=np.float64)
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        labels = np.asarray(segments, dtype=np.int64)
        if self.most_rows is not None and len(values) > self.most_rows:
            rng = generator(seed, "rows", key)
            taken = np.sort(rng.choice(len(values), self.most_rows, replace=False))
            values, labels = values[taken], labels[taken]
        with warnings.catch_warnings():
            # Other packages warn, for instance of an optimiser's bound or a nearly singular matrix.
            warnings.simplefilter("ignore")
            score, decision = self.judge(values, labels)
        return Verdict(score, decision, len(values))


def _by_sign(score: float) -> tuple[float, str]:
    return score, "x->y" if score > 0 else "y->x" if score < 0 else "undecided"


def _measure(
    measure: Callable[[ArrayLike], NDArray[np.float64]],
) -> Callable[[NDArray[np.float64], NDArray[np.int64]], tuple[float, str]]:
    def judge(x: NDArray[np.float64], _: NDArray[np.int64]) -> tuple[float, str]:
        return _by_sign(float(measure(x)))

    return judge


def _coin(x: NDArray[np.float64], _: NDArray[np.int64]) -> tuple[float, str]:
    # The lowest bits of the data serve as random bits that do not depend on the order of pairs.
    return _by_sign(float(np.frexp(x[0, 0])[0] * 2**40 % 1.0 - 0.5))


def _direct_lingam(x: NDArray[np.float64], _: NDArray[np.int64]) -> tuple[float, str]:
    model = import_module("lingam").DirectLiNGAM(random_state=0)
    model.fit(x)
    forward, backward = abs(model.adjacency_matrix_[1, 0]), abs(model.adjacency_matrix_[0, 1])
    order = 1.0 if list(model.causal_order_) == [0, 1] else -1.0
    decision = "none" if forward == backward == 0 else _by_sign(order)[1]
    # If the coefficient was pruned, the causal order gives the direction of the known edge.
    return order * max(forward, backward, float(np.finfo(float).tiny)), decision


def _resit(x: NDArray[np.float64], _: NDArray[np.int64]) -> tuple[float, str]:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    spline = make_pipeline(SplineTransformer(n_knots=10, knots="quantile"), RidgeCV())
    model = import_module("lingam").RESIT(spline, random_state=0, alpha=ALPHA)
    model.fit(x)
    score, decision = _by_sign(1.0 if list(model.causal_order_) == [0, 1] else -1.0)
    return score, decision if np.any(model.adjacency_matrix_) else "none"


def _anm(x: NDArray[np.float64], _: NDArray[np.int64]) -> tuple[float, str]:
    model = import_module("causallearn.search.FCMBased.ANM.ANM").ANM()
    test = import_module("causallearn.utils.KCI.KCI").KCI_UInd

    def dependence(cause: NDArray[np.float64], effect: NDArray[np.float64]) -> float:
        residuals = effect - model.fit_gp(cause, effect)
        # The statistic is used, since both p-values are zero for long series.
        return float(test(model.kernelX, model.kernelY).compute_pvalue(cause, residuals)[1])

    forward, backward = dependence(x[:, :1], x[:, 1:]), dependence(x[:, 1:], x[:, :1])
    return _by_sign(float(np.log(backward) - np.log(forward)))


def _cd_nod(x: NDArray[np.float64], segments: NDArray[np.int64]) -> tuple[float, str]:
    cdnod = import_module("causallearn.search.ConstraintBased.CDNOD").cdnod
    domain = segments[:, None].astype(np.float64)
    with redirect_stderr(StringIO()):
        # CD-NOD always draws progress bars.
        found = cdnod(x, domain, ALPHA, "kci", show_progress=False).G.graph
    # graph[j, i] = 1 and graph[i, j] = -1: i -> j.
    if found[0, 1] == 0 and found[1, 0] == 0:
        return 0.0, "none"
    if found[1, 0] == 1 and found[0, 1] == -1:
        return 1.0, "x->y"
    if found[0, 1] == 1 and found[1, 0] == -1:
        return -1.0, "y->x"
    return 0.0, "undecided"


RIVALS: Mapping[str, Rival] = {
    rival.name: rival
    for rival in (
        Rival("coin", "No method: every direction with probability one half.", _coin),
        Rival(
            "hs-tanh",
            "Hyvarinen and Smith 2013: likelihood ratio of sparse disturbances.",
            _measure(tanh_ratio),
        ),
        Rival(
            "hs-skew",
            "Hyvarinen and Smith 2013: measure of skewed disturbances.",
            _measure(skewness_ratio),
        ),
        Rival(
            "patel-tau",
            "Patel, Bowman, Rilling 2006, as in Smith et al. 2011.",
            _measure(patel_tau),
        ),
        Rival(
            "direct-lingam",
            "Shimizu et al. 2011; lingam.",
            _direct_lingam,
            package="lingam",
            abstains=True,
        ),
        Rival(
            "resit",
            "Peters et al. 2014; lingam, with cubic regression splines.",
            _resit,
            most_rows=1000,
            package="lingam",
            abstains=True,
        ),
        Rival(
            "anm",
            "Hoyer et al. 2008; causal-learn, Gaussian processes; the direction whose residuals "
            "are less dependent, as in Mooij et al. 2016.",
            _anm,
            most_rows=400,
            package="causallearn",
        ),
        Rival(
            "cd-nod",
            "Huang et al. 2020; causal-learn, kernel tests, the segment as domain.",
            _cd_nod,
            most_rows=500,
            package="causallearn",
            abstains=True,
        ),
    )
}
