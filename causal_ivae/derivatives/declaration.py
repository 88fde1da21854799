"""Define how a table is declared: its file, its columns, and what each column means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Level = Literal["subject", "group", "any", "run"]


@dataclass(frozen=True)
class Column:
    """Describe the content of one column.

    Attributes
    ----------
    meaning : str
        Sentences for the sidecar and the documentation.
    text : bool
        Whether the column holds names or words, which are read as they were written: a region may
        be called ``17`` and a run ``01``.
    optional : bool
        Whether some analyses write the table without it.
    of_cohort : bool
        Whether the pages of a cohort need it of every subject.
    """

    meaning: str
    text: bool = False
    optional: bool = False
    of_cohort: bool = False


@dataclass(frozen=True)
class Table:
    """Describe one kind of table.

    Attributes
    ----------
    name : str
        Last part of its file's name, such as ``"edges"`` of ``sub-01_meas-ivae_edges.tsv``.
    about : str
        What its rows are, as a sentence.
    columns : dict of str to Column
        In the order written; empty where the columns are the regions.
    level : {"subject", "group", "any", "run"}
        Of what it is written: of one fit (of a subject, or of all subjects pooled), of statistics
        over subjects, of both, or of a run of the program.
    by_method : bool
        Whether every method has its own.
    """

    name: str
    about: str
    columns: Mapping[str, Column]
    level: Level = "subject"
    by_method: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns in the order in which they are written."""
        return tuple(self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Return the names of the columns that every analysis writes, in their order."""
        return tuple(name for name, column in self.columns.items() if not column.optional)

    def frame(self, data: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return a table of the columns, in their order.

        Required columns that `data` lacks are missing values; optional ones are left out.
        """
        there = pd.DataFrame(data)
        wanted = [name for name in self.columns if name in self.required or name in there]
        return there.reindex(columns=wanted)
