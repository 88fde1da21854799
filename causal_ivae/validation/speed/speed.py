"""Measure every speed that is claimed, and compare each with its baseline."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict

from causal_ivae.provenance import versions
from causal_ivae.unmixing.training.ensemble import resolve_device
from causal_ivae.unmixing.training.threads import torch_threads
from causal_ivae.validation.report import Report, Say
from causal_ivae.validation.session import Session, check_names, load, machine
from causal_ivae.validation.speed import growth, peers, subject, testing, training, waiting, workers
from causal_ivae.validation.speed.effort import FULL, QUICK, Effort
from causal_ivae.validation.speed.measurement import Clock, Measurement, as_table, as_text
from causal_ivae.validation.speed.peak_memory import METHOD as MEMORY_METHOD
from causal_ivae.validation.speed.speed_figure import draw_speed

_PARTS: dict[str, tuple[Callable[[Effort, Clock], list[Measurement]], str]] = {
    "training": (training.measure_training, training.METHOD),
    "independence": (testing.measure_tests, testing.METHOD),
    "scaling": (growth.measure_scaling, growth.METHOD),
    "workers": (workers.measure_workers, workers.METHOD),
    "subjects": (subject.measure_subjects, subject.METHOD),
    "peers": (peers.measure_peers, peers.METHOD),
    "waiting": (waiting.measure_waiting, waiting.METHOD),
}
_COLUMNS = {
    "turns": "How often it was measured, in turns with what it is compared with.",
    "median, min, max": "Over turns, in the unit given.",
    "ratio": "How many times better than baseline_value: median / baseline_value for rates "
    "(.../s), baseline_value / median for times and memory.",
    "remark": "Why there is no number, or how it came about.",
}


def benchmark_speed(
    session: Session, *, parts: Sequence[str] | None, device: str, say: Say
) -> Report:
    """Measure training, tests, scaling and whole subjects, with one thread of torch.

    Parameters
    ----------
    session : Session
        Its folder gets ``benchmark_speed.tsv`` (one row per measurement), ``.png``, ``.svg`` and
        ``.json`` (every setting, the machine, versions, every turn).
    parts : sequence of str or None
        Of "training", "independence", "scaling", "workers", "subjects", "peers" and "waiting" those
        that are measured; None for all.
    say : callable
        Told every measurement.

    Raises
    ------
    SettingsError
        If a part is unknown, or the device is not there.
    """
    busy = load()
    effort = QUICK if session.quick else FULL
    check_names("part", parts or (), _PARTS)
    chosen = [part for part in _PARTS if parts is None or part in parts]
    clock = Clock(resolve_device(device))
    measurements: list[Measurement] = []
    with torch_threads(1):
        for part in chosen:
            say(f"{part} ...")
            found = _PARTS[part][0](effort, clock)
            measurements += found
            for measurement in found:
                say(f"  {measurement}")
    png, svg = draw_speed(measurements)
    written = session.write(
        "benchmark_speed",
        {".tsv": as_table(measurements), ".png": png, ".svg": svg},
        Device=str(clock.device),
        Threads={"torch": 1, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")},
        Machine=machine(clock.device),
        LoadBeforeAndAfter=[busy, load()],
        Columns=_COLUMNS,
        Method={part: _PARTS[part][1] for part in chosen} | {"memory": MEMORY_METHOD},
        Settings=asdict(effort),
        Software=versions(*testing.OTHERS),
        Turns=[
            {"Group": m.group, "Name": m.name, "Setting": str(m.setting), "Unit": m.unit}
            | {"Values": list(m.values)}
            for m in measurements
        ],
    )
    return Report(as_text(measurements), written)
