"""Simulate a subject of any size, and measure the seconds that its graph takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, count, islice
from typing import Self

import numpy as np

from causal_ivae.discovery import discover
from causal_ivae.discovery.methods import METHODS
from causal_ivae.settings import TrainingSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_bold
from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Clock, Measurement, Setting
from causal_ivae.validation.suites.ours import PAIR_METHODS

RESTARTS = UnmixingSettings().restarts
REPETITION_TIME = 0.72
_WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Subject:
    """Describe a simulated subject, and what `discover` estimates of it.

    Attributes
    ----------
    pairs : int
        The first ones, of all pairs of regions.
    restarts : int
        Of iVAE and TCL.
    steps : int or None
        Of every fit; None for as many as by default.  All else is as it is by default.
    method : {"network", "structural", "ivae", "tcl"}
    """

    regions: int
    volumes: int
    segments: int
    pairs: int
    restarts: int
    steps: int | None
    device: str
    method: str = "ivae"

    @classmethod
    def whole(cls, regions: int, method: str, effort: Effort, clock: Clock) -> Self:
        """Describe a subject all of whose pairs are judged by a method."""
        return cls(
            regions=regions,
            volumes=effort.subject_volumes,
            segments=default_segments(effort.subject_volumes),
            pairs=number_of_pairs(regions),
            restarts=RESTARTS,
            steps=effort.subject_steps,
            device=str(clock.device),
            method=method,
        )

    @property
    def unmixing(self) -> UnmixingSettings:
        """Return the settings of the methods."""
        default = UnmixingSettings(restarts=self.restarts)
        if self.steps is None:
            return default
        blocks = {name: getattr(default, name) for name in PAIR_METHODS}
        return default.model_copy(
            update={
                name: block.shortened(self.steps, self.volumes) for name, block in blocks.items()
            }
        )

    @property
    def setting(self) -> Setting:
        """Return the description of the data for a measurement."""
        own = getattr(self.unmixing, self.method)
        return Setting(
            regions=self.regions,
            pairs=self.pairs,
            restarts=None if METHODS[self.method].fit_names else self.restarts,
            volumes=self.volumes,
            segments=self.segments,
            steps=own.steps_for(self.volumes) if isinstance(own, TrainingSettings) else None,
        )

    def discover(self) -> None:
        """Simulate the series and estimate the graph."""
        self.prepared()()

    def prepared(
        self, progress: Callable[[str, float], None] | None = None
    ) -> Callable[[], object]:
        """Simulate the series, and return a function that estimates the graph."""
        chain = np.eye(self.regions, k=1, dtype=bool)
        values = simulate_bold(chain, n_times=self.volumes, tr=REPETITION_TIME).values
        names = [f"x{i + 1}" for i in range(self.regions)]
        return partial(
            discover,
            values,
            np.arange(self.volumes) * self.segments // self.volumes,
            names,
            skeleton=list(islice(combinations(names, 2), self.pairs)),
            method=self.method,
            device=self.device,
            unmixing=self.unmixing,
            progress=progress,
        )


def default_segments(volumes: int) -> int:
    """Return how many windows of the default length there are."""
    return max(3, round(volumes * REPETITION_TIME / _WINDOW_SECONDS))


def regions_with(pairs: int) -> int:
    """Return the smallest number of regions that have so many pairs."""
    return next(regions for regions in count(2) if number_of_pairs(regions) >= pairs)


def number_of_pairs(regions: int) -> int:
    """Return the number of pairs of regions."""
    return regions * (regions - 1) // 2


METHOD = (
    "discover() by each method of the default on one simulated subject with default settings: all "
    "pairs, fits and steps, windows of 60 s, tests, diagnostics and orientation. Timed once. Where "
    "all pairs would take longer than the patience of the settings, as many pairs as it allows are "
    "timed with all their steps and the time is multiplied by the share; the remark then says "
    "'extrapolated'."
)

GROUP = "end to end"
NAME = "one subject, "
EXTRAPOLATED = "extrapolated"
_FEWEST_PAIRS = 8


def measure_subjects(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time whole subjects, s, the larger ones by a share of their pairs."""
    return [row for method in PAIR_METHODS for row in _measure(method, effort, clock)]


def _measure(method: str, effort: Effort, clock: Clock) -> Iterator[Measurement]:
    seconds_per_pair = 0.0
    for regions in effort.regions:
        pairs = number_of_pairs(regions)
        timed = pairs
        if seconds_per_pair * pairs > effort.patience:
            affordable = int(effort.patience / seconds_per_pair)
            timed = min(pairs, max(_FEWEST_PAIRS, affordable))
        whole = Subject.whole(regions, method, effort, clock)
        seconds = clock.seconds(replace(whole, pairs=timed).prepared())
        seconds_per_pair = seconds / timed
        remark = "" if timed == pairs else f"{EXTRAPOLATED} from {timed} of {pairs} pairs"
        value = seconds * pairs / timed
        yield Measurement(GROUP, NAME + method, whole.setting, (value,), "s", remark=remark)
