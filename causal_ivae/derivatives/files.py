"""Write files so that each is complete under its name or absent, and read them again."""

import errno
import io
import json
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.names import PARTIAL
from causal_ivae.derivatives.tables import columns_of
from causal_ivae.derivatives.vouching import facts
from causal_ivae.errors import NoRoomError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def _room_in(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk into one that names the folder and says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise NoRoomError(
            f"There is no room to write into '{folder}' ({error.strerror}): free space, or raise "
            "the limit, and run the same command again."
        ) from error


def append_line(path: Path, line: str) -> None:
    """Append a line to a log, the only kind of file that is not replaced as a whole."""
    with _room_in(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


def write_text(path: Path, text: str, *, only_changed: bool = False) -> dict[str, Any]:
    """Write a text in the same way as `write_bytes`."""
    return write_bytes(path, text.encode(), only_changed=only_changed)


def write_bytes(path: Path, content: bytes, *, only_changed: bool = False) -> dict[str, Any]:
    """Write a file so that it is either complete under its name or absent.

    Parameters
    ----------
    only_changed : bool
        True to leave a file alone that holds the same already.

    Returns
    -------
    dict
        Size and digest of the file for the sidecar that vouches for it.

    Raises
    ------
    NoRoomError
        If the disk is full.
    """
    if not (only_changed and path.is_file() and path.read_bytes() == content):
        with _room_in(path.parent):
            _replace(path, content)
    return facts(content)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes private files, but outputs should be as readable as the umask allows.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_table(
    path: Path, table: pd.DataFrame, *, header: bool = True, only_changed: bool = False
) -> dict[str, Any]:
    """Write a tab-separated table; what is missing or empty is ``n/a``, as BIDS requires."""
    words = [column for column in table if not pd.api.types.is_numeric_dtype(table[column].dtype)]
    filled = table.assign(**{str(c): table[c].mask(table[c].astype(str) == "") for c in words})
    text = filled.to_csv(
        sep="\t", index=False, header=header, na_rep="n/a", lineterminator="\n", float_format="%.9g"
    )
    return write_text(path, text, only_changed=only_changed)


def write_array(path: Path, values: NDArray[Any]) -> dict[str, Any]:
    """Write an array as NumPy's ``.npy`` without pickling anything."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return write_bytes(path, buffer.getvalue())


def write_json(
    path: Path, content: Mapping[str, Any], *, only_changed: bool = False
) -> dict[str, Any]:
    """Write a JSON file with its keys in their order."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_text(path, text, only_changed=only_changed)


def read_table(path: Path, *, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Read a table written by `write_table`.

    Parameters
    ----------
    path : pathlib.Path
        Path of the table.  The last part of its name tells which columns are text; these are read
        as they were written, with missing values as empty text.
    columns : collection of str, optional
        Columns to read if the table has them; all by default.
    """
    declared = columns_of(path.stem.rpartition("_")[2])
    texts = [name for name, column in declared.items() if column.text]
    table = pd.read_csv(
        path,
        sep="\t",
        usecols=None if columns is None else columns.__contains__,
        dtype=dict.fromkeys(texts, str),
        na_values=["n/a"],
        keep_default_na=False,
    )
    there = [name for name in texts if name in table]
    table[there] = table[there].fillna("")
    return table


def read_whole_table(path: Path, columns: Collection[str]) -> pd.DataFrame | None:
    """Read a table by `read_table`; None if it is missing, damaged or lacks one of the columns."""
    try:
        table = read_table(path)
    except (OSError, ValueError):
        return None
    return table if set(columns) <= set(table) else None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read a JSON file, or return an empty mapping if it is missing or damaged."""
    try:
        content = read_json(path)
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_array(path: Path) -> NDArray[Any] | None:
    """Open an array whose numbers are read when they are used; None if the file is missing."""
    if not path.is_file():
        return None
    # numpy.load opens a file that it maps three times.
    with path.open("rb") as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return mapped
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        return np.memmap(stream, dtype, "r", stream.tell(), shape, "F" if fortran else "C")
