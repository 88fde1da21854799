"""Read region time series from files and divide them into segments."""

from causal_ivae.imaging.atlas import Parcellation, list_atlases, load_atlas
from causal_ivae.imaging.bids import RunFile, SubjectFiles, find_subjects
from causal_ivae.imaging.segments import assign_segments, pool_subjects
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.imaging.signals import load_subject, missing_regions

__all__ = [
    "Parcellation",
    "RegionSeries",
    "RunFile",
    "SubjectFiles",
    "assign_segments",
    "find_subjects",
    "list_atlases",
    "load_atlas",
    "load_subject",
    "missing_regions",
    "pool_subjects",
]
