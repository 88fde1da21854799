"""Turn the parameters of an estimator into settings, and write and read them beside its weights."""

import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from sklearn.base import BaseEstimator

from causal_ivae.errors import InputError, SettingsError

_Settings = TypeVar("_Settings", bound=BaseModel)


def validated(kind: type[_Settings], parameters: dict[str, Any]) -> _Settings:
    """Return the settings that an estimator's parameters make, after checking their values."""
    known = {k: v for k, v in parameters.items() if k in kind.model_fields}
    try:
        return kind.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"Invalid value {first['input']!r} for '{name}': {first['msg']}."
        ) from error


def plain_parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """Return the parameters of an estimator as values that JSON can hold."""
    parameters: dict[str, Any] = estimator.get_params()
    return {
        name: value.model_dump()
        if isinstance(value, BaseModel)
        else value.item()
        if isinstance(value, np.generic)
        else value
        for name, value in parameters.items()
    }


def checked_path(path: str | Path) -> Path:
    """Return the path of the weights after checking its suffix."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"'{path}' must end in '.safetensors'; the JSON is written beside it.")
    return path


def read_description(path: Path, name: str) -> dict[str, Any]:
    """Return the JSON beside the weights after checking that it describes a class."""
    beside = path.with_suffix(".json")
    for needed in (path, beside):
        if not needed.is_file():
            raise InputError(f"There is no file '{needed}'; save() writes both.")
    description: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
    if description["class"] != name:
        raise InputError(f"'{path}' holds a {description['class']}, not a {name}.")
    return description
