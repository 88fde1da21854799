"""A small study as tables, settings that run it in a second, and what a run left."""

import json
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import yaml

from causal_ivae.batch import claims, summaries
from causal_ivae.batch.plan import plan
from causal_ivae.batch.request import Request
from causal_ivae.batch.runner import run
from causal_ivae.batch.status import BatchResult
from causal_ivae.batch.workers.pool import _InProcess
from causal_ivae.derivatives.names import POOLED, UnitPaths
from causal_ivae.settings import Pipeline
from causal_ivae.simulate.known_graphs import simulate_bold

NAMES = ("A", "B", "C")
ENTITIES = (("task", "rest"),)
TINY = {
    "name": "tiny",
    "segments": {"by": "windows", "window_seconds": 60.0, "min_volumes": 20},
    "unmixing": {
        "methods": ["ivae", "tcl"],
        "restarts": 2,
        "structural": {
            "trial_steps": 10,
            "steps": 20,
            "hidden": 8,
            "layers": 2,
            "folds": 2,
            "batch_size": 64,
        },
        "ivae": {"steps": 20, "hidden": 8, "layers": 2, "batch_size": 64},
        "tcl": {"steps": 20, "hidden": 8, "layers": 2, "batch_size": 64},
    },
    "independence": {"draws": 99},
    "decision": {"resamples": 99},
    "power": {"plants": 0},
    "prior": {"draws": 99},
    "group": {"draws": 99, "min_subjects": 2},
}


def tiny_pipeline(**changes: object) -> Pipeline:
    """Return the tiny pipeline; dots in keys are written as two underscores."""
    return Pipeline.model_validate(TINY).changed(
        {key.replace("__", "."): value for key, value in changes.items()}
    )


def write_tiny_pipeline(path: Path, **unmixing: object) -> Path:
    settings = {**TINY, "unmixing": {**TINY["unmixing"], **unmixing}}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def subject_table(label: str, *, n_times: int = 240) -> pd.DataFrame:
    adjacency = np.zeros((3, 3), dtype=bool)
    adjacency[0, 1] = adjacency[1, 2] = True
    series = simulate_bold(adjacency, n_times=n_times, tr=2.0, subject=label)
    # Subjects that were all z-scored could not be pooled.
    scales = np.random.default_rng(list(label.encode())).uniform(0.5, 2.0, size=3)
    return pd.DataFrame(series.values * scales, columns=list(NAMES))


def write_study(folder: Path, labels: tuple[str, ...] = ("01", "02", "03")) -> Path:
    """Write one table and its sidecar per subject."""
    folder.mkdir(parents=True, exist_ok=True)
    for label in labels:
        stem = folder / f"sub-{label}_task-rest_timeseries"
        subject_table(label).to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
        about = {"RepetitionTime": 2.0, "Simulated": True}
        stem.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    return folder


@contextmanager
def in_this_process(*_, on_stage, on_start=lambda _: None, **__):
    """Stand in for `open_pool`: workers take as long to start as a tiny study takes to run."""
    yield _InProcess(on_stage, on_start)


def without_workers():
    """Return a context in which every run does its work in this process."""
    return patch("causal_ivae.batch.runner.open_pool", in_this_process)


def run_study(source, output, *, levels=("participant",), pipeline=None, **options):
    """Run a study, by workers only if an option asks for them, such as `nprocs`."""
    request = Request(
        Path(source), Path(output), levels, pipeline or tiny_pipeline(), device="cpu", **options
    )
    workers = {"nprocs", "scheduler", "memory", "time_limit"} & options.keys()
    with nullcontext() if workers else without_workers():
        return run(plan(request))


def states(result: BatchResult) -> dict[str, str]:
    return {outcome.unit: outcome.state for outcome in result.outcomes}


def file_of(output: Path, unit: str, suffix: str, method: str | None = None) -> Path:
    entities = () if unit in ("group", POOLED) else ENTITIES
    return UnitPaths(output, unit, entities).file(suffix, method)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"logs", claims.FOLDER, summaries.FOLDER} & {*path.parts}
    }
