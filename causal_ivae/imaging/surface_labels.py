"""Read labels of surfaces (.annot, .label.gii) and of grayordinates (.dlabel.nii)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.cifti2.cifti2_axes import BrainModelAxis, LabelAxis
from nibabel.freesurfer.io import read_annot
from nibabel.gifti.gifti import GiftiImage
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file
from causal_ivae.imaging.opening import open_cifti, open_image

_NO_REGION = frozenset((
    "???", "unknown", "medial_wall", "medialwall", "medial wall", "corpuscallosum", "background",
    "background+freesurfer_defined_medial_wall",
))  # fmt: skip
_SIDES = ((r"hemi-L", "hemi-R"), (r"^lh\.", "rh."), (r"(?<=[._])L(?=[._])", "R"))


@dataclass(frozen=True, eq=False)
class Hemisphere:
    """Hold the labels of one hemisphere.

    Attributes
    ----------
    values : ndarray, shape (n_vertices,), int64
    regions : dict of str to int
        Value of every region by its name, which begins with ``L_`` or ``R_``.
    """

    path: Path
    values: NDArray[np.int64]
    regions: dict[str, int]


def other_hemisphere(left: Path) -> Path:
    """Return the file of the right hemisphere that belongs to one of the left.

    Raises
    ------
    InputError
        If the name does not say that it is of the left hemisphere, or there is no other.
    """
    for pattern, replacement in _SIDES:
        if re.search(pattern, left.name):
            right = left.with_name(re.sub(pattern, replacement, left.name))
            if right.exists():
                return right
            raise InputError(f"'{left}' is of the left hemisphere; there is no '{right.name}'.")
    raise InputError(
        f"'{left.name}' does not say that it is of the left hemisphere (lh., hemi-L or .L.); give "
        "the file of the left one, with that of the right one beside it."
    )


def read_surface_labels(left: Path) -> tuple[Hemisphere, Hemisphere]:
    """Read the annotations of both hemispheres, given the path of the left one.

    Raises
    ------
    InputError
        If one of them cannot be read.
    """
    sides = (("L", left), ("R", other_hemisphere(left)))
    first, second = (_read(path, side) for side, path in sides)
    return first, second


def read_gifti(path: Path) -> NDArray[np.float32]:
    """Return the series of a hemisphere's vertices, shape (n_volumes, n_vertices)."""
    image = _open(path)
    data = image.agg_data()
    array = np.stack(data) if isinstance(data, tuple) else np.asarray(data)
    if not isinstance(data, tuple) and array.ndim == 2:
        array = array.T
    if array.ndim != 2 or len(array) < 2:
        raise InputError(f"'{path}' has shape {array.shape}; series of vertices are needed.")
    return array.astype(np.float32)


def _read(path: Path, side: str) -> Hemisphere:
    if path.suffix == ".annot":
        require_file(path)
        try:
            values, _, raw = read_annot(path)
        except (OSError, ValueError, EOFError, IndexError) as error:
            raise InputError(f"The annotation '{path}' cannot be read: {error}") from error
        named = {i: name.decode() for i, name in enumerate(raw)}
    else:
        image = _open(path)
        values = np.asarray(image.darrays[0].data)
        named = image.labeltable.get_labels_as_dict()
    regions = {
        name if re.match(rf"{side}_|{side.lower()}h[_.]", name) else f"{side}_{name}": int(value)
        for value, name in named.items()
        if name and name.lower() not in _NO_REGION and (values == value).any()
    }
    return Hemisphere(path, np.asarray(values, dtype=np.int64), regions)


def _open(path: Path) -> Any:
    image = open_image(path, f"'{path}'")
    if not isinstance(image, GiftiImage) or not image.darrays:
        raise InputError(f"'{path}' is no GIFTI file with data.")
    return image


def dense_labels(path: Path) -> dict[str, int]:
    """Return the value of every region that occurs in a label file, by its name.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no labels or several maps of them.
    """
    image = open_cifti(path, "label file")
    axes = [image.header.get_axis(i) for i in range(image.ndim)]
    if len(axes) != 2 or not isinstance(axes[0], LabelAxis):
        raise InputError(f"'{path}' holds no labels; give a .dlabel.nii.")
    if not isinstance(axes[1], BrainModelAxis) or len(axes[0]) != 1:
        maps = ", ".join(map(str, axes[0].name))
        raise InputError(
            f"'{path}' holds {len(axes[0])} maps of labels ({maps}); one map of grayordinates is "
            "needed: extract it with wb_command -cifti-merge -cifti FILE -column N."
        )
    there = set(np.unique(np.asarray(image.dataobj)).astype(np.int64).tolist())
    table = axes[0].label[0]
    return {
        str(name): int(value)
        for value, (name, _) in sorted(table.items())
        if int(value) in there and str(name).strip().lower() not in _NO_REGION and name
    }
