"""Read BIDS filter files in fMRIPrep's format, which choose the runs."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.given_files import read_json_object
from causal_ivae.imaging.file_names import short_names

Query = dict[str, tuple[str, ...] | None]
"""Allowed labels by entity, or by ``suffix`` and ``extension``; None stands for any label, an empty
tuple for no such entity."""

_PARTS_OF_NAMES = ("suffix", "extension")
_IMPLIED = ("datatype",)
"""This key is ignored, since it holds for every file that is considered."""
_OTHER_QUERIES = ("t1w", "t2w", "flair", "fmap", "sbref", "roi", "dwi", "asl", "pet")
"""These queries are ignored, since they choose files that are not used here."""
_MISSPELT = 0.75
"""A key that is so similar to the name of an entity is that entity, misspelt."""


def load_bids_filter(path: Path) -> dict[str, Any]:
    """Read a filter file, for instance ``{"bold": {"session": ["1"], "task": "rest"}}``.

    Raises
    ------
    InputError
        If the file cannot be read.
    SettingsError
        If a key is misspelt.
    """
    content = read_json_object(path, "The filter file")
    parse_bids_filter(content, f"'{path}'")
    return content


def parse_bids_filter(content: object, where: str = "the BIDS filter") -> Query:
    """Return what the ``"bold"`` query of a filter allows.

    Parameters
    ----------
    content : mapping or None
        A filter in fMRIPrep's format.  Keys of the query are long (``"session"``) or short
        (``"ses"``) names of entities, whether or not BIDS knows them, ``"suffix"`` or
        ``"extension"``; values are a label, a list of labels, or null to require the entity's
        absence.
    where : str
        How error messages call the filter.

    Raises
    ------
    SettingsError
        If a key is misspelt or a value has another type.
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
        short = _short(str(key), where)
        query[short] = _labels(value, short, where)
    return query


def _short(key: str, where: str) -> str:
    """Return the key in file names of an entity, which need not be one that BIDS knows."""
    known = short_names()
    if key in known:
        return known[key]
    if key in known.values() or key in _PARTS_OF_NAMES:
        return key
    spelt = [*known, *known.values(), *_PARTS_OF_NAMES]
    if not key.isalnum() or get_close_matches(key, spelt, n=1, cutoff=_MISSPELT):
        raise SettingsError(f"Unknown entity '{key}' in 'bold' of {where}. {nearest(key, spelt)}")
    return key


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
    return tuple(str(v).removeprefix(f"{key}-") for v in values)
