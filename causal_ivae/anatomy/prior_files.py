"""Read anatomical priors from tables of projections or structural connectivity matrices."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from causal_ivae.anatomy.prior_matrices import (
    check_names,
    matrix_of_array,
    matrix_of_table,
    names_of_rows,
    prior_from_matrix,
)
from causal_ivae.anatomy.verdicts import Prior, Projection
from causal_ivae.arrays import is_number
from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.given_files import is_given, read_json_object, read_text
from causal_ivae.settings import PriorSettings, resources

_TABLES = (".tsv", ".csv")
_ARRAYS = (".npy", ".mat")


def load_prior(settings: PriorSettings) -> Prior | None:
    """Read the prior that the settings name.

    Parameters
    ----------
    settings : PriorSettings
        ``name`` is a bundled prior or one of these files:

        - a table of projections (.tsv, .csv) with the columns ``cause`` and ``effect`` and
          optionally ``disputed`` (0 or 1), ``citation`` (keys joined with ``;``) and ``remark``; a
          .json of the same stem may give ``names``, ``aliases`` (region to list), ``references``,
          ``directed``, ``name`` and ``description``;
        - structural connectivity with names (.tsv, .csv): a square matrix with the region names in
          its header and optionally in its first column;
        - structural connectivity without names (.npy, .mat, or .tsv and .csv of numbers): a .json
          of the same stem gives the ``names`` of the rows and, if a .mat file holds several
          variables, the ``key`` of the matrix.

    Returns
    -------
    Prior or None
        None if no prior is named.

    Raises
    ------
    SettingsError
        If the name is unknown, or the threshold is missing for a matrix or given for a table.
    InputError
        If the file cannot be read or its content is not valid; the message names the file.
    """
    if settings.name is None:
        return None
    path = resources.find("priors", settings.name)
    if path.suffix == ".json":
        path = _beside(path)
    sidecar = _sidecar(path.with_suffix(".json"))
    weights: ArrayLike
    if path.suffix in _TABLES:
        header, rows = _table(path)
        if {"cause", "effect"} <= set(header):
            if settings.threshold is not None:
                raise SettingsError(
                    f"'prior.threshold' is {settings.threshold:g} but '{path}' is a table of "
                    "projections, not structural connectivity; set the threshold to null."
                )
            return _from_table(path, header, rows, sidecar, settings.include_disputed)
        # The first line of a matrix without names is a row of numbers, not a header.
        if len(header) == len(rows) + 1 and all(is_number(cell) for cell in header):
            names, weights = names_of_rows(path, sidecar), np.array([header, *rows], dtype=float)
        else:
            names, weights = matrix_of_table(path, header, rows)
    elif path.suffix in _ARRAYS:
        names, weights = matrix_of_array(path, sidecar)
    else:
        raise SettingsError(
            f"The prior '{path}' must be a .tsv, .csv, .npy, .mat or .json file, "
            f"not '{path.suffix}'."
        )
    return prior_from_matrix(
        weights, names, threshold=settings.threshold, name=path.stem, where=f"'{path}'"
    )


def _beside(path: Path) -> Path:
    for suffix in (*_TABLES, *_ARRAYS):
        if path.with_suffix(suffix).is_file():
            return path.with_suffix(suffix)
    raise InputError(
        f"'{path}' describes a prior, but '{path.stem}.tsv', its table of projections, is not "
        "beside it."
    )


def _sidecar(path: Path) -> dict[str, Any]:
    return read_json_object(path, "The description of the prior") if is_given(path) else {}


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    text = read_text(path, "The prior")
    lines = [line for line in text.splitlines() if line.strip()]
    cells = list(csv.reader(lines, delimiter="\t" if path.suffix == ".tsv" else ","))
    rows = [[cell.strip() for cell in row] for row in cells]
    if len(rows) < 2:
        raise InputError(f"'{path}' needs a header and at least one row, but has {len(rows)} rows.")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"'{path}', row {number} has {len(row)} cells but the header has {len(rows[0])}."
            )
    return rows[0], rows[1:]


def _from_table(
    path: Path,
    header: list[str],
    rows: list[list[str]],
    sidecar: dict[str, Any],
    include_disputed: bool,
) -> Prior:
    where = f"'{path}'"
    projections: dict[tuple[str, str], Projection] = {}
    for number, cells in enumerate(rows, start=1):
        row = dict(zip(header, cells, strict=True))
        projection = _projection(row, f"{where}, row {number}")
        key = (projection.cause, projection.effect)
        if key in projections:
            raise InputError(f"{where}, row {number} repeats the projection {key[0]} -> {key[1]}.")
        projections[key] = projection
    directed = bool(sidecar.get("directed", True))
    if not directed:
        for (cause, effect), p in list(projections.items()):
            projections.setdefault(
                (effect, cause), Projection(effect, cause, p.disputed, p.citations, p.remark)
            )
    kept = tuple(p for p in projections.values() if include_disputed or not p.disputed)
    if not kept:
        raise SettingsError(
            f"Every projection of {where} is disputed; set 'prior.include_disputed' to true."
        )
    named = dict.fromkeys(region for pair in projections for region in pair)
    names = tuple(sidecar.get("names", named))
    check_names(names, f"'{path.with_suffix('.json')}'" if "names" in sidecar else where)
    for region in named:
        if region not in names:
            raise InputError(
                f"{where} names the region '{region}', which the 'names' of "
                f"'{path.with_suffix('.json').name}' lack. {nearest(region, names)}"
            )
    return Prior(
        name=str(sidecar.get("name", path.stem)),
        names=names,
        projections=kept,
        directed=directed,
        aliases=_aliases(sidecar, names, path),
        references=_references(sidecar, path),
        description=str(sidecar.get("description", "")),
        rows=_rows(sidecar, names, path),
    )


def _rows(sidecar: dict[str, Any], names: Sequence[str], path: Path) -> tuple[tuple[str, ...], ...]:
    rows = sidecar.get("rows", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise InputError(
            f"'rows' of '{path.with_suffix('.json')}' must be a list of lists of regions."
        )
    placed = [region for row in rows for region in row]
    for index, region in enumerate(placed):
        if region not in names or region in placed[:index]:
            wrong = "is no region of the prior" if region not in names else "is placed twice"
            raise InputError(
                f"'rows' of '{path.with_suffix('.json')}' name '{region}', which {wrong}."
            )
    return tuple(tuple(row) for row in rows)


def _projection(row: dict[str, str], where: str) -> Projection:
    cause, effect = row["cause"], row["effect"]
    if not cause or not effect:
        raise InputError(f"{where} lacks a cause or an effect.")
    if cause == effect:
        raise InputError(f"{where} is a projection of '{cause}' to itself; remove it.")
    disputed = row.get("disputed", "0")
    if disputed not in ("0", "1"):
        raise InputError(f"{where}: 'disputed' must be 0 or 1, but is '{disputed}'.")
    keys = (key.strip() for key in row.get("citation", "").split(";"))
    return Projection(
        cause, effect, disputed == "1", tuple(filter(None, keys)), row.get("remark", "")
    )


def _aliases(
    sidecar: dict[str, Any], names: Sequence[str], path: Path
) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for region, aliases in _object(sidecar, "aliases", path).items():
        if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
            raise InputError(
                f"'{path.with_suffix('.json')}': the aliases of '{region}' must be a list of names."
            )
        if region not in names:
            raise InputError(
                f"'{path.with_suffix('.json')}' has aliases of '{region}', which is not a region "
                f"of the prior. {nearest(region, names)}"
            )
        for alias in aliases:
            if found.setdefault(alias.casefold(), region) != region:
                raise InputError(
                    f"'{path.with_suffix('.json')}': the alias '{alias}' stands for both "
                    f"'{found[alias.casefold()]}' and '{region}'."
                )
    return tuple(found.items())


def _references(sidecar: dict[str, Any], path: Path) -> tuple[tuple[str, str], ...]:
    works = []
    for key, work in _object(sidecar, "references", path).items():
        if not isinstance(work, dict) or not isinstance(work.get("text"), str):
            raise InputError(
                f"'{path.with_suffix('.json')}': the reference '{key}' needs a 'text' and may "
                "have a 'doi'."
            )
        doi = work.get("doi")
        works.append((key, f"{work['text']} doi:{doi}" if doi else work["text"]))
    return tuple(works)


def _object(sidecar: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = sidecar.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"'{path.with_suffix('.json')}': '{key}' must be a JSON object.")
    return value
