"""The status of a run, on disk after every subject."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pandas as pd
import yaml

from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.plan import Request
from causal_ivae.batch.progress import Display
from causal_ivae.derivatives import read_sidecar, write_json, write_table, write_text
from causal_ivae.provenance import generated_by, versions


@dataclass(frozen=True)
class BatchResult:
    """How a run ended.

    Attributes
    ----------
    outcomes : tuple of Outcome
        One per subject, and one for the group if it was asked for.
    folder : pathlib.Path
        ``logs/<id>`` of this run.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The outcomes of what failed."""
        return tuple(o for o in self.outcomes if o.state == "failed")

    @property
    def exit_code(self) -> int:
        """0 if nothing failed, 2 if the input or the settings let nothing run, else 1."""
        if not self.failed:
            return 0
        worked = any(o.state in ("done", "up to date") for o in self.outcomes)
        return 1 if worked or not all(o.bad_input for o in self.failed) else 2


class Record:
    """Keeps the outcomes of a run and shows them.

    Parameters
    ----------
    analysis : Analysis
    display : Display
    """

    def __init__(self, analysis: Analysis, display: Display) -> None:
        self.analysis, self.display = analysis, display
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        self.folder = analysis.output / "logs" / f"{stamp}_{uuid4()}"
        self._outcomes: dict[str, Outcome] = {}

    def add(self, outcome: Outcome, *, quiet: bool = False) -> None:
        """Add the outcome of a unit; `quiet` leaves it out of the display."""
        self._outcomes[outcome.unit] = outcome
        self._write()
        if not quiet:
            took = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else ""
            # Why something failed is said once, at the end, where it is not scrolled away.
            remark = "" if outcome.state == "failed" else outcome.message
            reason = f": {remark}" if remark else ""
            self.display.finished(outcome.unit, f"{outcome.state}{took}{reason}")

    def close(self, units: Iterable[str]) -> None:
        """Add the units that were never reached."""
        for unit in units:
            self._outcomes.setdefault(unit, Outcome(unit, "not run"))
        self._write()

    @property
    def result(self) -> BatchResult:
        """How the run ended."""
        return BatchResult(tuple(self._outcomes.values()), self.folder)

    def _write(self) -> None:
        rows = [
            (o.unit, o.state, round(o.seconds, 1), round(o.peak_mib, 1), o.message, o.crash)
            for o in self._outcomes.values()
        ]
        columns = ["subject", "state", "seconds", "peak_memory_mib", "message", "crash_file"]
        write_table(self.folder / "status.tsv", pd.DataFrame(rows, columns=columns))


def describe(record: Record, request: Request) -> None:
    """Write what makes the output a BIDS derivative, and what this run was asked."""
    description = {
        "Name": "causal-ivae: causal graphs between brain regions",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": generated_by(),
    }
    path = record.analysis.output / "dataset_description.json"
    if read_sidecar(path) != description:
        write_json(path, description)
    settings = yaml.safe_dump(request.pipeline.model_dump(mode="json"), sort_keys=False)
    write_text(record.folder / "pipeline.yaml", settings)
    about = {
        "Command": request.command,
        "Levels": list(request.levels),
        "Seed": request.seed,
        "SettingsHash": request.pipeline.digest,
        "Versions": versions(),
    }
    write_json(record.folder / "run.json", about)
