"""Read and check the files of a saved estimator."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from sklearn.base import BaseEstimator

from causal_ivae.errors import InputError


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
