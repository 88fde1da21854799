"""Matrices in .npy, .npz and .mat files; nothing in them is ever unpickled."""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from causal_ivae.errors import InputError, SettingsError, nearest

_NAME_KEYS = ("names", "regions", "region_names", "labels")


def read_array(
    path: Path, extension: str, key: str | None
) -> tuple[NDArray[np.float64], tuple[str, ...] | None]:
    """Return the matrix of a .npy, .npz or .mat file, and the region names beside it.

    Parameters
    ----------
    path : pathlib.Path
    extension : str
        In lower case.
    key : str or None
        Variable to read; None where there is one matrix.

    Returns
    -------
    values : ndarray, shape (n_rows, n_columns), float64
    names : tuple of str or None
        From a variable ``names``, ``regions``, ``region_names`` or ``labels``.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold one matrix of numbers.
    SettingsError
        If there is no variable `key`.
    """
    if extension == ".npy":
        variables = {path.name: _load_npy(path)}
    elif extension == ".npz":
        variables = _load_npz(path)
    else:
        variables = _load_mat(path)
    inside = next((_texts(variables[k]) for k in _NAME_KEYS if k in variables), None)
    matrices = {
        k: v for k, v in variables.items() if v.ndim == 2 and v.dtype.kind in "iufb" and v.size
    }
    if key is not None and extension != ".npy":
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
        return matrices[key].astype(np.float64), inside
    if len(matrices) > 1:
        # A scalar or a vector in a .mat file is a matrix with one row or column.
        matrices = {k: v for k, v in matrices.items() if min(v.shape) > 1} or matrices
    if len(matrices) != 1:
        listed = ", ".join(f"'{k}' {v.shape} {v.dtype}" for k, v in variables.items())
        remedy = "" if extension == ".npy" else " Name it with tables.mat_key."
        raise InputError(
            f"'{path}' must hold one matrix of numbers (volumes x regions); it holds "
            f"{listed or 'nothing'}.{remedy}"
        )
    return next(iter(matrices.values())).astype(np.float64), inside


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"'{path}' is not an array of numbers saved by NumPy: {error}") from error
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"'{path}' is a .npz archive; rename it to '{path.stem}.npz'.")
    return loaded


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {k: archive[k] for k in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, BadZipFile) as error:
        raise InputError(f"'{path}' is not a .npz archive of plain arrays: {error}") from error


def _load_mat(path: Path) -> dict[str, NDArray[Any]]:
    try:
        content = loadmat(path)
    except NotImplementedError as error:
        raise InputError(
            f"'{path}' is a MATLAB v7.3 (HDF5) file; save it again with save(..., '-v7') in MATLAB."
        ) from error
    except (OSError, ValueError, TypeError, MatReadError) as error:
        raise InputError(f"'{path}' is not a MATLAB file: {error}") from error
    return {
        k: v for k, v in content.items() if not k.startswith("__") and isinstance(v, np.ndarray)
    }


def _texts(array: NDArray[Any]) -> tuple[str, ...] | None:
    # loadmat gives a cell array of text as an object array of one-element text arrays.
    flat = [cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell
            for cell in array.ravel()]  # fmt: skip
    if not flat or not all(isinstance(cell, str) for cell in flat):
        return None
    return tuple(str(cell).strip() for cell in flat)
