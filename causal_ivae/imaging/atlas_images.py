"""Read the voxels of an atlas: labels or probabilistic maps."""

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.volumes import atlas_image, most_probable, open_image, read_voxels


def read_labels(parcellation: Parcellation) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return a label image's values, shape (x, y, z), and its affine (4, 4) to mm.

    The values are read-only and shared, so that a process reads an unchanged image once.

    Raises
    ------
    InputError
        If the image cannot be read, has several volumes or holds fractions.
    """
    path = parcellation.volume()
    image = atlas_image(path)
    if parcellation.min_probability is not None:
        return most_probable(path, parcellation.min_probability), image.affine
    if image.labels is not None:
        return image.labels, image.affine
    if not image.is_one_volume:
        raise InputError(
            f"The label image '{path}' has shape {image.shape}; one volume of labels is needed "
            "(not probability maps)."
        )
    with open_image(path, "label image") as opened:
        read_voxels(opened, path)
    raise InputError(f"The label image '{path}' holds fractions; labels are whole numbers.")


def read_maps(parcellation: Parcellation) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return probabilistic maps, shape (x, y, z, n_regions), and their affine (4, 4) to mm.

    Raises
    ------
    InputError
        If the image cannot be read, or a map is empty, negative or not finite.
    """
    path = parcellation.volume()
    with open_image(path, "image of maps") as image:
        maps = read_voxels(image, path, np.float32)[..., list(parcellation.indices)]
        affine = np.asarray(image.affine, dtype=np.float64)
    smallest = maps.min(axis=(0, 1, 2))
    totals = maps.sum(axis=(0, 1, 2), dtype=np.float64)
    for name, low, total in zip(parcellation.names, smallest, totals, strict=True):
        # The sum is finite only if every value is.
        if not np.isfinite(total) or low < 0 or total == 0:
            what = "negative values" if low < 0 else "no finite values above 0"
            raise InputError(
                f"The map of '{name}' in '{path}' has {what}; maps hold probabilities or weights."
            )
    return maps, affine
