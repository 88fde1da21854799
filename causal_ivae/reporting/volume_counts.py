"""Count the volumes of a subject that were acquired, kept and analysed."""

from dataclasses import dataclass

import pandas as pd

from causal_ivae.derivatives.units import Unit


@dataclass(frozen=True)
class Volumes:
    """Count volumes.

    Attributes
    ----------
    acquired : int
    kept : int
        Volumes that were not censored.
    analysed : int
        Kept volumes that lie in a segment.  Only these take part in an analysis.
    """

    acquired: int
    kept: int
    analysed: int

    @property
    def sentence(self) -> str:
        """Say how many volumes were kept and analysed."""
        if self.analysed == self.kept:
            return f"Of {self.acquired:,} volumes, {self.kept:,} were kept and analysed."
        return (
            f"Of {self.acquired:,} volumes, {self.kept:,} were kept and {self.analysed:,} were "
            f"analysed; the other {self.kept - self.analysed:,} kept volumes lie in no segment."
        )


def volumes_of(record: Unit) -> Volumes | None:
    """Count the volumes of a unit; None if it has no table of volumes."""
    table = record.outliers
    if table is None:
        return None
    return Volumes(len(table), int((table["kept"] == 1).sum()), int(is_analysed(table).sum()))


def is_analysed(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return for every acquired volume whether it was kept and lies in a segment."""
    return (table["kept"] == 1) & (table["segment"] != "")
