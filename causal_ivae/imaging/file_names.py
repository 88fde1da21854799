"""Read entities and extensions from file names, and find the sidecar files that apply to them.

The entities are those of the schema that BIDS publishes.  Two regular expressions parse the names.
nilearn's `parse_bids_filename` is not used, since it requires a suffix, cuts labels at a second
hyphen and takes a plain word for an entity.
"""

import json
import re
from bisect import bisect_right
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from types import MappingProxyType

_VERSIONS = frozenset((
    "template", "cohort", "hemisphere", "space", "atlas", "segmentation", "scale", "resolution",
    "density", "label", "description",
))  # fmt: skip
"""These entities distinguish versions of a run, such as spaces; the others distinguish runs."""
_NOT_YET = MappingProxyType({"statistic": "stat", "measure": "meas", "feature": "feature"})
"""XCP-D, the draft on connectivity and HALFpipe use these entities, which the schema lacks."""


@cache
def short_names() -> dict[str, str]:
    """Return the key in file names of every entity by its long name (``{"session": "ses"}``).

    They are in the order in which BIDS has them in names.
    """
    from bidsschematools.data import load

    # The package's `load_schema` reads this file too, but takes far longer to wrap all its parts.
    schema = json.loads(load.readable("schema.json").read_text(encoding="utf-8"))
    entities = schema["objects"]["entities"]
    known = {str(long): str(entities[long]["name"]) for long in schema["rules"]["entities"]}
    # fMRIPrep's filter files say 'desc', as pybids does.
    return {**known, **_NOT_YET}


@cache
def run_entities() -> tuple[str, ...]:
    """Return the keys of the entities that distinguish runs of a subject, in the order of BIDS."""
    others = {*_VERSIONS, *_NOT_YET, "subject"}
    return tuple(key for long, key in short_names().items() if long not in others)


_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9+]+(?:-[A-Za-z0-9+]+)*)(?=_|$)")
_EXTENSION = re.compile(
    r"(\.nii\.gz|\.(?:dtseries|ptseries|dlabel|pscalar|dscalar|pconn)\.nii|\.nii"
    r"|\.(?:func|label|shape|surf)\.gii|\.tsv\.gz|\.[A-Za-z0-9]+)$"
)


def split_name(name: str) -> tuple[str, str]:
    """Split a file name into stem and extension; ``.nii.gz`` and ``.dtseries.nii`` are one each."""
    match = _EXTENSION.search(name)
    return (name[: match.start()], match.group()) if match else (name, "")


def parse_entities(name: str) -> dict[str, str]:
    """Return the BIDS entities of a file name in their order."""
    return dict(_ENTITY.findall(split_name(name)[0]))


def subject_spelling(name: str) -> str | None:
    """Return the subject as a file or folder spells it, or None where it names none.

    Plain words between ``sub-<label>`` and the next entity are a part of it: the subject of
    ``sub-NDAR_INV1_task-rest_bold.nii.gz`` is spelt ``"NDAR_INV1"``.
    """
    stem, extension = split_name(name)
    parts = (stem if extension else name).split("_")
    named = [i for i, part in enumerate(parts) if part.startswith("sub-") and part != "sub-"]
    if not named:
        return None
    label = [parts[named[0]].removeprefix("sub-")]
    for part in parts[named[0] + 1 :]:
        if "-" in part:
            return "_".join(label)
        label.append(part)
    # In a file the last word is the suffix; a folder has none.
    return "_".join(label[:-1] if extension and len(label) > 1 else label)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts ``run-2`` before ``run-10``."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    )


_Sidecar = tuple[dict[str, str], Path]
"""The entities in the name of a file that may describe others, and its path."""


class Folders:
    """Remember what folders hold; each is listed once, when it is first asked for."""

    def __init__(self) -> None:
        self._names: dict[Path, list[str]] = {}
        self._sidecars: dict[tuple[Path, str, str], dict[str | None, list[_Sidecar]]] = {}

    def starting(self, folder: Path, start: str) -> list[Path]:
        """Return what is in a folder under longer names with this start, sorted by name."""
        names = self._listed(folder)
        after = islice(names, bisect_right(names, start), None)
        return [folder / name for name in takewhile(lambda name: name.startswith(start), after)]

    def sidecars(
        self, folder: Path, suffix: str, extension: str, subject: str | None
    ) -> list[_Sidecar]:
        """Return files of a folder that may describe a subject's, sorted by name.

        These are those of the subject and those of no subject, with their entities.  A file with a
        word in its name that is not an entity is of another kind.
        """
        key = (folder, suffix, extension)
        if key not in self._sidecars:
            found: dict[str | None, list[_Sidecar]] = {}
            for name in self._listed(folder):
                if name.endswith(suffix + extension):
                    *parts, last = split_name(name)[0].split("_")
                    entities = parse_entities("_".join(parts))
                    if last == suffix and len(entities) == len(parts):
                        one = (entities, folder / name)
                        found.setdefault(entities.get("sub"), []).append(one)
            self._sidecars[key] = found
        by_subject = self._sidecars[key]
        of_all, own = by_subject.get(None, []), by_subject.get(subject, []) if subject else []
        return sorted([*of_all, *own], key=lambda one: one[1].name)

    def _listed(self, folder: Path) -> list[str]:
        if folder not in self._names:
            try:
                self._names[folder] = sorted(path.name for path in folder.iterdir())
            except OSError:
                # What nobody may list holds nothing for us.
                self._names[folder] = []
        return self._names[folder]


def find_sidecar(
    path: Path, suffix: str, extension: str, root: Path, folders: Folders | None = None
) -> Path | None:
    """Find the file that describes `path` under the BIDS inheritance principle.

    Parameters
    ----------
    path : pathlib.Path
        Data file.
    suffix, extension : str
        For instance ``"events"`` and ``".tsv"``.
    root : pathlib.Path
        Highest folder that is searched.
    folders : Folders, optional
        Give the same one for many files, so that each folder is listed once.

    Returns
    -------
    pathlib.Path or None
        The file in the nearest folder whose entities all agree with the data file's; if there are
        several, the one with the most entities.
    """
    have = parse_entities(path.name)
    folders = folders or Folders()
    for folder in (path.parent, *path.parent.parents):
        best: tuple[int, Path] | None = None
        for wanted, candidate in folders.sidecars(folder, suffix, extension, have.get("sub")):
            applies = all(have.get(key) == label for key, label in wanted.items())
            if applies and (best is None or len(wanted) > best[0]):
                best = (len(wanted), candidate)
        if best is not None:
            return best[1]
        if folder == root:
            return None
    return None


def spaces_fit(data_space: str | None, atlas_space: str) -> bool:
    """Check whether an atlas fits data of a space.

    An atlas in ``"MNI"``, without the name of a template, fits every MNI template; templates differ
    by a few mm.
    """
    if atlas_space == "MNI":
        return data_space is not None and data_space.startswith("MNI")
    return data_space == atlas_space
