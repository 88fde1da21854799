"""Define the region time series of one subject, whatever files they come from."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError


@dataclass(frozen=True)
class Cleaning:
    """Describe what remains of one run after censoring and regression.

    Attributes
    ----------
    run : str
        Name of the run, as in `RegionSeries.run_names`.
    n_acquired, n_kept : int
        Numbers of acquired and of kept volumes.
    rank : int
        Number of independent regressors without the intercept.
    residual_dof : int
        Remaining degrees of freedom: kept volumes minus regressors minus the intercept.
    """

    run: str
    n_acquired: int
    n_kept: int
    rank: int
    residual_dof: int


@dataclass(frozen=True, repr=False)
class RegionSeries:
    """Hold the region time series of one subject with all its runs.

    Attributes
    ----------
    label : str
        Subject label without ``sub-``.
    values : ndarray, shape (n_times, n_regions), float32
        Kept volumes of all runs in turn: mean 0 in every run, standard deviation 1 over all
        runs (dimensionless).
    names : tuple of str, length n_regions
        Region names.
    tr : float
        Repetition time (s).
    runs : ndarray, shape (n_times,), int64
        Run of every kept volume, as an index into `run_names` that never decreases.
    run_names : tuple of str
        For instance ``"ses-1_task-rest_run-1"``; the ``ses-`` part names the session.
    volumes : ndarray, shape (n_times,), int64
        Number of every kept volume among the acquired volumes of its run; a step above 1 is a gap
        left by censoring.
    n_volumes : tuple of int
        Number of acquired volumes of each run.
    segments : ndarray, shape (n_times,), int64
        The auxiliary variable u, as an index into `segment_names`; -1 for volumes left out.
    segment_names : tuple of str
    segment_kind : str
        What the segments are, in words, for instance ``"windows of 60 s"``.
    framewise_displacement : ndarray, shape (sum of n_volumes,), or None
        Framewise displacement (mm) of every acquired volume; NaN if it is not known.
    coverage : ndarray, shape (n_regions,)
        Smallest share over runs of the region's voxels that a run covers; 1 for tables.
    entities : tuple of (str, str)
        BIDS entities common to all runs, without ``sub``, ``ses`` and ``run``.
    sources : tuple of str
        Files that were read.
    notes : tuple of str
        Sentences for the reader, for instance on an assumed repetition time or a dropped run.
    simulated : bool
        True if the series come from a simulator.
    cleaning : tuple of Cleaning
        What remains of every run; empty if it is not known.
    excluded : tuple of (str, str)
        Names of runs that were left out, and the reasons.
    scale : ndarray, shape (n_regions,), or None
        Standard deviation over all runs by which every region was divided, in the unit that
        `percent` tells; None: 1.
    percent : ndarray, shape (n_regions,), bool, or None
        True where the unit of the scale is percent signal change, False where it is that of the
        files; None: everywhere that of the files.
    scaled_apart : bool
        True if every run was divided by its own standard deviation before it was read, so that
        runs cannot be compared with one another.
    """

    label: str
    values: NDArray[np.float32]
    names: tuple[str, ...]
    tr: float
    runs: NDArray[np.int64]
    run_names: tuple[str, ...]
    volumes: NDArray[np.int64]
    n_volumes: tuple[int, ...]
    segments: NDArray[np.int64]
    segment_names: tuple[str, ...]
    segment_kind: str
    framewise_displacement: NDArray[np.float64] | None
    coverage: NDArray[np.float64]
    entities: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    simulated: bool = False
    cleaning: tuple[Cleaning, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    scale: NDArray[np.float64] | None = None
    percent: NDArray[np.bool_] | None = None
    scaled_apart: bool = False
    stretches: NDArray[np.int64] = field(init=False)
    """Volumes of one run and one segment without a gap share a number, shape (n_times,)."""
    unbroken: NDArray[np.int64] = field(init=False)
    """Volumes of one run without a gap share a number in all segments, shape (n_times,)."""

    def __post_init__(self) -> None:
        n_times, n_regions = self.values.shape
        for what, length, expected in (
            ("names", len(self.names), n_regions),
            ("coverage", len(self.coverage), n_regions),
            ("runs", len(self.runs), n_times),
            ("volumes", len(self.volumes), n_times),
            ("segments", len(self.segments), n_times),
        ):
            if length != expected:
                raise InputError(
                    f"Subject '{self.label}': {what} has length {length} but the values have "
                    f"shape {self.values.shape}."
                )
        gaps, borders = np.ones((2, n_times), dtype=bool)
        gaps[1:] = (np.diff(self.runs) != 0) | (np.diff(self.volumes) != 1)
        borders[1:] = gaps[1:] | (np.diff(self.segments) != 0)
        object.__setattr__(self, "unbroken", np.cumsum(gaps) - 1)
        object.__setattr__(self, "stretches", np.cumsum(borders) - 1)

    def __repr__(self) -> str:
        return (
            f"<RegionSeries '{self.label}': {len(self.names)} regions, {len(self.values)} volumes "
            f"kept of {sum(self.n_volumes)}, TR {self.tr:g} s, {len(self.run_names)} run(s), "
            f"{len(self.segment_names)} segment(s): {self.segment_kind}>"
        )

    def in_units(self) -> NDArray[np.float64]:
        """Return the values in percent signal change or in the units of the files."""
        values = self.values.astype(np.float64)
        return values if self.scale is None else values * self.scale

    def with_segments(
        self, segments: NDArray[np.int64], names: tuple[str, ...], kind: str
    ) -> "RegionSeries":
        """Return the same series with another auxiliary variable."""
        return replace(self, segments=segments, segment_names=names, segment_kind=kind)
