"""Define every error that this package raises on purpose.

A message states the problem, the value, where it was found and what to do.  The library raises an
error; the command line prints its message in one line and chooses the exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CausalIvaeError(Exception):
    """Be the base class of all errors raised on purpose, whose message is one line."""

    def __init__(self, message: str) -> None:
        # Messages quoted from parsers or files may have several lines.
        super().__init__(" ".join(message.splitlines()))


class InputError(CausalIvaeError, ValueError):
    """Report that a file, a table, an image or an array cannot be analysed as it is."""


class TooShortError(InputError):
    """Report that too little of a run remains after censoring; other runs may be long enough."""


class NotASeriesError(InputError):
    """Report that a file holds no time series but, for instance, correlations."""


class SettingsError(CausalIvaeError, ValueError):
    """Report that a setting, an option or the name of a resource is unknown or out of range."""


class NothingMatchedError(SettingsError):
    """Report that no run matches the filters (participant, task, session, space)."""


class NotFetchedError(SettingsError):
    """Report that a published atlas is not on this machine; `atlas` is its name."""

    def __init__(self, message: str, atlas: str) -> None:
        super().__init__(message)
        self.atlas = atlas


class NoRoomError(CausalIvaeError):
    """Report that a file cannot be written since the disk is full or a limit is reached."""


class FitError(CausalIvaeError, RuntimeError):
    """Report that training or a test gave no finite result."""


class CausalIvaeWarning(UserWarning):
    """Warn of something about the data or the fit that a reader of the results should know."""


def nearest(value: str, allowed: Iterable[str]) -> str:
    """Return a sentence that suggests the valid value closest to `value`, or lists all of them."""
    allowed = sorted(allowed)
    close = get_close_matches(value, allowed, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return "Allowed: " + ", ".join(f"'{a}'" for a in allowed) + "."
