"""Keep the status and the log of a run on disk while it goes on."""

import os
import platform
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd
import yaml

from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.progress import Display
from causal_ivae.derivatives.dataset import describe_dataset
from causal_ivae.derivatives.files import (
    append_line,
    read_sidecar,
    read_whole_table,
    write_json,
    write_table,
    write_text,
)
from causal_ivae.errors import CausalIvaeError
from causal_ivae.provenance import generated_by, versions

_PERIOD = 1.0
"""Seconds between two writings of the status, which take a while with thousands of subjects."""


@dataclass(frozen=True)
class BatchResult:
    """Hold the outcome of a run.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per subject, and one for the group if it was requested.
    folder : pathlib.Path
        Folder ``logs/<id>`` of this run.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Return the outcomes of the units that failed."""
        return tuple(o for o in self.outcomes if o.state == "failed")

    @property
    def exit_code(self) -> int:
        """Return 0 if nothing failed, 2 if bad input or settings let nothing run, else 1."""
        if not self.failed:
            return 0
        worked = any(o.state in ("done", "up to date") for o in self.outcomes)
        return 1 if worked or not all(o.bad_input for o in self.failed) else 2


class Record:
    """Collect the outcomes of a run, show them and write them to disk.

    Parameters
    ----------
    units : sequence of str
        Units that will be run, in order.
    """

    def __init__(self, analysis: Analysis, display: Display, units: Sequence[str] = ()) -> None:
        self.analysis, self.display = analysis, display
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        self.folder = analysis.output / "logs" / f"{stamp}_{uuid4()}"
        self._planned = tuple(units)
        self._running: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Write the units that will be run."""
        with self._lock:
            self._write()

    def started(self, unit: str) -> None:
        """Record that a worker has begun with a unit."""
        with self._lock:
            self._running.add(unit)
            self._write_soon()
        self.display.started(unit)

    def loaded(self, unit: str, line: str) -> None:
        """Record that a unit's series are loaded, and that it waits for the next phase."""
        with self._lock:
            self._running.discard(unit)
        self.display.finished(unit, line)
        self.log(f"{unit} {line}")

    def add(self, outcome: Outcome, *, quiet: bool = False) -> None:
        """Record the outcome of a unit; `quiet` leaves it out of the display."""
        with self._lock:
            self._outcomes[outcome.unit] = outcome
            self._running.discard(outcome.unit)
            self._write_soon()
        took = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else ""
        said = f"{outcome.state}{took}"
        reason = f": {outcome.message}" if outcome.message else ""
        if not quiet:
            failed = outcome.state == "failed"
            # Reasons for failures are printed at the end of the run, where they remain visible.
            shown = said if failed else f"{said}{reason}"
            self.display.finished(outcome.unit, shown, failed=failed)
        self.log(f"{outcome.unit} {said}{reason}")

    def log(self, line: str) -> None:
        """Write a line to the run's log."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        append_line(self.folder / "run.log", f"{stamp} {' '.join(line.split())}")

    def note(self, line: str) -> None:
        """Show a line about the run and write it to the log."""
        self.display.note(line)
        self.log(line)

    def close(self) -> None:
        """Add the units that were not finished, and say which of them had been begun."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            for unit in self._planned:
                message = "Interrupted." if unit in self._running else ""
                self._outcomes.setdefault(unit, Outcome(unit, "not run", message=message))
            self._write()
        states = [outcome.state for outcome in self._outcomes.values()]
        counted = (f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        self.log(f"ended: {', '.join(counted)}")

    @property
    def result(self) -> BatchResult:
        """Return the outcome of the run so far."""
        return BatchResult(tuple(self._outcomes.values()), self.folder)

    def _write_soon(self) -> None:
        """Write the status in a moment, with whatever changes until then."""
        if self._timer is None:
            self._timer = threading.Timer(_PERIOD, self._write_now)
            self._timer.daemon = True
            self._timer.start()

    def _write_now(self) -> None:
        # The same error is raised when the status is written at the end of the run.
        with self._lock, suppress(OSError, CausalIvaeError):
            self._timer = None
            self._write()

    def _write(self) -> None:
        reached = list(self._outcomes.values())
        reached += [
            Outcome(unit, "running" if unit in self._running else "not run")
            for unit in self._planned
            if unit not in self._outcomes
        ]
        rows = [
            (o.unit, o.state, round(o.seconds, 1), round(o.peak_mib, 1), o.message, o.crash)
            for o in reached
        ]
        columns = ["subject", "state", "seconds", "peak_memory_mib", "message", "crash_file"]
        write_table(self.folder / "status.tsv", pd.DataFrame(rows, columns=columns))


def describe(record: Record) -> None:
    """Write the BIDS description of the output, and the settings and facts of this run."""
    analysis = record.analysis
    describe_dataset(analysis.output, analysis.source, generated_by())
    settings = yaml.safe_dump(analysis.pipeline.model_dump(mode="json"), sort_keys=False)
    write_text(record.folder / "pipeline.yaml", settings)
    about = {
        "Command": analysis.command,
        "Levels": list(analysis.levels),
        "Host": platform.node(),
        "Process": os.getpid(),
        "Seed": analysis.seed,
        "Filters": {
            "labels": list(analysis.labels),
            "sessions": list(analysis.sessions),
            "tasks": list(analysis.tasks),
            "space": analysis.space,
            "bids_filter": None if analysis.bids_filter is None else dict(analysis.bids_filter),
        },
        "SettingsHash": analysis.pipeline.digest,
        "Versions": versions(),
    }
    write_json(record.folder / "run.json", about)
    record.log(f"started: {analysis.command or 'from Python'}")
    record.start()


def last_run_with(output: Path, unit: str) -> str:
    """Describe the latest run that includes a unit; empty if there is none."""
    for folder in sorted((output / "logs").glob("*_*"), reverse=True):
        table = read_whole_table(folder / "status.tsv", ("subject",))
        if table is not None and unit in set(table["subject"]):
            about = read_sidecar(folder / "run.json")
            who = f"process {about.get('Process', '?')} on {about.get('Host', '?')}"
            return f"{who}, {folder.relative_to(output.parent)}"
    return ""
