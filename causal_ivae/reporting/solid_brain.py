"""Describe the graphs in three dimensions for the drawing that a reader can turn on the page."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.arrows import STYLES, drawn_edges
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.nilearn_files import nilearn_file

_COARSE = 642
"""The first so many vertices of fsaverage5 are those of fsaverage3, a sphere of 1,280 triangles."""
_SMOOTHED = 4
"""The coarse surface is smoothed so often, since so few vertices cannot follow the folds."""


@dataclass(frozen=True)
class Surface:
    """Hold the surface of both hemispheres.

    Attributes
    ----------
    points : ndarray, shape (n_points, 3), int8
        Places in MNI space (mm).
    triangles : ndarray, shape (n_triangles, 3), uint16
    """

    points: NDArray[np.int8]
    triangles: NDArray[np.uint16]


def solid_brain(record: Unit, centres: Mapping[str, Sequence[float]]) -> str | None:
    """Return what the script of the page needs to draw the brain and every method's graph, as JSON.

    Parameters
    ----------
    centres : mapping of str to (x, y, z)
        Centres of the regions in MNI space (mm).

    Returns
    -------
    str or None
        ``points`` (int8) and ``triangles`` (uint16), little-endian in base64; ``names`` and
        ``places`` (mm) of the regions; for every method its name and its edges, with the places of
        cause and effect in ``names``, colours of line and heads, dashes, whether it is hollow, and
        the row in the edge table.  None if no region has a centre.
    """
    names = [name for name in record.names if name in centres]
    if not names:
        return None
    surface = brain_surface()
    index = {name: i for i, name in enumerate(names)}
    methods = []
    for name, method in record.methods.items():
        judged = {edge: verdict for edge, (verdict, _) in method.verdicts.items()}
        edges = [
            [
                index[edge.start], index[edge.stop], edge.style.color, list(edge.heads),
                list(edge.style.dashes or ()), edge.hollow, round(edge.width, 1), edge.row,
            ]
            for edge in drawn_edges(method.edges, judged)
            if edge.style is not STYLES["undecided"] and {edge.start, edge.stop} <= index.keys()
        ]  # fmt: skip
        methods.append({"name": method_label(name, method.sidecar), "edges": edges})
    model = {
        "points": b64encode(surface.points.astype("<i1").tobytes()).decode(),
        "triangles": b64encode(surface.triangles.astype("<u2").tobytes()).decode(),
        "names": names,
        "places": [[round(float(value), 1) for value in centres[name]] for name in names],
        "methods": methods,
    }
    return json.dumps(model, separators=(",", ":"), ensure_ascii=False)


@cache
def brain_surface() -> Surface:
    """Return a coarse, smooth surface of the brain that comes with nilearn.

    Notes
    -----
    It is that of fsaverage in MNI305 space, which lies within 5 mm of other MNI spaces.
    """
    # Only pages with places of regions need this import.
    from nibabel.loadsave import load

    points, triangles = [], []
    for number, side in enumerate(("left", "right")):
        place, sphere = (
            np.asarray(load(_file(kind, side)).agg_data()[0][:_COARSE])  # type: ignore[attr-defined]
            for kind in ("pial", "sphere")
        )
        faces = ConvexHull(sphere).simplices
        near = np.zeros((_COARSE, _COARSE))
        for a, b in ((0, 1), (1, 2), (2, 0)):
            near[faces[:, a], faces[:, b]] = near[faces[:, b], faces[:, a]] = 1.0
        near /= near.sum(axis=1, keepdims=True)
        for _ in range(_SMOOTHED):
            place = 0.5 * place + 0.5 * near @ place
        points.append(place)
        triangles.append(faces + number * _COARSE)
    both = np.clip(np.rint(np.concatenate(points)), -127, 127)
    return Surface(both.astype(np.int8), np.concatenate(triangles).astype(np.uint16))


def _file(kind: str, side: str) -> Path:
    return nilearn_file("datasets", "data", "fsaverage5", f"{kind}_{side}.gii.gz")
