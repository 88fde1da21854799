"""Make the table of a graph's nodes, and describe the matrices beside it for their sidecars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def node_table(names: Sequence[str], sidecar: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row for each region, in the order of the matrix.

    Parameters
    ----------
    names : sequence of str
        Regions.
    sidecar : mapping
        Its ``Coordinates`` (x, y, z in mm by region) and ``Networks`` (by region) make the columns
        ``x``, ``y``, ``z`` and ``network``, if it has them.
    """
    table: dict[str, Any] = {"index": range(len(names)), "name": list(names)}
    centres = sidecar.get("Coordinates") or {}
    if centres:
        nowhere = [np.nan] * 3
        rows = np.array([centres.get(name, nowhere) for name in names], dtype=np.float64)
        table |= dict(zip(("x", "y", "z"), rows.T, strict=True))
    networks = sidecar.get("Networks") or {}
    if networks:
        table["network"] = [networks.get(name, "") for name in names]
    return pd.DataFrame(table)


MATRIX = (
    "Signed direction score of every ordered pair of regions. Row = cause, column = effect: a "
    "positive value in row i, column j favours 'region i drives region j', and the value in row "
    "j, column i is its negative. No header; rows and columns in the order of _nodeindices.tsv. "
    "File names follow the draft of BIDS extension proposal 17 (BEP017)."
)
DISTURBANCES = (
    "Recovered disturbances, z-scored, half precision, shape (pairs, 2, volumes): one row per "
    "unmixed pair in the order of _diagnostics.tsv, of the fit that it judges; by structural flows "
    "of x and y, else n1 and n2. Volumes are the rows of _timeseries.tsv that are in a segment. "
    "Read it with numpy.load."
)
