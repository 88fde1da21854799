"""Read matrices from .npy, .npz, .mat and .h5 files, without ever unpickling their content."""

import struct
import tokenize
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.imaging.readers.content import Content, of_matrix
from causal_ivae.settings import TableSettings

_NAME_KEYS = ("names", "regions", "region_names", "labels")
_RUN_KEYS = ("run", "runs", "data_sessions")
_SEGMENT_KEYS = ("segment", "segments")
_WEIGHTS_KEY = "conditionweights"
"""CONN writes the weights of the volumes within a condition into this cell array, the one that is
convolved with the haemodynamic response first."""
_DAMAGED = (
    OSError, ValueError, EOFError, TypeError, LookupError, ArithmeticError, MemoryError,
    SyntaxError, struct.error, tokenize.TokenError, zlib.error,
)  # fmt: skip
"""The readers of NumPy and SciPy raise these errors if a file is damaged."""
BESIDE_KEYS = (*_NAME_KEYS, *_RUN_KEYS, *_SEGMENT_KEYS, _WEIGHTS_KEY)
"""Variables of these names describe the rows or columns of the matrix beside them."""


def read_array(path: Path, settings: TableSettings, key: str | None) -> Content:
    """Read the matrix of a .npy, .npz, .mat, .h5 or .hdf5 file.

    A MATLAB cell array counts as a matrix too.  Its cells are either columns (one region each, as
    CONN writes them; cells of several columns are noise components and are left out) or runs (one
    matrix each, with the same columns).

    Parameters
    ----------
    settings : TableSettings
        Its ``mat_key`` is the variable to read; None if the file has only one matrix.  Fields of a
        MATLAB structure are named ``structure.field``, datasets in groups of HDF5
        ``group/dataset``.
    key : str or None
        Variable that was chosen beforehand, instead of that of the settings.

    Returns
    -------
    Content
        Names of the columns are from a variable ``names``, ``regions``, ``region_names`` or
        ``labels``; runs from ``run``, ``runs`` or ``data_sessions`` (CONN's), or else the number of
        the cell that the row comes from; labels of segments from ``segment`` or ``segments``.
        Volumes to which CONN's ``conditionweights`` give no weight are outside of the condition:
        their rows are NaN, which makes them gaps.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold one matrix of numbers.
    SettingsError
        If there is no variable `key`, or the package h5py is needed and not installed.
    """
    key = key or settings.mat_key
    extension = path.suffix.lower()
    if extension == ".npy":
        key, variables = None, {path.name: _load_npy(path)}
    elif extension == ".npz":
        variables = _load_npz(path)
    elif extension == ".mat":
        variables = _load_mat(path, key)
    else:
        variables = _load_hdf5(path, key)
    chosen = _chosen(path, extension, variables, key)
    found = variables[chosen]
    beside = _beside(variables, chosen)
    names = next((_texts(beside[k]) for k in _NAME_KEYS if k in beside), None)
    notes: tuple[str, ...] = ()
    runs: tuple[str, ...] | None = None
    if found.dtype != object:
        values = found.astype(np.float64)
    else:
        values, names, runs, notes = _of_cells([np.atleast_2d(c) for c in found.ravel()], names)
    runs = _of_rows(beside, _RUN_KEYS, len(values)) or runs
    labels = _of_rows(beside, _SEGMENT_KEYS, len(values))
    outside = _outside_condition(beside, len(values))
    if outside.any():
        values[outside] = np.nan
        notes += (f"{outside.sum()} volumes without weight in their condition are gaps.",)
    # giga_connectome's datasets and DPABI's variable have volumes in rows, however many there are.
    known = chosen.endswith("_timeseries") or chosen == "ROISignals"
    return Content(
        of_matrix(values), None, names, runs, labels, rows_are_volumes=known, notes=notes
    )


def _chosen(
    path: Path, extension: str, variables: Mapping[str, NDArray[Any]], key: str | None
) -> str:
    matrices = {
        k: v for k, v in variables.items() if _is_matrix(v) and k.rpartition("/")[2] != _WEIGHTS_KEY
    }
    if key is not None:
        key = key.strip("/")
        if key not in variables:
            raise SettingsError(
                f"'{path}' has no variable '{key}' (tables.mat_key). {nearest(key, variables)}"
            )
        if key not in matrices:
            found = variables[key]
            raise InputError(
                f"Variable '{key}' of '{path}' has shape {found.shape} and type {found.dtype}; "
                "a matrix of numbers (volumes x regions) is needed."
            )
        return key
    if len(matrices) > 1:
        # Scalars and vectors of .mat files are matrices too, but do not count beside a real one.
        wide = {k: v for k, v in matrices.items() if v.dtype == object or min(v.shape) > 1}
        matrices = wide or matrices
    if len(matrices) != 1:
        shown = [f"'{k}' {v.shape} {v.dtype}" for k, v in list(variables.items())[:20]]
        more = f" and {len(variables) - 20} more" if len(variables) > 20 else ""
        remedy = "" if extension == ".npy" else " Name it with tables.mat_key."
        raise InputError(
            f"'{path}' must hold one matrix of numbers (volumes x regions); it holds "
            f"{', '.join(shown) or 'nothing'}{more}.{remedy}"
        )
    return next(iter(matrices))


def _is_matrix(value: NDArray[Any]) -> bool:
    if value.dtype != object:
        return value.ndim == 2 and value.dtype.kind in "iufb" and value.size > 0
    cells = list(value.ravel())
    if not cells or not all(
        isinstance(c, np.ndarray) and c.dtype.kind in "iufb" and c.ndim <= 2 and c.size
        for c in cells
    ):
        return False
    shapes = [np.atleast_2d(c).shape for c in cells]
    same_rows = len({rows for rows, _ in shapes}) == 1 and any(
        columns == 1 for _, columns in shapes
    )
    return shapes[0][0] > 1 and (same_rows or len({columns for _, columns in shapes}) == 1)


def _of_cells(
    cells: list[NDArray[Any]], names: tuple[str, ...] | None
) -> tuple[NDArray[np.float64], tuple[str, ...] | None, tuple[str, ...] | None, tuple[str, ...]]:
    """Return the matrix in the cells, the names of its columns, the runs of its rows, and notes."""
    single = [cell.shape[1] == 1 for cell in cells]
    if not any(single):
        runs = tuple(str(i + 1) for i, cell in enumerate(cells) for _ in range(len(cell)))
        return np.concatenate(cells).astype(np.float64), names, runs, ()
    values = np.column_stack([c for c, one in zip(cells, single, strict=True) if one])
    notes: tuple[str, ...] = ()
    if not all(single):
        left = single.count(False)
        cells_of = "1 cell" if left == 1 else f"{left} cells"
        notes = (f"{cells_of} with several columns: noise components, which are left out.",)
    if names is not None and len(names) == len(cells):
        names = tuple(name for name, one in zip(names, single, strict=True) if one)
    return values.astype(np.float64), names, None, notes


def _beside(variables: Mapping[str, NDArray[Any]], chosen: str) -> dict[str, NDArray[Any]]:
    """Return the variables of the same group, or else of the file, by the last part of the name."""
    group = chosen.rpartition("/")[0]
    here = {k.rpartition("/")[2]: v for k, v in variables.items() if k.rpartition("/")[0] == group}
    top = {k: v for k, v in variables.items() if "/" not in k}
    return {k: v for k, v in {**top, **here}.items() if k != chosen.rpartition("/")[2]}


def _of_rows(
    beside: Mapping[str, NDArray[Any]], keys: tuple[str, ...], n_rows: int
) -> tuple[str, ...] | None:
    for key in keys:
        if key not in beside or beside[key].size != n_rows:
            continue
        if beside[key].dtype.kind in "iufb":
            return tuple(f"{value:g}" for value in beside[key].ravel().astype(np.float64))
        texts = _texts(beside[key])
        if texts is not None:
            return texts
    return None


def _outside_condition(beside: Mapping[str, NDArray[Any]], n_rows: int) -> NDArray[np.bool_]:
    """Return which volumes have no weight in the condition of the file, shape (n_rows,)."""
    if _WEIGHTS_KEY in beside and beside[_WEIGHTS_KEY].size:
        first = beside[_WEIGHTS_KEY]
        weights = np.asarray(first.ravel()[0] if first.dtype == object else first)
        if weights.size == n_rows and weights.dtype.kind in "iufb":
            return np.asarray(weights.ravel() == 0)
    return np.zeros(n_rows, dtype=np.bool_)


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        # The file is opened here, since NumPy does not close a damaged file that it opened.
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
    except _DAMAGED as error:
        raise InputError(f"'{path}' is not an array of numbers saved by NumPy: {error}") from error
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"'{path}' is a .npz archive; rename it to '{path.stem}.npz'.")
    return loaded


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {k: archive[k] for k in archive.files}
    except (*_DAMAGED, AttributeError, BadZipFile, NotImplementedError) as error:
        raise InputError(f"'{path}' is not a .npz archive of plain arrays: {error}") from error


def _load_mat(path: Path, key: str | None) -> dict[str, NDArray[Any]]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except NotImplementedError:
        # MATLAB's version 7.3 is HDF5.
        return _load_hdf5(path, key)
    except (*_DAMAGED, MatReadError) as error:
        raise InputError(f"'{path}' is not a MATLAB file: {error}") from error
    variables: dict[str, NDArray[Any]] = {}
    for name, value in content.items():
        if not name.startswith("__") and isinstance(value, np.ndarray):
            variables |= _fields(name, value)
    return variables


def _load_hdf5(path: Path, key: str | None) -> dict[str, NDArray[Any]]:
    # h5py is an optional package that few users need.
    from causal_ivae.imaging.readers.hdf5 import load_hdf5

    return load_hdf5(path, key, BESIDE_KEYS)


def _fields(name: str, value: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return a variable or all fields of a structure, each by its dotted name."""
    if value.dtype.names is None or value.size != 1:
        return {name: value}
    record = value.ravel()[0]
    found: dict[str, NDArray[Any]] = {}
    for field in value.dtype.names:
        if isinstance(record[field], np.ndarray):
            found |= _fields(f"{name}.{field}", record[field])
    return found


def _texts(array: NDArray[Any]) -> tuple[str, ...] | None:
    # loadmat gives a cell array of text as an object array of one-element text arrays.
    flat = [cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell
            for cell in array.ravel()]  # fmt: skip
    if not flat or not all(isinstance(cell, str) for cell in flat):
        return None
    return tuple(str(cell).strip() for cell in flat)
