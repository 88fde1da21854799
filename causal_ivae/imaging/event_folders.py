"""Read events that stand in a folder of texts, one for each condition, as the HCP leaves them."""

from pathlib import Path

import numpy as np

from causal_ivae.errors import InputError

_FOLDER = "EVs"


def event_folder(series: Path) -> Path | None:
    """Return the folder ``EVs`` beside a run's series; None if there is none."""
    folder = series.parent / _FOLDER
    return folder if folder.is_dir() else None


def event_files(events: Path) -> list[Path]:
    """Return the files that hold the events: the file itself, or the texts of the folder."""
    return sorted(events.glob("*.txt")) if events.is_dir() else [events]


def read_event_folder(folder: Path) -> list[tuple[float, float, str]]:
    """Return onset (s), duration (s) and the file's name without ending of all events.

    The texts have FSL's three columns: onset, duration and height.  Others, such as the time of
    the first trigger, and empty ones are no events.

    Raises
    ------
    InputError
        If a text does not hold numbers, or none has three columns.
    """
    events = []
    for path in event_files(folder):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if line]
        if not lines or any(len(line) != 3 for line in lines):
            continue
        try:
            numbers = np.array(lines, dtype=np.float64)
        except ValueError as error:
            raise InputError(f"The events '{path}' cannot be read: {error}.") from error
        events += [(float(row[0]), float(row[1]), path.stem) for row in numbers]
    if not events:
        raise InputError(
            f"No text in '{folder}' has three columns (onset and duration in s, height)."
        )
    return sorted(events)
