"""Explain why a folder holds nothing to analyse."""

from collections.abc import Sequence
from pathlib import Path

TABLE_EXTENSIONS = (".tsv", ".csv", ".npy", ".npz", ".mat", ".h5", ".hdf5")
IMAGE_ENDINGS = ("_desc-preproc_bold.nii.gz", "_desc-preproc_bold.nii")
IMAGE_ENDING = IMAGE_ENDINGS[0]
_OTHER_IMAGES = {
    "*desc-denoised*_bold.nii*": "that are denoised already, as XCP-D writes them",
    "*_bold_space-*_preproc.nii*": "under the names that fMRIPrep gave them before version 1.2",
}
"""Preprocessed images that cannot be read, by pattern of their names."""
_SURFACES = (".dtseries.nii", ".func.gii", ".ptseries.nii")


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
    if raw is not None:
        inside = next((d for d in sorted(path.glob("derivatives/*")) if any(d.glob("sub-*"))), None)
        perhaps = f" Perhaps '{inside}'?" if inside is not None else ""
        return (
            f"'{path}' holds images that are not preprocessed (such as '{raw.name}'). Give the "
            f"fMRIPrep derivatives folder, which holds sub-*/func/*{IMAGE_ENDING}.{perhaps}"
        )
    surface = next(
        (f for d in folders for f in d.glob("**/func/*_bold.*") if f.name.endswith(_SURFACES)), None
    )
    if surface is not None:
        return (
            f"'{path}' holds surfaces or grayordinates (such as '{surface.name}') and no volumes. "
            f"Give fMRIPrep derivatives with sub-*/func/*{IMAGE_ENDING} (an --output-spaces with a "
            "volumetric template), or tables of region time series."
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
        f"({', '.join(TABLE_EXTENSIONS)}). {seen}"
    )


def listed(items: Sequence[str], limit: int = 5) -> str:
    """List items in quotation marks, and count those beyond the limit."""
    text = ", ".join(f"'{i}'" for i in items[:limit])
    return text if len(items) <= limit else f"{text} and {len(items) - limit} more"
