"""What file names say: entities, extensions, sidecars, spaces.

File names are read with two regular expressions.  nilearn's `parse_bids_filename` needs a suffix,
cuts labels at a second hyphen and takes a plain word for an entity.
"""

import re
from pathlib import Path

from causal_ivae.errors import InputError

_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9+]+(?:-[A-Za-z0-9+]+)*)(?=_|$)")
_EXTENSION = re.compile(r"(\.nii\.gz|\.nii|\.[A-Za-z0-9]+)$")


def split_name(name: str) -> tuple[str, str]:
    """Return a file name's stem and extension; ``.nii.gz`` is one extension."""
    match = _EXTENSION.search(name)
    return (name[: match.start()], match.group()) if match else (name, "")


def parse_entities(name: str) -> dict[str, str]:
    """Return the BIDS entities of a file name, in its order."""
    return dict(_ENTITY.findall(split_name(name)[0]))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts ``run-2`` before ``run-10``."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    )


def require_file(path: Path) -> None:
    """Raise `InputError` where a file is not there, or is a link whose content is not."""
    if path.is_symlink() and not path.exists():
        raise InputError(
            f"'{path}' is a link to content that is not there; fetch it first (in a DataLad "
            "dataset: datalad get)."
        )
    if not path.is_file():
        raise InputError(f"There is no file '{path}'.")


def find_sidecar(
    path: Path,
    suffix: str,
    extension: str,
    root: Path,
    listed: dict[tuple[Path, str], list[Path]] | None = None,
) -> Path | None:
    """Return the file that describes `path` under the BIDS inheritance principle.

    Parameters
    ----------
    path : pathlib.Path
        Data file.
    suffix, extension : str
        Such as ``"events"`` and ``".tsv"``.
    root : pathlib.Path
        Folder where the search upwards ends.
    listed : dict or None
        What folders were found to hold, filled here: give one dict for many files.

    Returns
    -------
    pathlib.Path or None
        In the nearest folder, the file with the most entities, all of which the data file has
        with the same labels.
    """
    have = parse_entities(path.name)
    listed = {} if listed is None else listed
    ending = f"{suffix}{extension}"
    for folder in (path.parent, *path.parent.parents):
        best: tuple[int, Path] | None = None
        if (folder, ending) not in listed:
            listed[folder, ending] = sorted(folder.glob(f"*{ending}"))
        for candidate in listed[folder, ending]:
            *parts, last = split_name(candidate.name)[0].split("_")
            wanted = parse_entities("_".join(parts))
            # A plain word beside the entities makes it a file of another kind.
            applies = last == suffix and len(wanted) == len(parts)
            applies = applies and all(have.get(key) == label for key, label in wanted.items())
            if applies and (best is None or len(wanted) > best[0]):
                best = (len(wanted), candidate)
        if best is not None:
            return best[1]
        if folder == root:
            return None
    return None


def spaces_fit(data_space: str | None, atlas_space: str) -> bool:
    """Return whether an atlas can be laid over data of a space.

    An atlas in ``"MNI"`` (template not named) fits every template of the MNI frame; templates
    differ by a few mm.
    """
    if atlas_space == "MNI":
        return data_space is not None and data_space.startswith("MNI")
    return data_space == atlas_space
