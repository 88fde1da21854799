"""Record what a result was made from: fingerprints of files and versions of packages."""

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

CODE_URL = "https://pypi.org/project/causal-ivae/"
"""Where the code is published."""
WHOLE_FILE_BYTES = 64 * 2**20
_HEAD_BYTES = 2**20
_PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "networkx", "nibabel",
    "nilearn",
)  # fmt: skip


def fingerprint(path: Path) -> str:
    """Return a short text that changes with the content of a file.

    Returns
    -------
    str
        ``"sha256:<hex>"`` of the whole content up to `WHOLE_FILE_BYTES`; for larger files
        ``"head:<hex>"`` of the size, the modification time and the first MiB, because reading
        every image again would cost as much as loading it.
    """
    facts = path.stat()
    with path.open("rb") as stream:
        if facts.st_size <= WHOLE_FILE_BYTES:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        digest = hashlib.sha256(f"{facts.st_size} {facts.st_mtime_ns} ".encode())
        digest.update(stream.read(_HEAD_BYTES))
        return f"head:{digest.hexdigest()}"


def fingerprints(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the fingerprint of each file, with keys as `shown` gives them."""
    return {shown(path, root): fingerprint(path) for path in sorted(set(paths))}


def shown(path: Path, root: Path) -> str:
    """Return a path as sidecars show it: relative to `root` if it lies below it, else absolute."""
    path, root = path.resolve(), root.resolve()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def digest_of(*parts: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of texts joined by line breaks."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def package_version() -> str:
    """Return the version of this package."""
    # The command line asks for no version most of the time, and the import is slow.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("causal-ivae")
    except PackageNotFoundError:
        return "0+unknown"


def versions(*others: str) -> dict[str, str]:
    """Return the versions of this package, of Python and of packages that are installed.

    These are the packages that results depend on, and `others`.
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {"causal-ivae": package_version(), "python": platform.python_version()}
    for package in (*_PACKAGES, *others):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def generated_by() -> list[dict[str, Any]]:
    """Return the ``GeneratedBy`` entry of ``dataset_description.json``."""
    return [{"Name": "causal-ivae", "Version": package_version(), "CodeURL": CODE_URL}]
