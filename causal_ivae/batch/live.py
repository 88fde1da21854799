"""Follow a run while it goes on: who is done, running or failed, and how long the rest takes."""

import platform
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from causal_ivae.batch.overview import (
    methods_run,
    other_pages,
    row_of,
    rows_of_status,
    states_of,
    units_of,
)
from causal_ivae.batch.summaries import summary_of
from causal_ivae.derivatives.files import read_sidecar
from causal_ivae.derivatives.names import UnitPaths, is_subject
from causal_ivae.drawing.wording import count, duration, listed
from causal_ivae.group import Rating, read_ratings, write_rating
from causal_ivae.reporting.index_page import IndexRow, Live, render_index, render_row
from causal_ivae.reporting.subject_summary import SubjectSummary

_WORDS = {"failed": "failed", "running": "running", "not run": "waiting"}


@dataclass(frozen=True)
class Progress:
    """Hold how far the newest run is.

    Attributes
    ----------
    going : bool
        True if its program still runs, as far as this machine can tell.
    states : mapping of str to int
        Number of subjects by state.
    seconds_left : float or None
        Estimated time until the last subject is done (s); None if it is not known.
    """

    going: bool
    states: Mapping[str, int]
    seconds_left: float | None

    @property
    def done(self) -> int:
        """Return the number of subjects that are finished without a failure."""
        return self.states.get("done", 0) + self.states.get("up to date", 0)

    @property
    def total(self) -> int:
        """Return the number of all subjects of the run."""
        return sum(self.states.values())

    @property
    def sentence(self) -> str:
        """Say how far the run is; empty if no run goes on."""
        if not self.going:
            return ""
        parts = [f"{self.done} of {count(self.total, 'subject')} done"]
        parts += [f"{self.states[s]} {word}" for s, word in _WORDS.items() if self.states.get(s)]
        left = self.seconds_left
        time = "time left not known yet" if left is None else f"about {duration(left)} left"
        return f"A run goes on: {listed(parts)}; {time}."


def progress_of(output: Path) -> Progress:
    """Return how far the newest run in an output folder is, from its files."""
    runs = sorted(path.parent for path in (output / "logs").glob("*_*/status.tsv"))
    if not runs:
        return Progress(going=False, states={}, seconds_left=None)
    rows = [row for row in rows_of_status(runs[-1] / "status.tsv") if is_subject(row.unit)]
    states = Counter(row.state for row in rows)
    unfinished = states["running"] + states["not run"]
    going = bool(unfinished) and _is_alive(read_sidecar(runs[-1] / "run.json"))
    took = [row.seconds for row in rows if row.state == "done"]
    left = None
    if took and states["running"]:
        # Those that run are half done on average, and as many go on side by side.
        work = states["not run"] + states["running"] / 2
        left = sum(took) / len(took) * work / states["running"]
    return Progress(going, dict(states), left)


def _is_alive(run: Mapping[str, Any]) -> bool:
    """Check whether the program of a run still runs; one on another machine counts as running."""
    process = run.get("Process")
    if run.get("Host") != platform.node() or not isinstance(process, int):
        return True
    return bool(psutil.pid_exists(process))


class LiveIndex:
    """Keep the index of an output folder up to date while it is looked at."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._known: dict[str, tuple[object, SubjectSummary]] = {}
        self._rows: dict[str, IndexRow] = {}
        self._changed: dict[str, int] = {}
        self._methods: list[str] = []
        self._version = 0

    def page(self) -> str:
        """Return the index, with the number of its version to ask for changes by."""
        with self._lock:
            self._refresh()
            live = Live(progress_of(self._output).sentence, self._version)
            pages = other_pages(self._output)
            return render_index(list(self._rows.values()), self._methods, pages, live=live)

    def changes(self, since: int) -> dict[str, Any]:
        """Return the rows that changed since a version of the index, as HTML, and the progress.

        A page whose columns are no longer right is told to load the index again.
        """
        with self._lock:
            before = self._methods
            self._refresh()
            changed = [unit for unit, version in self._changed.items() if version > since]
            return {
                "version": self._version,
                "progress": progress_of(self._output).sentence,
                "rows": {unit: render_row(self._rows[unit]) for unit in changed},
                "reload": before != self._methods,
            }

    def rate(self, unit: str, rating: Rating) -> None:
        """Write the rating of a subject that is in the index.

        Raises
        ------
        KeyError
            If there is no such subject.
        InputError
            If the file of ratings cannot be read.
        """
        with self._lock:
            self._refresh()
            if unit not in self._rows:
                raise KeyError(unit)
            write_rating(self._output, unit, rating)

    def _refresh(self) -> None:
        states, ratings = states_of(self._output), read_ratings(self._output)
        for unit in units_of(self._output, states):
            key = (states.get(unit), _time_of(UnitPaths(self._output, unit).report))
            # A run changes few subjects between two looks, and reading all again takes a second.
            if unit not in self._known or self._known[unit][0] != key:
                self._known[unit] = (key, summary_of(self._output, unit))
        summaries = {unit: summary for unit, (_, summary) in sorted(self._known.items())}
        self._methods = methods_run(summaries)
        rows = {u: row_of(s, states, self._methods, ratings) for u, s in summaries.items()}
        changed = [unit for unit, row in rows.items() if self._rows.get(unit) != row]
        if changed:
            self._version += 1
            self._changed |= dict.fromkeys(changed, self._version)
        self._rows = rows


def _time_of(page: Path) -> int:
    return page.stat().st_mtime_ns if page.is_file() else 0
