"""Make the table of a graph's nodes: the regions, where they are, and their networks."""

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
