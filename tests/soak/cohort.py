"""Generated cohorts for the soak: good subjects, and bad ones of ten kinds."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import write_fmriprep_tree
from tiny_study import TINY

from causal_ivae.simulate.known_graphs import simulate_bold

REGIONS = ("A", "B", "C", "D")
RUNS = 2
VOLUMES = 150
# Larger than the memory of any machine that this runs on; the file is sparse.
HUGE = 2**43


def write_settings(path: Path) -> Path:
    """Write settings of all three methods that fit a subject in a second or two."""
    settings = {**TINY, "unmixing": {**TINY["unmixing"], "methods": ["structural", "ivae", "tcl"]}}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def write_default_settings(path: Path) -> Path:
    """Write the default settings with few steps: memory is not a matter of them."""
    unmixing = {
        "structural": {"trial_steps": 10, "steps": 20, "passes": 1.0},
        "ivae": {"steps": 20},
        "tcl": {"steps": 20},
    }
    settings = {"name": "few_steps", "unmixing": unmixing}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def write_tables(folder: Path, n_subjects: int) -> set[str]:
    """Write two tables per subject, and return the units that cannot be analysed."""
    folder.mkdir(parents=True)
    labels = [f"{number:03d}" for number in range(1, n_subjects + 1)]
    for label in labels:
        for run in range(1, RUNS + 1):
            write_table_run(folder, label, run, REGIONS, VOLUMES)
    kinds = list(_SPOILERS)
    n_bad = min(n_subjects // 2, max(1, round(0.05 * n_subjects)))
    # Spread over the cohort, so that they fall among the good ones.
    spoilt = [labels[round((i + 0.5) * n_subjects / n_bad)] for i in range(n_bad)]
    for i, label in enumerate(spoilt):
        spoil = _SPOILERS[kinds[i % len(kinds)]]
        spoil(folder / f"sub-{label}_task-rest_run-2_timeseries.tsv")
    return {f"sub-{label}" for label in spoilt}


def write_table_run(
    folder: Path, label: str, run: int, regions: tuple[str, ...], volumes: int
) -> None:
    """Write one table of a chain of regions and its sidecar."""
    chain = np.eye(len(regions), k=1, dtype=bool)
    series = simulate_bold(chain, n_times=volumes, tr=2.0, subject=f"{label}-{run}")
    stem = folder / f"sub-{label}_task-rest_run-{run}_timeseries"
    table = pd.DataFrame(series.values, columns=list(regions))
    table.to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
    about = {"RepetitionTime": 2.0, "Simulated": True}
    stem.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")


def write_images(folder: Path, n_subjects: int) -> tuple[Path, Path, set[str]]:
    """Write an fMRIPrep-like tree; return it, its atlas and the units that cannot be analysed."""
    tree = write_fmriprep_tree(folder, n_subjects=n_subjects, n_volumes=VOLUMES)
    bad = {f"sub-{n_subjects // 3 + 1:02d}"}
    for unit in bad:
        image = next((tree.root / unit).rglob("*_bold.nii.gz"))
        content = image.read_bytes()
        image.write_bytes(content[: len(content) // 2])
    return tree.root, tree.atlas, bad


def _runs(path: Path) -> list[Path]:
    # A run that is too short is left out; a subject fails that has no other.
    return sorted(path.parent.glob(path.name.replace("run-2", "run-*")))


def _table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)


def _huge(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(HUGE)


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("content-that-was-not-fetched")


_SPOILERS: dict[str, Callable[[Path], object]] = {
    "a gap": lambda path: _table(path, lambda t: t.assign(B=t["B"].where(t.index != 4))),
    "constant": lambda path: _table(path, lambda t: t.assign(B=1.0)),
    "text": lambda path: _table(path, lambda t: t.assign(B="high")),
    "too short": lambda path: [_table(p, lambda t: t.iloc[:10]) for p in _runs(path)],
    "a region less": lambda path: _table(path, lambda t: t.drop(columns="B")),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-20] + b"\t1\t2\t3\t4\n"),
    "not text": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "damaged sidecar": lambda path: path.with_suffix(".json").write_text("{", encoding="utf-8"),
    "too large": _huge,
}
