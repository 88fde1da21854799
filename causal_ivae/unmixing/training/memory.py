"""Memory that arrays no longer need, given back to the system."""

import ctypes
import sys


def give_memory_back() -> None:
    """Return what this process has freed to the system, where the C library can."""
    # Training leaves a heap of holes, which the small objects of tables and pages do not fill.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
