"""Check the series, segments and regions that `discover` is given."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.independence.blocks import contiguous


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
        z-scored.
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
    several = isinstance(values, (list, tuple)) and {np.ndim(part) for part in values} == {2}
    parts = cast("Sequence[Any]", values if several else [values])
    regions = _names(parts, names)
    runs = [
        _standardised(part, regions, f" of run {number}" if several else "")
        for number, part in enumerate(parts, start=1)
    ]
    lengths = [len(run) for run in runs]
    run = np.repeat(np.arange(len(runs)), lengths)
    if isinstance(segments, (int, np.integer)):
        given = _windows(int(segments), lengths)
    else:
        given = _joined("segments", segments, lengths, several=several)
    if not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"'segments' has type {given.dtype}; expected integers, one per row of 'values'."
        )
    distinct, labels = np.unique(given, return_inverse=True)
    if len(distinct) < 3:
        raise InputError(
            f"Only {len(distinct)} distinct segments were given and at least three are needed; "
            "use shorter windows or another kind of segments."
        )
    if blocks is None:
        order = contiguous(np.unique(np.stack([run, labels]), axis=1, return_inverse=True)[1])
    else:
        order = _joined("blocks", blocks, lengths, several=several)
    # Blocks are split at segments, since independence is tested given the segment.
    order = np.unique(np.stack([order, labels, run]), axis=1, return_inverse=True)[1].ravel()
    return np.concatenate(runs), labels.astype(np.int64), order, regions


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
    twice = sorted({name for name in regions if regions.count(name) > 1})
    if twice:
        raise InputError(f"The region name '{twice[0]}' is used twice; names must be distinct.")
    return regions


def _standardised(part: Any, regions: tuple[str, ...], where: str) -> NDArray[np.float32]:
    x = np.asarray(part, dtype=np.float64)
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"Region '{regions[column]}' has the value {x[row, column]} in row {row}{where}; every "
            "value must be finite. Remove or interpolate those volumes."
        )
    spread = x.std(axis=0)
    if (spread == 0).any():
        name = regions[int(np.flatnonzero(spread == 0)[0])]
        raise InputError(f"Region '{name}'{where} is constant; leave it out.")
    standard: NDArray[np.float64] = (x - x.mean(axis=0)) / spread
    return standard.astype(np.float32)


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
