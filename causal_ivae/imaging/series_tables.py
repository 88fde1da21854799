"""Read tables of region time series, whatever their format, and check that they are some.

Rows are volumes and columns are regions.  In tables with a header two columns are not regions:
``run`` splits the rows into runs, and ``segment`` labels the rows if `segments.by` is ``task``
(instead of an events file).  Tables without a header take their names from the list ``Regions`` or
``Columns`` of the JSON file beside them, from the column ``name`` of ``<stem>_nodeindices.tsv``,
from a variable ``names`` in the same file, or from the atlas.  Variables ``run`` and ``segment`` of
arrays, with an entry for every row, serve as the columns of these names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.arrays import constant_columns, is_number
from causal_ivae.errors import InputError
from causal_ivae.given_files import is_given, read_json_object, require_file
from causal_ivae.imaging.file_names import find_sidecar, split_name
from causal_ivae.imaging.not_series import (
    check_orientation,
    check_width,
    is_ramp,
    refuse_correlations,
)
from causal_ivae.imaging.readers import TABLE_ENDINGS, Content, reader_of
from causal_ivae.imaging.table_names import (
    chosen_columns,
    fit_names,
    names_beside,
    of_atlas,
    of_labels,
)
from causal_ivae.settings import TableSettings
from causal_ivae.settings.input import LONGEST_TR, SHORTEST_TR

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
    labelled: Mapping[int, str] | None = None,
    key: str | None = None,
) -> TableRun:
    """Read one table of region time series.

    Parameters
    ----------
    root : pathlib.Path or None
        Highest folder whose JSON files apply to the table; None for the table's own folder.
    regions : sequence of str or None
        Regions to keep, in this order; the other columns may hold anything.
    unnamed : sequence of str or None
        Names for columns without names, used if there are as many.
    labelled : mapping of int to str, or None
        Names for columns that are called by the values of an atlas's labels.
    key : str or None
        Dataset of an HDF5 file that holds many.

    Raises
    ------
    InputError
        If the file is not a table of finite, varying numbers with distinct region names; the
        message names the file and, where it applies, the column and the row.
    SettingsError
        If a region or the variable of ``tables.mat_key`` is not in the file.
    """
    require_file(path)
    read = reader_of(path)
    if read is None:
        raise InputError(f"'{path}' is no table that can be read: {', '.join(TABLE_ENDINGS)}.")
    root = root or path.parent
    sidecar_path, sidecar = _sidecar(path, root)
    content = read(path, settings, key)
    tr, notes = _repetition_time(path, sidecar_path, sidecar, settings, content.tr)
    notes += content.notes
    if content.header is None:
        if settings.rows == "regions":
            content = Content(content.table.T.reset_index(drop=True), names=content.names)
        table, runs, labels = content.table, content.runs, content.labels
        check_width(path, table.shape[1])
        _refuse_correlations(path, table)
        given = names_beside(path, sidecar_path, sidecar, root) or content.names
        if given is None and unnamed is not None:
            given = of_atlas(path, table.shape[1], unnamed)
            notes += (f"The columns of '{path.name}' have no names; they take the atlas's.",)
        if settings.rows is None and not content.rows_are_volumes:
            check_orientation(path, table.shape[0], table.shape[1], given)
        names = fit_names(path, table.shape[1], given)
    else:
        table, names = content.table, content.header
        extra = {
            name: tuple(table[column].map(_text).str.strip())
            for column, name in enumerate(names)
            if name in ("run", "segment")
        }
        runs, labels = extra.get("run"), extra.get("segment")
        kept = [column for column, name in enumerate(names) if name not in extra]
        table = table[kept].set_axis(range(len(kept)), axis=1)
        names = tuple(names[column] for column in kept)
    ramps = [column for column in range(table.shape[1]) if _rises_evenly(table[column])]
    notes += tuple(
        f"The column '{names[c] or c + 1}' of '{path.name}' rises evenly, as a clock or a row "
        "number does, and was left out."
        for c in ramps
    )
    regional = [column for column in range(table.shape[1]) if column not in ramps]
    names = tuple(names[column] for column in regional)
    if labelled is not None:
        names = of_labels(names, labelled)
    chosen = chosen_columns(path, names, regions)
    names = tuple(names[c] for c in chosen)
    values = np.empty((len(table), len(chosen)))
    for position, place in enumerate(chosen):
        column = table[regional[place]]
        values[:, position] = _numbers(path, names[position], column, content.skipped)
    refuse_correlations(path, values)
    _check(path, values, names)
    scale = sidecar.get("RegionScale") or {}
    # Series that this program wrote go back to the unit that they had before they were scaled.
    values = values * [float(scale.get(name, 1.0)) for name in names]
    simulated = bool(sidecar.get("Simulated", False))
    return TableRun(values, names, tr, runs, labels, notes, simulated)


def _refuse_correlations(path: Path, table: pd.DataFrame) -> None:
    if all(pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes):
        refuse_correlations(path, table.to_numpy(dtype=np.float64))


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
    path: Path,
    where: Path | None,
    sidecar: Mapping[str, Any],
    settings: TableSettings,
    own: float | None,
) -> tuple[float, tuple[str, ...]]:
    if "RepetitionTime" in sidecar:
        return check_repetition_time(sidecar["RepetitionTime"], str(where)), ()
    if "SamplingFrequency" in sidecar:
        rate = check_repetition_time(sidecar["SamplingFrequency"], str(where), "SamplingFrequency")
        return 1.0 / rate, ()
    if own is not None:
        return own, ()
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


def _rises_evenly(column: "pd.Series[Any]") -> bool:
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == bool:
        return False
    return is_ramp(column.to_numpy(dtype=np.float64))


def _text(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    # pandas reads a column of integers with gaps as floats, so that run 1 appears as 1.0.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _numbers(path: Path, name: str, column: "pd.Series[Any]", skipped: int) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
        return np.asarray(column, dtype=np.float64)
    for row, value in enumerate(column):
        if isinstance(value, bool) or not (pd.isna(value) or is_number(str(value))):
            raise InputError(
                f"'{path}', column '{name}', row {row + 1} (line {skipped + row + 1}): "
                f"'{value}' is not a number. Write numbers with a decimal point, and remove "
                "columns that are not regions."
            )
    return np.asarray(column.astype(float), dtype=np.float64)


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
