"""Find runs of a subject that hold the same volumes."""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError

_LONG_STRETCH = 20
"""Two runs that share this many volumes, equally far apart in both, come from one another."""
_WHOLE = 0.9
"""A concatenation holds at least this share of the volumes of each of its runs."""


class _Run(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def entities(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def raw(self) -> NDArray[np.float64]: ...


R = TypeVar("R", bound=_Run)


def without_concatenations(
    runs: Sequence[R], subject: str
) -> tuple[list[R], list[tuple[str, str]]]:
    """Leave out concatenations of other runs, and refuse any other volumes that occur twice.

    Parameters
    ----------
    runs : sequence of runs
        Runs with name, path, entities and the volumes before cleaning.
    subject : str
        Label of the subject for error messages.

    Returns
    -------
    runs : list of runs
    left_out : list of (str, str)
        Name of every run that is left out, and the reason.  It is the run without ``run-`` in its
        name among others with it, as XCP-D's ``--combine-runs`` writes it.

    Raises
    ------
    InputError
        If two runs share 20 or more volumes, equally far apart in both, and neither is a
        concatenation that holds the other one and says so by its name.
    """
    left_out: dict[str, str] = {}
    for one, other in combinations(runs, 2):
        shared = _shared(one.raw, other.raw)
        if shared < _LONG_STRETCH:
            continue
        whole = _concatenation(one, other, shared)
        if whole is None:
            raise InputError(
                f"Subject '{subject}': '{one.path}' (run '{one.name}') and '{other.path}' (run "
                f"'{other.name}') share {shared} volumes, so they would count twice. Remove one of "
                "them, or choose with --bids-filter-file."
            )
        part = other if whole is one else one
        left_out[whole.name] = (
            f"'{whole.path}' holds the volumes of '{part.path}' again, as a concatenation of runs."
        )
    return [run for run in runs if run.name not in left_out], list(left_out.items())


def _concatenation(one: R, other: R, shared: int) -> R | None:
    """Return the longer run if it holds the other one and only its name lacks ``run-``."""
    a, b = dict(one.entities), dict(other.entities)
    if ("run" in a) == ("run" in b):
        return None
    whole, part = (other, one) if "run" in a else (one, other)
    holds = len(whole.raw) > len(part.raw) and shared >= _WHOLE * len(part.raw)
    return whole if holds else None


def _shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """Return the largest number of equal volumes at the same distance in both runs."""
    if one.shape[1] != other.shape[1] or not len(one) or not len(other):
        return 0
    _, first, second = np.intersect1d(_as_rows(one), _as_rows(other), return_indices=True)
    if not len(first):
        return 0
    _, counts = np.unique(first - second, return_counts=True)
    return int(counts.max())


def _as_rows(values: NDArray[np.float64]) -> NDArray[np.void]:
    """Return every row as one item, so that whole rows can be compared."""
    whole = np.ascontiguousarray(values)
    return whole.view(np.dtype((np.void, whole.dtype.itemsize * whole.shape[1]))).ravel()
