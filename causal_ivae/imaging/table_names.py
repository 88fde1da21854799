"""Find the names of a table's columns: in the file, in files beside it, or in the atlas."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from causal_ivae.derivatives.names import refuse_missing_name
from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas import find_regions
from causal_ivae.imaging.file_names import parse_entities, split_name


def names_beside(
    path: Path, where: Path | None, sidecar: Mapping[str, Any], root: Path
) -> tuple[str, ...] | None:
    """Return the names that files beside a table give to its columns, or None.

    These are a list ``Regions`` or ``Columns`` in its JSON file, the column ``name`` of
    ``<stem>_nodeindices.tsv``, or the table of the atlas that the file name mentions
    (``atlas-<label>_dseg.tsv`` in the same folder or above it).

    Parameters
    ----------
    where : pathlib.Path or None
        The JSON file.
    sidecar : mapping
        Its content.
    root : pathlib.Path
        Highest folder that is searched.
    """
    for key in ("Regions", "Columns"):
        if key in sidecar:
            names = sidecar[key]
            if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                raise InputError(f"'{key}' in '{where}' must be a list of region names.")
            return tuple(names)
    stem = split_name(path.name)[0]
    for candidate in (
        path.with_name(f"{stem}_nodeindices.tsv"),
        path.with_name(f"{stem.rsplit('_', 1)[0]}_nodeindices.tsv"),
    ):
        if candidate.is_file():
            table = pd.read_csv(candidate, sep="\t", dtype=str, keep_default_na=False)
            if "name" not in table:
                raise InputError(f"'{candidate}' has no column 'name'.")
            return tuple(table["name"])
    entities = parse_entities(path.name)
    label = entities.get("atlas") or entities.get("seg")
    return None if label is None else _of_atlas_table(path, label, root)


def _of_atlas_table(path: Path, label: str, root: Path) -> tuple[str, ...] | None:
    from causal_ivae.imaging.atlas_tables import read_regions

    table = atlas_table(path.parent, label, root)
    if table is None:
        return None
    regions = read_regions(table)
    kept = regions if "index" not in regions else regions[regions["index"].str.strip() != "0"]
    return tuple(kept["name"])


def atlas_table(folder: Path, label: str, root: Path) -> Path | None:
    """Return the table of an atlas's regions in a folder of results, or None.

    XCP-D keeps it at ``atlases/atlas-<label>/atlas-<label>_dseg.tsv``; other programs put it beside
    the series or above them.
    """
    places = [folder, *(p for p in folder.parents if p == root or root in p.parents)]
    for place in (p for base in places for p in (base, base / "atlases" / f"atlas-{label}")):
        for start in (f"atlas-{label}", f"seg-{label}"):
            found = sorted(place.glob(f"*{start}*_dseg.tsv"))
            found = [f for f in found if parse_entities(f.name).get(start.split("-")[0]) == label]
            found += [f for f in (place / f"{start}.tsv", place / f"{start}_labels.tsv")
                      if f.is_file()]  # fmt: skip
            if found:
                return found[0]
    return None


def of_atlas(path: Path, n_columns: int, regions: Sequence[str]) -> tuple[str, ...]:
    """Return the atlas's names for columns that have none."""
    if len(regions) != n_columns:
        raise InputError(
            f"'{path}' has {n_columns} columns without names, but the atlas has "
            f"{len(regions)} regions. Name the columns (a list 'Regions' in the JSON file of the "
            "same name), or choose the atlas that they are from."
        )
    return tuple(regions)


def of_labels(header: Sequence[str], atlas: Mapping[int, str]) -> tuple[str, ...]:
    """Return the atlas's names for columns that are called by the values of its labels."""
    numbers = [int(name) if name.isdecimal() else None for name in header]
    if not numbers or any(number is None or number not in atlas for number in numbers):
        return tuple(header)
    return tuple(atlas[number] for number in numbers if number is not None)


def fit_names(path: Path, n_columns: int, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return as many names as there are columns, numbered ones if none are given."""
    if given is None:
        width = max(2, len(str(n_columns)))
        return tuple(f"region_{i + 1:0{width}d}" for i in range(n_columns))
    if len(given) != n_columns:
        raise InputError(f"'{path}' has {n_columns} columns but {len(given)} region names.")
    return given


def chosen_columns(path: Path, names: Sequence[str], regions: Sequence[str] | None) -> list[int]:
    """Return the columns to read after checking that their names are distinct."""
    relevant = list(names) if regions is None else [n for n in names if n in regions]
    refuse_missing_name(relevant, f"'{path}'")
    blank = next((i for i, name in enumerate(relevant) if not name), None)
    if blank is not None:
        raise InputError(
            f"'{path}', column {blank + 1} has no name; name it, or remove it if it numbers the "
            "rows."
        )
    twice = next((name for name, count in Counter(relevant).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"'{path}' has several columns '{twice}'; region names must differ.")
    if regions is not None:
        return find_regions(regions, names, f"'{path}'")
    if len(names) < 2:
        raise InputError(f"'{path}' has {len(names)} region; at least two are needed.")
    return list(range(len(names)))
