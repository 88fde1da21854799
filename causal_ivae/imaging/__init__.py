"""Read region time series from files and divide them into segments."""

from typing import TYPE_CHECKING

from causal_ivae.imaging.atlas import Parcellation, list_atlases, load_atlas
from causal_ivae.imaging.bids import RunFile, SubjectFiles, find_subjects
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.lazy_names import on_first_use

if TYPE_CHECKING:
    from causal_ivae.imaging.segments import assign_segments as assign_segments
    from causal_ivae.imaging.segments import pool_subjects as pool_subjects
    from causal_ivae.imaging.signals import load_subject as load_subject
    from causal_ivae.imaging.signals import missing_regions as missing_regions

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

__getattr__ = on_first_use(
    __name__,
    {
        **dict.fromkeys(("assign_segments", "pool_subjects"), "causal_ivae.imaging.segments"),
        **dict.fromkeys(("load_subject", "missing_regions"), "causal_ivae.imaging.signals"),
    },
)
