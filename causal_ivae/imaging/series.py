"""Region time series of one subject, whatever file they came from."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError


@dataclass(frozen=True)
class Cleaning:
    """What censoring and regression left of one run.

    Attributes
    ----------
    run : str
        As in `RegionSeries.run_names`.
    n_acquired, n_kept : int
        Volumes.
    rank : int
        Independent regressors, the intercept not counted.
    residual_dof : int
        Degrees of freedom left: volumes kept, less the regressors and the intercept.
    """

    run: str
    n_acquired: int
    n_kept: int
    rank: int
    residual_dof: int


@dataclass(frozen=True)
class RegionSeries:
    """Region time series of one subject, all runs one below the other.

    Attributes
    ----------
    label : str
        Subject label without ``sub-``.
    values : ndarray, shape (n_times, n_regions), float32
        Kept volumes only, z-scored per run (dimensionless).
    names : tuple of str, length n_regions
    tr : float
        Repetition time, s.
    runs : ndarray, shape (n_times,), int64
        Index into `run_names`; does not decrease.
    run_names : tuple of str
        Such as ``"ses-1_task-rest_run-1"``; a session is the ``ses-`` part.
    volumes : ndarray, shape (n_times,), int64
        Index of the volume in its run as acquired; a step above 1 is a gap left by censoring.
    n_volumes : tuple of int
        Volumes of each run as acquired.
    segments : ndarray, shape (n_times,), int64
        The auxiliary variable u: index into `segment_names`, or -1 for volumes left out.
    segment_names : tuple of str
    segment_kind : str
        In words, such as ``"windows of 60 s"``.
    framewise_displacement : ndarray, shape (sum of n_volumes,), or None
        mm, every volume as acquired; NaN where not known.
    coverage : ndarray, shape (n_regions,)
        Share of the region's voxels that every run covers; 1 for tables.
    entities : tuple of (str, str)
        BIDS entities common to all runs, without ``sub``, ``ses`` and ``run``.
    sources : tuple of str
        Files read.
    notes : tuple of str
        What a reader should know, in sentences (an assumed repetition time, a dropped run).
    simulated : bool
        Whether the series come from a simulator.
    cleaning : tuple of Cleaning
        One per run; empty where not known.
    excluded : tuple of (str, str)
        Runs that were left out, and why.
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
    stretches: NDArray[np.int64] = field(init=False)
    """ndarray, shape (n_times,), int64: volumes of one run and segment without a gap."""
    unbroken: NDArray[np.int64] = field(init=False)
    """ndarray, shape (n_times,), int64: volumes of one run without a gap, in whatever segment."""

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

    def with_segments(
        self, segments: NDArray[np.int64], names: tuple[str, ...], kind: str
    ) -> "RegionSeries":
        """Return the same series with another auxiliary variable."""
        return replace(self, segments=segments, segment_names=names, segment_kind=kind)
