"""Count the volumes of a subject that were acquired, kept and analysed."""

from dataclasses import dataclass

import pandas as pd

from causal_ivae.derivatives.units import Unit


@dataclass(frozen=True)
class Volumes:
    """Count volumes by what became of them.

    Attributes
    ----------
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


@dataclass(frozen=True)
class SegmentRow:
    """Describe one segment of one run; acquired volumes are counted from 0."""

    name: str
    run: str
    kept: int
    first: int
    last: int


def volumes_of(record: Unit) -> Volumes | None:
    """Count the volumes of a unit; None if it has no table of volumes."""
    table = record.outliers
    if table is None:
        return None
    return Volumes(len(table), int((table["kept"] == 1).sum()), int(is_analysed(table).sum()))


def is_analysed(table: pd.DataFrame) -> "pd.Series[bool]":
    """Return for every acquired volume whether it was kept and lies in a segment."""
    return (table["kept"] == 1) & (table["segment"] != "")


def segment_rows(record: Unit) -> list[SegmentRow]:
    """Return one row per segment and run, in the order of acquisition."""
    if record.outliers is None:
        return []
    used = record.outliers[is_analysed(record.outliers)]
    return [
        SegmentRow(
            name=str(segment),
            run=str(run),
            kept=len(group),
            first=int(group["volume"].min()),
            last=int(group["volume"].max()),
        )
        for (run, segment), group in used.groupby(["run", "segment"], sort=False)
    ]
