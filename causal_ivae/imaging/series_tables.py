"""Read tables of region time series: .tsv, .csv, .npy, .npz, .mat and .h5.

Rows are volumes and columns are regions.  In .tsv and .csv files two columns are not regions:
``run`` splits the rows into runs, and ``segment`` labels the rows if `segments.by` is ``task``
(instead of an events file).  Arrays take their names from the list ``Regions`` or ``Columns`` of
the JSON file beside them, or from the column ``name`` of ``<stem>_nodeindices.tsv``, or from a
variable ``names`` in the same file.  Their variables ``run`` and ``segment``, with an entry for
every row, serve as the columns of these names.
"""

import csv
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.arrays import constant_columns
from causal_ivae.derivatives.names import refuse_missing_name
from causal_ivae.errors import InputError
from causal_ivae.given_files import is_given, read_json_object, require_file
from causal_ivae.imaging.array_files import read_array
from causal_ivae.imaging.atlas import find_regions
from causal_ivae.imaging.file_names import find_sidecar, split_name
from causal_ivae.imaging.not_series import (
    check_orientation,
    check_width,
    is_ramp,
    refuse_correlations,
)
from causal_ivae.settings import TableSettings
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR

_MISSING = ("", "n/a", "N/A", "NA", "NaN", "nan", "null")
_USUAL_TR = 2.0
"""Repetition time (s) that is assumed where nobody gives one."""


@dataclass(frozen=True)
class TableRun:
    """Hold the content of one table.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float64
        Values as in the file, times the factor of ``RegionScale`` in the sidecar if it has one.
    names : tuple of str, length n_regions
        Region names.
    tr : float
        Repetition time (s).
    runs : tuple of str, or None
        Run of every row, from the column or variable ``run``.
    labels : tuple of str, or None
        Segment of every row, from the column or variable ``segment``; empty for rows without one.
    notes : tuple of str
        Sentences for the reader.
    simulated : bool
        True if the sidecar says ``"Simulated": true``.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    tr: float
    runs: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    simulated: bool = False


def read_table_run(
    path: Path,
    settings: TableSettings,
    *,
    root: Path | None = None,
    regions: Sequence[str] | None = None,
    unnamed: Sequence[str] | None = None,
) -> TableRun:
    """Read one table of region time series.

    Parameters
    ----------
    path : pathlib.Path
    settings : TableSettings
    root : pathlib.Path or None
        Highest folder whose JSON files apply to the table; None for the table's own folder.
    regions : sequence of str or None
        Regions to keep, in this order; the other columns may hold anything.
    unnamed : sequence of str or None
        Names for an array without names, used if it has as many columns.

    Returns
    -------
    TableRun

    Raises
    ------
    InputError
        If the file is not a table of finite, varying numbers with distinct region names; the
        message names the file and, where it applies, the column and the row.
    SettingsError
        If a region or the variable of ``tables.mat_key`` is not in the file.
    """
    require_file(path)
    sidecar_path, sidecar = _sidecar(path, root or path.parent)
    tr, notes = _repetition_time(path, sidecar_path, sidecar, settings)
    runs: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    extension = split_name(path.name)[1].lower()
    if extension in (".tsv", ".csv"):
        separator = "\t" if extension == ".tsv" else ","
        values, names, extra, ramps = _read_text(path, separator, regions)
        runs, labels = extra.get("run"), extra.get("segment")
    else:
        array = read_array(path, extension, settings.mat_key)
        values, runs, labels = array.values, array.runs, array.labels
        if settings.rows == "regions":
            values, runs, labels = values.T, None, None
        check_width(path, values.shape[1])
        notes += array.notes
        refuse_correlations(path, values)
        given = _names_beside(path, sidecar_path, sidecar) or array.names
        if given is None and unnamed is not None:
            given = _of_atlas(path, values, unnamed)
            notes += (f"The columns of '{path.name}' have no names; they take the atlas's.",)
        if settings.rows is None:
            check_orientation(path, values.shape[0], values.shape[1], given)
        names = _fit_names(path, values, given)
        regional = [i for i, column in enumerate(values.T) if not is_ramp(column)]
        ramps = [name for i, name in enumerate(names) if i not in regional]
        values, names = values[:, regional], tuple(names[i] for i in regional)
        chosen = _chosen(path, names, regions)
        values, names = values[:, chosen], tuple(names[c] for c in chosen)
    notes += tuple(
        f"The column '{name}' of '{path.name}' rises evenly, as a clock or a row number does, and "
        "was left out."
        for name in ramps
    )
    refuse_correlations(path, values)
    _check(path, values, names)
    scale = sidecar.get("RegionScale") or {}
    # Series that this program wrote go back to the unit that they had before they were scaled.
    values = values * [float(scale.get(name, 1.0)) for name in names]
    simulated = bool(sidecar.get("Simulated", False))
    return TableRun(values, names, tr, runs, labels, notes, simulated)


def _of_atlas(path: Path, values: NDArray[np.float64], regions: Sequence[str]) -> tuple[str, ...]:
    """Return the atlas's names for columns that have none."""
    if len(regions) != values.shape[1]:
        raise InputError(
            f"'{path}' has {values.shape[1]} columns without names, but the atlas has "
            f"{len(regions)} regions. Name the columns (a list 'Regions' in the JSON file of the "
            "same name), or choose the atlas that they are from."
        )
    return tuple(regions)


def _chosen(path: Path, names: Sequence[str], regions: Sequence[str] | None) -> list[int]:
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


def _sidecar(path: Path, root: Path) -> tuple[Path | None, dict[str, Any]]:
    stem = split_name(path.name)[0]
    found: Path | None = path.with_name(f"{stem}.json")
    if found is not None and not is_given(found):
        suffix = stem.rsplit("_", 1)[-1]
        found = find_sidecar(path, suffix, ".json", root) if "-" not in suffix else None
    if found is None:
        return None, {}
    return found, read_json_object(found, "The sidecar")


def _repetition_time(
    path: Path, where: Path | None, sidecar: Mapping[str, Any], settings: TableSettings
) -> tuple[float, tuple[str, ...]]:
    if "RepetitionTime" in sidecar:
        return check_repetition_time(sidecar["RepetitionTime"], str(where)), ()
    if "SamplingFrequency" in sidecar:
        rate = check_repetition_time(sidecar["SamplingFrequency"], str(where), "SamplingFrequency")
        return 1.0 / rate, ()
    missing = f"No sidecar gives the repetition time of '{path.name}'"
    if settings.tr is not None:
        return settings.tr, (f"{missing}; it is {settings.tr:g} s by the settings (tables.tr).",)
    return _USUAL_TR, (f"{missing}; {_USUAL_TR:g} s is assumed: give it with --tr.",)


def check_repetition_time(value: object, where: str, key: str = "RepetitionTime") -> float:
    """Return a value as a repetition time or a frequency; raise `InputError` if it is neither."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not SHORTEST_TR <= float(value) <= LONGEST_TR:  # type: ignore[arg-type]
        raise InputError(
            f"{key} in '{where}' is {value!r}; it must be a number in "
            f"{'s' if key == 'RepetitionTime' else 'Hz'}, from {SHORTEST_TR:g} to {LONGEST_TR:g}."
        )
    return float(value)  # type: ignore[arg-type]


def _read_text(
    path: Path, delimiter: str, wanted: Sequence[str] | None
) -> tuple[NDArray[np.float64], tuple[str, ...], dict[str, tuple[str, ...]], list[str]]:
    header, n_first, skipped = _header(path, delimiter)
    if n_first != len(header):
        raise InputError(
            f"'{path}' has {len(header)} names in its header but {n_first} values in its first "
            "row; give every column a name (and no column of row numbers)."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=delimiter,
                header=None,
                names=range(len(header)),
                skiprows=skipped,
                index_col=False,
                na_values=list(_MISSING),
                keep_default_na=False,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"'{path}' is not a table with one value per column: {reason}.") from error
    extra = {
        header[column]: tuple(table[column].map(_text).str.strip())
        for column in range(len(header))
        if header[column] in ("run", "segment")
    }
    columns = [c for c, name in enumerate(header) if name not in extra]
    ramps = [c for c in columns if _rises_evenly(table[c])]
    columns = [c for c in columns if c not in ramps]
    columns = [columns[i] for i in _chosen(path, [header[c] for c in columns], wanted)]
    names = tuple(header[c] for c in columns)
    values = np.empty((len(table), len(columns)))
    for position, column in enumerate(columns):
        values[:, position] = _numbers(path, header[column], table[column], skipped)
    return values, names, extra, [header[c] or str(c + 1) for c in ramps]


def _rises_evenly(column: "pd.Series[Any]") -> bool:
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == bool:
        return False
    return is_ramp(column.to_numpy(dtype=np.float64))


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    # pandas reads a column of integers with gaps as floats, so that run 1 appears as 1.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _header(path: Path, delimiter: str) -> tuple[list[str], int, int]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream, delimiter=delimiter)
            filled = (r for r in rows if any(cell.strip() for cell in r))
            header = next(filled, None)
            skipped, named = rows.line_num, False
            first = next(filled, None)
            while header is not None and _is_comment(header):
                # AFNI and NumPy write the names after a '#', at times below other comments.
                names = [cell.strip().lstrip("# ") for cell in header]
                data = first is not None and not _is_comment(first)
                if data and first is not None and all(_is_number(c) for c in first if c.strip()):
                    header, named = names, True
                    break
                header, skipped = first, rows.line_num
                first = next(filled, None)
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 text: {error.reason}.") from error
    except csv.Error as error:
        raise InputError(f"'{path}' is not a text table: {error}.") from error
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}.") from error
    if header is None:
        raise InputError(f"'{path}' is empty; write the table again.")
    header = [cell.strip() for cell in header]
    check_width(path, len(header))
    if not named and all(_is_number(cell) for cell in header):
        raise InputError(
            f"The first row of '{path}' is all numbers; add a header row with the region names."
        )
    if len(header) == 1:
        kind = "tabs" if delimiter == "\t" else "commas"
        raise InputError(
            f"'{path}' has one column, '{header[0][:60]}'; at least two regions are needed, "
            f"separated by {kind}."
        )
    if first is None:
        raise InputError(f"'{path}' has a header but no rows; write the table again.")
    return header, len(first), skipped


def _is_comment(row: list[str]) -> bool:
    return row[0].lstrip().startswith("#")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: Path, name: str, column: "pd.Series[Any]", skipped: int) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
        return np.asarray(column, dtype=np.float64)
    for row, value in enumerate(column):
        if isinstance(value, bool) or not (pd.isna(value) or _is_number(str(value))):
            raise InputError(
                f"'{path}', column '{name}', row {row + 1} (line {skipped + row + 1}): "
                f"'{value}' is not a number. Write numbers with a decimal point, and remove "
                "columns that are not regions."
            )
    return np.asarray(column.astype(float), dtype=np.float64)


def _names_beside(
    path: Path, where: Path | None, sidecar: Mapping[str, Any]
) -> tuple[str, ...] | None:
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
    return None


def _fit_names(
    path: Path, values: NDArray[np.float64], given: tuple[str, ...] | None
) -> tuple[str, ...]:
    n_columns = values.shape[1]
    if given is None:
        width = max(2, len(str(n_columns)))
        return tuple(f"region_{i + 1:0{width}d}" for i in range(n_columns))
    if len(given) != n_columns:
        raise InputError(f"'{path}' has {n_columns} columns but {len(given)} region names.")
    return given


def _check(path: Path, values: NDArray[np.float64], names: Sequence[str]) -> None:
    # Missing in all regions is a gap, and a region missing throughout was not covered.
    measured = ~np.asarray(np.isnan(values).all(axis=0))
    gap = np.asarray(np.isnan(values[:, measured]).all(axis=1))
    bad = ~np.isfinite(values) & measured & ~gap[:, None]
    if bad.any():
        column = int(np.flatnonzero(bad.any(axis=0))[0])
        row = int(np.flatnonzero(bad[:, column])[0])
        count = int(bad.sum())
        others = f" ({count} such values in all)" if count > 1 else ""
        what = "missing (NaN)" if np.isnan(values[row, column]) else "infinite"
        raise InputError(
            f"'{path}', column '{names[column]}', row {row + 1} is {what}{others}; leave the "
            "column out or fill the gap before."
        )
    if measured.sum() < 2:
        raise InputError(
            f"'{path}' has values in {measured.sum()} of {len(names)} regions; at least two are "
            "needed."
        )
    constant = np.flatnonzero(measured & constant_columns(np.nan_to_num(values[~gap])))
    if constant.size:
        raise InputError(
            f"'{path}', column '{names[constant[0]]}' is constant; leave that region out."
        )
