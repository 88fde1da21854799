"""Forecast how much work a run will be and how long it will take."""

from collections.abc import Mapping

from causal_ivae.batch.analysis import Analysis
from causal_ivae.batch.participant import Estimating
from causal_ivae.batch.recording import read_series, select_regions
from causal_ivae.batch.workers.machine import processes_for, threads_for
from causal_ivae.derivatives.units import find_paths
from causal_ivae.discovery.methods import METHODS

_WORTH_SAYING = 2_000_000
"""Runs with fewer training steps in all than this get no forecast, which would not be worth it."""


def forecast(
    analysis: Analysis, waiting: Mapping[str, Estimating], nprocs: int | None
) -> list[str]:
    """Train the first subject for a few steps and forecast the time for all subjects.

    Parameters
    ----------
    nprocs : int or None
        Worker processes, as asked for.

    Returns
    -------
    list of str
        Lines to show; none where the work is small.
    """
    unmixing = analysis.pipeline.unmixing
    piece = next(iter(waiting.values()))
    pairs = len(piece.regions) * (len(piece.regions) - 1) // 2
    steps = sum(METHODS[name].steps(unmixing, pairs) for name in unmixing.methods)
    if steps * len(waiting) < _WORTH_SAYING:
        return []
    paths = find_paths(analysis.output, piece.unit)
    if paths is None:
        return []
    from causal_ivae.discovery.series_to_graph import expected_workload
    from causal_ivae.discovery.workload import in_words
    from causal_ivae.unmixing.training.threads import torch_threads

    processes = processes_for(len(waiting), nprocs, analysis.memory)
    with torch_threads(threads_for(processes)):
        series = select_regions(read_series(paths), piece.regions)
        used = series.segments >= 0
        forecasts = [
            expected_workload(
                series.values[used],
                series.segments[used],
                method=method,
                blocks=series.stretches[used],
                device=analysis.device,
                unmixing=unmixing,
                independence=analysis.pipeline.independence,
                screen=analysis.pipeline.screen,
                power=analysis.pipeline.power,
            )
            for method in unmixing.methods
        ]
    loads = [load for load in forecasts if load is not None]
    if not loads:
        return []
    lines = [load.sentence() for load in loads]
    one = sum(load.seconds for load in loads)
    rounds = -(-len(waiting) // processes)
    lines.append(
        f"all {len(waiting):,} subjects, {processes} at a time: about {in_words(one * rounds)}"
        if len(waiting) > 1
        else f"in all: about {in_words(one)}"
    )
    return lines
