"""Simulate the paper's data: mixtures of sources whose law changes from segment to segment."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import SettingsError
from causal_ivae.seeding import generator
from causal_ivae.validation.paper.mixing import Mixing, MixingActivation, random_mixing

_STD_RANGE = (0.5, 3.0)
_EASY_STEP = 3.0
"""The mean of the easy source differs by this much between neighbouring segments."""
_MOST_NETWORKS = 100
"""At most this many networks are drawn in search of an injective one."""
_STEP = 1e-3
"""Injectivity is checked by moving the first source by this much."""


@dataclass(frozen=True)
class Sample:
    """Hold rows drawn from one simulated mixture.

    Attributes
    ----------
    observations : ndarray, shape (n_times, n_features), float64
    sources : ndarray, shape (n_times, n_sources), float64
    segments : ndarray, shape (n_times,), int64
        Segment of every row, counted from 0.
    """

    observations: NDArray[np.float64]
    sources: NDArray[np.float64]
    segments: NDArray[np.int64]


@dataclass(frozen=True)
class SimulatedMixture:
    """Hold simulated observations with their sources and the law that they were drawn from.

    Attributes
    ----------
    train, test : Sample
        Two draws with the same segments, mixing and noise level.
    mean, std : ndarray, shape (n_segments, n_sources), float64
        Mean and standard deviation of every source in every segment.
    noise : float
        Standard deviation of the noise that was added to the observations.
    """

    train: Sample
    test: Sample
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    mixing: Mixing
    noise: float
    seed: int


def simulate_mixture(
    *,
    n_segments: int = 40,
    n_per_segment: int = 1000,
    n_test_per_segment: int = 200,
    n_sources: int = 5,
    n_features: int | None = None,
    layers: int = 3,
    activation: MixingActivation = "leaky_relu",
    slope: float = 0.1,
    noise: float = 0.0,
    seed: int = 0,
) -> SimulatedMixture:
    """Simulate a nonlinear mixture of Gaussian sources whose variances change with the segment.

    Parameters
    ----------
    n_segments, n_per_segment, n_test_per_segment : int
        Number of segments (the paper's M), rows per segment of the first draw (L) and of the
        second.
    n_sources, n_features : int
        Numbers of sources (n) and of observed columns (d, by default n).
    layers, activation, slope
        As in `causal_ivae.validation.paper.mixing.random_mixing`.
    noise : float
        Standard deviation of white noise that is added to the observations.

    Raises
    ------
    SettingsError
        If a size is too small or a name is unknown.

    Notes
    -----
    Standard deviations are uniform in (0.5, 3), as in Khemakhem et al. 2020, section 5.1.
    """
    rng = generator(seed, "simulate_mixture", "gaussian_variance")
    _check_sizes(n_segments, n_per_segment, n_test_per_segment)
    std = rng.uniform(*_STD_RANGE, size=(n_segments, n_sources))
    mean = np.zeros_like(std)
    mixing = random_mixing(
        n_sources,
        n_sources if n_features is None else n_features,
        layers=layers,
        activation=activation,
        slope=slope,
        rng=rng,
    )

    def draw(rows: int) -> Sample:
        sources, segments = _draw(mean, std, rows, rng)
        clean = mixing(sources)
        return Sample(clean + noise * rng.normal(size=clean.shape), sources, segments)

    train, test = draw(n_per_segment), draw(n_test_per_segment)
    return SimulatedMixture(train, test, mean, std, mixing, noise, seed)


def simulate_easy_segments(
    *,
    n_segments: int = 40,
    n_per_segment: int = 1000,
    n_test_per_segment: int = 200,
    layers: int = 3,
    activation: MixingActivation = "leaky_relu",
    slope: float = 0.1,
    seed: int = 0,
) -> SimulatedMixture:
    """Simulate two sources, one of which alone tells the segments apart.

    The mean of the second source differs by 3 between neighbouring segments, taken in random
    order, and this source is observed unmixed: x1 = f1(z1, z2), x2 = z2.  A classifier of segments
    can therefore succeed without unmixing the first source.

    Parameters
    ----------
    n_segments, n_per_segment, n_test_per_segment, layers, activation, slope, seed
        As in `simulate_mixture`.

    Notes
    -----
    These are the data of figure 3b of Khemakhem et al. 2020, section 5.2: mean(z1|u) = 0 and
    mean(z2|u) = alpha gamma(u) for a permutation gamma.  The paper does not state alpha; here it
    is 3, the largest standard deviation, so that neighbouring segments overlap.  Replacing f2 by
    z2 can break the injectivity that the theory requires of a mixing: where x1 falls with z1 in
    one place and rises in another, no method can know the sign of z1.  Networks are therefore
    drawn until x1 changes in the same direction with z1 at every row.
    """
    rng = generator(seed, "simulate_easy_segments")
    _check_sizes(n_segments, n_per_segment, n_test_per_segment)
    std = rng.uniform(*_STD_RANGE, size=(n_segments, 2))
    place = rng.permutation(n_segments) - (n_segments - 1) / 2.0
    mean = np.column_stack([np.zeros(n_segments), _EASY_STEP * place])
    drawn = [_draw(mean, std, rows, rng) for rows in (n_per_segment, n_test_per_segment)]
    everywhere = np.concatenate([sources for sources, _ in drawn])
    for _ in range(_MOST_NETWORKS):
        mixing = random_mixing(2, 2, layers=layers, activation=activation, slope=slope, rng=rng)
        if _injective(mixing, everywhere):
            break
    else:
        raise SettingsError(
            f"None of {_MOST_NETWORKS} random networks of 'layers' = {layers} stayed injective "
            "with the second source unmixed: give fewer layers."
        )
    train, test = (
        Sample(np.column_stack([mixing(sources)[:, 0], sources[:, 1]]), sources, segments)
        for sources, segments in drawn
    )
    return SimulatedMixture(train, test, mean, std, mixing, 0.0, seed)


def _injective(mixing: Mixing, sources: NDArray[np.float64]) -> bool:
    """Check that the first observation moves in one direction with the first source everywhere."""
    moved = sources + np.array([_STEP, 0.0])
    rises = mixing(moved)[:, 0] > mixing(sources)[:, 0]
    return bool(rises.all() or not rises.any())


def simulate_binary(
    *,
    n_segments: int = 20,
    n_per_segment: int = 3000,
    n_test_per_segment: int = 200,
    n_sources: int = 10,
    n_features: int = 100,
    seed: int = 0,
) -> SimulatedMixture:
    """Simulate binary observations: a linear mixture gives the log-odds of every column.

    Parameters
    ----------
    n_segments, n_per_segment, n_test_per_segment, n_sources, n_features, seed
        As in `simulate_mixture`.

    Returns
    -------
    SimulatedMixture
        The observations are zeros and ones.

    Notes
    -----
    The observations are Bernoulli draws whose log-odds are a linear mixture, as in Khemakhem et
    al. 2020, section 5.3 and appendix.
    """
    rng = generator(seed, "simulate_binary")
    _check_sizes(n_segments, n_per_segment, n_test_per_segment)
    std = rng.uniform(*_STD_RANGE, size=(n_segments, n_sources))
    mean = np.zeros_like(std)
    mixing = random_mixing(n_sources, n_features, layers=1, rng=rng)

    def draw(rows: int) -> Sample:
        sources, segments = _draw(mean, std, rows, rng)
        odds = 1.0 / (1.0 + np.exp(-mixing(sources)))
        observations = (rng.uniform(size=odds.shape) < odds).astype(np.float64)
        return Sample(observations, sources, segments)

    train, test = draw(n_per_segment), draw(n_test_per_segment)
    return SimulatedMixture(train, test, mean, std, mixing, 0.0, seed)


def _draw(
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    n_per_segment: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    n_segments, n_sources = std.shape
    segments = np.repeat(np.arange(n_segments), n_per_segment)
    return mean[segments] + std[segments] * rng.normal(size=(len(segments), n_sources)), segments


def _check_sizes(n_segments: int, n_per_segment: int, n_test_per_segment: int) -> None:
    for name, value in (
        ("n_segments", n_segments),
        ("n_per_segment", n_per_segment),
        ("n_test_per_segment", n_test_per_segment),
    ):
        if value < 2:
            raise SettingsError(f"Invalid value {value} for '{name}': give 2 or more.")
