"""Every error this package raises on purpose.

A message says what is wrong, the value, where it was found and what to do.  The library
raises; the command line prints one line and chooses the exit code.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CausalIvaeError(Exception):
    """Base of all errors raised on purpose by this package; the message is one line."""

    def __init__(self, message: str) -> None:
        # What a parser or a file says may have several.
        super().__init__(" ".join(message.splitlines()))


class InputError(CausalIvaeError, ValueError):
    """The data given cannot be analysed as they are (a file, a table, an image, an array)."""


class TooShortError(InputError):
    """Too little of a run is left once it is censored and cleaned; other runs may do."""


class SettingsError(CausalIvaeError, ValueError):
    """A setting, an option or a resource name is unknown or out of range."""


class NothingMatchedError(SettingsError):
    """The filters given (participant, task, session, space) leave nothing to run."""


class FitError(CausalIvaeError, RuntimeError):
    """Training or testing could not give a finite result."""


def nearest(value: str, allowed: Iterable[str]) -> str:
    """Return a remedy naming the valid value closest to `value`, or all of them."""
    allowed = sorted(allowed)
    close = get_close_matches(value, allowed, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return "Allowed: " + ", ".join(f"'{a}'" for a in allowed) + "."
