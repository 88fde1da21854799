"""What is known of the subjects: ``participants.tsv`` of BIDS."""

import csv
import warnings
from pathlib import Path

import pandas as pd
from pandas.errors import ParserWarning

from causal_ivae.errors import InputError

PARTICIPANTS = "participants.tsv"
# A derivatives folder often lies two below the dataset that has the file.
_FOLDERS_UP = 2


def find_participants(source: Path) -> Path | None:
    """Return ``participants.tsv`` of a dataset or a folder in it; None if there is none.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the input.  The two folders above are looked in too, for derivatives leave it to
        the dataset that they are derived from.
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
        ``participant_id`` as text; other columns as numbers where all that is there are.

    Raises
    ------
    InputError
        If the file cannot be read, or lacks the column ``participant_id``.
    """
    try:
        with warnings.catch_warnings():
            # Of a row with more cells than the header has names.
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
