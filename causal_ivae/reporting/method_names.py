"""Name methods as readers know them."""

from collections.abc import Mapping
from typing import Any

from causal_ivae.discovery.methods import METHODS


def method_name(method: str) -> str:
    """Return a method's name as it is written in papers."""
    return METHODS[method].title if method in METHODS else method


def method_label(method: str, sidecar: Mapping[str, Any]) -> str:
    """Return a method's name with its most important choice, for TCL the linear ICA after it.

    If the method handed the work over to another one, that one's name follows.

    Parameters
    ----------
    sidecar : mapping
        Sidecar of the method's graph; without recorded settings, only the name is returned.
    """
    if method not in METHODS:
        return method
    settings, by = sidecar.get("Settings", {}), sidecar.get("MadeBy", "")
    label = METHODS[method].label(settings)
    return f"{label}, by {METHODS[by].label(settings)}" if by in METHODS else label
