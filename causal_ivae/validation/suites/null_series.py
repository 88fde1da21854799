"""Make series that are independent of each other, and networks to take such series from."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from causal_ivae.errors import InputError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.seeding import child_seed, generator
from causal_ivae.simulate.bold_networks import draw_bold_design, simulate_bold_network
from causal_ivae.simulate.known_graphs import simulate_bold
from causal_ivae.validation.suites.study import Study, content_of, load_study, pooled

COEFFICIENTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95)
"""The autoregressive pairs have these lag-one coefficients."""
TR, WINDOW_SECONDS = 0.72, 60.0
"""Simulated series have this repetition time and windows of this length (s)."""
NETWORK_WINDOW = 60.0
"""Networks of given subjects have windows of this length (s) as segments."""
_MOST_VOLUMES = 4000
DATA_SOURCES = ("phase-randomised data", "different subjects")
_BURN_IN = 500
_GRAPH = ((0, 1), (1, 2), (0, 3), (3, 4), (4, 5))


@dataclass(frozen=True)
class Layout:
    """Describe blocks of volumes.

    Attributes
    ----------
    apart : bool
        Whether every block is a run of its own; else they follow one another.
    """

    blocks: int
    length: int
    apart: bool = False

    def __str__(self) -> str:
        """Describe the blocks in words."""
        return f"{self.blocks} {'runs' if self.apart else 'windows'} of {self.length}"


WINDOWS = Layout(14, round(WINDOW_SECONDS / TR))
LAYOUTS = (WINDOWS, Layout(14, 30), Layout(4, 200, apart=True))


@dataclass(frozen=True)
class Row:
    """Describe a kind of independent series.

    Attributes
    ----------
    layout : Layout
        With no blocks where the data decide.
    coefficient : float
        Of the autoregressive process.
    """

    source: str
    layout: Layout
    coefficient: float = 0.0

    @property
    def key(self) -> str:
        """Return the name of the row."""
        process = (
            f" AR({self.coefficient:g})" if self.source in ("pairs", "shared variance") else ""
        )
        return f"{self.source}{process}, {self.layout}"

    @property
    def of_data(self) -> bool:
        """Check whether the series are made from the user's tables."""
        return self.source in DATA_SOURCES


@dataclass(frozen=True)
class NullSeries:
    """Hold triples of independent series.

    Attributes
    ----------
    values : ndarray, shape (3, pairs, n_times), float64, z-scored
        x, y and z.
    blocks : ndarray, shape (n_times,), int64
    """

    values: NDArray[np.float64]
    blocks: NDArray[np.int64]


def every_row(data: Path | None, *, quick: bool) -> Iterator[Row]:
    """Yield every row of the benchmark.

    Parameters
    ----------
    data : pathlib.Path or None
        Folder of tables.
    """
    for layout in LAYOUTS[:1] if quick else LAYOUTS:
        for coefficient in COEFFICIENTS[::5] if quick else COEFFICIENTS:
            yield Row("pairs", layout, coefficient)
    for coefficient in (0.3,) if quick else (0.3, 0.8):
        yield Row("shared variance", WINDOWS, coefficient)
    yield Row("phase-randomised simulated BOLD", WINDOWS)
    if data is not None:
        for source in DATA_SOURCES:
            for layout in data_layouts(data):
                yield Row(source, layout)


def draw_series(row: Row, pairs: int, seed: int, data: Path | None) -> NullSeries:
    """Draw the series of a row.

    Parameters
    ----------
    data : pathlib.Path or None
        Folder of tables, for the rows that need one.

    Notes
    -----
    Shared variance: x, y and z of a pair have the same scale, log-normal with standard deviation
    1, in each block.  Phase-randomised: the Fourier transform of a measured series with phases
    uniform and independent (Theiler et al. 1992), which keeps the spectrum and nothing else.
    Different subjects: x, y and z are regions of three subjects, as long as the shortest run.
    """
    rng = generator(seed, "null series", row.key)
    layout = row.layout
    n_times = layout.blocks * layout.length
    shape = (3, pairs, n_times)
    blocks = np.repeat(np.arange(layout.blocks), layout.length)
    if row.source in ("pairs", "shared variance"):
        runs = layout.blocks if layout.apart else 1
        values = _autoregressive(rng, (3, pairs, runs, n_times // runs), row.coefficient)
        values = values.reshape(shape)
        if row.source == "shared variance":
            values = values * np.exp(rng.normal(size=(pairs, layout.blocks)))[:, blocks]
    elif row.source == "phase-randomised simulated BOLD":
        adjacency = np.zeros((6, 6), dtype=bool)
        adjacency[tuple(zip(*_GRAPH, strict=True))] = True
        values = _randomised(rng, [_bold(adjacency, n_times, seed, i) for i in range(8)], shape)
    else:
        assert data is not None
        runs_of = _runs(data)
        if row.source == "different subjects":
            values = _between_subjects(rng, runs_of, shape)
        else:
            values = _randomised(rng, [run for one in runs_of for run in one], shape)
    values = values - values.mean(axis=-1, keepdims=True)
    return NullSeries(values / values.std(axis=-1, keepdims=True), blocks)


def draw_network(
    study: Study | None, number: int, regions: int, subjects: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], float]:
    """Return series, segments, stretches without a gap and the repetition time of a network.

    Parameters
    ----------
    study : Study or None
        Whose subjects and regions are drawn; None for a simulated BOLD network.
    number : int
        Of the draw.
    regions, subjects : int
        How many of the study are drawn, or all where there are fewer.
    """
    if study is None:
        own = child_seed(seed, "own", number)
        design = draw_bold_design(own, most_volumes=_MOST_VOLUMES)
        values, labels = simulate_bold_network(design, seed=own).stacked
        return values, labels, labels, design.tr
    people = load_study(study)
    rng = generator(seed, "who and where", number)
    chosen = [people[i] for i in np.sort(rng.permutation(len(people))[:subjects])]
    values, segments, blocks = pooled(chosen, "all", "", 0, seed)
    columns = np.sort(rng.permutation(values.shape[1])[:regions])
    return values[:, columns], segments, blocks, chosen[0].tr


def data_layouts(data: Path) -> tuple[Layout, Layout]:
    """Return layouts of windows and of one whole run, as long as the shortest run allows.

    Raises
    ------
    InputError
        If the tables cannot be read, or there are fewer than three subjects.
    """
    runs = _runs(data)
    if len(runs) < 3:
        raise InputError(
            f"'{data}' has {len(runs)} subjects; pairs of different subjects need three or more."
        )
    shortest = min(len(run) for one in runs for run in one)
    subject = _subjects(data)[0]
    length = min(max(8, round(WINDOW_SECONDS / subject.tr)), shortest)
    return Layout(shortest // length, length), Layout(1, shortest, apart=True)


def _subjects(data: Path) -> tuple[RegionSeries, ...]:
    folder = data.expanduser().resolve()
    return load_study(Study(folder, content_of(folder), None, None))


@lru_cache(maxsize=1)
def _runs(data: Path) -> tuple[tuple[NDArray[np.float64], ...], ...]:
    """Return the runs of every subject, each of shape (n_times, n_regions)."""
    return tuple(
        tuple(
            np.asarray(subject.values[subject.runs == run], dtype=np.float64)
            for run in np.unique(subject.runs)
        )
        for subject in _subjects(data)
    )


def _bold(
    adjacency: NDArray[np.bool_], n_times: int, seed: int, subject: int
) -> NDArray[np.float64]:
    return simulate_bold(
        adjacency, n_times=n_times, tr=TR, seed=seed, subject=f"null {subject}"
    ).values


def _autoregressive(
    rng: np.random.Generator, shape: tuple[int, ...], coefficient: float
) -> NDArray[np.float64]:
    noise = rng.normal(size=(*shape[:-1], shape[-1] + _BURN_IN))
    return np.asarray(lfilter([1.0], [1.0, -coefficient], noise, axis=-1)[..., _BURN_IN:])


def _randomised(
    rng: np.random.Generator, runs: list[NDArray[np.float64]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    values = np.empty(shape)
    for which, pair in np.ndindex(*shape[:2]):
        run = runs[rng.integers(len(runs))]
        spectrum = np.fft.rfft(run[:, rng.integers(run.shape[1])])
        phases = np.exp(2j * np.pi * rng.random(len(spectrum)))
        values[which, pair] = np.fft.irfft(np.abs(spectrum) * phases, n=len(run))[: shape[2]]
    return values


def _between_subjects(
    rng: np.random.Generator,
    runs: tuple[tuple[NDArray[np.float64], ...], ...],
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    values = np.empty(shape)
    for pair in range(shape[1]):
        for which, subject in enumerate(rng.choice(len(runs), 3, replace=False)):
            run = runs[subject][rng.integers(len(runs[subject]))]
            values[which, pair] = run[: shape[2], rng.integers(run.shape[1])]
    return values
