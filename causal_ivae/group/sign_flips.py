"""Sign-flip permutation test of a mean over subjects."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.seeding import generator

# All sign flips of this many subjects, 2**13, are as cheap as the usual number of random ones.
_EXACT_SUBJECTS = 13
# Pairs per matrix product: 2**12 flips x 512 pairs of float64 are 16 MiB.
_PAIRS_AT_ONCE = 512


def smallest_p(n_subjects: int, draws: int = 9999) -> float:
    """Return the smallest p-value that the sign-flip test of so many subjects can give."""
    if n_subjects <= _EXACT_SUBJECTS:
        return float(2.0 ** (1 - n_subjects))
    return 1 / (1 + draws)


def sign_flip_p(scores: NDArray[np.float64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Test for every pair whether the mean score over subjects is zero.

    Parameters
    ----------
    scores : ndarray, shape (n_subjects, n_pairs)
    draws : int
        Random sign flips where there are more than 13 subjects.
    seed : int

    Returns
    -------
    ndarray, shape (n_pairs,)
        Two-sided p-values.  All pairs share the same flips, so another pair changes none.
    """
    n_subjects, n_pairs = scores.shape
    exact = n_subjects <= _EXACT_SUBJECTS
    if exact:
        # |mean| is the same for a flip and its opposite: the first subject's sign stays.
        codes = np.arange(2 ** (n_subjects - 1))[:, None]
        bits = (codes >> np.arange(n_subjects - 1)) & 1
        flips = np.hstack([np.ones((len(codes), 1)), 1.0 - 2.0 * bits])
    else:
        rng = generator(seed, "group", "sign flips")
        flips = rng.choice([-1.0, 1.0], size=(draws, n_subjects))
    observed = np.abs(scores.sum(axis=0))
    # Sums of the same numbers in another order differ in the last digits; those are ties.
    least = observed - 1e-10 * np.abs(scores).sum(axis=0)
    as_large = np.empty(n_pairs, dtype=np.int64)
    for start in range(0, n_pairs, _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        as_large[block] = (np.abs(flips @ scores[:, block]) >= least[block]).sum(axis=0)
    if exact:
        return np.asarray(as_large / len(flips))
    return np.asarray((1 + as_large) / (1 + draws))
