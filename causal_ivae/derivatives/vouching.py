"""What a sidecar says of the files beside it, and whether they are still as they were written.

A sidecar is written last and lists size and SHA-256 of every file that was written before it.  A
file is taken for unchanged if its size is the one listed and it is not newer than the sidecar; only
a newer file is read and its digest compared, so that looking at a thousand subjects of which
nothing changed reads no table.  What this cannot see is a file of the same size that was put back
with an old date.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILES = "Files"
"""The sidecar's key for the files that it vouches for: name to `facts`."""


def facts(content: bytes) -> dict[str, Any]:
    """Return what a sidecar says of a file with this content."""
    return {"Bytes": len(content), "SHA256": hashlib.sha256(content).hexdigest()}


def damaged_files(sidecar: Path, about: Mapping[str, Any]) -> dict[str, str]:
    """Return which of a sidecar's files are no longer as they were written, and why.

    Parameters
    ----------
    sidecar : pathlib.Path
        An existing file.
    about : mapping
        Its content.  Where it lists no files, as those of earlier versions, nothing is known.

    Returns
    -------
    dict of str to str
        File name to a clause such as ``"edges.tsv was changed since it was written"``.
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
    """Return in a clause what became of a sidecar without content; empty if there never was one."""
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
