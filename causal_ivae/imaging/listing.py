"""List the files in a folder that may hold region time series, whichever program wrote them."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from causal_ivae.errors import InputError
from causal_ivae.given_files import leads_out, require_file
from causal_ivae.imaging.file_names import parse_entities, split_name, subject_spelling
from causal_ivae.imaging.nothing_found import IMAGE_ENDING, why_nothing
from causal_ivae.imaging.readers import TABLE_ENDINGS

RunContent = Literal["table", "volumes", "grayordinates", "surfaces"]
"""What a file of a run holds: region series, or voxels, grayordinates or vertices to average."""

_IMAGES: dict[str, RunContent] = {
    ".nii.gz": "volumes",
    ".nii": "volumes",
    ".dtseries.nii": "grayordinates",
    ".func.gii": "surfaces",
}
_CONN = re.compile(r"ROI_?Subject(?P<subject>[0-9]+)_?Condition(?P<condition>[0-9]+)")
"""CONN writes a file for every subject and condition, which serves as the task here."""
_DUAL_REGRESSION = re.compile(r"dr_stage1_(?P<subject>subject[0-9]+)")
"""FSL's dual regression writes the time courses of all components of a subject to one file."""
_HCP_RUN = re.compile(
    r"[rt]fMRI_(?P<task>[A-Za-z]+)(?P<run>[0-9]*)(?:_7T)?(?:_(?P<dir>LR|RL|AP|PA))?$"
)
"""HCP names the folders of its runs so."""
_SERIES_SUFFIXES = ("timeseries", "bold")
# Files with these suffixes stand beside time series in BIDS, in fMRIPrep's and in our outputs.
_NOT_SERIES = frozenset((
    "aslcontext", "alff", "beh", "blood", "channels", "confounds", "conmat", "coverage", "design",
    "dseg", "edges", "electrodes", "events", "metrics", "mixing", "morph", "motion", "nodeindices",
    "outliers", "participants", "physio", "priorcheck", "probseg", "qc", "regressors", "reho",
    "relmat", "restarts", "samples", "scans", "sessions", "stim", "tests", "training",
))  # fmt: skip
_OTHER_KINDS = (
    ".", "atlas-", "seg-", "tpl-", "ROICorrelation", "ROI_OrderKey", "ROI_CenterOfMass",
    "COV_Subject", "DATA_Subject", "vvPC",
)  # fmt: skip
"""Files whose names begin so are hidden, of an atlas or template, or stand beside the series of
DPABI and CONN."""
_PLAIN_TEXT = (".txt", ".1d")


@dataclass(frozen=True)
class Found:
    """Describe a file of which nothing but its name and place is known.

    Attributes
    ----------
    label : str
        Subject.
    named : bool
        True if the name or a folder says ``sub-``.
    content : {"table", "volumes", "grayordinates", "surfaces"}
    denoised : bool
        True if confounds were regressed out before, so that none are looked for.
    key : str or None
        Dataset of an HDF5 file that holds many runs.
    """

    label: str
    named: bool
    path: Path
    entities: dict[str, str]
    content: RunContent = "table"
    denoised: bool = False
    key: str | None = None


@dataclass
class _Candidates:
    """Hold the files by what they are, before it is decided which of them count."""

    tables: list[Path] = field(default_factory=list)
    images: list[Path] = field(default_factory=list)


def list_runs(path: Path, wanted: RunContent | None) -> tuple[Path, list[Found]]:
    """List what may be runs: all tables, or all images of one kind.

    Parameters
    ----------
    path : pathlib.Path
        Folder or file.
    wanted : {"volumes", "grayordinates", "surfaces"} or None
        What the atlas can be laid over; None: volumes.

    Returns
    -------
    root : pathlib.Path
        Highest folder whose sidecar files apply.
    runs : list of Found

    Raises
    ------
    InputError
        If there is no such path, or nothing in it can be read.
    """
    if not path.exists():
        what = "is a link to nothing" if path.is_symlink() else "does not exist"
        raise InputError(f"The input '{path}' {what}; give an existing folder or file.")
    if not path.is_dir():
        require_file(path)
        extension = split_name(path.name)[1].lower()
        if extension not in _IMAGES and extension not in TABLE_ENDINGS:
            raise InputError(
                f"'{path}' is neither a table ({', '.join(TABLE_ENDINGS)}) nor a preprocessed "
                f"image (*{IMAGE_ENDING}, .dtseries.nii, .func.gii)."
            )
        top = path.parent.parent.parent
        listed = _collections([path], top) if extension not in _IMAGES else _label([path], top)
        return path.parent, listed
    folders = [path] if path.name.startswith("sub-") else []
    folders += sorted(f for f in path.glob("sub-*") if f.is_dir() and not leads_out(f, path))
    there = _candidates(path, folders)
    hcp = _hcp_runs(path)
    images = _label(there.images, path) + hcp
    chosen = [f for f in images if f.content == (wanted or "volumes") and not f.denoised]
    tables = _collections(there.tables, path) + [f for f in hcp if f.content == "table"]
    if not chosen and wanted not in (None, "volumes"):
        chosen = [f for f in images if f.content == wanted]
    if not chosen:
        chosen = tables
    if not chosen and images:
        # Without an atlas, or with one that fits nothing, the error comes from the images there.
        kinds = [f.content for f in images]
        kind = next(c for c in ("volumes", "grayordinates", "surfaces") if c in kinds)
        chosen = [f for f in images if f.content == kind]
    if not chosen:
        raise InputError(why_nothing(path, folders))
    return path, chosen


def _candidates(path: Path, folders: Iterable[Path]) -> _Candidates:
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
    found = _Candidates()
    ranks: dict[Path, int] = {}
    for file in sorted(set(files)):
        if _is_image(file):
            found.images.append(file)
        elif (rank := _rank(file)) is not None:
            ranks[file] = rank
    best = min(ranks.values(), default=0)
    found.tables = _without_copies([f for f, rank in ranks.items() if rank == best])
    return found


def _is_image(path: Path) -> bool:
    """Check for a preprocessed or denoised image by its name; raw ones have no ``desc``."""
    stem, extension = split_name(path.name)
    entities = parse_entities(path.name)
    suffix = stem.split("_")[-1]
    content = _IMAGES.get(extension)
    if content is None or path.name.startswith(".") or "stat" in entities:
        return False
    if content == "volumes":
        return suffix == "bold" and entities.get("desc") in ("preproc", "denoised")
    if content == "surfaces":
        return suffix == "bold" and entities.get("hemi") == "L"
    return suffix in _SERIES_SUFFIXES


def _rank(path: Path) -> int | None:
    """Return 0 if a file name is that of a time series, more if it may be one, else None."""
    stem, extension = split_name(path.name)
    if extension.lower() not in TABLE_ENDINGS or stem.startswith(_OTHER_KINDS):
        # giga_connectome's files of all subjects are called by the atlas.
        collection = extension in (".h5", ".hdf5") and stem.startswith(("atlas-", "seg-"))
        return 0 if collection else None
    words = [part for part in stem.split("_") if "-" not in part]
    entities = parse_entities(path.name)
    if "confounds" in stem or entities.get("desc") == "confounds":
        return None
    last = stem.split("_")[-1]
    # XCP-D's tables of coverage, ALFF and ReHo have a statistic in their names.
    of_voxels = last == "bold" and "stat" in entities
    if of_voxels or last.lower() in _NOT_SERIES or ".dense" in stem:
        return None
    plain = extension.lower() in _PLAIN_TEXT
    if last in _SERIES_SUFFIXES:
        return 0
    if plain and not _holds_numbers(path):
        return None
    if "sub" not in entities or not words:
        # Notes and settings are plain text more often than series are.
        return 2 if plain else 0
    return 2 if plain else 1


def _holds_numbers(path: Path) -> bool:
    """Check whether the rows of a text hold several numbers each."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = [stream.readline(65536) for _ in range(20)]
    except OSError:
        return False
    filled = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return len(filled) > 1 and sum(cell[:1] in "+-.0123456789" for cell in filled[1]) > 1


def _without_copies(tables: list[Path]) -> list[Path]:
    """Leave out what a program wrote a second time in another format, as XCP-D and DPABI do."""

    def place(path: Path) -> tuple[Path, str]:
        stem = split_name(path.name)[0]
        return path.parent, re.sub(r"_den-[^_]+", "", stem)

    extensions: dict[tuple[Path, str], set[str]] = {}
    for path in tables:
        extensions.setdefault(place(path), set()).add(split_name(path.name)[1].lower())
    copies = {".ptseries.nii": ".tsv", ".txt": ".mat"}
    return [
        path
        for path in tables
        if copies.get(split_name(path.name)[1].lower()) not in extensions[place(path)]
    ]


def _collections(tables: list[Path], top: Path) -> list[Found]:
    """Return the runs of tables; an HDF5 file may hold those of many subjects."""
    single: list[Path] = []
    found: list[Found] = []
    for path in tables:
        keys = []
        if path.suffix.lower() in (".h5", ".hdf5"):
            # h5py is an optional package that few users need.
            from causal_ivae.imaging.readers.hdf5 import series_of_many

            keys = series_of_many(path)
        if not keys:
            single.append(path)
        for key in keys:
            name = key.rpartition("/")[2]
            entities = parse_entities(name)
            label = re.sub(r"[^A-Za-z0-9]", "", subject_spelling(f"{name}.tsv") or "")
            found.append(Found(label, True, path, entities, key=key))
    return found + _label(single, top)


def _hcp_runs(path: Path) -> list[Found]:
    """Return the runs in HCP's folders (``<subject>/MNINonLinear/Results/<run>/``)."""
    subjects = [path] if (path / "MNINonLinear").is_dir() else []
    subjects += sorted(d for d in path.iterdir() if (d / "MNINonLinear" / "Results").is_dir())
    found = []
    for subject in subjects:
        label = re.sub(r"[^A-Za-z0-9]", "", subject.resolve().name)
        for folder in sorted((subject / "MNINonLinear" / "Results").iterdir()):
            named = _HCP_RUN.match(folder.name)
            if named is None or not folder.is_dir():
                continue
            entities = {k: v for k, v in (("sub", label), *named.groupdict().items()) if v}
            for file in sorted(folder.iterdir()):
                extension = split_name(file.name)[1]
                content: RunContent = _IMAGES.get(extension, "table")
                if extension not in (".dtseries.nii", ".ptseries.nii"):
                    continue
                rest = split_name(file.name)[0].removeprefix(folder.name)
                desc = re.sub(r"[^A-Za-z0-9]", "", rest.replace("_Atlas", "", 1))
                own = {**entities, **({"desc": desc} if desc else {})}
                found.append(Found(label, True, file, own, content, denoised=True))
    return _cleanest(found)


def _cleanest(found: list[Found]) -> list[Found]:
    """Keep of every run the version that is cleaned and aligned best."""

    def worth(item: Found) -> tuple[bool, bool, int]:
        desc = item.entities.get("desc", "")
        return "clean" in desc, "MSMAll" in desc, desc.count("clean")

    best: dict[tuple[str, str, str], Found] = {}
    for item in found:
        key = (item.label, item.path.parent.name, item.content)
        if key not in best or worth(item) > worth(best[key]):
            best[key] = item
    return list(best.values())


def _label(paths: Iterable[Path], top: Path) -> list[Found]:
    found = []
    spelt: dict[str, tuple[str, Path]] = {}
    n_above = len(top.absolute().parents)
    for path in paths:
        entities = parse_entities(path.name)
        above = [p for p in path.absolute().parents if len(p.parents) >= n_above]
        folders = [label for p in above if (label := subject_spelling(p.name)) is not None]
        conn = _CONN.fullmatch(split_name(path.name)[0])
        regressed = _DUAL_REGRESSION.fullmatch(split_name(path.name)[0])
        named = "sub" in entities or bool(folders)
        if folders:
            # A folder cannot hold anything but the subject's name.
            label = spelling = folders[-1]
        elif named:
            label, spelling = entities["sub"], subject_spelling(path.name) or ""
        elif conn is not None:
            label = spelling = f"Subject{conn['subject']}"
            entities |= {"task": f"condition{conn['condition']}"}
        elif regressed is not None:
            label = spelling = regressed["subject"]
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
        content = _IMAGES.get(split_name(path.name)[1], "table")
        cleaned = content != "table" and not _has_confounds(path)
        found.append(Found(text, named, path, entities, content, denoised=cleaned))
    if any(f.named for f in found):
        found = [f for f in found if f.named]
    return found


def _has_confounds(image: Path) -> bool:
    """Check whether confounds have still to be regressed out, going by the name.

    fMRIPrep's images are not denoised; their confounds are missed when they are read.  Those of
    XCP-D, and the grayordinates of HCP and ABCD, are.
    """
    desc = parse_entities(image.name).get("desc")
    return desc == "preproc" or (desc is None and split_name(image.name)[0].endswith("_bold"))
