"""Simulate BOLD series of several subjects from a network of neural populations, with feedback.

The parameters cover the ranges of fMRI studies.  None is taken from a published simulation, so that
what is calibrated on these networks can be tested on others.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from causal_ivae.seeding import generator
from causal_ivae.simulate.haemodynamics import RESPONSE_STEP, haemodynamic_responses

GraphKind = Literal["sparse", "hub", "collider", "chain", "ring", "two-cycle"]
GRAPH_KINDS: tuple[GraphKind, ...] = ("sparse", "hub", "collider", "chain", "ring", "two-cycle")
Drive = Literal["telegraph", "shots", "laplace", "gaussian"]
DRIVES: tuple[Drive, ...] = ("telegraph", "shots", "laplace", "gaussian")

_SETTLING = 35.0
"""Activity runs for this long before the first volume (s), longer than a haemodynamic response."""
_MOST_CAUSES = 4
_LARGEST_EIGENVALUE = 0.8
"""Weights are scaled down to this spectral radius, so that feedback does not grow without bound."""


@dataclass(frozen=True)
class TaskInput:
    """Describe an input that is known, such as the blocks of a task.

    Attributes
    ----------
    regions : tuple of int
        Regions that it drives directly.
    strength : float
        Its standard deviation relative to that of the fluctuations that a region receives of its
        own.
    on, off : float
        Length of its blocks and of the rests between them (s); rests vary by a half to both sides.
    """

    regions: tuple[int, ...]
    strength: float = 0.3
    on: float = 20.0
    off: float = 20.0


@dataclass(frozen=True)
class BoldDesign:
    """Describe a simulated study: its network, its subjects and its measurement.

    Attributes
    ----------
    adjacency : ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect; may have cycles.
    n_subjects, n_times : int
    tr : float
        Repetition time (s).
    kind : str
        Recipe of the graph, one of `GRAPH_KINDS`, or "given".
    hidden : tuple of tuple of int
        For every common cause that is not measured, the regions that it drives.
    drive : {"telegraph", "shots", "laplace", "gaussian"}
        Law of the fluctuations that every region receives of its own.
    gain_sd : float
        Standard deviation over regions and subjects of the logarithm of the response's amplitude.
    delay_sd : float
        Standard deviation over regions and subjects of the time to peak of the haemodynamic
        response (s).
    noise : float
        Variance of the measurement noise relative to that of the signal.
    common : float
        Variance of a fluctuation that all regions of a subject share, relative to that of the
        signal.
    slow : float
        Standard deviation of the logarithm of the drives' amplitude over windows of half a minute
        to two minutes.
    gated : bool
        True if all connections are switched on and off over tens of seconds.
    saturating : bool
        True if a region's output is the hyperbolic tangent of its activity.
    inputs : tuple of TaskInput
    """

    adjacency: NDArray[np.bool_]
    n_subjects: int = 10
    n_times: int = 300
    tr: float = 2.0
    kind: str = "given"
    hidden: tuple[tuple[int, ...], ...] = ()
    drive: Drive = "telegraph"
    gain_sd: float = 0.1
    delay_sd: float = 0.5
    noise: float = 0.05
    common: float = 0.0
    slow: float = 0.4
    gated: bool = False
    saturating: bool = False
    inputs: tuple[TaskInput, ...] = ()

    @property
    def confounded(self) -> NDArray[np.bool_]:
        """Return which pairs share a cause that is not measured and are not adjacent."""
        shared = np.zeros_like(self.adjacency)
        for regions in self.hidden:
            shared[np.ix_(regions, regions)] = True
        np.fill_diagonal(shared, False)
        return shared & ~(self.adjacency | self.adjacency.T)


@dataclass(frozen=True)
class BoldNetwork:
    """Hold the series of a simulated study.

    Attributes
    ----------
    values : ndarray, shape (n_subjects, n_times, n_regions), float64
        In units of the standard deviation of every region's signal over all subjects.
    design : BoldDesign
    inputs : ndarray, shape (n_subjects, n_times, n_inputs), float64
        1 while an input is on, else 0; not convolved.
    """

    values: NDArray[np.float64]
    design: BoldDesign
    inputs: NDArray[np.float64]

    @property
    def stacked(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return all volumes (n_subjects * n_times, n_regions), and the subject of every volume.

        The two arrays are the ``values`` and ``segments`` of `causal_ivae.discover`.
        """
        subjects, times, regions = self.values.shape
        return self.values.reshape(-1, regions), np.repeat(np.arange(subjects), times)


def draw_bold_design(seed: int, *, most_volumes: int = 18_000) -> BoldDesign:
    """Draw a study with a random network.

    Parameters
    ----------
    seed : int
    most_volumes : int
        Longer runs are shortened so that all subjects together have no more volumes.

    Returns
    -------
    BoldDesign
        4 to 10 regions, 5 to 50 subjects, 100 to 1,200 volumes of 0.7 to 3 s, 0 to 2 common causes
        that are not measured, delays with a standard deviation of 0 to 1 s and 0.1 to 30 % of
        noise.
    """
    rng = generator(seed, "bold design")
    n_regions = int(rng.integers(4, 11))
    kind = GRAPH_KINDS[rng.choice(6, p=[0.35, 0.12, 0.13, 0.12, 0.16, 0.12])]
    n_subjects = int(rng.choice([5, 8, 10, 15, 20, 30, 50]))
    n_times = round(float(np.exp(rng.uniform(np.log(100), np.log(1200)))))
    n_hidden = int(rng.choice(3, p=[0.6, 0.3, 0.1]))
    return BoldDesign(
        adjacency=random_feedback_graph(n_regions, kind, rng),
        n_subjects=n_subjects,
        n_times=max(100, min(n_times, most_volumes // n_subjects)),
        tr=float(rng.uniform(0.7, 3.0)),
        kind=kind,
        hidden=tuple(
            tuple(rng.choice(n_regions, int(rng.integers(2, 4)), replace=False).tolist())
            for _ in range(n_hidden)
        ),
        drive=DRIVES[rng.choice(4, p=[0.4, 0.2, 0.2, 0.2])],
        gain_sd=float(rng.uniform(0.0, 0.3)),
        delay_sd=float(rng.uniform(0.0, 1.0)),
        noise=float(np.exp(rng.uniform(np.log(0.001), np.log(0.3)))),
        common=float(rng.uniform(0.02, 0.3)) if rng.random() < 0.2 else 0.0,
        slow=float(rng.uniform(0.0, 0.8)),
        gated=bool(rng.random() < 0.25),
        saturating=bool(rng.random() < 0.4),
    )


def random_feedback_graph(
    n_regions: int, kind: GraphKind, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draw a graph that holds a structure of a given kind and further random edges.

    Parameters
    ----------
    n_regions : int
        At least 4.
    kind : {"sparse", "hub", "collider", "chain", "ring", "two-cycle"}
        "ring" and "two-cycle" have feedback; the further edges follow a random order of regions.

    Returns
    -------
    ndarray, shape (n_regions, n_regions), bool
        Row = cause, column = effect.
    """
    graph = np.zeros((n_regions, n_regions), dtype=bool)
    order = rng.permutation(n_regions)
    if kind == "hub":
        graph[order[0], order[1 : 1 + max(2, n_regions // 2)]] = True
    elif kind == "collider":
        graph[order[: max(2, n_regions // 3)], order[-1]] = True
    elif kind == "chain":
        graph[order[:-1], order[1:]] = True
    elif kind == "ring":
        ring = order[: int(rng.integers(3, min(n_regions, 6) + 1))]
        graph[ring, np.roll(ring, -1)] = True
    elif kind == "two-cycle":
        graph[order[:2], order[1::-1]] = True
    wanted = max(2, round(n_regions * rng.uniform(0.6, 1.5)))
    possible = order[np.stack(np.triu_indices(n_regions, 1), axis=1)]
    for cause, effect in rng.permutation(possible):
        if graph.sum() >= wanted:
            break
        if not graph[effect, cause] and graph[:, effect].sum() < _MOST_CAUSES:
            graph[cause, effect] = True
    return graph


def simulate_bold_network(design: BoldDesign, *, seed: int = 0) -> BoldNetwork:
    """Simulate the BOLD series of every subject of a study.

    Parameters
    ----------
    design : BoldDesign
    seed : int

    Returns
    -------
    BoldNetwork

    Notes
    -----
    Neural activity follows tau dx/dt = -x + W f(x) + u, where f is the identity or the hyperbolic
    tangent, and u is a drive of the region's own whose amplitude changes slowly.  Weights differ
    between subjects by up to 40 %.  BOLD is the activity convolved with a double-gamma response
    whose delay and width vary over regions and subjects (Friston et al. 1998, NeuroImage 7:30-40),
    sampled every repetition time, with white measurement noise.  The form of the model is that of
    Smith et al. 2011, NeuroImage 54:875-891; its parameters are not.
    """
    rng = generator(seed, "bold network")
    subjects, n_times = design.n_subjects, design.n_times
    measured = len(design.adjacency)
    weights = _weights(design, rng)
    regions = weights.shape[1]
    steps = int((n_times * design.tr + _SETTLING + 5.0) / RESPONSE_STEP)
    drive = _drive(rng, design.drive, (steps, subjects, regions))
    if rng.random() < 0.3:
        other = _drive(rng, DRIVES[rng.integers(4)], drive.shape)
        drive = np.where(rng.random(regions) < 0.5, drive, other)
    window = int(rng.uniform(30.0, 120.0) / RESPONSE_STEP)
    amplitude = np.exp(
        design.slow * rng.standard_normal((steps // window + 1, subjects, regions))
        + 0.3 * rng.standard_normal((1, subjects, regions))
    ).astype(np.float32)
    drive = drive * np.repeat(amplitude, window, axis=0)[:steps]
    drive += rng.uniform(0.05, 0.6) * rng.standard_normal(drive.shape, dtype=np.float32)
    time_constant = np.maximum(
        rng.uniform(0.1, 0.8) * rng.uniform(0.8, 1.2, regions), RESPONSE_STEP
    )
    on = _task(design, subjects, steps, seed)
    for number, one in enumerate(design.inputs):
        known = on[:, :, number] - on[:, :, number].mean(axis=0)
        known = one.strength * known / (known.std(axis=0) + 1e-6)
        drive[:, :, list(one.regions)] += known[:, :, None]
    gate = None
    if design.gated:
        gate = _telegraph(
            rng, (steps, subjects, regions), rng.uniform(10.0, 60.0), rng.uniform(5.0, 40.0)
        )
    activity = _integrate(
        drive, weights, (RESPONSE_STEP / time_constant).astype(np.float32), gate, design.saturating
    )
    responses = haemodynamic_responses(rng, (subjects, measured), design.delay_sd)
    bold = _convolve(activity[:, :, :measured], responses)
    volumes = ((np.arange(n_times) * design.tr + _SETTLING) / RESPONSE_STEP).astype(int)
    bold = bold[np.minimum(volumes, steps - 1)].astype(np.float64)
    bold = (bold - bold.mean(axis=0)) / bold.std(axis=(0, 1))
    bold *= np.exp(design.gain_sd * rng.standard_normal(bold.shape[1:]))
    if design.common > 0:
        bold += np.sqrt(design.common) * rng.standard_normal((n_times, subjects, 1))
    level = np.sqrt(design.noise) * rng.uniform(0.6, 1.4, measured)
    bold += level * rng.standard_normal(bold.shape)
    sampled = on[np.minimum(volumes, steps - 1)].astype(np.float64)
    return BoldNetwork(
        np.ascontiguousarray(bold.transpose(1, 0, 2)), design, sampled.transpose(1, 0, 2)
    )


def _task(design: BoldDesign, subjects: int, steps: int, seed: int) -> NDArray[np.float32]:
    """Draw when every input is on, shape (steps, subjects, inputs)."""
    on = np.zeros((steps, subjects, len(design.inputs)), dtype=np.float32)
    for number, one in enumerate(design.inputs):
        for subject in range(subjects):
            # An input has random numbers of its own, so that it changes nothing else.
            rng = generator(seed, "task input", number, subject)
            most = int(steps * RESPONSE_STEP / (one.on + 0.5 * one.off)) + 2
            rests = one.off * rng.uniform(0.5, 1.5, most)
            starts = np.cumsum(rests) + one.on * np.arange(most)
            for start in (starts / RESPONSE_STEP).astype(int):
                on[start : start + int(one.on / RESPONSE_STEP), subject, number] = 1.0
    return on


def _weights(design: BoldDesign, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the weights of every subject, shape (subjects, effects, causes), hidden causes last."""
    measured, hidden = len(design.adjacency), len(design.hidden)
    weights = np.zeros((measured + hidden, measured + hidden))
    cause, effect = np.nonzero(design.adjacency)
    sign = np.where(rng.random(len(cause)) < 0.85, 1.0, -1.0)
    weights[effect, cause] = sign * rng.uniform(0.2, 0.8, len(cause))
    for number, driven in enumerate(design.hidden):
        weights[list(driven), measured + number] = rng.uniform(0.3, 0.8, len(driven))
    radius = np.abs(np.linalg.eigvals(weights)).max()
    if radius > _LARGEST_EIGENVALUE:
        weights *= _LARGEST_EIGENVALUE / radius
    spread = rng.uniform(0.0, 0.4) * rng.standard_normal((design.n_subjects, *weights.shape))
    of_subject = weights * np.clip(1.0 + spread, 0.0, 2.0)
    # Where a subject's weights came out so large that activity would grow without end.
    growth = np.linalg.eigvals(of_subject).real.max(axis=1)
    of_subject[growth >= 1.0] *= (_LARGEST_EIGENVALUE / growth[growth >= 1.0])[:, None, None]
    return of_subject.astype(np.float32)


def _telegraph(
    rng: np.random.Generator, shape: tuple[int, ...], on: float, off: float
) -> NDArray[np.float32]:
    """Draw processes that are 1 and 0 in turn, with exponential dwell times of given means (s)."""
    rise, fall = RESPONSE_STEP / off, RESPONSE_STEP / on
    state = rng.random(shape[1:]) < on / (on + off)
    chance = rng.random(shape, dtype=np.float32)
    process = np.empty(shape, dtype=np.float32)
    for step in range(shape[0]):
        state = np.where(state, chance[step] >= fall, chance[step] < rise)
        process[step] = state
    return process


def _drive(rng: np.random.Generator, kind: Drive, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw the drive of every region, shape (steps, subjects, regions), z-scored."""
    if kind == "telegraph":
        drive = _telegraph(rng, shape, rng.uniform(1.0, 6.0), rng.uniform(4.0, 20.0))
    elif kind == "shots":
        often = rng.random(shape, dtype=np.float32) < RESPONSE_STEP * rng.uniform(0.05, 0.5)
        drive = often * rng.standard_exponential(shape, dtype=np.float32)
    elif kind == "laplace":
        drive = rng.laplace(size=shape).astype(np.float32)
    else:
        drive = rng.standard_normal(shape, dtype=np.float32)
    return np.asarray((drive - drive.mean(axis=0)) / (drive.std(axis=0) + 1e-6))


def _integrate(
    drive: NDArray[np.float32],
    weights: NDArray[np.float32],
    rate: NDArray[np.float32],
    gate: NDArray[np.float32] | None,
    saturating: bool,
) -> NDArray[np.float32]:
    """Integrate the neural equations by Euler's method, shape (steps, subjects, regions)."""
    activity = np.empty_like(drive)
    state = np.zeros_like(drive[0])
    for step in range(len(drive)):
        output = np.tanh(state) if saturating else state
        received = np.matmul(weights, output[:, :, None])[:, :, 0]
        if gate is not None:
            received = received * gate[step]
        state = state + rate * (drive[step] + received - state)
        activity[step] = state
    return activity


def _convolve(activity: NDArray[np.float32], response: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convolve every series with its response along the first axis."""
    length = next_fast_len(len(activity) + len(response), real=True)
    product = rfft(activity, length, axis=0) * rfft(response, length, axis=0)
    return np.asarray(irfft(product, length, axis=0)[: len(activity)])
