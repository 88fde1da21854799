"""Read a pipeline, the settings of an analysis, from a YAML file."""

from pathlib import Path

from causal_ivae.errors import SettingsError
from causal_ivae.settings import Pipeline, resources, validated
from causal_ivae.settings.presets import load_preset
from causal_ivae.settings.yaml_files import read_mapping


def load_pipeline(name_or_path: str | Path) -> Pipeline:
    """Read a pipeline by bundled name or by path.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        The name of a file in ``pipelines/``, or the path of a YAML file.  Keys that it leaves out
        keep their defaults.

    Raises
    ------
    SettingsError
        If the file does not exist, is not YAML, or holds an unknown key or a value out of range.
        The message names the key, the file and the nearest valid key.
    """
    path = resources.find("pipelines", name_or_path)
    tree = read_mapping(path)
    tree.setdefault("name", path.stem)
    where = f"'{path}'"
    denoise = tree.get("denoise")
    if isinstance(denoise, dict) and denoise.get("preset") is not None:
        preset = load_preset(str(denoise["preset"]))
        for key, value in preset.settings.items():
            if key in denoise and denoise[key] != value:
                raise SettingsError(
                    f"'denoise.{key}' in {where} is {denoise[key]!r}, but the preset "
                    f"'{preset.name}' has {value!r}: leave the key out, or copy the preset's "
                    "settings, change them and set denoise.preset to null."
                )
        tree["denoise"] = {**denoise, **preset.settings, "preset": preset.name}
    return validated(tree, where)
