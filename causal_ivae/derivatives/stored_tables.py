"""Read the declared tables of a unit from files when they are used, and write them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from causal_ivae.derivatives.files import read_table, write_json, write_table
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.tables import all_tables, columns_of

_MOST_RECENT = 48
"""This many tables are kept in memory: those of one subject by a few methods."""
_MOST_REMEMBERED = 2**20
"""Tables of more bytes than this are read again, since they would fill the memory of workers."""
_RECENT: dict[tuple[Any, ...], pd.DataFrame] = {}
"""The page of a subject, the comparison of methods and the index read the same tables in turn."""


class StoredTables(Mapping[str, pd.DataFrame]):
    """Give the tables of one method, or those of a unit that belong to no method.

    Parameters
    ----------
    method : str, optional
        Method of the tables; by default those that belong to no method.
    of_cohort : bool
        True to read only the columns that the pages of a cohort need.
    """

    def __init__(
        self, paths: UnitPaths, method: str | None = None, *, of_cohort: bool = False
    ) -> None:
        self._files = {
            name: paths.file(f"{name}.tsv", method) for name in table_names(method is not None)
        }
        self._columns: dict[str, list[str]] = {}
        if of_cohort:
            needed = {
                name: [key for key, column in columns_of(name).items() if column.of_cohort]
                for name in self._files
            }
            self._columns = {name: columns for name, columns in needed.items() if columns}
            self._files = {name: self._files[name] for name in self._columns}
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            if not (name in self._files and self._files[name].is_file()):
                raise KeyError(name)
            self._read[name] = _read(self._files[name], self._columns.get(name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, path in self._files.items() if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _read(path: Path, columns: list[str] | None) -> pd.DataFrame:
    """Read a table, or return it from memory if one of the last pages of this process read it."""
    there = path.stat()
    key = (path, there.st_size, there.st_mtime_ns, *(columns or ()))
    if key not in _RECENT:
        table = read_table(path, columns=columns)
        if there.st_size > _MOST_REMEMBERED:
            return table
        _RECENT[key] = table
        if len(_RECENT) > _MOST_RECENT:
            del _RECENT[next(iter(_RECENT))]
    return _RECENT[key]


def sidecar_of(name: str, columns: Iterable[object]) -> dict[str, dict[str, str]]:
    """Return what a BIDS sidecar says of the columns of a table whose file ends in a name."""
    there = set(columns)
    kinds = (table for table in all_tables() if table.name == name)
    kind = max(kinds, key=lambda table: len(there & set(table.columns)))
    return {key: {"Description": kind.columns[key].meaning} for key in kind.columns if key in there}


def table_names(by_method: bool) -> tuple[str, ...]:
    """Return the names of the tables of every method, or of those that a unit has once."""
    kinds = (
        table for table in all_tables() if table.by_method == by_method and table.level != "run"
    )
    return tuple(dict.fromkeys(table.name for table in kinds))


def write_described(
    paths: UnitPaths,
    name: str,
    table: pd.DataFrame,
    method: str | None = None,
    *,
    only_changed: bool = False,
) -> dict[str, Any]:
    """Write a declared table and the BIDS sidecar that describes its columns.

    Parameters
    ----------
    method : str, optional
        None for a table that belongs to no method.
    only_changed : bool
        True to leave files alone that hold the same already, so that they do not become newer than
        the sidecars of other methods that vouch for them.

    Returns
    -------
    dict
        Size and digest of both files by name, for the sidecar that vouches for them.
    """
    values, about = (paths.file(f"{name}.{suffix}", method) for suffix in ("tsv", "json"))
    return {
        values.name: write_table(values, table, only_changed=only_changed),
        about.name: write_json(about, sidecar_of(name, table.columns), only_changed=only_changed),
    }


def remove_table(paths: UnitPaths, name: str, method: str | None = None) -> None:
    """Remove a declared table and, before it, its sidecar if they exist."""
    for suffix in ("json", "tsv"):
        paths.file(f"{name}.{suffix}", method).unlink(missing_ok=True)
