"""Find and read ``participants.tsv``, the BIDS table of what is known about the subjects."""

import csv
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas.errors import ParserWarning

from causal_ivae.errors import InputError
from causal_ivae.given_files import require_file

PARTICIPANTS = "participants.tsv"
EXCLUDE = "exclude"
"""A column with this name says which subjects are left out of the group."""
_YES = {"1", "1.0", "true", "yes", "y"}
_NO = {"0", "0.0", "false", "no", "n", ""}
_WHOLE = re.compile(r"([0-9]+)(?:\.0+)?")
_FOLDERS_UP = 2
"""A derivatives folder often lies two levels below the dataset that has the file."""


def find_participants(source: Path) -> Path | None:
    """Find ``participants.tsv`` of the dataset that a folder belongs to; None if there is none.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the input.  The two folders above it are searched too, since derivatives usually
        leave the file to the dataset that they are derived from.
    """
    here = source.resolve()
    for folder in (here, *here.parents)[: 1 + _FOLDERS_UP]:
        if (folder / PARTICIPANTS).is_file():
            return folder / PARTICIPANTS
    return None


def read_participants(path: Path) -> pd.DataFrame:
    """Read ``participants.tsv``.

    Returns
    -------
    pandas.DataFrame
        ``participant_id`` is text; another column is numeric if all its values are numbers.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks the column ``participant_id``.
    """
    require_file(path)
    try:
        with warnings.catch_warnings():
            # pandas only warns of a row with more cells than the header.
            warnings.simplefilter("error", ParserWarning)
            table = pd.read_csv(
                path,
                sep="\t",
                index_col=False,
                dtype={"participant_id": str},
                na_values=["n/a"],
                quoting=csv.QUOTE_NONE,
                encoding="utf-8-sig",
            )
    except (OSError, ValueError, csv.Error, ParserWarning) as error:
        raise InputError(
            f"'{path}' cannot be read as a table of subjects ({error}): give a tab-separated text "
            "file with a header."
        ) from error
    if "participant_id" not in table:
        raise InputError(
            f"'{path}' lacks the column 'participant_id'; it has "
            f"{', '.join(map(repr, map(str, table.columns))) or 'none'}."
        )
    return table


def says_who_is_excluded(path: Path) -> bool:
    """Check whether a table of participants has the column ``exclude``, by its first line alone."""
    try:
        with path.open("rb") as file:
            header = file.readline()
    except OSError:
        return False
    return EXCLUDE.encode() in header.rstrip(b"\r\n").split(b"\t")


def excluded_participants(path: Path, labels: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the participants that the column ``exclude`` leaves out of the group.

    Parameters
    ----------
    path : pathlib.Path
        ``participants.tsv``.  In the column, 1, true and yes leave a participant out; 0, false, no,
        n/a and an empty cell do not.
    labels : sequence of str
        Subjects of the data without ``sub-``, as which the participants are spelt.

    Returns
    -------
    tuple of str
        Their ids without ``sub-``; none without the column.

    Raises
    ------
    InputError
        If the file cannot be read, the column has another value, or a participant may be several
        subjects of the data.
    """
    table = read_participants(path)
    if EXCLUDE not in table:
        return ()
    said = table[EXCLUDE].map(lambda cell: "" if pd.isna(cell) else str(cell).strip().lower())
    for label, value in zip(table["participant_id"], said, strict=True):
        if value not in _YES | _NO:
            raise InputError(
                f"'{path}' has the value '{value}' in the column '{EXCLUDE}' of '{label}': write 1 "
                "to leave a subject out of the group, and 0 or n/a to keep it."
            )
    given = table["participant_id"].fillna("").astype(str).str.removeprefix("sub-")
    spelt = as_labelled(given.tolist(), labels)
    return tuple(label for label, value in zip(spelt, said, strict=True) if value in _YES)


def as_labelled(given: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Spell subjects as the data do, although a spreadsheet took the zeros from their numbers.

    Parameters
    ----------
    given : sequence of str
        Subjects of ``participants.tsv``, without ``sub-``.
    labels : sequence of str
        Subjects of the data, without ``sub-``.

    Returns
    -------
    list of str
        For each of `given`, the label of the data that is the same text, else the only one that
        is the same whole number (``001`` for ``1``), else the text as it is.

    Raises
    ------
    InputError
        If a number stands for several subjects, of the data or of the table.
    """
    there, taken = set(labels), set(given)
    # What has a row of its own is not looked for among the numbers.
    free = [label for label in labels if label not in taken]
    by_number: dict[int, list[str]] = {}
    for label in free:
        if (number := _number(label)) is not None:
            by_number.setdefault(number, []).append(label)
    found, used = [], dict[str, str]()
    for text in given:
        number = None if text in there else _number(text)
        same = by_number.get(number, []) if number is not None else []
        other = used.get(same[0]) if same else None
        if len(same) > 1 or other is not None:
            rows = f"'{other}' and '{text}'" if other is not None else f"'{text}'"
            spelt = " or ".join(f"'sub-{label}'" for label in same)
            raise InputError(
                f"{PARTICIPANTS} has the subject {rows}, which may be {spelt}: write "
                "participant_id as the data are named."
            )
        if same:
            used[same[0]] = text
        found.append(same[0] if same else text)
    return found


def _number(text: str) -> int | None:
    match = _WHOLE.fullmatch(text)
    return None if match is None else int(match[1])
