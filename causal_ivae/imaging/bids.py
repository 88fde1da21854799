"""Find the subjects to analyse, their runs, and the files that describe them.

Folders are listed directly, since indexing with pybids takes minutes on large studies.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from causal_ivae.errors import InputError, NothingMatchedError, SettingsError
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.event_folders import event_folder
from causal_ivae.imaging.file_names import (
    Folders,
    find_sidecar,
    natural_key,
    run_entities,
    split_name,
)
from causal_ivae.imaging.filters import parse_bids_filter
from causal_ivae.imaging.listing import Found, RunContent, list_runs
from causal_ivae.imaging.nothing_found import listed
from causal_ivae.imaging.selection import (
    apply_query,
    combined_echoes,
    keep_subjects,
    one_atlas,
    one_space,
    one_task,
)

__all__ = ["RunFile", "SubjectFiles", "find_sidecar", "find_subjects", "split_name"]

_LAID_OVER: dict[str, RunContent] = {"grayordinates": "grayordinates", "surface": "surfaces"}
"""What atlases of these kinds are laid over; the others are laid over volumes."""


@dataclass(frozen=True)
class RunFile:
    """Describe the file of one run of one subject, an image or a table.

    Attributes
    ----------
    path : pathlib.Path
    entities : tuple of (str, str)
        BIDS entities of the file name, in their order.
    name : str
        Name of the run within the subject, for instance ``"ses-1_task-rest_run-1"``.
    events : pathlib.Path or None
        The ``*_events.tsv`` that applies to the run, or a folder ``EVs`` of the HCP.
    root : pathlib.Path
        Highest folder whose sidecar files apply to the run.
    content : {"table", "volumes", "grayordinates", "surfaces"}
    denoised : bool
        True for images whose confounds were regressed out before.
    key : str or None
        Dataset of an HDF5 file that holds many runs.
    """

    path: Path
    entities: tuple[tuple[str, str], ...]
    name: str
    events: Path | None
    root: Path
    content: RunContent = "table"
    denoised: bool = False
    key: str | None = None

    def entity(self, key: str) -> str | None:
        """Return the label of one entity, or None."""
        return dict(self.entities).get(key)


@dataclass(frozen=True)
class SubjectFiles:
    """Hold all runs of one subject, in natural order (run-2 before run-10)."""

    label: str
    kind: Literal["tables", "images"]
    runs: tuple[RunFile, ...]


def find_subjects(
    folder_or_file: Path,
    *,
    labels: Sequence[str] = (),
    tasks: Sequence[str] = (),
    sessions: Sequence[str] = (),
    space: str | None = None,
    bids_filter: Mapping[str, Any] | None = None,
    atlas: Parcellation | None = None,
    atlas_name: str | None = None,
) -> tuple[SubjectFiles, ...]:
    """Find the subjects and runs to analyse.

    Parameters
    ----------
    folder_or_file : pathlib.Path
        A folder of images or of tables of region time series, as fMRIPrep, XCP-D, HCP, ABCD, C-PAC,
        HALFpipe, giga_connectome, CONN, DPABI or FSL leave it, or one such file.  Tables are at its
        top or inside ``sub-*`` folders; if some are named ``sub-<label>``, only these are subjects.
    labels : sequence of str
        Subjects to keep, with or without ``sub-``; empty keeps all.
    tasks : sequence of str
        Tasks to keep; required if there are several.
    sessions : sequence of str
        Sessions to keep, with or without ``ses-``.
    space : str or None
        Space to keep, for instance ``"MNI152NLin2009cAsym"`` or ``"MNI152NLin2009cAsym:res-2"``.
    bids_filter : mapping or None
        Content of a filter file in fMRIPrep's format; its ``"bold"`` query is used.
    atlas : Parcellation or None
        Its space chooses among several spaces if exactly one of them fits it, and its kind among
        volumes, grayordinates and surfaces.
    atlas_name : str or None
        Name of an atlas, which chooses among tables of several atlases.

    Returns
    -------
    tuple of SubjectFiles
        Subjects in natural order of their labels.

    Raises
    ------
    InputError
        If the path does not exist, holds no usable file, or two files belong to the same run.
    NothingMatchedError
        If a participant does not exist or no run matches the filters.
    SettingsError
        If there are several tasks, spaces, atlases, echoes or versions of a run and none was
        chosen.
    """
    query = parse_bids_filter(bids_filter)
    path = Path(folder_or_file).expanduser()
    root, found = list_runs(path, None if atlas is None else _LAID_OVER.get(atlas.kind, "volumes"))
    kind: Literal["tables", "images"] = "tables" if found[0].content == "table" else "images"
    found = keep_subjects(found, labels, path)
    if tasks:
        query = {**query, "task": tuple(task.removeprefix("task-") for task in tasks)}
    if sessions:
        query = {**query, "ses": tuple(s.removeprefix("ses-") for s in sessions)}
    if space is not None:
        name, _, rest = space.partition(":")
        query = {**query, "space": (name.removeprefix("space-"),)}
        if rest:
            query["res"] = (rest.removeprefix("res-"),)
    found = apply_query(query, found, path)
    if not tasks:
        found = one_task(found, path)
    found = one_space(found, None if atlas is None else atlas.space, path)
    if kind == "tables":
        found = one_atlas(found, atlas_name, path)
    found = combined_echoes(found, path) if "echo" not in query else found
    gone = {label.removeprefix("sub-") for label in labels} - {f.label for f in found}
    if gone:
        raise NothingMatchedError(
            f"Participant {listed(sorted(gone, key=natural_key))} has no run with the task, "
            f"session and space chosen in '{path}'."
        )
    # Folders are listed once for all runs, since the root may hold a thousand subjects.
    folders = Folders()
    raw = raw_dataset(root)
    by_label: dict[str, list[Found]] = {}
    for item in found:
        by_label.setdefault(item.label, []).append(item)
    return tuple(
        SubjectFiles(label, kind, _runs(by_label[label], root, raw, folders))
        for label in sorted(by_label, key=natural_key)
    )


def raw_dataset(root: Path) -> Path | None:
    """Return the BIDS dataset that derivatives were made from, if it can be told where it is.

    It is what ``DatasetLinks`` or ``SourceDatasets`` of ``dataset_description.json`` name, or the
    folder around ``derivatives``.
    """
    try:
        about = json.loads((root / "dataset_description.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        about = {}
    about = about if isinstance(about, dict) else {}
    links = about.get("DatasetLinks")
    sources = about.get("SourceDatasets")
    named = [links.get("raw")] if isinstance(links, dict) else []
    named += (
        [s.get("URL") for s in sources or () if isinstance(s, dict)]
        if isinstance(sources, list)
        else []
    )
    places = [root / n.removeprefix("file://") for n in named if isinstance(n, str) and n]
    absolute = root.absolute()
    places += [p.parent for p in (absolute, *absolute.parents[:2]) if p.name == "derivatives"]
    return next((p for p in places if p.is_dir() and any(p.glob("sub-*"))), None)


def _runs(
    found: list[Found], root: Path, raw: Path | None, folders: Folders
) -> tuple[RunFile, ...]:
    runs: dict[str, RunFile] = {}
    for item in found:
        name = "_".join(f"{k}-{item.entities[k]}" for k in run_entities() if k in item.entities)
        if not name:
            stem = split_name(item.path.name)[0]
            several = len(found) > 1 and "sub" not in item.entities
            name = f"run-{re.sub(r'[^A-Za-z0-9]', '', stem)}" if several and item.named else "run-1"
        events = find_sidecar(item.path, "events", ".tsv", root, folders)
        if events is None and raw is not None and item.path.is_relative_to(root):
            there = raw / item.path.relative_to(root)
            events = find_sidecar(there, "events", ".tsv", raw, folders)
        events = events or event_folder(item.path)
        run = RunFile(
            item.path,
            tuple(item.entities.items()),
            name,
            events,
            root,
            item.content,
            item.denoised,
            item.key,
        )
        if name in runs:
            raise _clash(item, name, runs[name], run)
        runs[name] = run
    return tuple(runs[name] for name in sorted(runs, key=natural_key))


def _clash(item: Found, name: str, first: RunFile, second: RunFile) -> Exception:
    label = item.label
    a, b = dict(first.entities), dict(second.entities)
    differ = [k for k in {**a, **b} if a.get(k) != b.get(k) and k != "sub"]
    if differ and item.named:
        return SettingsError(
            f"Subject '{label}' has several versions of {name}, which differ in "
            f"'{differ[0]}': '{first.path}' and '{second.path}'. Choose one with "
            "--bids-filter-file."
        )
    return InputError(
        f"Two files give the same run ({name}) of subject '{label}': '{first.path}' and "
        f"'{second.path}'. Remove or rename one of them (such as "
        f"'sub-{label}_run-2_timeseries.tsv')."
    )
