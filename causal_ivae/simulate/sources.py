"""Simulate disturbances whose means and variances change from segment to segment."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


def segment_sources(
    n_segments: int,
    n_per_segment: int,
    n_sources: int,
    *,
    prior: Literal["laplace", "gaussian"] = "laplace",
    std_range: tuple[float, float] = (0.5, 3.0),
    mean_range: tuple[float, float] = (0.0, 0.0),
    autocorrelation: float = 0.0,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw sources that are independent given the segment.

    Parameters
    ----------
    n_segments, n_per_segment, n_sources : int
    prior : {"laplace", "gaussian"}
        Distribution of the innovations.
    std_range, mean_range : (float, float)
        Ranges from which every source's standard deviation and mean in every segment are drawn.
    autocorrelation : float
        Lag-one coefficient of the sources' AR(1) process; 0 gives independent rows.
    rng : numpy.random.Generator

    Returns
    -------
    sources : ndarray, shape (n_segments * n_per_segment, n_sources), float64
    segments : ndarray, shape (n_segments * n_per_segment,), int64

    Notes
    -----
    The law is p(z|u) = product over i of p_i(z_i | u), the conditional prior of Khemakhem et al.
    2020, equation 7.  The default range of standard deviations is that of their section 5.1.
    """
    n_times = n_segments * n_per_segment
    innovations = (
        rng.laplace(scale=np.sqrt(0.5), size=(n_times, n_sources))
        if prior == "laplace"
        else rng.normal(size=(n_times, n_sources))
    )
    if autocorrelation:
        scale = np.sqrt(1.0 - autocorrelation**2)
        innovations = lfilter([scale], [1.0, -autocorrelation], innovations, axis=0)
    segments = np.repeat(np.arange(n_segments), n_per_segment)
    std = rng.uniform(*std_range, size=(n_segments, n_sources))
    mean = rng.uniform(*mean_range, size=(n_segments, n_sources))
    return mean[segments] + std[segments] * innovations, segments
