"""Read text tables: .tsv, .csv (also with semicolons and decimal commas), .txt and AFNI's .1D.

A file may begin with comments (``#``), the last of which may hold the names of the columns, as
those of AFNI, C-PAC and NumPy do.  Without a row of names, as fslmeants, DPABI and HALFpipe write
them, the columns stay unnamed here.
"""

import csv
import gzip
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.arrays import is_number
from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file
from causal_ivae.imaging.file_names import split_name
from causal_ivae.imaging.not_series import check_width, is_ramp
from causal_ivae.imaging.readers.content import Content
from causal_ivae.settings import TableSettings

MISSING = ("", "n/a", "N/A", "NA", "NaN", "nan", "null")
_SEPARATORS = {".tsv": "\t", ".tsv.gz": "\t", ".csv": ",;\t"}
"""Characters that may separate cells, by extension; white space does in the other files."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+")
_AFNI_PLACES = {"file", "sub-brick"}
"""3dROIstats begins every row with the name of the image and the number of the volume."""
_AFNI_MEAN = re.compile(r"Mean_(.+)")


@dataclass(frozen=True)
class _Text:
    """Hold the rows of a text table as text.

    ``line`` is the number of lines above the first row of cells that are data.
    """

    header: list[str] | None
    first: list[str]
    separator: str | None
    line: int


def read_text_table(path: Path, _settings: TableSettings, _key: str | None) -> Content:
    """Read a text table, and find out how its cells are separated and whether it has a header."""
    text = _decoded(path)
    extension = split_name(path.name)[1].lower()
    layout = _layout(path, text, _SEPARATORS.get(extension))
    notes: list[str] = []
    header, n_cells = layout.header, len(layout.first)
    check_width(path, n_cells)
    if header is not None and len(header) + 1 == n_cells:
        # R writes row names below a header that has none for them.
        header = ["", *header]
    if header is not None and len(header) != n_cells:
        raise InputError(
            f"'{path}' has {len(header)} names in its header but {n_cells} values in its first "
            "row; give every column a name (and no column of row numbers)."
        )
    table = _parsed(path, text, layout, n_cells)
    if len(header or ()) != len(layout.header or ()):
        _require_row_names(path, table[0], layout)
    of_afni = header is not None and {name.lower() for name in header} >= _AFNI_PLACES
    if header is not None and of_afni:
        table, header = _means_of_afni(table, header)
    elif header is not None and _is_row_names(header[0], table[0]):
        table, header = table.drop(columns=0), header[1:]
    table = table.set_axis(range(table.shape[1]), axis=1)
    converted = [c for c in table if _has_decimal_commas(table[c])]
    if converted:
        for column in converted:
            table[column] = pd.to_numeric(table[column].str.replace(",", ".", regex=False))
        notes.append(f"The numbers of '{path.name}' have decimal commas.")
    names = None if header is None or (_only_counts(header) and not of_afni) else tuple(header)
    # A row that counts columns has volumes below it, and so have the texts of FSL and AFNI.
    known = header is not None or extension not in _SEPARATORS
    return Content(table, names, rows_are_volumes=known, skipped=layout.line, notes=tuple(notes))


def _decoded(path: Path) -> str:
    require_file(path)
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 text: {error.reason}.") from error
    except (OSError, EOFError) as error:
        raise InputError(f"'{path}' cannot be read: {error}.") from error


def _layout(path: Path, text: str, separators: str | None) -> _Text:
    """Find the header, the first row of data, and what separates cells."""
    lines = StringIO(text, newline="")
    comment: str | None = None
    skipped = 0
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            break
        skipped += line.count("\n") or 1
        comment = line if line.strip() else comment
    else:
        if comment is not None and separators is not None:
            raise InputError(f"'{path}' has a header but no rows; write the table again.")
        raise InputError(f"'{path}' is empty; write the table again.")
    separator = _separator(line, separators)
    rows = _rows(path, text, separator, skipped)
    first, line_number = next(rows)
    second = next(rows, None)
    if comment is not None and all(_is_number(cell) for cell in first):
        names = _cells(comment.strip(), separator)
        names = [name.strip().lstrip("# ") for name in names]
        names = [name for name in names if name] if separator is None else names
        spaced = comment.strip().lstrip("# ").split()
        fitting = next((found for found in (names, spaced) if len(found) == len(first)), None)
        if fitting is not None:
            return _Text(fitting, first, separator, skipped)
    if _is_header(first, None if second is None else second[0]):
        if len(first) == 1:
            kinds = {"\t": "tabs", ",;\t": "commas", None: "spaces"}
            raise InputError(
                f"'{path}' has one column, '{first[0][:60]}'; at least two regions are needed, "
                f"separated by {kinds[separators]}."
            )
        if second is None:
            raise InputError(f"'{path}' has a header but no rows; write the table again.")
        return _Text(first, second[0], separator, line_number)
    if len(first) == 1:
        raise InputError(f"'{path}' has one column; at least two regions are needed.")
    return _Text(None, first, separator, skipped)


def _separator(line: str, allowed: str | None) -> str | None:
    """Return what separates the cells of a line; None stands for white space."""
    if allowed is None:
        return next((s for s in "\t;," if s in line.strip() and s != "\t"), None)
    if len(allowed) == 1:
        return allowed
    # Semicolons are for tables whose numbers have decimal commas.
    return next((s for s in ";\t" if s in line and (s == ";" or "," not in line)), ",")


def _rows(path: Path, text: str, separator: str | None, skipped: int) -> Any:
    """Yield every row that is not blank, with the number of lines up to its end."""
    stream = StringIO(text, newline="")
    for _ in range(skipped):
        next(stream)
    if separator is None:
        for number, line in enumerate(stream, start=skipped + 1):
            if line.strip():
                yield line.split(), number
        return
    rows = csv.reader(stream, delimiter=separator)
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield [cell.strip() for cell in row], skipped + rows.line_num
    except csv.Error as error:
        raise InputError(f"'{path}' is not a text table: {error}.") from error


def _cells(line: str, separator: str | None) -> list[str]:
    return line.split() if separator is None else line.split(separator)


def _is_number(text: str) -> bool:
    return is_number(text) or _DECIMAL_COMMA.fullmatch(text) is not None


def _is_header(first: Sequence[str], second: Sequence[str] | None) -> bool:
    """Check whether a row names columns: by words, or by numbers of labels above other numbers."""
    filled = [cell for cell in first if cell not in MISSING]
    if not all(_is_number(cell) for cell in filled):
        return True
    if not filled:
        return False
    whole = all(cell.isdecimal() for cell in filled)
    counted = whole and all(int(b) > int(a) for a, b in pairwise(filled))
    if not counted or second is None:
        return False
    # Labels are whole numbers; measurements below them are not.
    return _only_counts(first) or not all(cell.isdecimal() for cell in second)


def _only_counts(header: Sequence[str]) -> bool:
    """Check whether names only count the columns, as pandas writes them for unnamed ones."""
    text = list(header)
    n = len(text)
    return n > 1 and text in ([str(i) for i in range(n)], [str(i + 1) for i in range(n)])


def _parsed(path: Path, text: str, layout: _Text, n_cells: int) -> pd.DataFrame:
    if layout.separator is None:
        how: dict[str, Any] = {"sep": r"\s+"}
    else:
        how = {"sep": layout.separator, "skipinitialspace": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(
                StringIO(text, newline=""),
                header=None,
                names=range(n_cells),
                skiprows=layout.line,
                index_col=False,
                na_values=list(MISSING),
                keep_default_na=False,
                low_memory=False,
                **how,
            )
            return table
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"'{path}' is not a table with one value per column: {reason}.") from error


def _require_row_names(path: Path, column: "pd.Series[Any]", layout: _Text) -> None:
    numbers = pd.api.types.is_numeric_dtype(column.dtype)
    if numbers and is_ramp(column.to_numpy(dtype=np.float64)):
        return
    if not numbers and column.is_unique and not column.isna().any():
        return
    raise InputError(
        f"'{path}' has {len(layout.header or ())} names in its header but {len(layout.first)} "
        "values in its first row; give every column a name (and no column of row numbers)."
    )


def _is_row_names(name: str, column: "pd.Series[Any]") -> bool:
    """Check for a first column without a name whose texts, such as dates, name the rows."""
    text = not pd.api.types.is_numeric_dtype(column.dtype)
    return text and not name and bool(column.is_unique) and not column.isna().any()


def _means_of_afni(table: pd.DataFrame, header: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Keep the means of 3dROIstats, which names them ``Mean_`` and the label."""
    means = {
        column: found.group(1).strip()
        for column, name in enumerate(header)
        if (found := _AFNI_MEAN.fullmatch(name.strip()))
    }
    kept = means or {c: n for c, n in enumerate(header) if n.lower() not in _AFNI_PLACES}
    return table[list(kept)], list(kept.values())


def _has_decimal_commas(column: "pd.Series[Any]") -> bool:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return False
    filled = [str(value).strip() for value in column if not pd.isna(value)]
    return any("," in value for value in filled) and all(
        _DECIMAL_COMMA.fullmatch(value) for value in filled
    )
