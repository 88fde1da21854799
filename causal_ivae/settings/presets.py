"""Read denoising presets, the files that state which confounds to remove and what to censor."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.settings import resources
from causal_ivae.settings.yaml_files import read_mapping

KEYS = (
    "strategy", "motion", "wm_csf", "global_signal", "compcor", "n_compcor", "scrub",
    "fd_threshold", "std_dvars_threshold",
)  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """Hold a denoising preset.

    Attributes
    ----------
    citations : tuple of str
        Keys of ``reports/references.bib``.
    settings : dict
        A value for every key in `KEYS`, which are settings of the section ``denoise``.
    """

    name: str
    description: str
    citations: tuple[str, ...]
    settings: dict[str, Any]


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by bundled name or by path.

    Raises
    ------
    SettingsError
        If there is no such name or file, the file is not a preset, or it does not state every
        setting.
    """
    path = resources.find("denoise", name_or_path)
    tree = read_mapping(path)
    about = ("name", "description", "citations")
    for key in tree:
        if key not in (*about, *KEYS):
            raise SettingsError(
                f"Unknown key '{key}' in the denoising preset '{path}'. "
                f"{nearest(key, (*about, *KEYS))}"
            )
    for key in KEYS:
        if key not in tree:
            raise SettingsError(
                f"The denoising preset '{path}' has no '{key}'; a preset spells out every one of "
                f"{', '.join(KEYS)}."
            )
    citations = tree.get("citations", [])
    if not isinstance(citations, list) or not all(isinstance(key, str) for key in citations):
        raise SettingsError(f"'citations' in '{path}' must be a list of keys.")
    return Preset(
        str(tree.get("name", path.stem)),
        str(tree.get("description", "")),
        tuple(citations),
        {key: tree[key] for key in KEYS},
    )
