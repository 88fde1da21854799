"""Return memory that arrays no longer need to the system."""

import ctypes
import sys


def give_memory_back() -> None:
    """Return freed memory of this process to the system, if the C library can do so."""
    # Training leaves holes in the heap that the small objects of tables and pages do not fill.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
