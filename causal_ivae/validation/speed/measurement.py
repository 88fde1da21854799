"""Define one measurement, how it is timed, and the table of all measurements."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median
from typing import TypeVar

import numpy as np
import pandas as pd
import torch

from causal_ivae.validation.text_tables import aligned

K = TypeVar("K")
T = TypeVar("T")

_RATES = ("tests/s", "model-steps/s", "GFLOP/s")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Describe the data of a measurement, with None for sizes that do not matter."""

    members: int | None = None
    hidden: int | None = None
    batch: int | None = None
    regions: int | None = None
    pairs: int | None = None
    restarts: int | None = None
    volumes: int | None = None
    segments: int | None = None
    steps: int | None = None
    tests: int | None = None
    draws: int | None = None
    workers: int | None = None
    subjects: int | None = None

    def __str__(self) -> str:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return ", ".join(f"{name} {value}" for name, value in given.items())


@dataclass(frozen=True)
class Baseline:
    """Hold the baseline of a measurement, in the same unit."""

    name: str
    value: float


@dataclass(frozen=True)
class Measurement:
    """Hold one row of the table.

    Attributes
    ----------
    values : tuple of float
        One for each turn; empty where nothing could be measured.
    remark : str
        Why nothing was measured, or how.
    """

    group: str
    name: str
    setting: Setting
    values: tuple[float, ...]
    unit: str
    baseline: Baseline | None = None
    remark: str = ""

    @property
    def median(self) -> float | None:
        """Return the median over turns."""
        return median(self.values) if self.values else None

    @property
    def ratio(self) -> float | None:
        """Return how many times better than the baseline it is, with higher rates or less time."""
        if self.baseline is None or self.median is None:
            return None
        ours, theirs = self.median, self.baseline.value
        over, under = (ours, theirs) if self.unit in _RATES else (theirs, ours)
        return over / under if under else None

    def __str__(self) -> str:
        parts = [self.name, str(self.setting)]
        if self.median is not None:
            parts.append(f"{self.median:.4g} {self.unit}")
        if self.baseline is not None and self.ratio is not None:
            parts.append(f"{self.ratio:.3g} x {self.baseline.name}")
        return "; ".join(part for part in [*parts, self.remark] if part)


@dataclass(frozen=True)
class Clock:
    """Time work on a device, and wait for what a GPU still has to do."""

    device: torch.device

    def seconds(self, work: Callable[[], object]) -> float:
        """Return how long the work took, s."""
        self.wait()
        started = time.perf_counter()
        work()
        return self.now() - started

    def now(self) -> float:
        """Return the time when everything asked for is done, s."""
        self.wait()
        return time.perf_counter()

    def wait(self) -> None:
        """Wait until the device has nothing left to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def in_turns(measures: Mapping[K, Callable[[], T]], turns: int) -> dict[K, tuple[T, ...]]:
    """Take measures in turns, so that all of them see the same load of the machine.

    What else the machine does then weighs on all of them alike.

    Returns
    -------
    dict of name to tuple
        What the callable gave in each turn.
    """
    taken = [{name: measure() for name, measure in measures.items()} for _ in range(turns)]
    return {name: tuple(turn[name] for turn in taken) for name in measures}


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the least-squares slope of log values on log sizes: the exponent of a power law."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def as_table(measurements: Sequence[Measurement]) -> pd.DataFrame:
    """Return one row per measurement; what does not apply is missing."""
    rows = [
        {
            "group": m.group,
            "name": m.name,
            **asdict(m.setting),
            "turns": len(m.values),
            "median": m.median,
            "min": min(m.values, default=None),
            "max": max(m.values, default=None),
            "unit": m.unit,
            "baseline": m.baseline.name if m.baseline else None,
            "baseline_value": m.baseline.value if m.baseline else None,
            "ratio": m.ratio,
            "remark": m.remark or None,
        }
        for m in measurements
    ]
    counts = dict.fromkeys([field.name for field in fields(Setting)], "Int64")
    return pd.DataFrame(rows).astype(counts)


def as_text(measurements: Sequence[Measurement]) -> str:
    """Return the table for a reader at a terminal."""
    lines: list[tuple[str, ...]] = [
        ("", "", "median", "min", "max", "unit", "ratio", "baseline", "")
    ]
    for m in measurements:
        numbers = (m.median, min(m.values), max(m.values)) if m.values else ()
        lines.append(
            (
                f"{m.group}: {m.name}",
                str(m.setting),
                *([f"{value:.4g}" for value in numbers if value is not None] or ["", "", ""]),
                m.unit,
                "" if m.ratio is None else f"{m.ratio:.3g}",
                m.baseline.name if m.baseline else "",
                m.remark,
            )
        )
    columns = list(zip(*lines, strict=True))
    return aligned(columns, [False] * len(columns))
