"""Whether two versions of the program write the same results for the same input and seed.

    python tests/equality/outputs.py record FOLDER          with the version that is importable
    PYTHONPATH=OTHER_CHECKOUT python tests/equality/outputs.py record OTHER_FOLDER
    python tests/equality/outputs.py compare OTHER_FOLDER FOLDER

`record` analyses a cohort of tables and one of images with few steps, in about two minutes; any
other output folder of the program, such as the demo's, can be compared as well.  Tables, arrays
and graph files must be equal byte for byte.  What names a time, a version, a command or a path is
left out of sidecars; pages and pictures are not compared.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import write_fmriprep_tree

REGIONS = ("A", "B", "C", "17")
VOLUMES = 180
SETTINGS: dict[str, Any] = {
    "name": "equality",
    "segments": {"window_seconds": 30.0, "min_volumes": 10},
    "unmixing": {
        "restarts": 2,
        "structural": {"trial_steps": 20, "steps": 40, "passes": 0.0},
        "ivae": {"steps": 60},
        "tcl": {"steps": 60},
    },
    "independence": {"draws": 199, "surrogates": 40},
    "decision": {"resamples": 500},
    "group": {"pooled": True, "model": "score ~ age"},
}
BYTEWISE = {".tsv", ".npy", ".graphml", ".dot"}
# Logs tell of time, memory and commands.
PASSED_OVER = ("logs", ".causal-ivae-index")
# Of time, of the program and of where things lie.
UNLIKE = {
    "Seconds", "Date", "Versions", "Command", "InputFingerprints", "SettingsHash", "PriorHash",
    "Sources", "GeneratedBy", "Files", "RegionMap",
}  # fmt: skip


def write_tables(folder: Path) -> None:
    """Write six subjects of two runs in which A drives B and B drives C, and participants.tsv."""
    folder.mkdir(parents=True)
    for number in range(1, 7):
        for run in (1, 2):
            rng = np.random.default_rng([number, run])
            scale = np.repeat(rng.uniform(0.5, 2.0, size=(VOLUMES // 15, 4)), 15, axis=0)
            x = scale * rng.laplace(size=(VOLUMES, 4))
            x[:, 1] += 0.8 * x[:, 0]
            x[:, 2] += 0.8 * np.tanh(x[:, 1])
            stem = folder / f"sub-{number:02d}_task-rest_run-{run}_timeseries"
            table = pd.DataFrame(x, columns=list(REGIONS))
            table.to_csv(stem.with_suffix(".tsv"), sep="\t", index=False)
            about = {"RepetitionTime": 2.0, "Simulated": True}
            stem.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    rows = [(f"sub-{number:02d}", 20 + 3 * number) for number in range(1, 7)]
    people = pd.DataFrame(rows, columns=["participant_id", "age"])
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)


def write_prior(path: Path) -> Path:
    """Write a prior of three projections between the regions of the tables."""
    rows = [("A", "B"), ("B", "C"), ("C", "A")]
    pd.DataFrame(rows, columns=["cause", "effect"]).to_csv(path, sep="\t", index=False)
    path.with_suffix(".json").write_text(json.dumps({"directed": True}), encoding="utf-8")
    return path


def record(folder: Path) -> None:
    """Analyse both cohorts with the version that is importable."""
    tables, prior = folder / "tables", write_prior_beside(folder)
    write_tables(tables)
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    plain = folder / "plain.yaml"
    without = SETTINGS | {"group": {}, "decision": {"resamples": 500, "acyclic": True}}
    plain.write_text(yaml.safe_dump(without), encoding="utf-8")
    both = ("participant", "group")
    _run(tables, folder / "out_tables", *both, "--pipeline", settings, "--prior", prior)
    _run(
        tables, folder / "out_screened", *both, "--pipeline", plain, "--screen", "skeleton",
        "--segments", "windows:40", "--method", "structural",
    )  # fmt: skip
    _run(
        tables, folder / "out_subjects", "group", "--pipeline", plain, "--segments", "subjects",
        "--method", "structural", "tcl",
    )  # fmt: skip
    tree = write_fmriprep_tree(folder / "images", n_subjects=4, n_runs=2, sessions=("a", "b"))
    _run(tree.root, folder / "out_images", *both, "--pipeline", plain, "--atlas", tree.atlas)


def write_prior_beside(folder: Path) -> Path:
    """Make the folder, and the prior in it."""
    folder.mkdir(parents=True)
    return write_prior(folder / "prior.tsv")


def _run(source: Path, output: Path, *options: object) -> None:
    command = [sys.executable, "-m", "causal_ivae", "run", str(source), str(output)]
    subprocess.run([*command, *map(str, options), "--seed", "3"], check=True)


def differences(before: Path, after: Path) -> Iterator[str]:
    """Yield a line for every difference between the results in two folders."""
    there = {_name(path, before): path for path in _results(before)}
    here = {_name(path, after): path for path in _results(after)}
    for name in sorted(there.keys() | here.keys()):
        if name not in here:
            yield f"only before: {name}"
        elif name not in there:
            yield f"only after: {name}"
        elif Path(name).suffix in BYTEWISE:
            if there[name].read_bytes() != here[name].read_bytes():
                yield f"differs: {name}"
        else:
            one, other = _json(there[name], before), _json(here[name], after)
            yield from _unlike(name, one, other)


def _results(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in BYTEWISE | {".json"} and not set(PASSED_OVER) & set(parts):
            yield path


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _json(path: Path, folder: Path) -> Any:
    """Return the content of a file, paths relative to the folder."""
    return json.loads(path.read_text(encoding="utf-8").replace(str(folder.resolve()), "."))


def _unlike(where: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted((one.keys() | other.keys()) - UNLIKE):
            if key not in one or key not in other:
                yield f"{where}: {key} only {'after' if key in other else 'before'}"
            else:
                yield from _unlike(f"{where}: {key}", one[key], other[key])
    elif one != other:
        yield f"{where}: {one!r} became {other!r}"


def main(what: str, *folders: str) -> int:
    """Record or compare; 1 if something differs."""
    if what == "record":
        record(Path(folders[0]))
        return 0
    found = list(differences(Path(folders[0]), Path(folders[1])))
    compared = sum(1 for _ in _results(Path(folders[1])))
    print("\n".join([*found, f"{len(found)} differences in {compared} files"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
