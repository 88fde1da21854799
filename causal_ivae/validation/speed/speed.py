"""Every speed that is claimed, measured in one command and set against its baseline."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from causal_ivae.derivatives.files import write_bytes, write_json, write_table, write_text
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.unmixing.training.ensemble import resolve_device
from causal_ivae.unmixing.training.threads import torch_threads
from causal_ivae.validation.speed import scaling, testing, training, whole_subject, workers
from causal_ivae.validation.speed.effort import FULL, QUICK, Effort
from causal_ivae.validation.speed.machine import load, machine, software
from causal_ivae.validation.speed.measurement import Clock, Measurement, as_table, as_text
from causal_ivae.validation.speed.peak_memory import METHOD as MEMORY_METHOD
from causal_ivae.validation.speed.speed_figure import draw_speed

_PARTS: dict[str, tuple[Callable[[Effort, Clock], list[Measurement]], str]] = {
    "training": (training.measure_training, training.METHOD),
    "independence": (testing.measure_tests, testing.METHOD),
    "scaling": (scaling.measure_scaling, scaling.METHOD),
    "workers": (workers.measure_workers, workers.METHOD),
    "subjects": (whole_subject.measure_subjects, whole_subject.METHOD),
}
_COLUMNS = {
    "turns": "How often it was measured, in turns with what it is compared with.",
    "median, min, max": "Over turns, in the unit given.",
    "ratio": "How many times better than baseline_value: median / baseline_value for rates "
    "(.../s), baseline_value / median for times and memory.",
    "remark": "Why there is no number, or how it came about.",
}


@dataclass(frozen=True)
class SpeedReport:
    """What was measured.

    Attributes
    ----------
    text : str
        The table, for a terminal.
    written : tuple of pathlib.Path
    """

    text: str
    written: tuple[Path, ...]


def benchmark_speed(
    output: Path,
    *,
    quick: bool = False,
    parts: Sequence[str] | None = None,
    device: str = "auto",
    command: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> SpeedReport:
    """Measure training, tests, scaling and whole subjects, with one thread of torch.

    Parameters
    ----------
    output : pathlib.Path
        Folder; gets ``benchmark_speed.tsv`` (one row per measurement), ``.json`` (every setting,
        the machine, versions, every turn), ``.png`` and ``.svg``.
    quick : bool
        Few and small measurements, to see that it works.
    parts : sequence of {"training", "independence", "scaling", "workers", "subjects"}, optional
        What is measured; default all.
    device : str
    command : str
        The command line, for the record.
    say : callable
        Told every measurement.

    Returns
    -------
    SpeedReport

    Raises
    ------
    SettingsError
        If `output` is a file, a part is unknown, or the device is not there.
    """
    output = output.expanduser().resolve()
    if output.exists() and not output.is_dir():
        raise SettingsError(f"'{output}' is not a folder; give a folder to write to.")
    effort = QUICK if quick else FULL
    for part in parts or ():
        if part not in _PARTS:
            raise SettingsError(f"Unknown part '{part}'. {nearest(part, tuple(_PARTS))}")
    chosen = [part for part in _PARTS if parts is None or part in parts]
    clock = Clock(resolve_device(device))
    started, busy = time.perf_counter(), load()
    measurements: list[Measurement] = []
    with torch_threads(1):
        for part in chosen:
            say(f"{part} ...")
            found = _PARTS[part][0](effort, clock)
            measurements += found
            for measurement in found:
                say(f"  {measurement}")
    png, svg = draw_speed(measurements)
    stem = output / "benchmark_speed"
    tsv, record, picture, vector = (
        stem.with_suffix(end) for end in (".tsv", ".json", ".png", ".svg")
    )
    write_table(tsv, as_table(measurements))
    write_bytes(picture, png)
    write_text(vector, svg)
    write_json(
        record,
        {
            "Command": command,
            "Quick": quick,
            "Device": str(clock.device),
            "Threads": {"torch": 1, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")},
            "Seconds": round(time.perf_counter() - started, 1),
            "Machine": machine(clock.device),
            "LoadBeforeAndAfter": [busy, load()],
            "Columns": _COLUMNS,
            "Method": {part: _PARTS[part][1] for part in chosen} | {"memory": MEMORY_METHOD},
            "Settings": asdict(effort),
            "Software": software(*testing.OTHERS),
            "Turns": [
                {"Group": m.group, "Name": m.name, "Setting": str(m.setting), "Unit": m.unit}
                | {"Values": list(m.values)}
                for m in measurements
            ],
        },
    )
    return SpeedReport(as_text(measurements), (tsv, record, picture, vector))
