"""Seconds per subject, from a few regions to a whole parcellation."""

from collections.abc import Iterator
from dataclasses import replace

from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Clock, Measurement
from causal_ivae.validation.speed.subject import (
    RESTARTS,
    Subject,
    default_segments,
    number_of_pairs,
)

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
    return [row for method in effort.subject_steps for row in _measure(method, effort, clock)]


def _measure(method: str, effort: Effort, clock: Clock) -> Iterator[Measurement]:
    seconds_per_pair = 0.0
    volumes = effort.subject_volumes
    for regions in effort.regions:
        pairs = number_of_pairs(regions)
        timed = pairs
        if seconds_per_pair * pairs > effort.patience:
            affordable = int(effort.patience / seconds_per_pair)
            timed = min(pairs, max(_FEWEST_PAIRS, affordable))
        whole = Subject(
            regions=regions,
            volumes=volumes,
            segments=default_segments(volumes),
            pairs=pairs,
            restarts=RESTARTS,
            steps=effort.subject_steps[method],
            device=str(clock.device),
            method=method,
        )
        seconds = clock.seconds(replace(whole, pairs=timed).prepared())
        seconds_per_pair = seconds / timed
        remark = "" if timed == pairs else f"{EXTRAPOLATED} from {timed} of {pairs} pairs"
        value = seconds * pairs / timed
        yield Measurement(GROUP, NAME + method, whole.setting, (value,), "s", remark=remark)
