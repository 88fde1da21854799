"""Give the outline of a brain from three sides, as nilearn's glass brains have it."""

import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.path import Path
from numpy.typing import NDArray

from causal_ivae.reporting.nilearn_files import nilearn_file

_VIEWS: Mapping[str, tuple[str, tuple[float, float], tuple[float, float]]] = {
    "x": ("side", (0.38, 0.38), (-108.0, -70.0)),
    "y": ("back", (0.39, 0.39), (-73.0, -73.0)),
    "z": ("top", (0.36, 0.37), (-71.0, -107.0)),
}
"""File, scale and shift to MNI space (mm) of every view, as in nilearn.plotting.glass_brain."""


@cache
def brain_outline(view: str) -> tuple[tuple[str, Path], ...]:
    """Return the outline of a brain.

    Parameters
    ----------
    view : {"x", "y", "z"}
        Axis of MNI space along which one looks.

    Returns
    -------
    tuple of (color, path)
        One path in mm for every shade, made of the hundreds of curves of nilearn's drawing.
    """
    name, scale, shift = _VIEWS[view]
    file = nilearn_file("plotting", "glass_brain_files", f"brain_schematics_{name}.json")
    shades: dict[str, list[NDArray[np.float64]]] = {}
    for path in json.loads(file.read_text(encoding="utf-8"))["paths"]:
        for item in path["items"]:
            points = np.array(item["pts"], dtype=np.float64) * scale + shift
            shades.setdefault(to_hex(path["edgecolor"]), []).append(points)
    return tuple((shade, _joined(curves)) for shade, curves in shades.items())


def _joined(curves: list[NDArray[np.float64]]) -> Path:
    """Join cubic curves and lines, most of which begin where the previous one ends."""
    points: list[NDArray[np.float64]] = []
    codes: list[int] = []
    for one, other in pairwise([np.full((1, 2), np.inf), *curves]):
        goes_on = bool(np.abs(one[-1] - other[0]).max() < 0.05)
        points.append(other[1:] if goes_on else other)
        code = int(Path.CURVE4 if len(other) == 4 else Path.LINETO)
        codes += [*([] if goes_on else [int(Path.MOVETO)]), *[code] * (len(other) - 1)]
    return Path(np.concatenate(points), codes)
