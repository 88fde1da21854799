"""What the C library does with memory that arrays no longer need."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
_LARGEST = 2**25
"""Arrays up to this many bytes come from the heap: the most that the GNU C library takes."""


@cache
def keep_freed_memory() -> None:
    """Keep up to 1 GiB that this process frees for its next arrays, where the C library can.

    A step of training makes and frees the same large arrays as the step before.  The GNU C library
    returns them to the system every time, which then hands out every page anew and clears it: a
    quarter of the time of wide networks.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGEST)


def give_memory_back() -> None:
    """Return what this process has freed to the system, where the C library can."""
    # Training leaves a heap of holes, which the small objects of tables and pages do not fill.
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
