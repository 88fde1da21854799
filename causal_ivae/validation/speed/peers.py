"""Set the time and memory for one pair beside those of published methods."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from causal_ivae.simulate.known_graphs import simulate_bold
from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Baseline, Clock, Measurement, Setting, in_turns
from causal_ivae.validation.speed.peak_memory import peak_mib
from causal_ivae.validation.speed.subject import (
    REPETITION_TIME,
    Subject,
    default_segments,
    regions_with,
)
from causal_ivae.validation.suites.ours import PAIR_METHODS
from causal_ivae.validation.suites.rivals import RIVALS

METHOD = (
    "One simulated subject with a chain of arrows. Ours: discover() with default settings on all "
    "pairs of regions at once, divided by their number. Others: one pair after the other, divided "
    "likewise; of more rows than a method can take, it has a random subset, whose size is its "
    "number of volumes in the table. The baseline is DirectLiNGAM."
)

GROUP = "per pair"
_BASELINE = "direct-lingam"
_OTHERS = ("hs-tanh", _BASELINE, "resit", "anm", "cd-nod")
_SMALL_VOLUMES = 160


@dataclass(frozen=True)
class _Pairs:
    """Judge some pairs of one simulated subject by a published method."""

    rival: str
    volumes: int
    pairs: int

    def __call__(self) -> None:
        for number, (values, segments) in enumerate(self.simulated()):
            RIVALS[self.rival](values, segments, key=str(number))

    def simulated(self) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Return values (volumes, 2) and segments of each pair."""
        regions = regions_with(self.pairs)
        chain = np.eye(regions, k=1, dtype=bool)
        values = simulate_bold(chain, n_times=self.volumes, tr=REPETITION_TIME).values
        segments = np.arange(self.volumes) * default_segments(self.volumes) // self.volumes
        some = list(combinations(range(regions), 2))[: self.pairs]
        return [(values[:, list(pair)], segments) for pair in some]


def measure_peers(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time ours and published methods in turns, s per pair, and take their peak memory, MiB."""
    volumes, regions = effort.subject_volumes, effort.regions[0]
    work: dict[str, Callable[[], object]] = {}
    small: dict[str, Callable[[], object]] = {}
    settings: dict[str, Setting] = {}
    for method in (*PAIR_METHODS, "network"):
        subject = Subject.whole(regions, method, effort, clock)
        few = replace(subject, volumes=_SMALL_VOLUMES, segments=4, steps=8)
        work[method], small[method] = subject.discover, few.discover
        settings[method] = replace(subject.setting, regions=None, restarts=None, segments=None)
    absent = [name for name in _OTHERS if not RIVALS[name].there]
    for name in _OTHERS:
        if name in absent:
            continue
        pairs = _Pairs(name, volumes, effort.peer_pairs)
        work[name], small[name] = pairs, replace(pairs, volumes=_SMALL_VOLUMES, pairs=1)
        most = RIVALS[name].most_rows or volumes
        settings[name] = Setting(pairs=pairs.pairs, volumes=min(most, volumes))
    for warm in small.values():
        warm()
    taken = in_turns(
        {name: partial(clock.seconds, one) for name, one in work.items()}, effort.peer_turns
    )
    each = {
        name: tuple(seconds / (settings[name].pairs or 1) for seconds in turns)
        for name, turns in taken.items()
    }
    found = []
    for name, values in each.items():
        baseline = (
            Baseline(_BASELINE, float(np.median(each[_BASELINE]))) if _BASELINE in each else None
        )
        peak = peak_mib(work[name], small[name], clock.device)
        found += [
            Measurement(GROUP, name, settings[name], values, "s", baseline),
            Measurement(GROUP, f"{name}, peak memory", settings[name], peak, "MiB"),
        ]
    missing = "not installed"
    return found + [Measurement(GROUP, name, Setting(), (), "s", remark=missing) for name in absent]
