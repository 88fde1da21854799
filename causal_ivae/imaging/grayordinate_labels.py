"""Read the names and values of the labels in a CIFTI label file (.dlabel.nii)."""

from pathlib import Path

import numpy as np
from nibabel.cifti2.cifti2_axes import BrainModelAxis, LabelAxis

from causal_ivae.errors import InputError
from causal_ivae.imaging.cifti import open_cifti

_NO_REGION = frozenset(("???", "unknown", "medial_wall", "medial wall", "background"))


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
