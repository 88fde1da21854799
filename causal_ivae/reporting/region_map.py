"""Draw a parcellation on slices of the MNI template."""

import io
import warnings

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from nibabel.affines import apply_affine
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from causal_ivae.drawing.svg import figure_style
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_images import read_labels, read_maps

_CUTS = 6
"""There are this many slices from the side, and as many from above."""


def region_map(parcellation: Parcellation) -> bytes:
    """Draw the regions of a parcellation on slices of the MNI template.

    Parameters
    ----------
    parcellation : Parcellation
        A parcellation for which `causal_ivae.reporting.mni_maps.has_map` is true.

    Returns
    -------
    bytes
        Content of a PNG file with six sagittal slices above six axial ones.

    Raises
    ------
    InputError
        If the image cannot be read.
    """
    # The import takes seconds.
    from nilearn.datasets import load_mni152_template
    from nilearn.plotting import plot_roi

    template = load_mni152_template(resolution=2)
    values, affine = _labels(parcellation, template)
    image = Nifti1Image(values, affine)
    content = io.BytesIO()
    with figure_style("regions"), warnings.catch_warnings():
        # nilearn warns of empty slices beside a small atlas.
        warnings.simplefilter("ignore", UserWarning)
        figure = Figure(figsize=(9.0, 3.6), dpi=110, facecolor="white")
        FigureCanvasAgg(figure)
        where = apply_affine(affine, np.argwhere(values))
        for row, mode in enumerate("xz"):
            low, high = np.quantile(where[:, "xyz".index(mode)], [0.04, 0.96])
            plot_roi(
                image,
                bg_img=template,
                figure=figure,
                axes=(0.0, 0.5 - 0.5 * row, 1.0, 0.5),
                display_mode=mode,
                cut_coords=[float(cut) for cut in np.linspace(low, high, _CUTS)],
                cmap="gist_rainbow",
                alpha=0.6,
                black_bg=False,
                colorbar=False,
            )
        FigureCanvasAgg(figure).print_png(content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def _labels(
    parcellation: Parcellation, template: Nifti1Image
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Return an image with a number per region that differs much between neighbours."""
    n = len(parcellation.names)
    # A step that is coprime to the number of regions gives each its own number.
    step = next(k for k in range(max(1, int(0.38 * n)), n + 2) if np.gcd(k, n) == 1)
    color = 1 + (step * np.arange(n)) % n
    if parcellation.coordinates is not None and parcellation.radius is not None:
        affine = np.asarray(template.affine, dtype=np.float64)
        voxels = np.argwhere(np.ones(template.shape, dtype=bool))
        found = cKDTree(parcellation.coordinates).query(apply_affine(affine, voxels))
        distance, nearest = map(np.asarray, found)
        inside = distance <= parcellation.radius[nearest]
        flat = np.where(inside, color[nearest], 0).astype(np.int16)
        return flat.reshape(template.shape), affine
    if parcellation.kind == "labels":
        labels, affine = read_labels(parcellation)
        values = np.zeros(labels.shape, dtype=np.int16)
        for index, shade in zip(parcellation.indices, color, strict=True):
            values[labels == index] = shade
        return values, affine
    maps, affine = read_maps(parcellation)
    largest = maps.argmax(axis=3)
    there = maps.max(axis=3) > 0.25 * maps.max()
    return np.where(there, color[largest], 0).astype(np.int16), affine
