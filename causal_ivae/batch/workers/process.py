"""Set up the process of the program, and each of its workers.

The library sets none of this: an import or a fit leaves the process of a user as it is.
"""

import ctypes
import os
import sys
from functools import cache

EQUAL_DIGITS = "AVX2,STRICT"
"""Value of the environment variable ``MKL_CBWR`` with which results are equal to the last bit."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
_LARGEST = 2**25
"""Arrays up to this many bytes come from the heap: the most that the GNU C library allows."""


def prepare_process() -> None:
    """Make the results of this process reproducible to the last bit, and its training fast.

    Call it before torch computes its first product, since MKL reads its settings then.  What the
    user has set in the environment stays.
    """
    # Without this variable the last digits of MKL's products depend on where the numbers of a model
    # lie in memory, and therefore on how many other models are trained with it.
    os.environ.setdefault("MKL_CBWR", EQUAL_DIGITS)
    keep_freed_memory()


@cache
def keep_freed_memory() -> None:
    """Keep up to 1 GiB that this process frees for its next arrays, where the C library can.

    A step of training makes and frees the same large arrays as the step before.  The GNU C library
    returns them to the system every time, which then hands out every page anew and clears it: a
    quarter of the time of wide networks.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
