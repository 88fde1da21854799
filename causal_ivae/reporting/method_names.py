"""What methods are called where people read of them."""

from collections.abc import Mapping
from typing import Any

METHOD_NAMES = {"structural": "Structural flow", "ivae": "iVAE", "tcl": "TCL"}
ICA_NAMES = {"fastica": "FastICA", "score_matching": "score matching"}


def method_name(method: str) -> str:
    """Return a method's name as it is written in papers."""
    return METHOD_NAMES.get(method, method)


def method_label(method: str, sidecar: Mapping[str, Any]) -> str:
    """Return a method's name with what its results depend on: for TCL the linear ICA after it.

    Parameters
    ----------
    method : str
    sidecar : mapping
        Of the method's graph; without recorded settings the name stands alone.
    """
    name = method_name(method)
    if method != "tcl":
        return name
    ica = sidecar.get("Settings", {}).get("unmixing", {}).get("tcl", {}).get("ica")
    return f"{name} ({ICA_NAMES.get(ica, ica)})" if ica else name
