"""Hold what all pieces of work of a run share, and turn a piece that fails into an outcome."""

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from causal_ivae.batch.request import Request
from causal_ivae.batch.workers.machine import processes_for
from causal_ivae.batch.workers.process import peak_memory_mib, restart_peak_memory
from causal_ivae.derivatives.files import write_text
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.discovery.methods import METHODS, pooled_methods
from causal_ivae.errors import CausalIvaeError, InputError, NoRoomError, SettingsError
from causal_ivae.provenance import digest_of, shown, versions

State = Literal["done", "up to date", "failed", "running", "not run"]

T = TypeVar("T")


@dataclass(frozen=True)
class Analysis(Request):
    """Hold a checked request, which every piece of work of a run is given, also in workers.

    Its paths are resolved: `source` is the folder that the names of input files are relative to,
    and `participants_file` is None unless a model asks for it or it says who is excluded.

    Attributes
    ----------
    atlas_digest, prior_digest : str
        Of the content of the atlas and of the prior; empty where there is none.
    n_subjects : int
        Number of subjects of the run.
    """

    atlas_digest: str = ""
    prior_digest: str = ""
    n_subjects: int = 1

    @property
    def sharing(self) -> int:
        """Return the number of worker processes that share the memory of one machine."""
        if self.scheduler is not None:
            return 1
        return processes_for(self.n_subjects, self.nprocs, self.memory)

    @property
    def pooled_methods(self) -> tuple[str, ...]:
        """Return the methods by which all subjects are judged in one fit beside the group."""
        return () if self.pooled else pooled_methods(self.pipeline)

    @property
    def load_hash(self) -> str:
        """Return a hash of the settings that determine the series, without the input files."""
        return digest_of(self.pipeline.load_digest, self.atlas_digest)

    def method_hash(self, method: str, load_hash: str) -> str:
        """Return a hash of what determines a graph made from series of a given `load_hash`."""
        return digest_of(load_hash, METHODS[method].digest(self.pipeline))

    @property
    def prior_hash(self) -> str:
        """Return a hash of what determines the comparison with anatomy."""
        return digest_of(self.pipeline.prior_digest, self.prior_digest)

    def provenance(self, settings_hash: str, inputs: dict[str, str]) -> dict[str, Any]:
        """Return what every sidecar says about how its result was made."""
        return {
            "SettingsHash": settings_hash,
            "Seed": self.seed,
            "Versions": versions(),
            "Date": datetime.now(UTC).isoformat(timespec="seconds"),
            "Command": self.command,
            "InputFingerprints": inputs,
        }


@dataclass(frozen=True)
class Outcome:
    """Hold how the work on one subject, or on the group, ended.

    Attributes
    ----------
    unit : str
        ``"sub-<label>"`` or ``"group"``.
    state : {"done", "up to date", "failed", "running", "not run"}
        "running" only in the status of a run that goes on, or was killed.
    seconds : float
        Wall time (s).
    peak_mib : float
        Peak memory of the process during the work (MiB), or since the process began if the
        system cannot restart the count.
    crash : str
        Crash file, relative to the output folder.
    bad_input : bool
        True if the data or the settings are the cause of a failure.
    """

    unit: str
    state: State
    seconds: float = 0.0
    peak_mib: float = 0.0
    message: str = ""
    crash: str = ""
    bad_input: bool = False

    def after(self, earlier: "Outcome | None") -> "Outcome":
        """Return the outcome of an earlier stage and this one together."""
        if earlier is None:
            return self
        both = (earlier.state, self.state)
        state: State = self.state
        if "failed" in both:
            state = "failed"
        elif "done" in both:
            state = "done"
        messages = dict.fromkeys(m for m in (earlier.message, self.message) if m)
        return Outcome(
            unit=self.unit,
            state=state,
            seconds=earlier.seconds + self.seconds,
            peak_mib=max(earlier.peak_mib, self.peak_mib),
            message=" ".join(messages),
            crash=self.crash or earlier.crash,
            bad_input=self.bad_input or earlier.bad_input,
        )


def guarded(
    analysis: Analysis, unit: str, work: Callable[[], tuple[T, State, str]]
) -> tuple[T | None, Outcome]:
    """Run one piece of work, and turn any error into a failed outcome with a crash file.

    Parameters
    ----------
    work : callable
        Returns its result, its state and a message.
    """
    began = time.monotonic()
    restart_peak_memory()
    result: T | None = None
    crash, bad_input = "", False
    try:
        result, state, message = work()
    except Exception as error:  # noqa: BLE001 - one subject's failure must not end the others
        state, message = "failed", one_line(error)
        with suppress(NoRoomError):
            crash = shown(write_crash(analysis, unit, traceback.format_exc()), analysis.output)
        bad_input = isinstance(error, (InputError, SettingsError))
    seconds = time.monotonic() - began
    return result, Outcome(unit, state, seconds, peak_memory_mib(), message, crash, bad_input)


def one_line(error: BaseException) -> str:
    """Return an error as one line, with its type unless this package raised it on purpose."""
    text = " ".join(str(error).split())
    if isinstance(error, CausalIvaeError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def write_crash(analysis: Analysis, unit: str, details: str) -> Path:
    """Write a crash file for a unit and return its path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = UnitPaths(analysis.output, unit).crash_folder / f"crash-{stamp}.txt"
    facts = "\n".join(f"{name} {version}" for name, version in versions().items())
    write_text(path, f"{unit}\n{analysis.command}\n\n{details}\n{facts}\n")
    return path
