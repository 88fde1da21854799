"""Leave out what files of another version recorded in a form that the pages cannot show."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import listed
from causal_ivae.reporting.method_names import method_label

_SIGNS = tuple(
    f"RightSign.{kind}.{name}" for kind in ("twins", "shifted") for name in ("Share", "Low", "High")
)
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "Power": ("Volumes", "Windows", "LagOne", "RepetitionTime", "Seed", "CannotDecide", *_SIGNS),
    "Calibration": ("Bins", "Designs", "ExpectedCalibrationError"),
    "NullCheck": ("SurrogatePairs", "Rejected", "Alpha", "Interval"),
    "Prior": ("Name", "Edges"),
}
"""Parts of a method's sidecar that the pages show, and the keys that they need."""
_COLUMNS = {
    "power": ("series", "strength", "planted", "drawn", "wrong", "right_sign", "times_needed")
}
"""The same of tables and their columns."""
_TWINS = ("Claims", "ClaimsPerTwin")
_OF = {"Power": "power"}
"""The table that belongs to a part of the sidecar: one is not shown without the other."""


def lacking(sidecar: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what parts of a method's sidecar lack.

    Parameters
    ----------
    sidecar : mapping
        Content of a file ``_edges.json``.

    Returns
    -------
    dict
        The keys that are missing, by the name of the part; empty if the pages can show all of it.
    """
    found = {
        part: [key for key in keys if not _has(sidecar[part], key)]
        for part, keys in _NEEDED.items()
        if sidecar.get(part)
    }
    # Without twins there is nothing to count in them.
    if sidecar.get("Twins"):
        found["Twins"] = [key for key in _TWINS if sidecar.get(key) is None]
    return {part: keys for part, keys in found.items() if keys}


def complaint(label: str, missing: Mapping[str, list[str]]) -> str:
    """Say in one sentence what is not shown, and what to do about it.

    Parameters
    ----------
    missing : mapping
        From `lacking`.
    """
    parts = listed([f"'{part}' (without {', '.join(keys)})" for part, keys in missing.items()])
    return (
        f"{label}: what the results record of {parts} has the form of another version and is not "
        "shown; run the same analysis again with --overwrite always."
    )


def readable(record: Unit) -> Unit:
    """Return a unit without the parts of its results that pages cannot show, with notes on them."""
    methods, notes = {}, []
    for name, method in record.methods.items():
        missing = lacking(method.sidecar)
        for table, columns in _COLUMNS.items():
            if table in method.tables:
                absent = [c for c in columns if c not in method.tables[table]]
                missing |= {table: absent} if absent else {}
        methods[name] = _without(method, missing)
        if missing:
            notes.append(complaint(method_label(name, method.sidecar), missing))
    if not notes:
        return record
    about = {**record.sidecar, "Notes": [*record.sidecar.get("Notes", ()), *notes]}
    return replace(record, methods=methods, sidecar=about)


def _without(method: CausalGraph, missing: Mapping[str, list[str]]) -> CausalGraph:
    parts = set(missing) | {p for p, t in _OF.items() if t in missing}
    tables = set(missing) | {_OF[p] for p in parts if p in _OF}
    if not parts:
        return method
    return replace(
        method,
        sidecar={key: value for key, value in method.sidecar.items() if key not in parts},
        tables={name: method.tables[name] for name in method.tables if name not in tables},
    )


def _has(part: Any, key: str) -> bool:
    """Check whether a part has a key; a dot leads to a key of a part of it."""
    for name in key.split("."):
        if not isinstance(part, Mapping) or name not in part:
            return False
        part = part[name]
    return True
