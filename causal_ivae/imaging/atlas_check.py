"""Check an atlas before it is used for a cohort."""

from dataclasses import dataclass

import numpy as np

from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_images import read_labels, read_maps

_SMALL_VOLUME = 30.0
"""A smaller region (mm3) has about one voxel of 3 mm."""
_MIXED = 0.2
"""Two maps overlap if their cosine is larger."""


@dataclass(frozen=True)
class AtlasCheck:
    """Hold the findings on an atlas.

    Attributes
    ----------
    problems : tuple of str
        Sentences on what would make an analysis with this atlas fail.
    remarks : tuple of str
        Sentences on what a user should know.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def check_atlas(parcellation: Parcellation) -> AtlasCheck:
    """Check the table, image, spheres and space of an atlas.

    Raises
    ------
    SettingsError
        If its image is not installed.
    InputError
        If its image cannot be read, or is neither of labels nor of maps.
    """
    problems, remarks = [], []
    if len(parcellation.names) < 2:
        problems.append(f"It has {len(parcellation.names)} region; at least two are needed.")
    if parcellation.kind == "table":
        remarks.append("It has region names only: it names the columns of tables, not voxels.")
    elif parcellation.space is None:
        remarks.append('Its space is not known; write "Space" into its JSON file.')
    if parcellation.kind == "labels":
        labels, affine = read_labels(parcellation)
        values, counts = np.unique(labels, return_counts=True)
        there = dict(zip(values.tolist(), counts.tolist(), strict=True))
        there.pop(0, None)
        listed = list(zip(parcellation.names, parcellation.indices, strict=True))
        absent = [name for name, index in listed if index not in there]
        if absent:
            problems.append(f"Listed but not in the image: {', '.join(absent)}.")
        unlisted = sorted(set(there) - set(parcellation.indices))
        if unlisted:
            remarks.append(f"In the image but not listed: {', '.join(map(str, unlisted))}.")
        voxel = abs(float(np.linalg.det(affine[:3, :3])))
        small = [name for name, index in listed if 0 < there.get(index, 0) * voxel < _SMALL_VOLUME]
        if small:
            remarks.append(
                f"Smaller than {_SMALL_VOLUME:g} mm3, about one voxel of an image: "
                f"{', '.join(small)}."
            )
    if parcellation.kind == "maps":
        remarks += _mixed_maps(parcellation)
    remarks += [
        f"The spheres of '{a}' and '{b}' overlap, so their signals are mixed."
        for a, b in overlapping(parcellation)
    ]
    return AtlasCheck(tuple(problems), tuple(remarks))


def overlapping(parcellation: Parcellation) -> list[tuple[str, str]]:
    """Return the pairs of regions whose spheres overlap; none for label images."""
    xyz, radius = parcellation.coordinates, parcellation.radius
    if xyz is None or radius is None:
        return []
    distance = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    touching = np.triu(distance < radius[:, None] + radius[None], k=1)
    return [(parcellation.names[i], parcellation.names[j]) for i, j in np.argwhere(touching)]


def _mixed_maps(parcellation: Parcellation) -> list[str]:
    maps, _ = read_maps(parcellation)
    flat = maps.reshape(-1, maps.shape[3])
    products = (flat.T @ flat).astype(np.float64)
    norms = np.sqrt(np.diag(products))
    cosines = products / np.outer(norms, norms)
    return [
        f"The maps of '{parcellation.names[i]}' and '{parcellation.names[j]}' overlap (cosine "
        f"{cosines[i, j]:.2f}), so their signals are mixed."
        for i, j in np.argwhere(np.triu(cosines > _MIXED, k=1))
    ]
