"""Define the settings for reading, cleaning and segmenting the input."""

from typing import Literal

from pydantic import Field

from causal_ivae.settings.base import Settings

SHORTEST_TR, LONGEST_TR = 0.01, 100.0
"""Repetition times (s) outside are mistakes of the unit; as frequencies (Hz) they are the same."""

SegmentKind = Literal["windows", "runs", "sessions", "task", "changepoints", "hmm", "subjects"]


class TableSettings(Settings):
    """Hold the settings for reading tables of region time series."""

    tr: float | None = Field(
        None,
        ge=SHORTEST_TR,
        le=LONGEST_TR,
        description="repetition time in s where no sidecar JSON gives RepetitionTime; null: 2 s "
        "are assumed, and pages say so",
    )
    mat_key: str | None = Field(None, description="variable to read from .mat, .npz and .h5 files")
    rows: Literal["volumes", "regions"] | None = Field(
        None,
        description="what the rows of arrays without names are; null: volumes, if they are several "
        "times as many as the columns",
    )
    detrend_order: int = Field(1, ge=0, le=4, description="polynomial removed from every run")


class DenoiseSettings(Settings):
    """Hold the settings for denoising fMRIPrep images with nilearn's `load_confounds`."""

    preset: str | None = Field(
        None, description="bundled preset or a file that the settings below it were taken from"
    )
    strategy: tuple[
        Literal["motion", "wm_csf", "global_signal", "compcor", "high_pass", "scrub"], ...
    ] = ("high_pass", "motion", "wm_csf", "scrub")
    motion: Literal["basic", "power2", "derivatives", "full"] = "derivatives"
    wm_csf: Literal["basic", "power2", "derivatives", "full"] = "basic"
    global_signal: Literal["basic", "power2", "derivatives", "full"] = "basic"
    compcor: Literal["anat_combined", "anat_separated", "temporal"] = "anat_combined"
    n_compcor: int | Literal["all"] = 5
    scrub: int = Field(0, ge=0, description="drop kept stretches of fewer volumes")
    fd_threshold: float = Field(0.5, gt=0, description="framewise displacement, mm")
    std_dvars_threshold: float = Field(2.0, gt=0)
    dummy_volumes: int = Field(0, ge=0, description="volumes removed at the start of a run")
    smoothing_fwhm: float = Field(0.0, ge=0, description="mm; region means need none")
    min_coverage: float = Field(0.5, ge=0, le=1, description="share of a region's voxels covered")
    missing_regions: Literal["drop", "fail"] = Field(
        "fail", description="a region that any run lacks: drop it for every subject, or stop"
    )
    min_volumes: int = Field(50, ge=10, description="kept volumes that a run needs")
    min_time: float = Field(60.0, ge=0, description="kept time that a run needs, s")


class SegmentSettings(Settings):
    """Hold the settings for the segments, which serve as the auxiliary variable u."""

    by: SegmentKind = "windows"
    window_seconds: float = Field(60.0, gt=0)
    penalty: float = Field(
        2.0, gt=0, description="of changepoints: price of a segment, in units of BIC's"
    )
    states: int = Field(6, ge=3, description="of hmm: hidden states")
    stay_seconds: float = Field(30.0, gt=0, description="of hmm: mean stay in a state, s")
    min_volumes: int = Field(20, ge=8, description="shorter segments are left out")
