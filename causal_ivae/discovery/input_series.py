"""Check the series, segments and regions that `discover` is given."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.arrays import constant_columns, is_number
from causal_ivae.derivatives.names import refuse_missing_name
from causal_ivae.errors import CausalIvaeWarning, InputError, SettingsError, nearest
from causal_ivae.gaps import find_gaps
from causal_ivae.independence.blocks import contiguous
from causal_ivae.run_scales import divide_by_baselines, were_scaled_apart


def checked(
    values: ArrayLike | Sequence[ArrayLike],
    segments: ArrayLike | Sequence[ArrayLike] | int,
    blocks: ArrayLike | Sequence[ArrayLike] | None,
    names: Sequence[str] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Check and standardise the series that `discover` is given.

    Parameters
    ----------
    values, segments, blocks, names
        As in `discover`.

    Returns
    -------
    x : ndarray, shape (n_times, n_regions), float32
        Mean 0 in every run, standard deviation 1 over all runs.
    labels : ndarray, shape (n_times,), int64
        Segment of every volume, 0 to n_segments - 1.
    order : ndarray, shape (n_times,), int64
        Block of every volume: an unbroken stretch of one run and one segment.
    names : tuple of str, length n_regions

    Raises
    ------
    InputError
        In the same cases as `discover`.
    """
    values = series_in(values)
    several = isinstance(values, (list, tuple)) and {np.ndim(part) for part in values} == {2}
    parts = cast("Sequence[Any]", values if several else [values])
    regions = _names(parts, names)
    places = [f" of run {number}" if several else "" for number in range(1, 1 + len(parts))]
    measured = [_numbers(part, regions, at) for part, at in zip(parts, places, strict=True)]
    gaps = [_gaps(part, regions, at) for part, at in zip(measured, places, strict=True)]
    kept = ~np.concatenate(gaps)
    runs = [
        _varying(part[~gap], regions, at)
        for part, gap, at in zip(measured, gaps, places, strict=True)
    ]
    # Squares of very large or small numbers overflow; powers of two change no digit.
    power = np.frexp(np.max([np.abs(part).max(axis=0) for part in runs if len(part)], axis=0))[1]
    runs = [np.ldexp(part, -power) for part in runs]
    lengths = [len(part) for part in measured]
    run = np.repeat(np.arange(len(runs)), lengths)
    if isinstance(segments, (int, np.integer)):
        given = _windows(int(segments), lengths)
    else:
        given = _joined("segments", segments, lengths, several=several)
    if not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"'segments' has type {given.dtype}; expected integers, one per row of 'values'."
        )
    distinct, labels = np.unique(given[kept], return_inverse=True)
    if len(distinct) < 3:
        raise InputError(
            f"Only {len(distinct)} distinct segments were given and at least three are needed; "
            "use shorter windows or another kind of segments."
        )
    # Volumes on the two sides of a gap do not follow one another.
    stretch = contiguous(np.cumsum(~kept))[kept]
    run = run[kept]
    if blocks is None:
        order = contiguous(
            np.unique(np.stack([run, labels, stretch]), axis=1, return_inverse=True)[1]
        )
    else:
        order = _joined("blocks", blocks, lengths, several=several)[kept]
    # Blocks are split at segments, since independence is tested given the segment.
    parts_of_blocks = np.stack([order, labels, run, stretch])
    order = np.unique(parts_of_blocks, axis=1, return_inverse=True)[1].ravel()
    joined = np.concatenate(runs)
    if were_scaled_apart([joined[labels == label] for label in range(len(distinct))]):
        raise InputError(
            "Every region has the same standard deviation in every segment, as after z-scoring "
            "each of them, so that segments cannot be compared with one another. Give the series "
            "before they were scaled, or windows inside them as segments."
        )
    return _standardised(runs), labels.astype(np.int64), order, regions


def series_in(values: Any) -> Any:
    """Return the region series in what users hand over, or say what to call instead.

    Parameters
    ----------
    values : array_like, table, parcellated CIFTI image, or a list of them

    Returns
    -------
    array_like, DataFrame or a list of them

    Raises
    ------
    InputError
        If it is a path, an image of voxels or grayordinates, or a set of data of nilearn.
    """
    if isinstance(values, (str, os.PathLike)):
        raise InputError(
            f"'values' is a path ('{os.fspath(values)}'); read it with load_series(path), or give "
            "images to discover_images(images, confounds, atlas)."
        )
    if isinstance(values, Mapping) and not hasattr(values, "columns"):
        raise InputError(
            f"'values' has the entries {', '.join(map(str, values))}; give one of them, or images "
            "such as those of nilearn's fetchers to discover_images(images, confounds, atlas)."
        )
    if isinstance(values, (list, tuple)) and any(
        isinstance(part, (str, os.PathLike)) or _is_image(part) for part in values
    ):
        return [series_in(part) for part in values]
    if not _is_image(values):
        return values
    axes = []
    if hasattr(values.header, "get_axis"):
        axes = [values.header.get_axis(i) for i in range(values.ndim)]
    parcels = [i for i, axis in enumerate(axes) if hasattr(axis, "vertices")]
    if len(axes) != 2 or len(parcels) != 1 or not hasattr(axes[1 - parcels[0]], "step"):
        raise InputError(
            f"'values' is an image of shape {values.shape}, and region series are needed: "
            "discover_images(images, confounds, atlas) averages it region by region."
        )
    import pandas as pd

    numbers = np.asarray(values.dataobj, dtype=np.float64)
    names = [str(name) for name in axes[parcels[0]].name]
    return pd.DataFrame(numbers if parcels[0] == 1 else numbers.T, columns=names)


def _is_image(part: Any) -> bool:
    """Check for an image of nibabel's, which this package does not import here."""
    return hasattr(part, "dataobj") and hasattr(part, "header")


def _names(parts: Sequence[Any], given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the regions, by default those of the columns."""
    shape = np.shape(parts[0])
    if len(shape) != 2 or shape[1] < 2:
        raise InputError(
            f"'values' has shape {shape}; expected (n_times, n_regions) with two or more regions."
        )
    headed = [tuple(map(str, part.columns)) for part in parts if hasattr(part, "columns")]
    if len(set(headed)) > 1:
        raise InputError("The runs in 'values' have different columns; give all the same regions.")
    if given is not None:
        regions = tuple(given)
    else:
        regions = headed[0] if headed else tuple(f"x{i + 1}" for i in range(shape[1]))
    for part in parts:
        if np.shape(part)[1] != len(regions):
            raise InputError(f"'names' has {len(regions)} names for {np.shape(part)[1]} regions.")
    refuse_missing_name(regions, "'names'")
    twice = sorted(name for name, count in Counter(regions).items() if count > 1)
    if twice:
        raise InputError(f"The region name '{twice[0]}' is used twice; names must be distinct.")
    return regions


def _numbers(part: Any, regions: tuple[str, ...], where: str) -> NDArray[np.float64]:
    """Return a run as numbers, NaN where a value is masked or missing."""
    if isinstance(part, np.ma.MaskedArray):
        return np.ascontiguousarray(np.ma.filled(part.astype(np.float64), np.nan))
    if not hasattr(part, "columns"):
        try:
            return np.array(part, dtype=np.float64, order="C")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"'values'{where} cannot be read as numbers ({error}); give an array of shape "
                "(n_times, n_regions)."
            ) from error
    columns = []
    for name, position in zip(regions, range(len(regions)), strict=True):
        column = part.iloc[:, position]
        try:
            columns.append(column.to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError):
            row, value = next((i, v) for i, v in enumerate(column) if not is_number(v))
            raise InputError(
                f"Region '{name}' has the value {value!r} in row {row}{where}, which is no number; "
                "leave out columns that are not regions."
            ) from None
    return np.column_stack(columns)


def _gaps(x: NDArray[np.float64], regions: tuple[str, ...], where: str) -> NDArray[np.bool_]:
    """Return the volumes without a measurement, of which a warning tells."""
    found = find_gaps(x)
    if found.rows.all():
        # There is nothing beside the gaps: what was given is missing, or constant.
        found = replace(found, rows=np.zeros(len(x), dtype=bool))
    bad = np.argwhere(~np.isfinite(x) & ~found.rows[:, None])
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"Region '{regions[column]}' has the value {x[row, column]} in row {row}{where}; every "
            "value must be finite, or missing (masked) in all regions at once. Remove or "
            "interpolate those volumes."
        )
    if found.rows.any():
        warnings.warn(f"'values'{where}: {found.sentence}", CausalIvaeWarning, stacklevel=4)
    return found.rows


def _varying(x: NDArray[np.float64], regions: tuple[str, ...], where: str) -> NDArray[np.float64]:
    """Return a run after checking that no region is constant."""
    constant = np.flatnonzero(constant_columns(x))
    if constant.size:
        raise InputError(f"Region '{regions[constant[0]]}'{where} is constant; leave it out.")
    return x


def _standardised(runs: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Return the runs in turn: mean 0 in each, standard deviation 1 over all."""
    means = [run.mean(axis=0) for run in runs]
    centred = [run - mean for run, mean in zip(runs, means, strict=True)]
    if len(runs) > 1:
        centred, _ = divide_by_baselines(centred, means)
    joined = np.concatenate(centred)
    return np.asarray(joined / joined.std(axis=0), dtype=np.float32)


def _windows(length: int, lengths: Sequence[int]) -> NDArray[np.int64]:
    """Cut runs into windows; a remainder shorter than half a window joins the last one."""
    if length < 1:
        raise InputError(f"'segments' is {length}; the volumes of a window must be 1 or more.")
    labels, first = [], 0
    for n in lengths:
        count = max(1, (2 * n + length) // (2 * length))
        labels.append(first + np.minimum(np.arange(n) // length, count - 1))
        first += count
    return np.concatenate(labels)


def _joined(
    what: str, given: ArrayLike | Sequence[ArrayLike], lengths: Sequence[int], *, several: bool
) -> NDArray[Any]:
    """Join the labels of the volumes of all runs to one array."""
    labels = [np.asarray(part) for part in given] if several else [np.asarray(given)]  # type: ignore[union-attr]
    shapes, wanted = [part.shape for part in labels], [(n,) for n in lengths]
    if shapes != wanted:
        if several:
            found = ", ".join(map(str, shapes))
            raise InputError(
                f"'{what}' has shapes {found}; expected a list with one array for each run in "
                f"'values': {', '.join(map(str, wanted))}."
            )
        raise InputError(
            f"'{what}' has shape {shapes[0]}; expected {wanted[0]}, one per row of 'values'."
        )
    return np.concatenate(labels)


def all_pairs(regions: int) -> NDArray[np.int64]:
    """Return every pair of regions once, shape (pairs, 2)."""
    return np.stack(np.triu_indices(regions, 1), axis=1).astype(np.int64)


def pairs_of(
    names: tuple[str, ...], skeleton: Iterable[tuple[str, str]] | None
) -> NDArray[np.int64]:
    """Return the pairs of a skeleton, or every pair, as positions in `names`, shape (pairs, 2).

    Raises
    ------
    SettingsError
        If a name is unknown or the skeleton holds no pair.
    """
    if skeleton is None:
        return all_pairs(len(names))
    position = {name: i for i, name in enumerate(names)}
    rows = []
    for pair in skeleton:
        for name in pair:
            if name not in position:
                raise SettingsError(f"Unknown region '{name}' in skeleton. {nearest(name, names)}")
        rows.append(sorted((position[pair[0]], position[pair[1]])))
    unique = sorted({(a, b) for a, b in rows if a != b})
    if not unique:
        raise SettingsError("The skeleton holds no pair of distinct regions; nothing to orient.")
    return np.array(unique, dtype=np.int64)


def inputs_of(names: tuple[str, ...], exogenous: Sequence[str]) -> tuple[int, ...]:
    """Return the places of known inputs in `names`.

    Raises
    ------
    SettingsError
        If a name is unknown, or fewer than two regions remain.
    """
    for name in exogenous:
        if name not in names:
            raise SettingsError(f"Unknown input '{name}' in 'exogenous'. {nearest(name, names)}")
    places = tuple(sorted({names.index(name) for name in exogenous}))
    if places and len(names) - len(places) < 2:
        raise SettingsError(
            f"'exogenous' leaves {len(names) - len(places)} of {len(names)} columns as regions; at "
            "least two are needed."
        )
    return places
