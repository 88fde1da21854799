"""Read which volumes of a denoised run were censored, as XCP-D writes it beside the series."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.given_files import read_table
from causal_ivae.imaging.file_names import find_sidecar


@dataclass(frozen=True, eq=False)
class Censoring:
    """Hold what is known of the acquired volumes of a run.

    Attributes
    ----------
    volumes : ndarray, shape (n_rows,), int64
        Acquired volume that every row of the series is, from 0.
    censored : ndarray, shape (n_rows,), bool
        True for rows that were filled in, which are no measurements.
    displacement : ndarray, shape (n_acquired,), or None
        Framewise displacement (mm).
    notes : tuple of str
        Sentences for the reader.
    """

    volumes: NDArray[np.int64]
    censored: NDArray[np.bool_]
    n_acquired: int
    displacement: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def files_of_censoring(path: Path, root: Path) -> tuple[Path | None, Path | None]:
    """Return the ``*_outliers.tsv`` and the ``*_motion.tsv`` that apply to a run."""
    outliers, motion = (find_sidecar(path, s, ".tsv", root) for s in ("outliers", "motion"))
    return outliers, motion


def not_censored(n_rows: int) -> Censoring:
    """Return the censoring of a run in which every row is a volume and none was censored."""
    return Censoring(np.arange(n_rows), np.zeros(n_rows, dtype=bool), n_rows)


def read_censoring(path: Path, root: Path, n_rows: int) -> Censoring:
    """Find out which acquired volumes the rows of a denoised run are.

    Parameters
    ----------
    path : pathlib.Path
        File of the run.
    root : pathlib.Path
        Highest folder whose files apply to it.
    n_rows : int
        Rows of the series.  If the censored volumes were removed from it, they leave gaps; if they
        were interpolated, these rows are gaps.

    Raises
    ------
    InputError
        If one of the files cannot be read.
    """
    outliers, motion = files_of_censoring(path, root)
    if outliers is None:
        return not_censored(n_rows)
    table = read_table(outliers, "The list of censored volumes", na_values=["n/a"])
    flags = [c for c in table if table[c].isin([0, 1]).all() and c != "kept"]
    if "kept" in table:
        bad = table["kept"].to_numpy() == 0
    else:
        bad = (table[flags] == 1).to_numpy().any(axis=1) if flags else np.zeros(len(table), bool)
    displacement = _displacement(motion, len(table))
    if n_rows == len(table):
        return Censoring(np.arange(n_rows), bad, n_rows, displacement)
    kept = np.flatnonzero(~bad)
    if n_rows == len(kept):
        return Censoring(kept, np.zeros(n_rows, dtype=bool), len(table), displacement)
    note = (
        f"'{outliers.name}' has {len(table)} rows, {len(kept)} of them not censored, and "
        f"'{path.name}' has {n_rows}: they do not belong together, and all rows were used."
    )
    return replace(not_censored(n_rows), notes=(note,))


def _displacement(motion: Path | None, n_volumes: int) -> NDArray[np.float64] | None:
    if motion is None:
        return None
    table = read_table(motion, "The table of head motion", na_values=["n/a"])
    if "framewise_displacement" not in table or len(table) != n_volumes:
        return None
    numbers = pd.to_numeric(table["framewise_displacement"], errors="coerce")
    return numbers.to_numpy(dtype=np.float64)
