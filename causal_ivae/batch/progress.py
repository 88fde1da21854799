"""Show the progress of subjects, as a live table on a terminal and as plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Display:
    """Show the progress of a batch; this one shows nothing, as from Python."""

    def phase(self, title: str, total: int) -> None:
        """Begin a phase of `total` pieces of work."""

    def stage(self, name: str, stage: str, share: float) -> None:
        """Show that a piece is in a stage of which `share` is done."""

    def started(self, name: str) -> None:
        """Show that a worker has begun with a piece."""

    def finished(self, name: str, line: str, *, failed: bool = False) -> None:
        """Show that a piece is finished, with one line about it."""

    def note(self, line: str) -> None:
        """Show a line about the run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Lines(Display):
    """Print one line per finished piece.

    Parameters
    ----------
    stream : file, optional
        Standard error by default, so that results on standard output can be piped.
    verbose : bool
        True to print one line per stage too.
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
        """Print a stage once if verbose."""
        if self._verbose and self._stages.get(name) != stage:
            self._stages[name] = stage
            print(f"{name}: {stage}", file=self._stream, flush=True)

    def finished(self, name: str, line: str, *, failed: bool = False) -> None:  # noqa: ARG002
        """Print one line about a finished piece."""
        self._done += 1
        print(
            f"{self._title} {self._done}/{self._total}: {name} {line}",
            file=self._stream,
            flush=True,
        )

    def note(self, line: str) -> None:
        """Print the line."""
        print(line, file=self._stream, flush=True)


@dataclass
class Tally:
    """Count the finished pieces of a phase, and estimate the time that the others will take.

    Attributes
    ----------
    total : int
        Number of all pieces.
    running : dict of str to float
        Share of every running piece that is done.
    """

    total: int
    done: int = 0
    failed: int = 0
    running: dict[str, float] = field(default_factory=dict)
    _began: float | None = None
    _worked: int = 0

    def start(self, name: str, now: float) -> None:
        """Count a piece that a worker has begun with at a time (s)."""
        self._began = now if self._began is None else self._began
        self.running.setdefault(name, 0.0)

    def finish(self, name: str, *, failed: bool) -> None:
        """Count a piece that is finished, whether it was run or up to date."""
        self._worked += self.running.pop(name, None) is not None
        self.failed += failed
        self.done += not failed

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time for the rest at the present pace (s); None if it is not known yet."""
        worked = self._worked + sum(self.running.values())
        if self._began is None or worked <= 0:
            return None
        # Pieces that were up to date took no time and do not count for the pace.
        left = self.total - self.done - self.failed - sum(self.running.values())
        return (now - self._began) * max(0.0, left) / worked

    def __str__(self) -> str:
        parts = [f"{self.done} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{len(self.running)} running"] if self.running else []
        return ", ".join(parts)


class _TimeLeft(TimeRemainingColumn):
    """Show the time left for a piece as rich estimates it, and for a phase by its tally."""

    def render(self, task: Task) -> Text:
        tally = task.fields.get("tally")
        if tally is None:
            return super().render(task)
        seconds = tally.seconds_left(time.monotonic())
        left = "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))
        return Text(f"{left} left", style="progress.remaining")


class Bars(Display):
    """Show a live table with a row for the phase and one for every running piece."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=console,
            # The share that is done grows evenly with time, so that the whole run gives the pace.
            speed_estimate_period=24 * 3600.0,
        )
        self._title = ""
        self._tally = Tally(0)
        self._overall: TaskID | None = None
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def phase(self, title: str, total: int) -> None:
        """Begin a phase with its own row."""
        while self._running:
            self._progress.remove_task(self._running.popitem()[1])
        self._title, self._tally = title, Tally(total)
        self._overall = self._progress.add_task("", total=total, tally=self._tally)
        self._count()

    def started(self, name: str) -> None:
        """Add a row for one piece."""
        self._tally.start(name, time.monotonic())
        self._row(name)
        self._count()

    def stage(self, name: str, stage: str, share: float) -> None:
        """Move the bar of one piece."""
        if name in self._tally.running:
            self._tally.running[name] = share
        self._progress.update(
            self._row(name), description=f"  {name}  {stage}", completed=round(100 * share)
        )

    def finished(self, name: str, line: str, *, failed: bool = False) -> None:
        """Replace the row of one piece by a line and count it."""
        if name in self._running:
            self._progress.remove_task(self._running.pop(name))
        self._progress.console.print(f"{name} {line}", markup=False, highlight=False)
        self._tally.finish(name, failed=failed)
        self._count()

    def note(self, line: str) -> None:
        """Print the line above the table."""
        self._progress.console.print(line, markup=False, highlight=False)

    def _row(self, name: str) -> TaskID:
        if name not in self._running:
            self._running[name] = self._progress.add_task(f"  {name}", total=100)
        return self._running[name]

    def _count(self) -> None:
        if self._overall is None:
            return
        tally = self._tally
        finished = tally.done + tally.failed
        text = f"[bold]{self._title} {finished}/{tally.total}[/bold]: {tally}"
        self._progress.update(self._overall, description=text, completed=finished)


def display(*, verbose: bool = False) -> Display:
    """Return a live table if standard error is a terminal, else plain lines."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else Lines(verbose=verbose)
