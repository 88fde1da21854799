"""Check the x, the u and the parameters that an estimator is given."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ValidationError

from causal_ivae.errors import InputError, SettingsError

_Settings = TypeVar("_Settings", bound=BaseModel)


def validated(kind: type[_Settings], parameters: dict[str, Any]) -> _Settings:
    """Return the settings that an estimator's parameters make, after checking their values."""
    known = {k: v for k, v in parameters.items() if k in kind.model_fields}
    try:
        return kind.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"Invalid value {first['input']!r} for '{name}': {first['msg']}."
        ) from error


def matrix(x: ArrayLike, name: str = "x") -> NDArray[np.float64]:
    """Return x as a finite matrix, shape (n_times, n_features)."""
    data = np.asarray(x, dtype=np.float64)
    if data.ndim != 2 or not data.size:
        raise InputError(f"'{name}' has shape {data.shape}; expected (n_times, n_features).")
    bad = np.argwhere(~np.isfinite(data))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"'{name}' has the value {data[row, column]} in row {row}, column {column}, which is "
            "not finite; remove or interpolate that row."
        )
    return data


def constant_columns(data: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the columns of data (n_times, n_columns) that are constant up to rounding."""
    floor = 1e-12 * np.abs(data).max(axis=0)
    return np.flatnonzero(data.std(axis=0) <= floor)


def is_continuous(u: ArrayLike) -> bool:
    """Check whether u is a real number or vector per row instead of a segment label."""
    given = np.asarray(u)
    return given.ndim == 2 or np.issubdtype(given.dtype, np.floating)


def labels(u: ArrayLike, length: int) -> NDArray[np.int64]:
    """Return u as segment labels after checking its shape and type, shape (n_times,)."""
    given = np.asarray(u)
    if given.shape != (length,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"'u' has shape {given.shape} and type {given.dtype}; expected ({length},) integers, "
            "one per row of 'x'."
        )
    return given.astype(np.int64)


def covariates(u: ArrayLike, length: int) -> NDArray[np.float64]:
    """Return a continuous u as a finite matrix, shape (n_times, n_auxiliary)."""
    given = np.asarray(u, dtype=np.float64)
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or len(given) != length or not given.shape[1]:
        raise InputError(
            f"'u' has shape {np.shape(u)}; expected ({length},) or ({length}, n_auxiliary) real "
            "numbers, one row per row of 'x'."
        )
    bad = np.argwhere(~np.isfinite(given))
    if len(bad):
        raise InputError(
            f"'u' has the value {given[tuple(bad[0])]} in row {bad[0][0]}, which is not finite; "
            "remove that row from 'x' and 'u'."
        )
    return given


def distinct_segments(given: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct segment labels and each row's position among them."""
    names, positions, counts = np.unique(given, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"'u' has one distinct value, {names[0]}; the model needs at least two segments."
        )
    if counts.min() < 2:
        name = names[int(counts.argmin())]
        raise InputError(
            f"Segment {name} of 'u' has one row; every segment needs at least two. Join it to "
            "another or leave the row out."
        )
    return names, positions.astype(np.int64)
