"""What discover() is given, checked."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.independence.blocks import contiguous


def checked(
    values: ArrayLike,
    segments: ArrayLike,
    blocks: ArrayLike | None,
    names: Sequence[str] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Check what `discover` is given.

    Parameters
    ----------
    values, segments, blocks, names
        As in `discover`.

    Returns
    -------
    x : ndarray, shape (n_times, n_regions), float32
        z-scored.
    labels : ndarray, shape (n_times,), int64
        Segments, 0 to n_segments - 1.
    order : ndarray, shape (n_times,), int64
        Blocks of volumes that follow one another in one segment.
    names : tuple of str, length n_regions

    Raises
    ------
    InputError
        As `discover` does.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise InputError(
            f"'values' has shape {x.shape}; expected (n_times, n_regions) with two or more regions."
        )
    regions = tuple(names) if names is not None else tuple(f"x{i + 1}" for i in range(x.shape[1]))
    if len(regions) != x.shape[1]:
        raise InputError(f"'names' has {len(regions)} names for {x.shape[1]} regions.")
    twice = sorted({name for name in regions if regions.count(name) > 1})
    if twice:
        raise InputError(f"The region name '{twice[0]}' is used twice; names must be distinct.")
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"Region '{regions[column]}' has the value {x[row, column]} in row {row}; every value "
            "must be finite. Remove or interpolate those volumes."
        )
    spread = x.std(axis=0)
    if (spread == 0).any():
        name = regions[int(np.flatnonzero(spread == 0)[0])]
        raise InputError(f"Region '{name}' is constant; leave it out.")
    given = np.asarray(segments)
    if given.shape != (len(x),) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"'segments' has shape {given.shape} and type {given.dtype}; expected "
            f"({len(x)},) integers, one per row of 'values'."
        )
    distinct, labels = np.unique(given, return_inverse=True)
    if len(distinct) < 3:
        raise InputError(
            f"Only {len(distinct)} distinct segments were given and at least three are needed; "
            "use shorter windows or another kind of segments."
        )
    order = contiguous(given) if blocks is None else np.asarray(blocks)
    if order.shape != (len(x),):
        raise InputError(f"'blocks' has shape {order.shape}; expected ({len(x)},).")
    standard = (x - x.mean(axis=0)) / spread
    # A block that spans segments would test independence across them, not given them.
    order = np.unique(np.stack([order, labels]), axis=1, return_inverse=True)[1].ravel()
    return standard.astype(np.float32), labels.astype(np.int64), order, regions


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
        If a name is unknown, or no pair is left.
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
