"""Draw haemodynamic responses whose delay and width vary over regions."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

RESPONSE_STEP = 0.1
"""Neural activity is integrated, and responses are sampled, in steps of this length (s)."""
_RESPONSE_SECONDS = 32.0


def haemodynamic_responses(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    delay_sd: float,
    late: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float32]:
    """Draw a haemodynamic response for every region.

    Parameters
    ----------
    shape : tuple of int
        For instance (n_subjects, n_regions).
    delay_sd : float
        Standard deviation of the time to peak (s).
    late : float or ndarray of float
        Added to the time to peak (s).

    Returns
    -------
    ndarray, shape (n_steps, *shape), float32
        Every `RESPONSE_STEP` seconds, of absolute sum one.
    """
    seconds = np.arange(0.0, _RESPONSE_SECONDS, RESPONSE_STEP) + RESPONSE_STEP / 2
    seconds = seconds.reshape(-1, *[1] * len(shape))
    peak = rng.uniform(4.8, 6.4) + rng.normal(0.0, delay_sd, shape) + late
    peak = np.clip(peak, 2.5, 10.0)
    width = rng.uniform(0.8, 1.2) * (1.0 + rng.normal(0.0, 0.1, shape))
    width = np.clip(width, 0.5, 1.6)

    def density(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        form = mean / width
        logarithm = (form - 1) * np.log(seconds) - seconds / width - form * np.log(width)
        return np.asarray(np.exp(logarithm - gammaln(form)))

    response = density(peak) - rng.uniform(0.0, 0.25) * density(peak + 10.0)
    return np.asarray(response / np.abs(response).sum(axis=0), dtype=np.float32)
