"""Describe what estimating one graph is expected to take."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """Hold the forecast of the work for one graph.

    Attributes
    ----------
    memory_gib : float
        Memory of arrays (GiB), without the program itself.
    seconds : float
        Expected time (s).
    """

    method: str
    memory_gib: float
    seconds: float
    device: str

    @property
    def work(self) -> str:
        """Return the amount of work in words; empty if it is not known."""
        return ""

    def sentence(self) -> str:
        """Describe the forecast in one line."""
        return (
            f"{self.method}: {self.work}{' ' if self.work else ''}on {self.device}; about "
            f"{_in_bytes(self.memory_gib)} and {in_words(self.seconds)}"
        )


@dataclass(frozen=True)
class PairWorkload(Workload):
    """Hold the forecast of a method that fits every pair by itself.

    Attributes
    ----------
    pairs : int
        Number of pairs.
    unmixed : int
        Expected number of pairs that pass the screen.
    restarts, steps : int
        Number of fits of a pair and of steps of a fit.
    members : int
        Number of fits in a stack.
    """

    pairs: int
    unmixed: int
    restarts: int
    steps: int
    members: int

    @property
    def fits(self) -> int:
        """Return the total number of fits."""
        return self.unmixed * self.restarts

    @property
    def work(self) -> str:
        """Return the numbers of pairs, fits, steps and stacks in words."""
        stacks = math.ceil(self.fits / self.members)
        each = f"{stacks:,} stacks of up to {self.members:,}" if stacks > 1 else "one stack"
        screened = "" if self.unmixed == self.pairs else f"about {self.unmixed:,} of "
        return (
            f"{screened}{self.pairs:,} pairs x {self.restarts} fits, {self.steps:,} steps each, in "
            f"{each}"
        )


@dataclass(frozen=True)
class NetworkWorkload(Workload):
    """Hold the forecast of a method that judges all regions together.

    Attributes
    ----------
    regions : int
    judgements : int
        Number of networks that are judged: the data, their twins, and those with planted arrows.
    """

    regions: int
    judgements: int

    @property
    def work(self) -> str:
        """Return the numbers of regions and of judged networks in words."""
        return f"{self.judgements:,} networks of {self.regions:,} regions"


def _in_bytes(gib: float) -> str:
    return f"{gib:.1f} GiB" if gib >= 1.0 else f"{max(1, round(1024 * gib))} MiB"


def in_words(seconds: float) -> str:
    """Format a duration in rounded seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
