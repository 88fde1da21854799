"""What a benchmark or a figure of the paper writes, and what it prints at the end."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Report:
    """What one command of the laboratory left behind.

    Attributes
    ----------
    text : str
        What is printed at the end; may be empty.
    written : tuple of pathlib.Path
        The files, in the order in which they are named to the user.
    """

    text: str
    written: tuple[Path, ...]
