"""Define the haemodynamic response of an average region, which BOLD shows after neural activity."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

_SECONDS = 32.0


def double_gamma(step: float) -> NDArray[np.float64]:
    """Return the response to an impulse, sampled every `step` seconds for 32 s.

    Returns
    -------
    ndarray, shape (n_steps,), float64

    Notes
    -----
    The difference of two gamma densities with peaks after 5 and 15 s, the second a sixth as large
    (Friston et al. 1998, NeuroImage 7:30-40).
    """
    seconds = np.arange(0.0, _SECONDS, step)

    def density(shape: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(xlogy(shape - 1.0, seconds) - seconds - gammaln(shape)))

    return density(6.0) - density(16.0) / 6.0
