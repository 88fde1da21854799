"""Read the voxels of an atlas, labels or maps, and find the centres of its regions."""

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass

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


def region_centres(parcellation: Parcellation) -> dict[str, list[float]]:
    """Return the centre of every region in mm of the parcellation's space.

    Returns
    -------
    dict of str to [x, y, z]
        Centres from the table of regions, or else the centres of mass of labels or maps, to a
        tenth of a mm.  Regions whose label is not in the image are left out, and so are all
        regions if there is neither an image nor a column of centres.

    Raises
    ------
    InputError
        If the image cannot be read.
    """
    if parcellation.coordinates is not None:
        centres = parcellation.coordinates
    elif parcellation.centres is not None:
        centres = parcellation.centres
    elif parcellation.image is None or parcellation.kind in ("grayordinates", "surface"):
        return {}
    elif parcellation.kind == "labels":
        labels, affine = read_labels(parcellation)
        wanted = sorted(set(parcellation.indices) & set(np.unique(labels).tolist()))
        middles = np.array(center_of_mass(np.ones(labels.shape, np.uint8), labels, wanted))
        found = dict(zip(wanted, apply_affine(affine, middles.reshape(-1, 3)), strict=True))
        nowhere = np.full(3, np.nan)
        centres = np.array([found.get(index, nowhere) for index in parcellation.indices])
    else:
        maps, affine = read_maps(parcellation)
        middles = np.array([center_of_mass(maps[..., i]) for i in range(maps.shape[3])])
        centres = apply_affine(affine, middles)
    return {
        name: [round(float(value), 1) for value in centre]
        for name, centre in zip(parcellation.names, centres, strict=True)
        if np.isfinite(centre).all()
    }
