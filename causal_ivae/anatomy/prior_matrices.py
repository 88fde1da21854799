"""Make a prior from a matrix of connections between regions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.anatomy.verdicts import Prior, Projection
from causal_ivae.errors import InputError, SettingsError


def prior_from_matrix(
    weights: ArrayLike,
    names: Sequence[str],
    *,
    threshold: float | None,
    name: str,
    where: str = "the structural connectivity given",
) -> Prior:
    """Make an undirected prior from structural connectivity.

    Parameters
    ----------
    weights : array_like, shape (n_regions, n_regions)
        Symmetric and non-negative weights in any unit (streamlines, fractional anisotropy); the
        diagonal is not used.
    names : sequence of str, length n_regions
    threshold : float
        A weight above it counts as a connection that is feasible in both directions.
    name : str
        Name of the prior.
    where : str
        How error messages call the matrix.

    Raises
    ------
    SettingsError
        If there is no threshold, or nothing is above it.
    InputError
        If the matrix is not square, finite, non-negative and symmetric, or the names do not fit.
    """
    try:
        matrix = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} holds values that are not numbers.") from error
    _check_matrix(matrix, names, where)
    if threshold is None:
        raise SettingsError(
            f"{where} is structural connectivity with weights from {matrix.min():g} to "
            f"{matrix.max():g}: set 'prior.threshold', the weight above which two regions count "
            "as connected (0 keeps every non-zero weight)."
        )
    if threshold < 0:
        raise SettingsError(
            f"'prior.threshold' is {threshold:g}, but weights are non-negative: set 0 or more."
        )
    connected = matrix > threshold
    np.fill_diagonal(connected, val=False)
    if not connected.any():
        raise SettingsError(
            f"No weight of {where} is above 'prior.threshold' = {threshold:g} (the largest is "
            f"{matrix.max():g}); lower the threshold."
        )
    return Prior(
        name=name,
        names=tuple(names),
        projections=tuple(Projection(names[i], names[j]) for i, j in np.argwhere(connected)),
        directed=False,
        description=f"Structural connectivity above {threshold:g}; both directions are feasible.",
    )


def _check_matrix(matrix: NDArray[np.float64], names: Sequence[str], where: str) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise InputError(
            f"{where} must hold a square matrix of at least two regions, but its shape is "
            f"{matrix.shape}."
        )
    if len(names) != len(matrix):
        raise InputError(f"{where} has {len(matrix)} rows but {len(names)} region names.")
    check_names(names, where)
    for wrong, what in (
        (~np.isfinite(matrix), "a value that is missing or not finite"),
        (matrix < 0, "a negative weight; structural connectivity has none"),
    ):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            raise InputError(f"{where} holds, in row '{names[i]}', column '{names[j]}', {what}.")
    uneven = np.abs(matrix - matrix.T)
    # The two halves of a matrix written as text may differ in their last digits.
    if uneven.max() > 1e-6 * max(float(matrix.max()), 1e-300):
        i, j = divmod(int(uneven.argmax()), len(matrix))
        raise InputError(
            f"{where} is not symmetric: '{names[i]}' to '{names[j]}' is {matrix[i, j]:g} but back "
            f"it is {matrix[j, i]:g}. Structural connectivity has no direction: average the matrix "
            "with its transpose, or give a table of projections with the columns cause and effect."
        )


def check_names(names: Sequence[str], where: str) -> None:
    """Check that every region has a name of its own."""
    if not all(isinstance(name, str) and name for name in names):
        raise InputError(f"{where}: every region needs a name, but one is empty or not text.")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{where} names the region '{name}' twice; make the names unique.")
        seen.add(name)


def matrix_of_table(
    path: Path, header: list[str], rows: list[list[str]]
) -> tuple[list[str], ArrayLike]:
    """Return the names of the regions and the matrix that a table holds."""
    names, labels = header[1:], [row[0] for row in rows]
    # The names must occur in the header too, since a table of projections with wrong headings may
    # happen to have as many columns as a matrix.
    if len(header) == len(rows) + 1 and (not header[0] or set(labels) & set(names)):
        rows = [row[1:] for row in rows]
        if labels != names:
            first = next(k for k, label in enumerate(labels) if label != names[k])
            raise InputError(
                f"'{path}': row {first + 1} is '{labels[first]}' but column {first + 1} is "
                f"'{names[first]}'; rows and columns must name the regions in the same order."
            )
    elif len(header) == len(rows):
        names = header
    else:
        raise InputError(
            f"'{path}' has the columns {', '.join(header[:4])}{', ...' * (len(header) > 4)} and "
            f"{len(rows)} rows: it is neither a table of projections (columns cause and effect) "
            "nor a square matrix with a header of region names."
        )
    numbers = []
    for label, row in zip(names, rows, strict=True):
        try:
            numbers.append([float(cell) for cell in row])
        except ValueError as error:
            raise InputError(
                f"'{path}', row '{label}' holds a value that is not a number ({error}); a table of "
                "projections needs the columns cause and effect."
            ) from error
    return names, numbers


def names_of_rows(path: Path, sidecar: dict[str, Any]) -> list[str]:
    """Return the names of the regions that the JSON file beside a matrix lists."""
    names = sidecar.get("names")
    if not isinstance(names, list):
        raise InputError(
            f"'{path}' carries no region names: write them, in row order, as the list 'names' in "
            f"'{path.with_suffix('.json').name}' beside it."
        )
    return names


def matrix_of_array(path: Path, sidecar: dict[str, Any]) -> tuple[list[str], Any]:
    """Return the names of the regions and the matrix of a .npy or .mat file."""
    from scipy.io import loadmat

    names = names_of_rows(path, sidecar)
    try:
        if path.suffix == ".npy":
            return names, np.load(path, allow_pickle=False)
        variables = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    except (OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"'{path}' could not be read: {' '.join(str(error).split())}.") from error
    key = sidecar.get("key")
    if key is None and len(variables) == 1:
        key = next(iter(variables))
    if key not in variables:
        raise InputError(
            f"'{path}' holds the variables {', '.join(map(repr, sorted(variables)))}: name the "
            f"matrix as 'key' in '{path.with_suffix('.json').name}'."
        )
    return names, variables[key]
