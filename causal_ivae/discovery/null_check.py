"""Check whether the test of dependence keeps its level on a subject's own series."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import hsic_table
from causal_ivae.seeding import generator
from causal_ivae.settings import IndependenceSettings

_ITERATIONS = 20
"""Phases and values of a surrogate are adjusted this many times."""


@dataclass(frozen=True)
class NullCheck:
    """Hold how often the test rejects pairs that are independent by construction.

    Attributes
    ----------
    pairs, rejected : int
        Numbers of tested and of rejected pairs.
    alpha : float
        Level of the test.
    low, high : float
        95 % Wilson interval of the rejected share.
    """

    pairs: int
    rejected: int
    alpha: float
    low: float
    high: float


def check_null(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    parts: NDArray[np.int64],
    settings: IndependenceSettings,
    *,
    alpha: float,
    seed: int,
    key: str = "",
    memory_gib: float = 1.0,
) -> NullCheck | None:
    """Test independent surrogates of a subject's series in the same way as its pairs.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions)
    blocks : ndarray of int, shape (n_times,)
        Unbroken stretches of one segment, within which the test shifts.
    parts : ndarray of int, shape (n_times,)
        Unbroken stretches of one run, across segments.
    settings : IndependenceSettings
        ``surrogates`` pairs are drawn; 0 for no check.
    alpha : float
        Level of the test.
    seed, key
        As in `causal_ivae.discover`.
    memory_gib
        As in `causal_ivae.independence.hsic.hsic_table`.

    Notes
    -----
    The test's null keeps time structure by shifts within blocks.  The surrogates keep it in another
    way (see `surrogates`), since the check would otherwise always succeed.
    """
    n = settings.surrogates
    if n == 0:
        return None
    rng = generator(seed, key, "null check")
    n_regions = values.shape[1]
    regions = np.stack([rng.permutation(n_regions)[:2] for _ in range(n)])
    drawn = surrogates(values, blocks, parts, regions.ravel(), rng)
    series = torch.as_tensor(drawn.T.astype(np.float32)).view(n, 2, -1, 1)
    table = hsic_table(
        series[:, :1],
        series[:, 1:],
        make_blocks(blocks),
        null=settings.null,
        draws=settings.draws,
        seed=int(rng.integers(2**31)),
        memory_gib=memory_gib,
    )
    rejected = int((table.p_value <= alpha).sum())
    low, high = proportion_confint(rejected, n, method="wilson")
    return NullCheck(n, rejected, alpha, float(low), float(high))


def surrogates(
    values: NDArray[np.floating],
    blocks: NDArray[np.int64],
    parts: NDArray[np.int64],
    regions: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw independent series that resemble those of some regions, shape (n_times, n), float64.

    Parameters
    ----------
    values, blocks, parts
        As in `check_null`.
    regions : ndarray, shape (n,), int64
        Columns of `values`.

    Notes
    -----
    A series is divided by its standard deviation in every block.  In every part, its Fourier
    transform gets random phases, and its values are put in the order of the result.  Both steps are
    repeated with the phases of the reordered values, which keeps the values and nearly keeps the
    spectrum (Schreiber and Schmitz 1996, "Improved surrogate data for nonlinearity tests").  Then
    the series is multiplied by the standard deviations again, so that two regions whose variances
    change together still have this in common.
    """
    _, place = np.unique(blocks, return_inverse=True)
    count = np.bincount(place)[:, None]
    own = np.asarray(values, dtype=np.float64)[:, regions]
    mean = _sums(own, place, len(count)) / count
    own = own - mean[place]
    spread = np.sqrt(_sums(np.square(own), place, len(count)) / count)[place]
    own = np.divide(own, spread, out=np.zeros_like(own), where=spread > 0)
    for part in np.unique(parts):
        rows = np.flatnonzero(parts == part)
        size = np.abs(np.fft.rfft(own[rows], axis=0))
        ordered = np.sort(own[rows], axis=0)
        phase = np.exp(2j * np.pi * rng.random(size.shape))
        for _ in range(_ITERATIONS):
            rank = np.fft.irfft(size * phase, n=len(rows), axis=0).argsort(axis=0).argsort(axis=0)
            own[rows] = np.take_along_axis(ordered, rank, axis=0)
            phase = np.exp(1j * np.angle(np.fft.rfft(own[rows], axis=0)))
    return np.asarray(own * spread)


def _sums(values: NDArray[np.float64], place: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    total = np.zeros((n, values.shape[1]))
    np.add.at(total, place, values)
    return total
