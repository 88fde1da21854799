"""Check and read files that a user gives: ordinary files, with their content, as text or JSON."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causal_ivae.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_POINTERS = (b"/annex/objects/", b"version https://git-lfs.github.com/")
"""Files that git-annex (unlocked) or Git LFS leave in place of content begin like this."""

_SMALL = 1024
"""Pointers have fewer bytes than this."""
_LEAST_PARTS = 3
"""Links are followed to folders with this many parts, the root of the file system included."""
_NOT_FETCHED = (
    "content that is not there; fetch it first (in a DataLad dataset: datalad get; with Git LFS: "
    "git lfs pull)."
)


def require_file(path: Path) -> None:
    """Check that a path is an ordinary file whose content is there.

    Raises
    ------
    InputError
        As `require_ordinary` does, and if it is a pointer to content that was not fetched.
    """
    require_ordinary(path)
    try:
        start = path.read_bytes() if path.stat().st_size < _SMALL else b""
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}.") from error
    if start.startswith(_POINTERS):
        raise InputError(f"'{path}' is a pointer to {_NOT_FETCHED}")


def require_ordinary(path: Path) -> None:
    """Check that a path is an ordinary file, without opening it.

    Raises
    ------
    InputError
        If it does not exist, is a broken link, or is a folder, a pipe or a device, from which a
        program could wait for input for ever.
    """
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"'{path}' is a link to {_NOT_FETCHED}")
        raise InputError(f"There is no file '{path}'.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a pipe or a device"
        raise InputError(f"'{path}' is {what}; give an ordinary file.")


def is_given(path: Path) -> bool:
    """Check whether there is anything of a name, even a broken link, which `require_file` tells."""
    return os.path.lexists(path)


def leads_out(folder: Path, top: Path) -> bool:
    """Check for a link to a folder that holds the input, or to one at the top of the file system.

    To follow it would be to search a whole disk.
    """
    if not folder.is_symlink():
        return False
    real = folder.resolve()
    return len(real.parts) < _LEAST_PARTS or top.resolve().is_relative_to(real)


def read_text(path: Path, what: str) -> str:
    """Read a text in UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    what : str
        How error messages call the file, for instance ``"The sidecar"``.

    Raises
    ------
    InputError
        If it cannot be read; the message names the file.
    """
    require_file(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"no UTF-8 text ({error.reason})"
        raise InputError(f"{what} '{path}' cannot be read: {reason}.") from error


def read_table(path: Path, what: str, **options: Any) -> "pd.DataFrame":
    """Read a table in UTF-8 with pandas.

    Parameters
    ----------
    what : str
        As in `read_text`.
    **options
        For `pandas.read_csv`; cells are separated by tabs unless they say otherwise.

    Raises
    ------
    InputError
        If it cannot be read; the message names the file.
    """
    import pandas as pd

    require_file(path)
    try:
        table: pd.DataFrame = pd.read_csv(path, **{"sep": "\t", "encoding": "utf-8-sig", **options})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{what} '{path}' cannot be read: {error}") from error
    return table


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """Read the object in a JSON file.

    Parameters
    ----------
    what : str
        As in `read_text`.

    Raises
    ------
    InputError
        If it cannot be read, is not JSON or holds something else than an object.
    """
    text = read_text(path, what)
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise InputError(f"{what} '{path}' is nested too deeply to be read.") from error
    except ValueError as error:
        raise InputError(f"{what} '{path}' cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        shown = text.strip()[:40]
        raise InputError(f"{what} '{path}' must hold an object ({{...}}), not {shown}.")
    return content
