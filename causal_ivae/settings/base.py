"""Define the base class of all settings."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Hold settings that cannot be changed and refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
