"""Count the files that a piece of code opens, as Python's audit hook sees them."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_counters: list[Counter[Path]] = []


def _hook(event: str, args: tuple) -> None:
    # An audit hook stays until the process ends; without a counter it does nothing.
    if not _counters or event != "open" or not isinstance(args[0], str | bytes | os.PathLike):
        return
    path, _, flags = args
    if not flags & (os.O_WRONLY | os.O_RDWR):
        for counter in _counters:
            counter[Path(os.fsdecode(path))] += 1


sys.addaudithook(_hook)


@contextmanager
def opened_files() -> Iterator[Counter[Path]]:
    """Count how often each file is opened for reading in this process meanwhile."""
    counter: Counter[Path] = Counter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)
