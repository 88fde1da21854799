"""Draw a parcellation on slices of a subject's own anatomy, or of the MNI template."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from causal_ivae.drawing.sketch import Sketch
from causal_ivae.drawing.svg import Drawing
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_images import read_labels, read_maps
from causal_ivae.imaging.volumes import open_image, read_voxels
from causal_ivae.reporting.nilearn_files import nilearn_file

_CUTS = 6
"""There are this many slices from the side, and as many from above."""
_STEP = 1.5
"""Size of a pixel (mm)."""
_WIDTH = 648.0
"""Width of the picture (points)."""
_LINE = 13.0
_OPAQUE = 0.6
"""How much of the anatomy the colours of regions hide."""
_WORDS = "#ffffff"

_Labels = Callable[[NDArray[np.float64]], NDArray[np.int64]]
"""Return the number of the region at every place (mm), shape (..., 3); 0 is none."""


def region_map(parcellation: Parcellation, anatomy: Path | None = None) -> bytes:
    """Draw the regions of a parcellation on slices of a brain.

    Parameters
    ----------
    parcellation : Parcellation
        A parcellation for which `causal_ivae.reporting.mni_maps.has_map` is true, or one in the
        space of the anatomy.
    anatomy : pathlib.Path, optional
        T1-weighted image of the subject; the MNI template by default.

    Returns
    -------
    bytes
        Content of a PNG file with six sagittal slices above six axial ones.

    Raises
    ------
    InputError
        If an image cannot be read.
    """
    labels, there = _labels(parcellation)
    brain, affine = _brain(anatomy)
    corners = apply_affine(affine, np.array(np.meshgrid(*[(0, n - 1) for n in brain.shape])).T)
    low, high = (found(corners.reshape(-1, 3), axis=0) for found in (np.min, np.max))
    rows = [_row(axis, labels, there, brain, affine, low, high) for axis in (0, 2)]
    wide = max(sum(pixels.shape[1] for _, pixels in row) for row in rows)
    scale = _WIDTH / wide
    heights = [scale * row[0][1].shape[0] + _LINE for row in rows]
    sketch = Sketch(0.0, -sum(heights), _WIDTH, 0.0)
    # A black sheet, as slices have it, is right on a light and on a dark page.
    sheet = np.zeros((1, 1, 3), dtype=np.uint8)
    sketch.picture(sheet, 0.0, -sum(heights), _WIDTH, sum(heights))
    top = 0.0
    for name, row, height in zip("xz", rows, heights, strict=True):
        left = (_WIDTH - scale * sum(pixels.shape[1] for _, pixels in row)) / 2
        for cut, pixels in row:
            across, up = scale * pixels.shape[1], scale * pixels.shape[0]
            sketch.picture(pixels, left, top - up, across, up)
            text = f"{name} = {cut:.0f} mm".replace("-", "\N{MINUS SIGN}")
            sketch.words(
                left + across / 2, top - up - _LINE / 2, text, align="center", color=_WORDS
            )
            for side, x in (("L", left + 6.0), ("R", left + across - 6.0)) if name == "z" else ():
                sketch.words(x, top - up + 7.0, side, align="center", color=_WORDS)
            left += across
        top -= height
    return Drawing(sketch, "regions", "").files["png"]


def _row(
    axis: int,
    labels: _Labels,
    there: NDArray[np.float64],
    brain: NDArray[np.float32],
    affine: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> list[tuple[float, NDArray[np.uint8]]]:
    """Return place (mm) and picture of the slices across one axis."""
    others = [other for other in range(3) if other != axis]
    grid = [np.arange(low[other], high[other], _STEP) for other in others]
    # The first row of a picture is its highest.
    up, across = np.meshgrid(grid[1][::-1], grid[0], indexing="ij")
    places = np.zeros((*up.shape, 3))
    places[..., others[0]], places[..., others[1]] = across, up
    first, last = np.quantile(there[:, axis], [0.04, 0.96])
    to_voxels = np.linalg.inv(affine)
    found = []
    for cut in np.linspace(first, last, _CUTS):
        places[..., axis] = cut
        voxels = np.moveaxis(apply_affine(to_voxels, places), -1, 0)
        shade = map_coordinates(brain, voxels, order=1)
        pixels = np.repeat(shade[..., None], 3, axis=-1)
        number = labels(places)
        inside = number > 0
        colors = matplotlib.colormaps["gist_rainbow"](number[inside] / max(number.max(), 1))
        pixels[inside] = (1 - _OPAQUE) * pixels[inside] + _OPAQUE * colors[:, :3]
        found.append((float(cut), np.asarray(np.rint(255 * pixels), dtype=np.uint8)))
    return found


def _brain(anatomy: Path | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return an anatomical image, scaled to values from 0 to 1, and its affine."""
    name = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    path = nilearn_file("datasets", "data", name) if anatomy is None else anatomy
    with open_image(path, "anatomy") as image:
        values = read_voxels(image, path, np.float32).squeeze()
        affine = np.asarray(image.affine, dtype=np.float64)
    bright = np.quantile(values[values > 0], 0.995) if (values > 0).any() else 1.0
    return np.clip(values / np.float32(bright), 0.0, 1.0), affine


def _labels(parcellation: Parcellation) -> tuple[_Labels, NDArray[np.float64]]:
    """Return the regions as a function of the place, and places (mm) that lie in regions."""
    n = len(parcellation.names)
    # A step that is coprime to the number of regions gives neighbours numbers far apart.
    step = next(k for k in range(max(1, int(0.38 * n)), n + 2) if np.gcd(k, n) == 1)
    color = 1 + (step * np.arange(n)) % n
    if parcellation.coordinates is not None and parcellation.radius is not None:
        tree, radius = cKDTree(parcellation.coordinates), parcellation.radius

        def spheres(places: NDArray[np.float64]) -> NDArray[np.int64]:
            distance, nearest = map(np.asarray, tree.query(places))
            return np.where(distance <= radius[nearest], color[nearest], 0)

        return spheres, np.asarray(parcellation.coordinates, dtype=np.float64)
    if parcellation.kind == "labels":
        labels, affine = read_labels(parcellation)
        values = np.zeros(labels.shape, dtype=np.int64)
        for index, shade in zip(parcellation.indices, color, strict=True):
            values[labels == index] = shade
    else:
        maps, affine = read_maps(parcellation)
        there = maps.max(axis=3) > 0.25 * maps.max()
        values = np.where(there, color[maps.argmax(axis=3)], 0)
    to_voxels = np.linalg.inv(affine)

    def voxels(places: NDArray[np.float64]) -> NDArray[np.int64]:
        return map_coordinates(
            values, np.moveaxis(apply_affine(to_voxels, places), -1, 0), order=0, cval=0
        )

    return voxels, apply_affine(affine, np.argwhere(values))
