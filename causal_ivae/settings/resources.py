"""Find pipelines, atlases, priors and report templates by name or by path.

A path that the user gives takes precedence over a name.  Names are looked up in the installed
package's ``_resources`` folder, or else in the checkout that this file belongs to.
"""

from pathlib import Path
from typing import Literal

from causal_ivae.errors import SettingsError, nearest

Kind = Literal["pipelines", "denoise", "atlases", "priors", "reports"]

_FOLDERS: dict[Kind, str] = {
    "pipelines": "pipelines",
    "denoise": "pipelines/denoise",
    "atlases": "atlases",
    "priors": "atlases/priors",
    "reports": "reports",
}
_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "pipelines": (".yaml", ".yml"),
    "denoise": (".yaml", ".yml"),
    "atlases": (".json",),
    "priors": (".json",),
    "reports": (".jinja",),
}

_WORDS: dict[Kind, str] = {"denoise": "denoising presets"}


def folder(kind: Kind) -> Path:
    """Return the folder that holds the bundled resources of one kind.

    Raises
    ------
    SettingsError
        If the installation has no such folder.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "_resources" / _FOLDERS[kind]
    if installed.is_dir():
        return installed
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / _FOLDERS[kind]).is_dir():
        return checkout / _FOLDERS[kind]
    raise SettingsError(
        f"The bundled {kind} were not found in '{installed}': the installation is incomplete; "
        "install causal-ivae again."
    )


def names(kind: Kind) -> list[str]:
    """Return the sorted names of the bundled resources of one kind."""
    return sorted(p.stem for p in folder(kind).iterdir() if p.suffix in _SUFFIXES[kind])


def find(kind: Kind, name_or_path: str | Path) -> Path:
    """Return the file of a resource, given its name or its path.

    Parameters
    ----------
    kind : {"pipelines", "denoise", "atlases", "priors", "reports"}
    name_or_path : str or pathlib.Path
        An existing file, or the name of a bundled resource.

    Raises
    ------
    SettingsError
        If there is neither such a file nor such a name; the message suggests the nearest name.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path.resolve()
    text = str(name_or_path)
    for suffix in _SUFFIXES[kind]:
        bundled = folder(kind) / f"{text}{suffix}"
        if len(path.parts) == 1 and bundled.is_file():
            return bundled
    raise SettingsError(
        f"'{text}' is neither a file nor one of the bundled {_WORDS.get(kind, kind)}. "
        f"{nearest(text, names(kind))}"
    )
