"""Read and write ``exclude.tsv``, in which readers of the pages leave subjects out of the group.

Its columns are ``participant_id``, ``exclude`` (1 leaves a subject out, 0 keeps it) and ``note``.
`excluded_participants` reads it like ``participants.tsv``; other columns are kept as they are.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from causal_ivae.derivatives.files import write_text
from causal_ivae.derivatives.names import MISSING
from causal_ivae.errors import InputError
from causal_ivae.group.participants import EXCLUDE

RATINGS = "exclude.tsv"
"""The file has this name in the output folder."""
MOST_NOTE = 500
"""A note has at most this many characters."""
Choice = Literal["pass", "exclude", ""]
CHOICES: tuple[str, ...] = get_args(Choice)
_COLUMNS = ("participant_id", EXCLUDE, "note")
_CHOICE_OF: dict[str, Choice] = {"0": "pass", "1": "exclude"}


@dataclass(frozen=True)
class Rating:
    """Hold what a reader said of a subject; an empty choice says nothing."""

    choice: Choice = ""
    note: str = ""


def read_ratings(output: Path) -> dict[str, Rating]:
    """Return the ratings in an output folder, by ``sub-<label>``; empty without the file.

    Raises
    ------
    InputError
        If the file cannot be read as such a table.
    """
    header, rows = _read(output / RATINGS)
    place = {name: index for index, name in enumerate(header)}
    found = {}
    for row in rows:
        choice = _CHOICE_OF.get(row[place[EXCLUDE]], "")
        note = row[place["note"]] if "note" in place else ""
        found[_unit(row[place["participant_id"]])] = Rating(choice, "" if note == MISSING else note)
    return found


def write_rating(output: Path, unit: str, rating: Rating) -> None:
    """Write the rating of one subject and leave all others as they are.

    Parameters
    ----------
    output : pathlib.Path
    unit : str
        ``"sub-<label>"``.
    rating : Rating
        One without a choice and a note takes the subject's row away.

    Raises
    ------
    InputError
        If the file that is there cannot be read; it stays as it is.
    """
    header, rows = _read(output / RATINGS)
    header = [*header, *(name for name in _COLUMNS if name not in header)]
    place = {name: index for index, name in enumerate(header)}
    rows = [[*row, *[MISSING] * (len(header) - len(row))] for row in rows]
    old = next((row for row in rows if _unit(row[place["participant_id"]]) == unit), None)
    if not rating.choice and not rating.note:
        rows = [row for row in rows if row is not old]
    else:
        if old is None:
            rows.append(old := [MISSING] * len(header))
        old[place["participant_id"]] = unit
        old[place[EXCLUDE]] = {"pass": "0", "exclude": "1"}.get(rating.choice, MISSING)
        old[place["note"]] = " ".join(rating.note.split())[:MOST_NOTE] or MISSING
    lines = ["\t".join(cells) for cells in [header, *rows]]
    write_text(output / RATINGS, "\n".join(lines) + "\n")


def _unit(participant: str) -> str:
    return f"sub-{participant.removeprefix('sub-')}"


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the file, all as text."""
    if not path.is_file():
        return list(_COLUMNS), []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{path}' cannot be read as a table ({error}).") from error
    header, *rows = lines or [[]]
    rows = [row for row in rows if row]
    if not {"participant_id", EXCLUDE} <= set(header) or any(len(r) != len(header) for r in rows):
        raise InputError(
            f"'{path}' is not a tab-separated table with the columns 'participant_id' and "
            f"'{EXCLUDE}': mend it, or move it away to begin again."
        )
    return header, rows
