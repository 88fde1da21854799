"""Read simulated networks with their true arrows from files."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.provenance import fingerprint


def network_files(folder: Path) -> list[Path]:
    """Return the networks of a folder: .npz files, and folders with a true graph.

    Raises
    ------
    SettingsError
        If there is none.
    """
    where = folder.expanduser().resolve()
    found = sorted(where.glob("*.npz"))
    found += sorted(path.parent for path in where.glob("**/truth.tsv"))
    if not found:
        raise SettingsError(f"'{where}' holds no .npz file and no folder with truth.tsv.")
    return found


def content_of_network(path: Path) -> str:
    """Return a fingerprint of a network's file, or of the true graph of its folder."""
    return fingerprint(path / "truth.tsv" if path.is_dir() else path)


def read_network(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read the series (subjects, n_times, nodes) and the arrows that most subjects have."""
    series, arrows = read_series_and_arrows(path)
    return series, arrows.mean(axis=0) > 0.5


def read_series_and_arrows(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read the series and the true arrows of every subject of a simulated network.

    Parameters
    ----------
    path : pathlib.Path
        An .npz file with ``ts`` (subjects, n_times, nodes) and ``net`` (subjects, nodes, nodes), or
        a folder with ``truth.tsv`` (nodes x nodes, row = cause) and one tab-separated table
        (n_times x nodes, without a header) a subject.

    Returns
    -------
    series : ndarray, shape (subjects, n_times, nodes), float64
    arrows : ndarray, shape (subjects, nodes, nodes), bool
        Row = cause, column = effect.

    Raises
    ------
    InputError
        If it is not such a file or folder.
    """
    try:
        if path.is_dir():
            files = sorted(file for file in path.glob("*.tsv") if file.name != "truth.tsv")
            series = np.stack([np.loadtxt(file, delimiter="\t") for file in files])
            net = np.stack([np.loadtxt(path / "truth.tsv", delimiter="\t")] * len(series))
        else:
            with np.load(path, allow_pickle=False) as content:
                series, net = content["ts"].astype(np.float64), content["net"]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"'{path}' is not a simulated network: {error}.") from error
    if series.ndim != 3 or net.shape != (len(series), series.shape[2], series.shape[2]):
        raise InputError(
            f"'{path}': series of shape {series.shape} and true graphs of shape {net.shape}; "
            "expected (subjects, volumes, nodes) and (subjects, nodes, nodes)."
        )
    return series, (net != 0) & ~np.eye(series.shape[2], dtype=bool)
