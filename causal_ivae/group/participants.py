"""Find and read ``participants.tsv``, the BIDS table of what is known about the subjects."""

import csv
import warnings
from pathlib import Path

import pandas as pd
from pandas.errors import ParserWarning

from causal_ivae.errors import InputError

PARTICIPANTS = "participants.tsv"
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
