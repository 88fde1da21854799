"""Find the atlas that a user names: one for all, one for each subject, or that of the tables."""

from pathlib import Path
from typing import Any

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.atlas import Parcellation, load_atlas
from causal_ivae.imaging.atlas_tables import TABLE_ENDINGS
from causal_ivae.imaging.bids import SubjectFiles, find_subjects
from causal_ivae.imaging.file_names import split_name
from causal_ivae.imaging.selection import atlas_label, same_label
from causal_ivae.imaging.table_names import atlas_table

_SUBJECT, _SESSION = "{subject}", "{session}"
_LEVELS = 3
"""Folders above an image of labels in which its table of regions may be, once for all subjects."""


def is_template(name: str) -> bool:
    """Check whether a name stands for a file of every subject."""
    return _SUBJECT in name


def subjects_with_atlas(
    source: Path, name: str | None, **chosen: Any
) -> tuple[tuple[SubjectFiles, ...], Parcellation | None]:
    """Find the subjects and the atlas, each of which helps to choose the other.

    Parameters
    ----------
    source : pathlib.Path
        A folder or a file.
    name : str or None
        As in `atlas_for`.
    **chosen
        What else `causal_ivae.imaging.bids.find_subjects` takes.

    Raises
    ------
    SettingsError, InputError, NothingMatchedError
        In the same cases as `find_subjects` and `atlas_for`.
    """
    atlas, unknown = None, None
    if name is not None and not is_template(name):
        try:
            atlas = load_atlas(name)
        except SettingsError as error:
            unknown = error
    subjects = find_subjects(source, atlas=atlas, atlas_name=name, **chosen)
    if not subjects:
        return subjects, atlas
    if unknown is not None and not _named_by_tables(subjects, name or ""):
        raise unknown
    return subjects, atlas_for(name, subjects[0], source if source.is_dir() else source.parent)


def _named_by_tables(subjects: tuple[SubjectFiles, ...], name: str) -> bool:
    """Check whether the names of tables mention an atlas that is not known here."""
    labels = (atlas_label(dict(s.runs[0].entities)) for s in subjects if s.kind == "tables")
    return any(label is not None and same_label(label, name) for label in labels)


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
