"""Explain why a folder holds nothing to analyse."""

from collections.abc import Sequence
from pathlib import Path

from causal_ivae.imaging.readers import TABLE_ENDINGS

IMAGE_ENDINGS = ("_desc-preproc_bold.nii.gz", "_desc-preproc_bold.nii")
IMAGE_ENDING = IMAGE_ENDINGS[0]
_OTHER_IMAGES = {
    "*_bold_space-*_preproc.nii*": "under the names that fMRIPrep gave them before version 1.2"
}
"""Preprocessed images that cannot be read, by pattern of their names."""


def why_nothing(path: Path, folders: list[Path]) -> str:
    """Explain why a folder holds nothing to analyse, and what to give instead."""
    for pattern, what in _OTHER_IMAGES.items():
        image = next((f for d in folders for f in sorted(d.glob(f"**/func/{pattern}"))), None)
        if image is not None:
            return (
                f"'{path}' holds images {what} (such as '{image.name}'). Give a derivatives folder "
                f"of fMRIPrep 1.2 or newer (sub-*/func/*{IMAGE_ENDING} with its confounds, which "
                "are removed here), or tables of region time series, such as XCP-D's "
                "*_timeseries.tsv."
            )
    raw = next((f for d in folders for f in d.glob("**/func/*_bold.nii*")), None)
    inside = [d for d in sorted(path.glob("derivatives/*")) if any(d.glob("sub-*"))]
    if raw is not None or (inside and folders):
        what = (
            f"images that are not preprocessed (such as '{raw.name}')" if raw else "a raw dataset"
        )
        perhaps = f" Perhaps {listed([str(d) for d in inside])}?" if inside else ""
        return (
            f"'{path}' holds {what}. Give the fMRIPrep derivatives folder, which holds "
            f"sub-*/func/*{IMAGE_ENDING}, or another folder of derivatives.{perhaps}"
        )
    places = (place for pattern in ("*/sub-*", "*/*/sub-*") for place in path.glob(pattern))
    below = sorted({place.parent for place in places if place.is_dir()})
    if not folders and below:
        return (
            f"'{path}' holds no subjects, but '{below[0]}' does. Give the folder that holds the "
            f"sub-* folders (fMRIPrep images: sub-*/[ses-*/]func/*{IMAGE_ENDING})."
        )
    names = sorted(f.name for f in path.iterdir() if not f.name.startswith("."))
    seen = f"It holds {listed(names)}." if names else "It is empty."
    return (
        f"Nothing to analyse in '{path}': neither fMRIPrep images "
        f"(sub-*/[ses-*/]func/*{IMAGE_ENDING}) nor tables of time series "
        f"({', '.join(TABLE_ENDINGS)}). {seen}"
    )


def listed(items: Sequence[str], limit: int = 5) -> str:
    """List items in quotation marks, and count those beyond the limit."""
    text = ", ".join(f"'{i}'" for i in items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"
