"""Find the centres of a parcellation's regions for drawings of the brain."""

import numpy as np
from nibabel.affines import apply_affine
from scipy.ndimage import center_of_mass

from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_images import read_labels, read_maps


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
