"""Turn the parameters of an estimator into settings."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from causal_ivae.errors import SettingsError

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
