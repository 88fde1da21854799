"""Define the pipeline, which holds all settings of one analysis."""

import json
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from causal_ivae.errors import SettingsError, nearest
from causal_ivae.provenance import digest_of
from causal_ivae.settings.analysis import (
    DecisionSettings,
    GroupSettings,
    IndependenceSettings,
    PowerSettings,
    PriorSettings,
    ScreenSettings,
)
from causal_ivae.settings.base import Settings
from causal_ivae.settings.input import DenoiseSettings, SegmentSettings, TableSettings
from causal_ivae.settings.models import UnmixingSettings
from causal_ivae.settings.presets import load_preset


class Pipeline(Settings):
    """Hold all settings of one analysis."""

    name: str = "default"
    description: str = ""
    atlas: str | None = Field(None, description="a bundled atlas or a file; images need one")
    regions: tuple[str, ...] | None = Field(None, description="regions to keep; null keeps all")
    exogenous: tuple[str, ...] = Field(
        (),
        description="known inputs, which no arrow leads into: columns of tables, or trial types of "
        "events, which are convolved with a haemodynamic response",
    )
    tables: TableSettings = TableSettings()
    denoise: DenoiseSettings = DenoiseSettings()
    segments: SegmentSettings = SegmentSettings()
    unmixing: UnmixingSettings = Field(default_factory=UnmixingSettings)
    screen: ScreenSettings = ScreenSettings()
    independence: IndependenceSettings = IndependenceSettings()
    decision: DecisionSettings = DecisionSettings()
    power: PowerSettings = PowerSettings()
    prior: PriorSettings = PriorSettings()
    group: GroupSettings = GroupSettings()

    @property
    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of all settings."""
        return settings_digest(self.model_dump(mode="json"))

    @property
    def load_digest(self) -> str:
        """Return a digest of the settings that determine a subject's series and segments.

        The atlas is not included: the content of its files counts, not their place.
        """
        parts = {"regions", "exogenous", "tables", "denoise", "segments"}
        tree = self.model_dump(mode="json", include=parts)
        # The settings that a preset contains are included already.
        del tree["denoise"]["preset"]
        return settings_digest(tree)

    @property
    def prior_digest(self) -> str:
        """Return a digest of the settings of the comparison with anatomy."""
        return settings_digest(self.prior.model_dump(mode="json", exclude={"name"}))

    @property
    def group_digest(self) -> str:
        """Return a digest of the settings of the statistics over subjects."""
        return settings_digest(self.group.model_dump(mode="json"))

    def changed(self, changes: dict[str, Any]) -> "Pipeline":
        """Return the pipeline with some settings changed and all of them validated again.

        Parameters
        ----------
        changes : dict
            New values by dotted keys, for instance ``{"segments.by": "runs"}``.
            ``"denoise.preset"`` also replaces the settings that the preset contains.

        Raises
        ------
        SettingsError
            If a key is unknown or a value is out of range.
        """
        tree = self.model_dump(mode="json")
        if changes.get("denoise.preset") is not None:
            preset = load_preset(changes["denoise.preset"])
            taken = {f"denoise.{key}": value for key, value in preset.settings.items()}
            changes = {**changes, "denoise.preset": preset.name, **taken}
        for dotted, value in changes.items():
            *parents, last = dotted.split(".")
            branch = tree
            for parent in parents:
                if not isinstance(branch.get(parent), dict):
                    branch[parent] = {}
                branch = branch[parent]
            branch[last] = value
        return validated(tree, "the options given")


def settings_digest(content: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of settings as JSON."""
    return digest_of(json.dumps(content, sort_keys=True))


def validated(tree: dict[str, Any], where: str) -> Pipeline:
    """Return the pipeline that a mapping of sections describes.

    Raises
    ------
    SettingsError
        If a key is unknown or a value is out of range; the message names `where` it stands.
    """
    try:
        return Pipeline.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            last = str(first["loc"][-1])
            valid = _keys(first["loc"][:-1])
            raise SettingsError(
                f"Unknown key '{key}' in {where}. {nearest(last, valid)}"
            ) from error
        if first["type"] == "value_error":
            # Messages of our own checks name the value already; the input is a whole section.
            reason = first["msg"].removeprefix("Value error, ")
            stop = "" if reason.endswith(("?", ".")) else "."
            raise SettingsError(f"Invalid settings '{key}' in {where}: {reason}{stop}") from error
        raise SettingsError(
            f"Invalid value {first['input']!r} for '{key}' in {where}: {first['msg']}."
        ) from error


def _keys(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are valid at a place in the settings."""
    model: type[BaseModel] = Pipeline
    for part in loc:
        inner = _fields(model)[str(part)]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of some settings and their types."""
    added = UnmixingSettings.blocks() if model is UnmixingSettings else {}
    return {name: field.annotation for name, field in model.model_fields.items()} | added
