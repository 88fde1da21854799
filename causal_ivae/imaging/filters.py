"""Read BIDS filter files in fMRIPrep's format, which choose the runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.given_files import read_json_object

Query = dict[str, tuple[str, ...] | None]
"""Allowed labels by entity; None stands for any label, an empty tuple for no such entity."""

# Filter files use pybids' long entity names instead of the keys in file names.
_ENTITIES = {
    "subject": "sub",
    "session": "ses",
    "task": "task",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "run": "run",
    "echo": "echo",
    "part": "part",
    "chunk": "chunk",
    "space": "space",
    "cohort": "cohort",
    "resolution": "res",
    "density": "den",
    "atlas": "atlas",
    "segmentation": "seg",
    "statistic": "stat",
    "desc": "desc",
}
_IMPLIED = ("datatype", "suffix", "extension")
"""These keys are ignored, since they hold for every file that is considered."""
_OTHER_QUERIES = ("t1w", "t2w", "flair", "fmap", "sbref", "roi", "dwi", "asl", "pet")
"""These queries are ignored, since they choose files that are not used here."""


def load_bids_filter(path: Path) -> dict[str, Any]:
    """Read a filter file, for instance ``{"bold": {"session": ["1"], "task": "rest"}}``.

    Raises
    ------
    InputError
        If the file cannot be read.
    SettingsError
        If it holds an unknown key.
    """
    content = read_json_object(path, "The filter file")
    parse_bids_filter(content, f"'{path}'")
    return content


def parse_bids_filter(content: object, where: str = "the BIDS filter") -> Query:
    """Return the labels that the ``"bold"`` query of a filter allows.

    Parameters
    ----------
    content : mapping or None
        A filter in fMRIPrep's format.  Keys of the query are long (``"session"``) or short
        (``"ses"``) names of entities; values are a label, a list of labels, or null to require the
        entity's absence.
    where : str
        How error messages call the filter.

    Raises
    ------
    SettingsError
        If a key is unknown or a value has another type.
    """
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where} must be an object such as {{'bold': {{'run': 1}}}}.")
    for key in content:
        if key != "bold" and key not in _OTHER_QUERIES:
            raise SettingsError(
                f"Unknown query '{key}' in {where}. {nearest(str(key), ('bold', *_OTHER_QUERIES))}"
            )
    bold = content.get("bold", {})
    if not isinstance(bold, Mapping):
        raise SettingsError(f"'bold' in {where} must be an object, but it is {bold!r}.")
    query: Query = {}
    for key, value in bold.items():
        if key in _IMPLIED or value == "Query.OPTIONAL":
            continue
        short = _ENTITIES.get(key, str(key))
        if short not in _ENTITIES.values():
            raise SettingsError(
                f"Unknown entity '{key}' in 'bold' of {where}. {nearest(str(key), _ENTITIES)}"
            )
        query[short] = _labels(value, key, where)
    return query


def _labels(value: object, key: str, where: str) -> tuple[str, ...] | None:
    if value in ("Query.ANY", "*"):
        return None
    if value is None or value == "Query.NONE":
        return ()
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, str | int) for v in values):
        raise SettingsError(
            f"'{key}' in {where} must be a label or a list of labels, but it is {value!r}."
        )
    return tuple(str(v).removeprefix(f"{_ENTITIES.get(key, key)}-") for v in values)
