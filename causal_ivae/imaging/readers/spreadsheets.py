"""Read workbooks (.xlsx) and Parquet files with one table of region time series each."""

from pathlib import Path
from typing import Any

import pandas as pd

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.readers.content import Content
from causal_ivae.settings import TableSettings


def read_workbook(path: Path, settings: TableSettings, _key: str | None) -> Content:
    """Read the only sheet of a workbook, or the one that ``tables.mat_key`` names."""
    _need("openpyxl", path, "excel")
    try:
        sheets: dict[Any, pd.DataFrame] = pd.read_excel(path, sheet_name=None, engine="openpyxl")
    except Exception as error:
        raise InputError(f"'{path}' is no workbook that can be read: {error}") from error
    filled = {str(name): sheet for name, sheet in sheets.items() if not sheet.empty}
    if settings.mat_key is not None:
        if settings.mat_key not in filled:
            raise SettingsError(
                f"'{path}' has no sheet '{settings.mat_key}' (tables.mat_key). Its sheets: "
                f"{', '.join(filled)}."
            )
        filled = {settings.mat_key: filled[settings.mat_key]}
    if len(filled) != 1:
        raise InputError(
            f"'{path}' has {len(filled)} sheets that are not empty ({', '.join(filled)}); name one "
            "with tables.mat_key."
        )
    return _of_frame(next(iter(filled.values())))


def read_parquet(path: Path, _settings: TableSettings, _key: str | None) -> Content:
    """Read a Parquet file, whose columns are regions."""
    _need("pyarrow", path, "parquet")
    try:
        # Its index, if it numbers rows, is no region.
        return _of_frame(pd.read_parquet(path, engine="pyarrow"))
    except Exception as error:
        raise InputError(f"'{path}' is no Parquet file that can be read: {error}") from error


def _of_frame(frame: pd.DataFrame) -> Content:
    header = tuple(str(name).strip() for name in frame.columns)
    # pandas calls a column without a name so.
    header = tuple("" if name.startswith("Unnamed: ") else name for name in header)
    return Content(frame.set_axis(range(len(header)), axis=1).reset_index(drop=True), header)


def _need(package: str, path: Path, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise SettingsError(
            f"'{path}' needs the package {package}: pip install 'causal-ivae[{extra}]', or save "
            "the table as .tsv."
        )
