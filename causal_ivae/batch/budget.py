"""Refuse files that would not fit into memory, judged by their headers before they are read."""

import zipfile
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path

from causal_ivae.batch.workers.machine import machine_memory
from causal_ivae.errors import InputError
from causal_ivae.imaging.volumes import image_shape

_GIB = 2**30
_ALWAYS = 2**25
"""Whatever takes less than this (bytes) fits into every machine, whose memory is not asked for."""
_TEXT, _ARRAY, _IMAGE, _SMOOTHED = 2.0, 2.0, 2.0, 3.0
"""Reading takes this many times a text file's size, or the size of an array or image.

These are measured peaks; arrays have 64-bit numbers, images 32-bit numbers, and smoothing an image
keeps a third copy.
"""


def check_fits(
    paths: Iterable[Path],
    *,
    memory: int | None,
    sharing: Callable[[], int],
    smoothing: bool = False,
) -> None:
    """Check that each file can be read within the memory of a worker process.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        Images and tables.  Missing and damaged files are skipped, since reading reports them.
    memory : int or None
        Memory of a worker process (bytes); None for its share of the machine's.
    sharing : callable
        Returns the number of worker processes on this machine.
    smoothing : bool
        True if images are smoothed.

    Raises
    ------
    InputError
        If a file does not fit; the message states its size.
    """
    budget: int | None = memory
    for path in paths:
        try:
            needed, what = _needed(path, smoothing=smoothing)
        except Exception:  # noqa: BLE001, S112 - reading it says what is wrong with it
            continue
        if memory is None and needed < _ALWAYS:
            continue
        import psutil

        if budget is None:
            budget = machine_memory() // sharing()
        free = budget - psutil.Process().memory_info().rss
        if needed > free:
            raise InputError(
                f"'{path}' ({what}) takes about {needed / _GIB:.1f} GiB of memory to read, and a "
                f"worker process has {budget / _GIB:.1f} GiB. "
                f"{_remedy(memory, sharing() if memory is None else 1)}"
            )


def _remedy(memory: int | None, sharing: int) -> str:
    if memory is not None:
        return "Give more with --mem, or make the file smaller."
    if sharing > 1:
        return "Use fewer processes (--nprocs), or make the file smaller."
    return "Use a machine with more memory, or make the file smaller."


def _needed(path: Path, *, smoothing: bool) -> tuple[float, str]:
    """Return the memory that reading a file takes (bytes), and its size in words."""
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        shape = image_shape(path, "image")
        factor = _SMOOTHED if smoothing else _IMAGE
        return factor * 4 * prod(shape), f"{_times(shape)} voxels x volumes"
    if name.endswith((".tsv", ".csv")):
        size = path.stat().st_size
        return _TEXT * size, f"{size / _GIB:.2f} GiB of text"
    shape = _largest(path)
    return _ARRAY * 8 * prod(shape), f"{_times(shape)} numbers"


def _largest(path: Path) -> tuple[int, ...]:
    """Return the shape of the largest array in a file without reading an array."""
    import numpy as np

    suffix = path.suffix.lower()
    if suffix == ".npy":
        shape: tuple[int, ...] = np.load(path, mmap_mode="r", allow_pickle=False).shape
        return shape
    if suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return (max(entry.file_size for entry in archive.infolist()) // 8,)
    if suffix == ".mat":
        from scipy.io import whosmat

        try:
            return max((tuple(shape) for _, shape, _ in whosmat(path)), key=prod)
        except NotImplementedError:
            pass
    # In other containers, the size of the file is the best estimate.
    return (path.stat().st_size // 8,)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
