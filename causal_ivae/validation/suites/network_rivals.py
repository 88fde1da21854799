"""Run published methods for directed graphs of several regions."""

import random
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

ALPHA = 0.05
_FLOOR = 0.12
"""Least partial correlation (Fisher's z) of an edge, of the variant with a floor."""
_LEAST_WEIGHT = 0.1
_LONGEST_LAG, _LAGGED_ALPHA = 1, 0.01


@dataclass(frozen=True)
class Claimed:
    """Hold what a method claims of a network.

    Attributes
    ----------
    arrows : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect.
    adjacent : ndarray, shape (n_regions, n_regions), bool
        Symmetric; with the pairs that are connected in an unknown direction.
    probability : ndarray or None, shape (n_regions, n_regions), float64
        Of every arrow, where the method estimates it.
    skeleton : ndarray or None, shape (n_regions, n_regions), bool
        Pairs between which arrows were looked for, where these are others than `adjacent`.
    """

    arrows: NDArray[np.bool_]
    adjacent: NDArray[np.bool_]
    probability: NDArray[np.float64] | None = None
    skeleton: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class NetworkRival:
    """Describe a published method.

    Attributes
    ----------
    citation : str
        And how it is used here.
    judge : callable
        From the series (subjects, n_times, n_regions), z-scored per subject, to the claims.
    package : str or None
        What must be installed.
    most_regions : int or None
        Of larger networks it would take hours, and it is left out.
    """

    citation: str
    judge: Callable[[NDArray[np.float64]], Claimed]
    package: str | None = None
    most_regions: int | None = None


def _of_arrows(arrows: NDArray[np.bool_]) -> Claimed:
    return Claimed(arrows, arrows | arrows.T)


def _partial_tanh(series: NDArray[np.float64], floor: float = 0.0) -> Claimed:
    """Find a skeleton by partial correlations of all subjects, and orient it pair by pair."""
    subjects, times, regions = series.shape
    x, y = np.triu_indices(regions, 1)
    moments = np.swapaxes(series, 1, 2) @ series / times
    precision = np.linalg.inv(moments + 1e-9 * np.eye(regions))
    scale = np.sqrt(np.einsum("sii->si", precision))
    partial = -precision / (scale[:, :, None] * scale[:, None, :])
    z = np.arctanh(np.clip(partial[:, x, y], -0.9999, 0.9999))
    # Significance over subjects, or over volumes where there is one subject only.
    from scipy.stats import norm, ttest_1samp

    p_value = (
        ttest_1samp(z, 0.0).pvalue
        if subjects > 2
        else 2.0 * norm.sf(np.abs(z.mean(axis=0)) * np.sqrt(subjects * (times - regions)))
    )
    kept = multipletests(p_value, ALPHA, method="fdr_bh")[0] & (np.abs(z.mean(axis=0)) >= floor)
    bent = np.swapaxes(series, 1, 2) @ np.tanh(series) / times
    ratio = (moments * (bent - np.swapaxes(bent, 1, 2))).mean(axis=0)
    arrows = np.zeros((regions, regions), dtype=bool)
    arrows[x[kept], y[kept]] = arrows[y[kept], x[kept]] = True
    return _of_arrows(arrows & (ratio > 0))


def _partial_tanh_floor(series: NDArray[np.float64]) -> Claimed:
    return _partial_tanh(series, _FLOOR)


def _direct_lingam(series: NDArray[np.float64]) -> Claimed:
    model = import_module("lingam").DirectLiNGAM(random_state=0)
    model.fit(series.reshape(-1, series.shape[2]))
    return _of_arrows(np.abs(model.adjacency_matrix_.T) > _LEAST_WEIGHT)


def _of_causal_learn(graph: Any) -> Claimed:
    """Return the claims of a partially directed graph: its arrows, and what is not oriented."""
    matrix = np.asarray(graph.graph)
    # causal-learn writes -1 at the tail and 1 at the head of an arrow, -1 at both ends of a line.
    arrows = (matrix == -1) & (matrix.T == 1)
    return Claimed(arrows, matrix != 0)


def _pc(series: NDArray[np.float64]) -> Claimed:
    from causallearn.search.ConstraintBased.PC import pc

    rows = series.reshape(-1, series.shape[2])
    return _of_causal_learn(pc(rows, ALPHA, "fisherz", show_progress=False).G)


def _ges(series: NDArray[np.float64]) -> Claimed:
    from causallearn.search.ScoreBased.GES import ges

    found = ges(series.reshape(-1, series.shape[2]), "local_score_BIC")
    return _of_causal_learn(found["G"])


def _pcmci_plus(series: NDArray[np.float64]) -> Claimed:
    """Find links at lag 0 and 1; an arrow at either lag is a claim."""
    frames = import_module("tigramite.data_processing")
    search = import_module("tigramite.pcmci")
    tests = import_module("tigramite.independence_tests.parcorr")
    frame = frames.DataFrame(dict(enumerate(series)), analysis_mode="multiple")
    with StringIO() as nowhere, redirect_stdout(nowhere):
        found = search.PCMCI(dataframe=frame, cond_ind_test=tests.ParCorr(), verbosity=0)
        graph = found.run_pcmciplus(tau_max=_LONGEST_LAG, pc_alpha=_LAGGED_ALPHA)["graph"]
    apart = ~np.eye(len(graph), dtype=bool)
    linked = (graph != "").any(axis=2) & apart
    return Claimed((graph == "-->").any(axis=2) & apart, linked | linked.T)


def _permutation(file: str) -> Callable[[NDArray[np.float64]], Claimed]:
    """Return a search over orders of the regions (BOSS or GRaSP)."""

    def judge(series: NDArray[np.float64]) -> Claimed:
        module = import_module(f"causallearn.search.PermutationBased.{file}")
        search = getattr(module, file.lower())
        # These searches shuffle by Python's global generator, whose state is given back.
        before = random.getstate()
        random.seed(0)
        try:
            with StringIO() as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                found = search(series.reshape(-1, series.shape[2]), verbose=False)
        finally:
            random.setstate(before)
        return _of_causal_learn(found)

    return judge


NETWORK_RIVALS: Mapping[str, NetworkRival] = {
    "partial-tanh": NetworkRival(
        f"Partial correlations over subjects, FDR {ALPHA:g}, then the tanh ratio of each pair "
        "(Hyvarinen and Smith 2013).",
        _partial_tanh,
    ),
    "partial-tanh-floor": NetworkRival(
        f"The same, for partial correlations of at least {_FLOOR:g}.", _partial_tanh_floor
    ),
    "direct-lingam": NetworkRival(
        f"Shimizu et al. 2011, lingam; weights of at least {_LEAST_WEIGHT:g}.",
        _direct_lingam,
        "lingam",
        20,
    ),
    "pc": NetworkRival(f"Fisher's z at {ALPHA:g}, causal-learn.", _pc, None, 20),
    "ges": NetworkRival("Chickering 2002, BIC, causal-learn.", _ges, None, 10),
    "pcmci-plus": NetworkRival(
        f"Runge 2020, tigramite; partial correlations at {_LAGGED_ALPHA:g}, lags 0 and "
        f"{_LONGEST_LAG}; an arrow at any lag is a claim.",
        _pcmci_plus,
        "tigramite",
        20,
    ),
    "boss": NetworkRival("Andrews et al. 2023, BIC, causal-learn.", _permutation("BOSS"), None, 10),
    "grasp": NetworkRival("Lam et al. 2022, BIC, causal-learn.", _permutation("GRaSP"), None, 10),
}
"""All published methods, by the name on the command line."""


def claims_of(name: str, series: NDArray[np.float64]) -> Claimed:
    """Run a published method on the series of all subjects.

    Parameters
    ----------
    name : str
        One of `NETWORK_RIVALS`.
    series : ndarray, shape (subjects, n_times, n_regions), float64
        Of any scale; z-scored per subject here.
    """
    centred = series - series.mean(axis=1, keepdims=True)
    with warnings.catch_warnings():
        # Other packages warn, for instance of a nearly singular matrix.
        warnings.simplefilter("ignore")
        return NETWORK_RIVALS[name].judge(centred / centred.std(axis=1, keepdims=True))
