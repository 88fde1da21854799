"""Simulate pairs of known direction by other laws than those of `simulate_pair`.

A method that was tuned on one simulator must be checked on others.  Here the disturbances, the
change of their scale over segments and the function from cause to effect all differ from those of
`causal_ivae.simulate.known_graphs`.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.seeding import generator
from causal_ivae.simulate.known_graphs import SimulatedSeries

Mechanism = Literal["additive", "heteroscedastic", "post_nonlinear", "sigmoid"]
MECHANISMS: tuple[Mechanism, ...] = ("additive", "heteroscedastic", "post_nonlinear", "sigmoid")
Law = Literal["generalised_gaussian", "student", "uniform", "skewed"]
LAWS: tuple[Law, ...] = ("generalised_gaussian", "student", "uniform", "skewed")
Modulation = Literal["lognormal", "drift", "states"]
MODULATIONS: tuple[Modulation, ...] = ("lognormal", "drift", "states")

_WAVES = 8
"""A smooth random function is the sum of this many cosines and a slope."""
_BURN_IN = 100
"""The first rows of an autoregressive process depend on its start, so this many are dropped."""


def simulate_mechanism_pair(
    direction: Literal["x->y", "y->x", "none"] = "x->y",
    *,
    mechanism: Mechanism = "additive",
    law: Law = "generalised_gaussian",
    modulation: Modulation = "lognormal",
    n_segments: int = 20,
    n_per_segment: int = 200,
    autocorrelation: float = 0.0,
    seed: int = 0,
) -> SimulatedSeries:
    """Simulate one pair of regions by a structural equation of a given kind.

    Parameters
    ----------
    direction : {"x->y", "y->x", "none"}
        x is column 0, y is column 1.
    mechanism : {"additive", "heteroscedastic", "post_nonlinear", "sigmoid"}
        How the effect follows from its cause and its disturbance.
    law : {"generalised_gaussian", "student", "uniform", "skewed"}
        Distribution of the disturbances within a segment.
    modulation : {"lognormal", "drift", "states"}
        How the disturbances' scales change over segments.
    autocorrelation : float
        Lag-one coefficient of the disturbances' AR(1) process, in [0, 1).

    Raises
    ------
    SettingsError
        If the mechanism, the law or the modulation is unknown.

    Notes
    -----
    The cause is x = n1, and f and g are smooth random functions (random Fourier features) that
    need not be monotone.  The effect is

    - ``additive``: f(x) + n2 (Hoyer et al. 2008);
    - ``heteroscedastic``: f(x) + exp(g(x)) n2;
    - ``post_nonlinear``: h(f(x) + n2) with h monotone and x = h1(n1) (Zhang and Hyvarinen 2009);
    - ``sigmoid``: s(x) + n2 with s a shifted and scaled logistic function (as in Buhlmann, Peters,
      Ernest 2014).

    The standard deviation of n2 is 0.4 to 1 times that of the cause's contribution.
    """
    for what, value, allowed in (
        ("mechanism", mechanism, MECHANISMS),
        ("law", law, LAWS),
        ("modulation", modulation, MODULATIONS),
    ):
        if value not in allowed:
            raise SettingsError(f"Unknown {what} '{value}'. {nearest(value, allowed)}")
    rng = generator(seed, "simulate_mechanism_pair", mechanism, law, modulation, direction)
    sources = _disturbances(rng, law, n_segments, n_per_segment, autocorrelation)
    segments = np.repeat(np.arange(n_segments), n_per_segment)
    sources = _scales(rng, modulation, n_segments)[segments] * sources
    sources = sources / sources.std(axis=0)
    cause, effect = sources.T
    if mechanism == "post_nonlinear":
        cause = _standard(_monotone(rng)(cause))
    if direction == "none":
        contribution, effect = np.zeros_like(cause), effect.copy()
    else:
        function = _sigmoid(rng) if mechanism == "sigmoid" else _smooth(rng)
        contribution = _standard(function(cause))
        effect = rng.uniform(0.4, 1.0) * effect
    if mechanism == "heteroscedastic" and direction != "none":
        effect = np.exp(0.6 * np.tanh(_standard(_smooth(rng)(cause)))) * effect
    effect = contribution + effect
    if mechanism == "post_nonlinear":
        effect = _monotone(rng)(_standard(effect))
    values = np.column_stack([_standard(cause), _standard(effect)])
    adjacency = np.array([[False, direction != "none"], [False, False]])
    if direction == "y->x":
        values, sources, adjacency = values[:, ::-1], sources[:, ::-1], adjacency.T
    return SimulatedSeries(values, segments, sources, adjacency)


def _disturbances(
    rng: np.random.Generator, law: Law, n_segments: int, n_per_segment: int, autocorrelation: float
) -> NDArray[np.float64]:
    """Draw two disturbances of constant variance, shape (n_times, 2)."""
    shape = (n_segments * n_per_segment + _BURN_IN, 2)
    if law == "generalised_gaussian":
        # The density exp(-|n|^power) is sharper than a Gaussian one, which makes the direction
        # identifiable in the linear case too.
        power = rng.uniform(0.8, 1.6, 2)
        size = rng.gamma(1.0 / power, size=shape) ** (1.0 / power)
        drawn = size * rng.choice([-1.0, 1.0], shape)
    elif law == "student":
        drawn = rng.standard_t(rng.uniform(4.0, 8.0, 2), shape)
    elif law == "uniform":
        drawn = rng.uniform(-1.0, 1.0, shape)
    else:
        form = rng.uniform(1.5, 4.0, 2)
        drawn = (rng.gamma(form, size=shape) - form) * rng.choice([-1.0, 1.0], 2)
    if autocorrelation:
        drawn = lfilter([1.0], [1.0, -autocorrelation], drawn, axis=0)
    return np.asarray(drawn[_BURN_IN:])


def _scales(
    rng: np.random.Generator, modulation: Modulation, n_segments: int
) -> NDArray[np.float64]:
    """Draw the scale of both disturbances in every segment, shape (n_segments, 2)."""
    if modulation == "lognormal":
        return np.exp(rng.normal(0.0, 0.6, (n_segments, 2)))
    if modulation == "drift":
        # The autoregression keeps the random walk from growing with the number of segments.
        steps = rng.normal(0.0, 0.35, (n_segments + _BURN_IN, 2))
        walk = lfilter([1.0], [1.0, -0.85], steps, axis=0)[_BURN_IN:]
        return np.asarray(np.exp(walk))
    levels = np.exp(np.array([[-0.9], [0.0], [0.9]]) + rng.uniform(-0.3, 0.3, (3, 2)))
    state = rng.integers(0, 3, (n_segments, 2))
    return np.take_along_axis(levels, state, axis=0)


def _smooth(rng: np.random.Generator) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Draw a random slope plus a draw of a Gaussian process with length scale 1.5."""
    frequency = rng.normal(0.0, 1.0 / 1.5, _WAVES)
    phase = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
    height = rng.normal(0.0, np.sqrt(2.0 / _WAVES), _WAVES)
    slope = rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)

    def function(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(slope * x + np.cos(x[:, None] * frequency + phase) @ height)

    return function


def _sigmoid(rng: np.random.Generator) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    steepness = rng.choice([-1.0, 1.0]) * rng.uniform(1.0, 4.0)
    shift = rng.uniform(-1.0, 1.0)
    return lambda x: np.asarray(expit(steepness * (x - shift)))


def _monotone(rng: np.random.Generator) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Draw an increasing function: a slope, a smooth step and a power that bends the tails."""
    step, place, power = rng.uniform(0.5, 2.0), rng.uniform(-1.0, 1.0), rng.uniform(0.6, 1.5)

    def function(x: NDArray[np.float64]) -> NDArray[np.float64]:
        bent = np.sign(x) * np.abs(x) ** power
        return np.asarray(0.3 * x + bent + step * np.tanh(2.0 * (x - place)))

    return function


def _standard(series: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((series - series.mean()) / series.std())
