"""Measure how time and memory grow with pairs, restarts, volumes, segments and steps."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from causal_ivae.validation.speed.effort import Effort
from causal_ivae.validation.speed.measurement import Clock, Measurement, Setting, in_turns, slope
from causal_ivae.validation.speed.peak_memory import peak_mib
from causal_ivae.validation.speed.subject import Subject, regions_with

METHOD = (
    "discover() on simulated series, one size varied at a time, with fewer steps than by default; "
    "how time grows with steps is measured too. 'unmixing' is the time up to the reports of "
    "training, 'testing' the rest: last evaluation, tests, diagnostics, orientation. A slope is "
    "the least-squares exponent of a power law over all sizes, of which the smallest fills a "
    "stack; 1 is linear."
)

GROUP = "scaling with "
VARIED = ("pairs", "restarts", "volumes", "segments", "steps")
SLOPE, EXPONENT = "slope of ", "exponent"
MEMORY = "peak memory"


class Times(NamedTuple):
    """Hold the seconds that `discover` and its parts took."""

    discover: float
    unmixing: float
    testing: float


def measure_scaling(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time `discover` over several sizes in turns, and take its peak memory over pairs.

    Returns
    -------
    list of Measurement
        Seconds, MiB, and slopes.
    """
    found = []
    for varied in VARIED:
        subjects = _subjects(varied, effort, clock)
        found += _seconds(varied, subjects, effort.turns, clock)
    return found + _memory(_subjects("pairs", effort, clock), clock)


def _subjects(varied: str, effort: Effort, clock: Clock) -> list[Subject]:
    # As many regions for every size, so that nothing but what is varied varies.
    kept = Subject(
        regions=regions_with(max(effort.pairs)),
        volumes=effort.volumes[1],
        segments=effort.segments[1],
        pairs=effort.pairs[1],
        restarts=effort.restarts[1],
        steps=effort.steps[1],
        device=str(clock.device),
    )
    sizes: tuple[int, ...] = getattr(effort, varied)
    changes: list[dict[str, Any]] = [{varied: size} for size in sizes]
    return [replace(kept, **change) for change in changes]


def _seconds(varied: str, subjects: list[Subject], turns: int, clock: Clock) -> list[Measurement]:
    subjects[0].discover()
    taken = in_turns({subject: partial(_timed, subject, clock) for subject in subjects}, turns)
    group = GROUP + varied
    sizes = [getattr(subject, varied) for subject in subjects]
    found = []
    for part in Times._fields:
        seconds = [tuple(getattr(times, part) for times in taken[s]) for s in subjects]
        found += [
            Measurement(group, part, subject.setting, values, "s")
            for subject, values in zip(subjects, seconds, strict=True)
        ]
        slopes = tuple(slope(sizes, turn) for turn in zip(*seconds, strict=True))
        found.append(Measurement(group, SLOPE + part, Setting(), slopes, EXPONENT))
    return found


def _timed(subject: Subject, clock: Clock) -> Times:
    spent = {"unmixing": 0.0, "testing": 0.0}
    last = 0.0

    def note(stage: str, _: float) -> None:
        nonlocal last
        now = clock.now()
        spent[stage] += now - last
        last = now

    work = subject.prepared(note)
    started = last = clock.now()
    work()
    ended = clock.now()
    return Times(ended - started, spent["unmixing"], ended - started - spent["unmixing"])


def _memory(subjects: list[Subject], clock: Clock) -> list[Measurement]:
    # A single step of a few rows may end below its start, which would count as divergence.
    small = replace(subjects[0], pairs=1, restarts=1, steps=8, volumes=subjects[0].segments * 20)
    peaks = [peak_mib(subject.discover, small.discover, clock.device) for subject in subjects]
    group = GROUP + "pairs"
    found = [
        Measurement(group, MEMORY, subject.setting, peak, "MiB")
        for subject, peak in zip(subjects, peaks, strict=True)
    ]
    if all(peak and peak[0] > 0 for peak in peaks):
        exponent = slope([subject.pairs for subject in subjects], [peak[0] for peak in peaks])
        found.append(Measurement(group, SLOPE + MEMORY, Setting(), (exponent,), EXPONENT))
    return found
