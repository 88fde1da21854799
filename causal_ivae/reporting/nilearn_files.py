"""Find files that come with nilearn without importing it, which takes seconds."""

from importlib.util import find_spec
from pathlib import Path


def nilearn_file(*parts: str) -> Path:
    """Return the path of a file of nilearn.

    Parameters
    ----------
    *parts : str
        Folders below ``nilearn`` and the name of the file.
    """
    found = find_spec("nilearn")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent.joinpath(*parts)
