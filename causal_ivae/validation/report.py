"""Define what a command of the laboratory returns, without slow imports."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Say = Callable[[str], None]
"""Told in a line what is done."""


@dataclass(frozen=True)
class Report:
    """Hold the results of one command of the laboratory.

    Attributes
    ----------
    text : str
        What is printed at the end; may be empty.
    written : tuple of pathlib.Path
        The files, in the order in which they are named to the user.
    """

    text: str
    written: tuple[Path, ...]
