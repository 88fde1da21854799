"""Define a user's request: what to run, on which data, how and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from causal_ivae.batch.workers.watch import Limits
from causal_ivae.settings import Pipeline

Level = Literal["participant", "group"]
LEVELS: tuple[Level, ...] = ("participant", "group")
Overwrite = Literal["never", "stale", "always"]


@dataclass(frozen=True)
class Request:
    """Hold a user's request.

    Attributes
    ----------
    source : pathlib.Path
        fMRIPrep derivatives, a folder of tables, or one file.
    output : pathlib.Path
        Folder for the results.
    levels : tuple of {"participant", "group"}
    labels, sessions, tasks : tuple of str
        Labels of the subjects, sessions and tasks to use; empty for all.
    device : str
        "auto", "cpu", "cuda" or "cuda:<number>".
    overwrite : {"never", "stale", "always"}
    nprocs : int or None
        Number of worker processes; None for one per core or GPU.
    memory : int or None
        Memory of a worker process (bytes); None for its share of the machine's.
    time_limit : float or None
        Limit for loading a subject, and for estimating its graphs (s).
    scheduler : str or None
        Address of a running dask scheduler; None to start workers on this machine.
    templates : pathlib.Path or None
        Folder of the user's own templates for the pages.
    participants_file : pathlib.Path or None
        ``participants.tsv``; None to search the input and the two folders above it.
    command : str
        The command line that made the request.
    """

    source: Path
    output: Path
    levels: tuple[Level, ...]
    pipeline: Pipeline = field(default_factory=Pipeline)
    labels: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    space: str | None = None
    bids_filter: Mapping[str, Any] | None = None
    seed: int = 0
    device: str = "auto"
    overwrite: Overwrite = "stale"
    nprocs: int | None = None
    memory: int | None = None
    time_limit: float | None = None
    scheduler: str | None = None
    stop_on_first_crash: bool = False
    templates: Path | None = None
    participants_file: Path | None = None
    command: str = ""

    @property
    def limits(self) -> Limits:
        """Return the limits of one piece of work."""
        return Limits(self.memory, self.time_limit)

    @property
    def pooled(self) -> bool:
        """Check whether all subjects are pooled into one fit."""
        return self.pipeline.segments.by == "subjects"
