"""Time a batch of subjects with one worker process and with two."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from causal_ivae.batch.plan import plan
from causal_ivae.batch.request import Request
from causal_ivae.batch.runner import run
from causal_ivae.derivatives.files import write_json, write_table
from causal_ivae.errors import FitError
from causal_ivae.settings import IVAESettings, Pipeline, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_bold
from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Baseline, Clock, Measurement, Setting, in_turns
from causal_ivae.validation.speed.subject import REPETITION_TIME, number_of_pairs

METHOD = (
    "Simulated subjects as tables through the batch runner, iVAE only, the start of the worker "
    "processes and the reports included. As many cores as workers, one thread each, where the "
    "system lets a process be kept to some cores."
)

GROUP = "workers"
_NAME = "batch"
_WORKERS = (1, 2)
_REGIONS = 4


def measure_workers(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time a batch with one and with two workers in turns, s.

    Raises
    ------
    FitError
        If a subject failed.
    """
    if not effort.worker_turns:
        return []
    unmixing = UnmixingSettings(methods=("ivae",), ivae=IVAESettings(steps=effort.worker_steps))
    pipeline = Pipeline(unmixing=unmixing)
    volumes = effort.subject_volumes

    with TemporaryDirectory(prefix="causal-ivae-benchmark-") as folder:
        source, output = Path(folder) / "input", Path(folder) / "output"
        write_study(source, _REGIONS, effort.subjects, volumes)

        def batch(workers: int) -> None:
            result = run(
                plan(
                    Request(
                        source=source,
                        output=output,
                        levels=("participant",),
                        pipeline=pipeline,
                        device=str(clock.device),
                        overwrite="always",
                        nprocs=workers,
                    )
                )
            )
            if result.failed:
                raise FitError(f"A simulated subject failed: {result.failed[0].message}")

        def seconds(workers: int) -> float:
            with _kept_to(workers):
                return clock.seconds(partial(batch, workers))

        taken = in_turns({str(n): partial(seconds, n) for n in _WORKERS}, effort.worker_turns)
    alone = float(np.median(taken[str(_WORKERS[0])]))
    return [
        Measurement(
            GROUP,
            _NAME,
            Setting(
                regions=_REGIONS,
                pairs=number_of_pairs(_REGIONS),
                restarts=unmixing.restarts,
                volumes=volumes,
                steps=effort.worker_steps,
                workers=n,
            ),
            taken[str(n)],
            "s",
            Baseline("1 worker", alone),
            remark=f"{effort.subjects} subjects",
        )
        for n in _WORKERS
    ]


@contextmanager
def _kept_to(n: int) -> Iterator[None]:
    """Keep this process, and those that it starts, to n cores within this context."""
    # A worker uses all cores that it is allowed, so that one alone would use them all.
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:n])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def write_study(folder: Path, regions: int, subjects: int, volumes: int) -> None:
    """Write simulated subjects as tables, with a chain of arrows between their regions."""
    chain = np.eye(regions, k=1, dtype=bool)
    for number in range(1, subjects + 1):
        label = f"{number:02d}"
        series = simulate_bold(chain, n_times=volumes, tr=REPETITION_TIME, subject=label)
        names = [f"x{i + 1}" for i in range(regions)]
        stem = folder / f"sub-{label}_task-rest_timeseries"
        write_table(stem.with_suffix(".tsv"), pd.DataFrame(series.values, columns=names))
        about = {"RepetitionTime": REPETITION_TIME, "Simulated": True}
        write_json(stem.with_suffix(".json"), about)
