"""Find the subjects to analyse, their runs, and the files that describe them.

Folders are listed directly, since indexing with pybids takes minutes on large studies.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from causal_ivae.errors import InputError, NothingMatchedError, SettingsError
from causal_ivae.given_files import leads_out, require_file
from causal_ivae.imaging.file_names import (
    Folders,
    find_sidecar,
    natural_key,
    parse_entities,
    spaces_fit,
    split_name,
    subject_spelling,
)
from causal_ivae.imaging.filters import Query, parse_bids_filter
from causal_ivae.imaging.nothing_found import (
    IMAGE_ENDING,
    IMAGE_ENDINGS,
    TABLE_EXTENSIONS,
    listed,
    why_nothing,
)

__all__ = ["RunFile", "SubjectFiles", "find_sidecar", "find_subjects", "split_name"]

_CONN = re.compile(r"ROI_?Subject(?P<subject>[0-9]+)_?Condition(?P<condition>[0-9]+)")
"""CONN writes a file for every subject and condition, which serves as the task here."""
_RUN_ENTITIES = ("ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "chunk")
"""These entities distinguish the runs of a subject; the others distinguish versions of a run."""
_PREPROC = "_desc-preproc_bold.nii"
_SERIES_SUFFIXES = ("timeseries", "bold")
# Files with these suffixes stand beside time series in BIDS, in fMRIPrep's and in our outputs.
_NOT_SERIES = frozenset((
    "aslcontext", "alff", "beh", "blood", "channels", "confounds", "conmat", "coverage", "design",
    "dseg", "edges", "electrodes", "events", "metrics", "mixing", "morph", "motion", "nodeindices",
    "outliers", "participants", "physio", "priorcheck", "probseg", "qc", "regressors", "reho",
    "relmat", "restarts", "samples", "scans", "sessions", "stim", "tests", "training",
))  # fmt: skip
_OTHER_KINDS = (".", "atlas-", "tpl-", "ROICorrelation")
"""Files whose names begin so are hidden, of an atlas or template, or DPABI's correlations."""


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
        The ``*_events.tsv`` that applies to the run.
    root : pathlib.Path
        Highest folder whose sidecar files apply to the run.
    """

    path: Path
    entities: tuple[tuple[str, str], ...]
    name: str
    events: Path | None
    root: Path

    def entity(self, key: str) -> str | None:
        """Return the label of one entity, or None."""
        return dict(self.entities).get(key)


@dataclass(frozen=True)
class SubjectFiles:
    """Hold all runs of one subject, in natural order (run-2 before run-10)."""

    label: str
    kind: Literal["tables", "images"]
    runs: tuple[RunFile, ...]


@dataclass(frozen=True)
class _Found:
    label: str
    named: bool
    path: Path
    entities: dict[str, str]


def find_subjects(
    folder_or_file: Path,
    *,
    labels: Sequence[str] = (),
    task: str | None = None,
    sessions: Sequence[str] = (),
    space: str | None = None,
    bids_filter: Mapping[str, Any] | None = None,
    atlas_space: str | None = None,
) -> tuple[SubjectFiles, ...]:
    """Find the subjects and runs to analyse.

    Parameters
    ----------
    folder_or_file : pathlib.Path
        An fMRIPrep derivatives folder (``sub-*/[ses-*/]func/*_desc-preproc_bold.nii.gz``), a
        folder of tables (.tsv, .csv, .npy, .npz, .mat, .h5; at its top or inside ``sub-*``
        folders), or one such file.  If some tables are named ``sub-<label>``, only these are
        subjects.
    labels : sequence of str
        Subjects to keep, with or without ``sub-``; empty keeps all.
    task : str or None
        Task to keep; required if there are several.
    sessions : sequence of str
        Sessions to keep, with or without ``ses-``.
    space : str or None
        Space to keep, for instance ``"MNI152NLin2009cAsym"`` or ``"MNI152NLin2009cAsym:res-2"``.
    bids_filter : mapping or None
        Content of a filter file in fMRIPrep's format; its ``"bold"`` query is used.
    atlas_space : str or None
        Space of the atlas, which chooses among several spaces if exactly one of them fits it.

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
        If there are several tasks, spaces, echoes or versions of a run and none was chosen.
    """
    query = parse_bids_filter(bids_filter)
    path = Path(folder_or_file).expanduser()
    kind, root, found = _look(path)
    found = _keep_subjects(found, labels, path)
    if task is not None:
        query = {**query, "task": (task.removeprefix("task-"),)}
    if sessions:
        query = {**query, "ses": tuple(s.removeprefix("ses-") for s in sessions)}
    if space is not None:
        name, _, rest = space.partition(":")
        query = {**query, "space": (name.removeprefix("space-"),)}
        if rest:
            query["res"] = (rest.removeprefix("res-"),)
    found = _apply(query, found, path)
    found = _one_task(found, path)
    found = _one_space(found, atlas_space, path)
    found = _combined_echoes(found, path) if "echo" not in query else found
    gone = {label.removeprefix("sub-") for label in labels} - {f.label for f in found}
    if gone:
        raise NothingMatchedError(
            f"Participant {listed(sorted(gone, key=natural_key))} has no run with the task, "
            f"session and space chosen in '{path}'."
        )
    # Folders are listed once for all runs, since the root may hold a thousand subjects.
    folders = Folders()
    by_label: dict[str, list[_Found]] = {}
    for item in found:
        by_label.setdefault(item.label, []).append(item)
    return tuple(
        SubjectFiles(label, kind, _runs(by_label[label], root, folders))
        for label in sorted(by_label, key=natural_key)
    )


def _look(path: Path) -> tuple[Literal["tables", "images"], Path, list[_Found]]:
    if not path.exists():
        what = "is a link to nothing" if path.is_symlink() else "does not exist"
        raise InputError(f"The input '{path}' {what}; give an existing folder or file.")
    if not path.is_dir():
        require_file(path)
        if path.name.endswith(IMAGE_ENDINGS):
            return "images", path.parent, _label([path], path.parent.parent.parent)
        if split_name(path.name)[1].lower() in TABLE_EXTENSIONS:
            return "tables", path.parent, _label([path], path.parent.parent.parent)
        raise InputError(
            f"'{path}' is neither a table ({', '.join(TABLE_EXTENSIONS)}) nor a preprocessed "
            f"image (*{IMAGE_ENDING})."
        )
    folders = [path] if path.name.startswith("sub-") else []
    folders += sorted(f for f in path.glob("sub-*") if f.is_dir() and not leads_out(f, path))
    places = [(f, p) for f in folders for p in ("func/", "ses-*/func/")]
    images = [
        image
        for folder, place in [(path, ""), *places]
        for image in sorted(folder.glob(f"{place}*{_PREPROC}*"))
        if image.name.endswith(IMAGE_ENDINGS) and not image.name.startswith(".")
    ]
    if images:
        return "images", path, _label(images, path)
    tables = _tables(path, folders)
    if tables:
        return "tables", path, _label(tables, path)
    raise InputError(why_nothing(path, folders))


def _tables(path: Path, folders: Iterable[Path]) -> list[Path]:
    # Broken links count as files here, so that reading them reports the error.
    files = [f for f in path.iterdir() if not f.is_dir()]
    seen: set[str] = set()
    for folder in folders:
        for parent, below, names in os.walk(folder, followlinks=True):
            # A link to a folder above would otherwise be followed without end.
            real = os.path.realpath(parent)
            inside = (b for b in below if not b.startswith("."))
            below[:] = [
                b for b in inside if real not in seen and not leads_out(Path(parent, b), path)
            ]
            if real not in seen:
                files += [Path(parent) / name for name in names]
            seen.add(real)
    series = {f: rank for f in sorted(set(files)) if (rank := _rank(f)) is not None}
    best = min(series.values(), default=0)
    return [f for f, rank in series.items() if rank == best]


def _rank(path: Path) -> int | None:
    """Return 0 if a file name is that of a time series, 1 if it may be one, else None."""
    stem, extension = split_name(path.name)
    if extension.lower() not in TABLE_EXTENSIONS or stem.startswith(_OTHER_KINDS):
        return None
    words = [part for part in stem.split("_") if "-" not in part]
    entities = parse_entities(path.name)
    if "confounds" in stem or entities.get("desc") == "confounds":
        return None
    last = stem.split("_")[-1]
    # XCP-D's tables of coverage, ALFF and ReHo have a statistic in their names.
    of_voxels = last == "bold" and "stat" in entities
    if of_voxels or last.lower() in _NOT_SERIES or ".dense" in stem:
        return None
    if last in _SERIES_SUFFIXES or "sub" not in entities or not words:
        return 0
    return 1


def _label(paths: Iterable[Path], top: Path) -> list[_Found]:
    found = []
    spelt: dict[str, tuple[str, Path]] = {}
    n_above = len(top.absolute().parents)
    for path in paths:
        entities = parse_entities(path.name)
        above = [p for p in path.absolute().parents if len(p.parents) >= n_above]
        folders = [label for p in above if (label := subject_spelling(p.name)) is not None]
        conn = _CONN.fullmatch(split_name(path.name)[0])
        named = "sub" in entities or bool(folders)
        if folders:
            # A folder cannot hold anything but the subject's name.
            label = spelling = folders[-1]
        elif named:
            label, spelling = entities["sub"], subject_spelling(path.name) or ""
        elif conn is not None:
            label = spelling = f"Subject{conn['subject']}"
            entities |= {"task": f"condition{conn['condition']}"}
        else:
            label = spelling = split_name(path.name)[0]
        text = re.sub(r"[^A-Za-z0-9]", "", label)
        if not text:
            raise InputError(
                f"No subject label can be made from the name of '{path}': use letters or digits, "
                "such as 'sub-01.tsv'."
            )
        other, where = spelt.setdefault(text, (spelling, path))
        if other != spelling:
            raise InputError(
                f"'{where}' (subject '{other}') and '{path}' (subject '{spelling}') would both be "
                f"subject '{text}', since labels hold letters and digits only. Rename one of them."
            )
        found.append(_Found(text, named, path, entities))
    if any(f.named for f in found):
        found = [f for f in found if f.named]
    return found


def _keep_subjects(found: list[_Found], labels: Sequence[str], where: Path) -> list[_Found]:
    if not labels:
        return found
    there = sorted({f.label for f in found}, key=natural_key)
    wanted = {label.removeprefix("sub-") for label in labels}
    unknown = sorted(wanted - set(there), key=natural_key)
    if unknown:
        raise NothingMatchedError(
            f"No data for participant {listed(unknown)} in '{where}'. "
            f"Participants there: {listed(there)}."
        )
    return [f for f in found if f.label in wanted]


def _apply(query: Query, found: list[_Found], where: Path) -> list[_Found]:
    for key, allowed in query.items():
        if allowed is None:
            kept = [f for f in found if key in f.entities]
            wanted = f"any '{key}'"
        elif not allowed:
            kept = [f for f in found if key not in f.entities]
            wanted = f"no '{key}'"
        else:
            kept = [f for f in found if _same(_value(f, key), allowed)]
            wanted = f"{key}-{listed(allowed)}"
        if not kept:
            there = sorted({_value(f, key) or "none" for f in found}, key=natural_key)
            raise NothingMatchedError(
                f"No run with {wanted} in '{where}'. Labels of '{key}' there: {listed(there)}."
            )
        found = kept
    return found


def _value(found: _Found, key: str) -> str | None:
    return found.label if key == "sub" else found.entities.get(key)


def _same(value: str | None, allowed: tuple[str, ...]) -> bool:
    # Indices may be padded with zeros, so that run 1 is also run-01.
    return value is not None and any(
        value == a or (value.isdigit() and a.isdigit() and int(value) == int(a)) for a in allowed
    )


def _one_task(found: list[_Found], where: Path) -> list[_Found]:
    tasks = sorted({f.entities["task"] for f in found if "task" in f.entities}, key=natural_key)
    if len(tasks) > 1:
        raise SettingsError(
            f"'{where}' holds several tasks: {listed(tasks, limit=20)}. Choose one with --task."
        )
    return found


def _one_space(found: list[_Found], atlas_space: str | None, where: Path) -> list[_Found]:
    spaces = sorted({f.entities.get("space", "") for f in found})
    if len(spaces) < 2:
        return found
    fitting = [s for s in spaces if s and atlas_space is not None and spaces_fit(s, atlas_space)]
    if len(fitting) == 1:
        return [f for f in found if f.entities.get("space", "") == fitting[0]]
    names = listed([s or "none (native)" for s in spaces], limit=20)
    raise SettingsError(f"'{where}' holds several spaces: {names}. Choose one with --space.")


def _combined_echoes(found: list[_Found], where: Path) -> list[_Found]:
    """Leave out single echoes if their combination exists, and refuse several echoes without it."""
    combined = {_without_echo(item) for item in found if "echo" not in item.entities}
    kept = [
        item for item in found if "echo" not in item.entities or _without_echo(item) not in combined
    ]
    echoes = {item.entities["echo"] for item in kept if "echo" in item.entities}
    if len(echoes) > 1:
        raise SettingsError(
            f"'{where}' holds single echoes ({listed(sorted(echoes, key=natural_key))}) and not "
            "their combination, which fMRIPrep writes without an 'echo' in the name. Give that, or "
            "choose one echo with --bids-filter-file."
        )
    return kept


def _without_echo(item: _Found) -> tuple[tuple[str, str], ...]:
    return (("label", item.label), *((k, v) for k, v in item.entities.items() if k != "echo"))


def _runs(found: list[_Found], root: Path, folders: Folders) -> tuple[RunFile, ...]:
    runs: dict[str, RunFile] = {}
    for item in found:
        name = "_".join(f"{k}-{item.entities[k]}" for k in _RUN_ENTITIES if k in item.entities)
        if not name:
            stem = split_name(item.path.name)[0]
            several = len(found) > 1 and "sub" not in item.entities
            name = f"run-{re.sub(r'[^A-Za-z0-9]', '', stem)}" if several and item.named else "run-1"
        events = find_sidecar(item.path, "events", ".tsv", root, folders)
        run = RunFile(item.path, tuple(item.entities.items()), name, events, root)
        if name in runs:
            raise _clash(item, name, runs[name], run)
        runs[name] = run
    return tuple(runs[name] for name in sorted(runs, key=natural_key))


def _clash(item: _Found, name: str, first: RunFile, second: RunFile) -> Exception:
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
