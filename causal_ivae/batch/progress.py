"""What the user sees while subjects run: a bar on a terminal, plain lines elsewhere."""

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Display(Protocol):
    """Shows how far a batch is."""

    def phase(self, title: str, total: int) -> None:
        """Begin a phase of `total` pieces of work."""
        ...

    def stage(self, name: str, stage: str, share: float) -> None:
        """Show that a piece is in a stage of which `share` is done."""
        ...

    def finished(self, name: str, line: str) -> None:
        """Show that a piece is finished, with one line about it."""
        ...

    def note(self, line: str) -> None:
        """Show a line about the run."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Silent:
    """Shows nothing; for use from Python."""

    def phase(self, title: str, total: int) -> None:
        """Show nothing."""

    def stage(self, name: str, stage: str, share: float) -> None:
        """Show nothing."""

    def finished(self, name: str, line: str) -> None:
        """Show nothing."""

    def note(self, line: str) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Lines(Silent):
    """One line per finished piece; with `verbose` one per stage too.

    Parameters
    ----------
    stream : file, optional
        Standard error by default, so that results on standard output can be piped.
    verbose : bool
    """

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._verbose = verbose
        self._stages: dict[str, str] = {}
        self._total = self._done = 0
        self._title = ""

    def phase(self, title: str, total: int) -> None:
        """Begin a phase."""
        self._title, self._total, self._done = title, total, 0
        self._stages.clear()

    def stage(self, name: str, stage: str, share: float) -> None:  # noqa: ARG002
        """Print a stage once, when verbose."""
        if self._verbose and self._stages.get(name) != stage:
            self._stages[name] = stage
            print(f"{name}: {stage}", file=self._stream, flush=True)

    def finished(self, name: str, line: str) -> None:
        """Print one line."""
        self._done += 1
        print(
            f"{self._title} {self._done}/{self._total}: {name} {line}",
            file=self._stream,
            flush=True,
        )

    def note(self, line: str) -> None:
        """Print the line."""
        print(line, file=self._stream, flush=True)


class Bars(Silent):
    """One bar over all pieces and one per running piece, on a terminal.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            # The share done is in proportion to time, so the whole run tells best.
            speed_estimate_period=24 * 3600.0,
        )
        self._overall: TaskID | None = None
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def phase(self, title: str, total: int) -> None:
        """Begin a phase with a bar of its own."""
        self._clear()
        self._overall = self._progress.add_task(f"[bold]{title}", total=total)

    def stage(self, name: str, stage: str, share: float) -> None:
        """Move the bar of one piece."""
        if name not in self._running:
            self._running[name] = self._progress.add_task(name, total=100)
        self._progress.update(
            self._running[name], description=f"  {name}  {stage}", completed=round(100 * share)
        )

    def finished(self, name: str, line: str) -> None:
        """Replace the bar of one piece by a line, and move the bar over all."""
        if name in self._running:
            self._progress.remove_task(self._running.pop(name))
        self._progress.console.print(f"{name} {line}", markup=False, highlight=False)
        if self._overall is not None:
            self._progress.advance(self._overall)

    def note(self, line: str) -> None:
        """Print the line above the bars."""
        self._progress.console.print(line, markup=False, highlight=False)

    def _clear(self) -> None:
        while self._running:
            self._progress.remove_task(self._running.popitem()[1])


def display(*, verbose: bool = False) -> Display:
    """Return bars where standard error is a terminal, else lines."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines(verbose=verbose)
