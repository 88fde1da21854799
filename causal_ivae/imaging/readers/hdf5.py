"""Read datasets from HDF5 files, including those of MATLAB's version 7.3."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, SettingsError

_INTERNAL = ("#refs#", "#subsystem#")
"""MATLAB stores the cells of its variables in these groups."""


def load_hdf5(path: Path, key: str | None, beside: Collection[str]) -> dict[str, NDArray[Any]]:
    """Read one dataset and those that describe it; the others are placeholders of zeros.

    Parameters
    ----------
    key : str or None
        Dataset to read; None reads the only matrix, if there is one.
    beside : collection of str
        Last parts of the names of small datasets to read as well, such as region names.

    Returns
    -------
    dict
        Array of every dataset name, for instance ``"group/dataset"``.  Placeholders have the
        dataset's shape but take no memory.  MATLAB's arrays are transposed to their shape in
        MATLAB, its cell arrays are object arrays and its texts ``str`` arrays.

    Raises
    ------
    InputError
        If the file is damaged or not HDF5.
    SettingsError
        If the package h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"'{path}' is an HDF5 file (MATLAB's version 7.3 is one), which needs the package "
            "h5py: pip install h5py, or save it with save(..., '-v7') in MATLAB."
        ) from error
    wanted = None if key is None else key.strip("/")
    try:
        with h5py.File(path, "r") as file:
            # visititems does not follow links to other files.
            datasets: dict[str, Any] = {}
            file.visititems(
                lambda name, item: (
                    datasets.__setitem__(name, item) if isinstance(item, h5py.Dataset) else None
                )
            )
            datasets = {k: d for k, d in datasets.items() if not k.startswith(_INTERNAL)}
            if wanted is None:
                wanted = _only_matrix(file, datasets, beside)
            found = {}
            for name, dataset in datasets.items():
                if name == wanted or name.rpartition("/")[2] in beside:
                    found[name] = _read(file, dataset)
                else:
                    found[name] = _placeholder(dataset)
            return found
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"'{path}' cannot be read as HDF5: {reason}.") from error


def series_of_many(path: Path) -> list[str]:
    """Return the datasets of a file that holds the series of many runs, named ``sub-*_timeseries``.

    giga_connectome writes such files.  A file that cannot be read has none here, so that reading it
    as a table reports the error.
    """
    try:
        import h5py

        with h5py.File(path, "r") as file:
            names: list[str] = []
            file.visititems(
                lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
            )
    except (ModuleNotFoundError, OSError, RuntimeError, KeyError, ValueError):
        return []
    last = (name.rpartition("/")[2] for name in names)
    return sorted(
        name
        for name, word in zip(names, last, strict=True)
        if word.startswith("sub-") and word.endswith("_timeseries")
    )


def _only_matrix(file: Any, datasets: dict[str, Any], beside: Collection[str]) -> str | None:
    """Return the only dataset that is a matrix or a cell array of columns, or None."""
    matrices = {}
    for name, dataset in datasets.items():
        if name.rpartition("/")[2] in beside:
            continue
        shape = dataset.shape
        if dataset.dtype.kind in "iuf" and shape is not None and len(shape) == 2:
            matrices[name] = min(shape) > 1
        elif _is_cell_array_of_columns(file, dataset):
            matrices[name] = True
    wide = [name for name, several in matrices.items() if several]
    chosen = wide or list(matrices)
    return chosen[0] if len(chosen) == 1 else None


def _is_cell_array_of_columns(file: Any, dataset: Any) -> bool:
    """Return whether the first cell holds numbers in several rows, as CONN's cells do."""
    import h5py

    if h5py.check_ref_dtype(dataset.dtype) is None or dataset.size == 0:
        return False
    first = file[dataset[()].ravel()[0]]
    is_text = bytes(first.attrs.get("MATLAB_class", b"")) == b"char"
    # MATLAB stores its arrays transposed, so that the second axis has the rows.
    return not is_text and first.dtype.kind in "iuf" and first.ndim == 2 and first.shape[1] > 1


def _placeholder(dataset: Any) -> NDArray[Any]:
    kind = dataset.dtype if dataset.dtype.kind in "iuf" else np.dtype("S1")
    return np.broadcast_to(np.zeros((), dtype=kind), dataset.shape or ())


def _read(file: Any, dataset: Any) -> NDArray[Any]:
    import h5py

    if dataset.is_virtual or dataset.external:
        # A foreign file could otherwise make the program read any file of this machine.
        raise InputError(
            f"Dataset '{dataset.name}' keeps its numbers in other files (external storage or a "
            "virtual dataset), which are not read: write them into the file itself."
        )
    matlab = dataset.attrs.get("MATLAB_class")
    if matlab is not None and dataset.attrs.get("MATLAB_empty"):
        return np.zeros((0, 0))
    if matlab is not None and bytes(matlab) == b"char":
        return np.array("".join(map(chr, dataset[()].ravel(order="F"))))
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        references = dataset[()].T
        cells = np.empty(references.shape, dtype=object)
        for place, reference in np.ndenumerate(references):
            cells[place] = _read(file, file[reference])
        return cells
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()], dtype=str)
    values = np.asarray(dataset[()])
    return values.T if matlab is not None else values
