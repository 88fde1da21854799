"""Time the commands that a user waits for, each in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from causal_ivae.errors import FitError
from causal_ivae.validation.speed.effort import Effort, Wait
from causal_ivae.validation.speed.measurement import Clock, Measurement, Setting
from causal_ivae.validation.speed.workers import write_study

METHOD = (
    "Commands on simulated tables, each in a process of its own with the start of Python, worker "
    "processes and pages included: seconds on the clock, CPU seconds and the peak memory of the "
    "largest process. Methods are those of the default where none is named. Once each; what else "
    "the machine does shows in the seconds, hardly in the CPU seconds. The demo is not among them, "
    "since it downloads its data."
)

GROUP = "waiting"
_LAUNCHER = """
import json, resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "causal_ivae", *sys.argv[1:]], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(done.returncode)
"""
"""A small process starts the command, since a process inherits the peak memory of its parent."""
_PEAKS_PER_MIB = 1024.0**2 if sys.platform == "darwin" else 1024.0
"""The system tells peak memory in bytes or in KiB."""


@dataclass(frozen=True)
class Spent:
    """Hold what a command took: seconds, CPU seconds of it and its children, and peak MiB."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def measure_waiting(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time runs on cohorts of several sizes, and what follows a run.

    Returns
    -------
    list of Measurement
        Seconds, CPU seconds and MiB of every command; none where the system does not tell what a
        process took.

    Raises
    ------
    FitError
        If a command fails.
    """
    if find_spec("resource") is None:
        return []
    found: list[Measurement] = []
    for wait in effort.waits:
        found += _of_cohort(wait, effort.subject_volumes, str(clock.device))
    return found


def _of_cohort(wait: Wait, volumes: int, device: str) -> list[Measurement]:
    with TemporaryDirectory(prefix="causal-ivae-benchmark-") as folder:
        source, output = Path(folder) / "input", Path(folder) / "output"
        write_study(source, wait.regions, wait.subjects, volumes)
        command = ["run", str(source), str(output), *wait.levels, "--device", device]
        if wait.methods:
            command += ["--method", *wait.methods]
        titles: dict[str, list[str]] = {"run": []} | {
            f"run {option}" if option else "run again": [option] if option else []
            for option in wait.afterwards
        }
        found = []
        for name, options in titles.items():
            spent = spent_by([*command, *options])
            setting = Setting(subjects=wait.subjects, regions=wait.regions, volumes=volumes)
            title = f"{name}, {' '.join(wait.methods)}" if wait.methods else name
            found += [
                Measurement(GROUP, title, setting, (value,), unit)
                for value, unit in (
                    (spent.seconds, "s"),
                    (spent.cpu_seconds, "CPU s"),
                    (spent.peak_mib, "MiB"),
                )
            ]
        return found


def spent_by(arguments: Sequence[str]) -> Spent:
    """Run ``causal-ivae`` with some arguments, and return what it took.

    Raises
    ------
    FitError
        If it ends with an error; the message has the last lines that it printed.
    """
    # A package is compiled where it is installed: whoever forbids Python to keep what it compiles
    # would otherwise time the compiler too.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this program by its own arguments
        [sys.executable, "-c", _LAUNCHER, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise FitError(
            f"'causal-ivae {' '.join(arguments)}' ended with {done.returncode}: "
            f"{' '.join(done.stderr.split()[-40:])}"
        )
    cpu_seconds, peak = json.loads(done.stdout)
    return Spent(seconds, cpu_seconds, peak / _PEAKS_PER_MIB)
