"""Average grayordinates (CIFTI) and surface vertices (GIFTI) region by region."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.cifti2.cifti2 import Cifti2Image
from nibabel.cifti2.cifti2_axes import BrainModelAxis, SeriesAxis
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.bids import RunFile
from causal_ivae.imaging.opening import open_cifti, seconds_per_volume
from causal_ivae.imaging.surface_labels import other_hemisphere, read_gifti, read_surface_labels


def dense_means(
    run: RunFile, parcellation: Parcellation
) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
    """Average the grayordinates of a dense series within the labels of a .dlabel.nii.

    Parameters
    ----------
    parcellation : Parcellation
        Of kind ``"grayordinates"``.

    Returns
    -------
    values : ndarray, shape (n_volumes, n_regions), float64
        NaN where the series has no grayordinate of a region.
    coverage : ndarray, shape (n_regions,)
        Share of the region's grayordinates that are in the series and vary.
    tr : float or None
        Repetition time (s) of the file.

    Raises
    ------
    InputError
        If one of the files cannot be read, or the atlas is of another kind.

    Notes
    -----
    Vertices are matched by their structure and number, voxels by structure and place, so that the
    atlas may cover the cortex alone.
    """
    if parcellation.kind != "grayordinates":
        raise InputError(
            f"'{run.path.name}' holds grayordinates, but atlas '{parcellation.name}' is of kind "
            f"{parcellation.kind}; give a label file on the same grid (.dlabel.nii)."
        )
    return means_of_grayordinates(open_cifti(run.path, "dense series"), parcellation, str(run.path))


def means_of_grayordinates(
    image: Cifti2Image, parcellation: Parcellation, where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
    """Average a dense series in memory; `where` is how error messages call it."""
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    if len(axes) != 2 or not isinstance(axes[0], SeriesAxis):
        raise InputError(f"'{where}' does not hold series of grayordinates (.dtseries.nii).")
    data = np.asarray(image.dataobj, dtype=np.float32)
    labels_image = open_cifti(parcellation.volume(), "label file")
    labels = np.asarray(labels_image.dataobj)[0].astype(np.int64)
    there = _places(axes[1])
    totals: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for place, label in zip(_places(labels_image.header.get_axis(1)), labels.tolist(), strict=True):
        totals[label] = totals.get(label, 0) + 1
        if place in there:
            members.setdefault(label, []).append(there[place])
    columns = [np.asarray(members.get(i, ()), dtype=np.int64) for i in parcellation.indices]
    sizes = np.array([totals.get(i, 0) for i in parcellation.indices])
    values, coverage = _means(data, columns, sizes)
    return values, coverage, seconds_per_volume(axes[0])


def surface_means(
    run: RunFile, parcellation: Parcellation
) -> tuple[NDArray[np.float64], NDArray[np.float64], float | None]:
    """Average the vertices of both hemispheres (.func.gii) within an annotation.

    Parameters, returned values and errors are those of `dense_means`, for a parcellation of kind
    ``"surface"``.
    """
    if parcellation.kind != "surface":
        raise InputError(
            f"'{run.path.name}' holds a surface, but atlas '{parcellation.name}' is of kind "
            f"{parcellation.kind}; give an annotation of the same mesh (lh.*.annot or .label.gii)."
        )
    left = parcellation.volume()
    series = [read_gifti(path) for path in (run.path, other_hemisphere(run.path))]
    columns: list[NDArray[np.int64]] = []
    offset = 0
    labels = read_surface_labels(left)
    for part, data in zip(labels, series, strict=True):
        if len(part.values) != data.shape[1]:
            raise InputError(
                f"'{run.path.name}' has {data.shape[1]} vertices, but the annotation "
                f"'{part.path.name}' has {len(part.values)}; choose the mesh with --space."
            )
        columns += [
            offset + np.flatnonzero(part.values == value) for value in part.regions.values()
        ]
        offset += data.shape[1]
    order = [name for part in labels for name in part.regions]
    chosen = [columns[order.index(name)] for name in parcellation.names]
    values, coverage = _means(
        np.concatenate(series, axis=1), chosen, np.array([len(c) for c in chosen])
    )
    return values, coverage, _time_step(run.path)


def _places(axis: BrainModelAxis) -> dict[tuple[Any, ...], int]:
    """Return the position of every grayordinate by structure and vertex, or structure and voxel."""
    voxels = axis.voxel.tolist()
    vertices = axis.vertex.tolist()
    return {
        (name, vertex) if vertex >= 0 else (name, *voxel): position
        for position, (name, vertex, voxel) in enumerate(
            zip(axis.name.tolist(), vertices, voxels, strict=True)
        )
    }


def _means(
    data: NDArray[np.float32], columns: list[NDArray[np.int64]], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means over those columns of each region that vary, and the share of these."""
    with np.errstate(invalid="ignore"):
        measured = np.isfinite(data).all(axis=0) & (np.ptp(data, axis=0) > 0)
    values = np.full((len(data), len(columns)), np.nan)
    coverage = np.zeros(len(columns))
    for region, (inside, size) in enumerate(zip(columns, sizes.tolist(), strict=True)):
        kept = inside[measured[inside]]
        if kept.size:
            values[:, region] = data[:, kept].mean(axis=1, dtype=np.float64)
            coverage[region] = kept.size / size
    return values, coverage


def _time_step(path: Path) -> float | None:
    image: Any = nib.load(path)
    step = image.darrays[0].meta.get("TimeStep") if image.darrays else None
    try:
        # GIFTI gives milliseconds.
        return float(step) / 1000 if step else None
    except ValueError:
        return None
