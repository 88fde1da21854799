"""Name the output files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from causal_ivae.errors import InputError

GROUP = "group"
"""The unit of statistics over subjects."""
POOLED = "pooled"
"""The unit of one fit of all subjects that stands beside the group."""
_UNIT = re.compile(rf"{GROUP}|{POOLED}|sub-[A-Za-z0-9]+")
_ENTITY_KEY = re.compile(r"[A-Za-z]+")
_ENTITY_LABEL = re.compile(r"[A-Za-z0-9+]+(-[A-Za-z0-9+]+)*")
PARTIAL = ".partial"
MISSING = "n/a"
"""Tables hold this in place of a missing value, so that no region can have the name."""


def refuse_missing_name(names: Sequence[str], where: str) -> None:
    """Raise `InputError` if a region is called ``n/a``, which reads as a missing name in tables.

    Parameters
    ----------
    where : str
        How the error message calls what holds the names.
    """
    if MISSING in names:
        raise InputError(
            f"{where} has a region called '{MISSING}', which means a missing value in tables: give "
            "it another name."
        )


def is_subject(name: str) -> bool:
    """Check whether a folder in an output has the name of a subject, ``sub-<label>``."""
    return name.startswith("sub-") and _UNIT.fullmatch(name) is not None


@dataclass(frozen=True)
class UnitPaths:
    """Name the output files of one subject, or of the group.

    Attributes
    ----------
    root : pathlib.Path
        Output folder.
    unit : str
        ``"sub-<label>"``, ``"group"``, or ``"pooled"`` for one fit of all subjects beside it.
    entities : tuple of (str, str)
        BIDS entities after the subject, such as ``(("task", "rest"), ("atlas", "aal2"))``.

    Raises
    ------
    InputError
        If a part is not made of letters and digits: labels come from files, and must not lead a
        path elsewhere.
    """

    root: Path
    unit: str
    entities: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _UNIT.fullmatch(self.unit):
            raise InputError(
                f"'{self.unit}' cannot be the name of an output: 'sub-' and letters or digits are "
                "needed."
            )
        for key, label in self.entities:
            if not (_ENTITY_KEY.fullmatch(key) and _ENTITY_LABEL.fullmatch(label)):
                raise InputError(
                    f"'{key}-{label}' cannot be part of the name of an output of '{self.unit}': "
                    "use letters and digits."
                )

    @property
    def folder(self) -> Path:
        """Return the folder of the unit's files."""
        folder = self.root / self.unit
        return folder / "func" if self.unit.startswith("sub-") else folder

    @property
    def report(self) -> Path:
        """Return the path of the unit's page."""
        return self.root / f"{self.unit}.html"

    @property
    def crash_folder(self) -> Path:
        """Return the folder of the unit's crash files."""
        return self.root / self.unit / "log"

    def figure(self, suffix: str, method: str | None = None) -> Path:
        """Return the path of a figure or a graph file, such as ``figure("graph.dot", "ivae")``."""
        return self.root / self.unit / "figures" / self.file(suffix, method).name

    def file(self, suffix: str, method: str | None = None) -> Path:
        """Return the path of one output, such as ``file("edges.tsv", "ivae")``."""
        parts = [self.unit, *(f"{key}-{value}" for key, value in self.entities)]
        if method is not None:
            parts.append(f"meas-{method}")
        return self.folder / ("_".join(parts) + f"_{suffix}")

    def remove_partial_files(self) -> None:
        """Remove what a program that was killed left half written, under temporary names."""
        for folder, name in (
            (self.folder, ""), (self.crash_folder, ""), (self.root, self.report.name),
        ):  # fmt: skip
            for leftover in folder.glob(f".{name}*{PARTIAL}"):
                leftover.unlink(missing_ok=True)
