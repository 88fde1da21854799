"""Measure how well an estimated directed graph matches the true one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.errors import InputError


@dataclass(frozen=True)
class GraphScores:
    """Hold the scores of an estimated directed graph; NaN where the denominator is zero.

    Attributes
    ----------
    precision, recall, f1 : float
        Of directed edges.
    skeleton_f1 : float
        Of pairs with an edge, whatever its direction.
    orientation_accuracy : float
        Share with the true direction, of the pairs that have exactly one direction in both graphs;
        0.5 is expected by chance.
    hamming : int
        Structural Hamming distance: pairs whose edge is missing, extra or in another direction,
        each counted once (Tsamardinos, Brown and Aliferis 2006).
    """

    precision: float
    recall: float
    f1: float
    skeleton_f1: float
    orientation_accuracy: float
    hamming: int


def score_graph(truth: ArrayLike, estimate: ArrayLike) -> GraphScores:
    """Compare an estimated directed graph with the true one.

    Parameters
    ----------
    truth, estimate : array_like of bool or of 0 and 1, shape (n_regions, n_regions)
        Adjacency, row = cause, column = effect: ``truth[i, j]`` is i -> j.  The diagonal must be
        empty; both directions of a pair may be set.

    Raises
    ------
    InputError
        If the shapes differ or are not square, there are fewer than two regions, a value is
        neither 0 nor 1, or a region drives itself.
    """
    true, found = _checked("truth", truth), _checked("estimate", estimate)
    if true.shape != found.shape:
        raise InputError(
            f"The true graph has shape {true.shape} but the estimated one {found.shape}."
        )
    upper = np.triu_indices(len(true), k=1)
    off_diagonal = ~np.eye(len(true), dtype=bool)
    forth, back = (true[upper], found[upper]), (true.T[upper], found.T[upper])
    precision, recall, f1 = _counts(true[off_diagonal], found[off_diagonal])
    oriented = (forth[0] ^ back[0]) & (forth[1] ^ back[1])
    return GraphScores(
        precision=precision,
        recall=recall,
        f1=f1,
        skeleton_f1=_counts(forth[0] | back[0], forth[1] | back[1])[2],
        orientation_accuracy=_share(int((forth[0] == forth[1])[oriented].sum()), oriented.sum()),
        hamming=int(((forth[0] != forth[1]) | (back[0] != back[1])).sum()),
    )


def _checked(name: str, adjacency: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(adjacency)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise InputError(
            f"{name} must be a square adjacency of at least two regions, but has shape "
            f"{array.shape}."
        )
    if not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must hold only 0 and 1 (or bool); threshold it first.")
    if array.diagonal().any():
        region = int(np.flatnonzero(array.diagonal())[0])
        raise InputError(f"{name}: region {region} drives itself; set the diagonal to 0.")
    return array.astype(bool)


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")


def _counts(true: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[float, float, float]:
    hits = int((true & found).sum())
    n_true, n_found = int(true.sum()), int(found.sum())
    return _share(hits, n_found), _share(hits, n_true), _share(2 * hits, n_true + n_found)
