"""Find the atlas that a user names: one for all, one for each subject, or that of the tables."""

from pathlib import Path

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.atlas import Parcellation, load_atlas
from causal_ivae.imaging.atlas_tables import TABLE_ENDINGS
from causal_ivae.imaging.bids import SubjectFiles
from causal_ivae.imaging.file_names import split_name
from causal_ivae.imaging.selection import atlas_label, same_label
from causal_ivae.imaging.table_names import atlas_table

_SUBJECT, _SESSION = "{subject}", "{session}"
_LEVELS = 3
"""Folders above an image of labels in which its table of regions may be, once for all subjects."""


def is_template(name: str) -> bool:
    """Check whether a name stands for a file of every subject."""
    return _SUBJECT in name


def atlas_for(name: str | None, subject: SubjectFiles, source: Path) -> Parcellation | None:
    """Return the atlas for a subject, or None if tables need none.

    Parameters
    ----------
    name : str or None
        A name of `causal-ivae atlas list`, a file, the atlas that the names of tables mention, or a
        path with ``{subject}`` (and ``{session}``) in place of the label, relative to the working
        folder, to the input or to one of the two folders above it.
    source : pathlib.Path
        Folder of the input.

    Raises
    ------
    SettingsError
        If there is no such atlas.
    InputError
        If a file of it cannot be used.
    """
    if name is None:
        return None
    if is_template(name):
        image = atlas_image_of(name, subject, source)
        return load_atlas(image, table=_shared_table(image))
    label = atlas_label(dict(subject.runs[0].entities)) if subject.kind == "tables" else None
    if label is None or not same_label(label, name):
        return load_atlas(name)
    table = atlas_table(subject.runs[0].path.parent, label, subject.runs[0].root)
    if table is not None:
        return load_atlas(table)
    try:
        return load_atlas(name)
    except SettingsError:
        # The names are in the tables themselves.
        return None


def atlas_image_of(name: str, subject: SubjectFiles, source: Path) -> Path:
    """Return the file of a subject that a name with ``{subject}`` stands for.

    Raises
    ------
    InputError
        If there is none; the message has the places that were looked in.
    """
    session = subject.runs[0].entity("ses") or ""
    paths = [
        Path(name.replace(_SUBJECT, spelt).replace(_SESSION, session)).expanduser()
        for spelt in (subject.label, f"sub-{subject.label}")
    ]
    bases = (Path(), source, source.parent, source.parent.parent)
    for place in (base / path for path in paths for base in bases):
        if place.is_file():
            return place
    raise InputError(
        f"No atlas of subject '{subject.label}': looked for '{paths[0]}' and '{paths[1]}' from the "
        f"working folder, '{source}' and the two folders above it."
    )


def _shared_table(image: Path) -> Path | None:
    """Return the table of regions above an image, where subjects share one."""
    stem = split_name(image.name)[0]
    for folder in list(image.absolute().parents)[: _LEVELS + 1]:
        for ending in TABLE_ENDINGS:
            if (folder / f"{stem}{ending}").is_file():
                return folder / f"{stem}{ending}"
    return None
