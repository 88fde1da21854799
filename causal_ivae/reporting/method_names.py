"""What methods are called where people read of them."""

from collections.abc import Mapping
from typing import Any

from causal_ivae.discovery.methods import METHODS


def method_name(method: str) -> str:
    """Return a method's name as it is written in papers."""
    return METHODS[method].title if method in METHODS else method


def method_label(method: str, sidecar: Mapping[str, Any]) -> str:
    """Return a method's name with what its results depend on: for TCL the linear ICA after it.

    Parameters
    ----------
    method : str
    sidecar : mapping
        Of the method's graph; without recorded settings the name stands alone.
    """
    if method not in METHODS:
        return method
    return METHODS[method].label(sidecar.get("Settings", {}))
