"""Set up the process of the program, and each of its workers, and tell its peak memory.

The library sets none of this: an import or a fit leaves the process of a user as it is.
"""

import atexit
import ctypes
import gc
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

EQUAL_DIGITS = "AVX2,STRICT"
"""Value of the environment variable ``MKL_CBWR`` with which results are equal to the last bit."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 2**30
_LARGEST = 2**25
"""Arrays up to this many bytes come from the heap: the most that the GNU C library allows."""


def prepare_process() -> None:
    """Make the results of this process reproducible to the last bit, its training and its end fast.

    Call it before torch computes its first product, since MKL reads its settings then.  What the
    user has set in the environment stays.
    """
    # Without this variable the last digits of MKL's products depend on where the numbers of a model
    # lie in memory, and therefore on how many other models are trained with it.
    os.environ.setdefault("MKL_CBWR", EQUAL_DIGITS)
    # pydantic would search all installed packages for plugins, of which settings need none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    keep_freed_memory()
    # What is left at the end goes with the process.  Python would look through all of it for cycles
    # before, which takes a sixth of the time of a short command.
    atexit.register(gc.freeze)


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


def restart_peak_memory() -> None:
    """Begin to count the peak memory of this process anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_mib() -> float:
    """Return the peak memory of this process (MiB) since it was last restarted, or began."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
