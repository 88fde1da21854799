"""Check by sidecars whether the files beside them are still as they were written.

A sidecar is written last and lists size and SHA-256 of every file that was written before it.  A
file counts as unchanged if it has the listed size and is not newer than the sidecar.  Only newer
files are read and their digests compared, so that checking a thousand unchanged subjects reads no
table.  A file of the same size with an old date cannot be recognised as changed.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILES = "Files"
"""A sidecar holds under this key the `facts` of every file that it vouches for, by file name."""


def facts(content: bytes) -> dict[str, Any]:
    """Return size and digest of a file's content, as a sidecar lists them."""
    return {"Bytes": len(content), "SHA256": hashlib.sha256(content).hexdigest()}


def damaged_files(sidecar: Path, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a sidecar that are no longer as they were written, with reasons.

    Parameters
    ----------
    sidecar : pathlib.Path
        Path of an existing sidecar.
    about : mapping
        Content of the sidecar.  If it lists no files, as in earlier versions, none is checked.

    Returns
    -------
    dict of str to str
        A clause for each file name, for instance ``"edges.tsv was changed since it was written"``.
    """
    listed = about.get(FILES)
    if not isinstance(listed, dict):
        return {}
    written = sidecar.stat().st_mtime_ns
    found = {}
    for name, said in listed.items():
        path, suffix = sidecar.parent / Path(name).name, name.rpartition("_")[2]
        if not path.is_file():
            found[name] = f"{suffix} is missing"
        elif not _is_unchanged(path, said, written):
            found[name] = f"{suffix} was changed since it was written"
    return found


def lost_sidecar(sidecar: Path) -> str:
    """Return a clause on a missing or damaged sidecar; empty if there was none."""
    if sidecar.is_file():
        return f"{sidecar.name.rpartition('_')[2]} cannot be read"
    if sidecar.with_suffix(".tsv").is_file():
        return f"{sidecar.name.rpartition('_')[2]} is missing"
    return ""


def _is_unchanged(path: Path, said: Any, written: int) -> bool:
    there = path.stat()
    if not isinstance(said, dict) or there.st_size != said.get("Bytes"):
        return False
    return there.st_mtime_ns <= written or facts(path.read_bytes()) == said
