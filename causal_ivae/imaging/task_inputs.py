"""Make series of inputs that are known from the events of a task."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError, nearest
from causal_ivae.haemodynamic_response import double_gamma
from causal_ivae.imaging.segments import events_of, read_events
from causal_ivae.imaging.series import RegionSeries

_STEP = 0.1


def with_task_inputs(
    series: RegionSeries, events: Sequence[Path | None], wanted: Sequence[str]
) -> RegionSeries:
    """Add a column for every wanted input that is no column yet.

    Parameters
    ----------
    events : sequence of pathlib.Path or None
        One events file per run.
    wanted : sequence of str
        Names of columns, or values of ``trial_type``.

    Returns
    -------
    RegionSeries
        With one more column per trial type: 1 during its events and 0 else, convolved with a
        haemodynamic response, sampled in the middle of every kept volume.

    Raises
    ------
    InputError
        If a name is neither a column nor a trial type, or a run has no events.
    """
    missing = [name for name in dict.fromkeys(wanted) if name not in series.names]
    if not missing:
        return series
    tables = [
        read_events(events_of(series, events, run, "leave out 'exogenous'"))
        for run in range(len(series.run_names))
    ]
    known = {trial_type for table in tables for _, _, trial_type in table}
    columns = []
    for name in missing:
        if name not in known:
            raise InputError(
                f"The input '{name}' of subject '{series.label}' is neither a column nor a "
                f"trial_type of its events. {nearest(name, sorted(known | set(series.names)))}"
            )
        columns.append(_column(series, tables, name))
    added = np.column_stack(columns)
    values = np.hstack([series.values, added.astype(np.float32)])
    ones = np.ones(len(missing))
    return replace(
        series,
        values=values,
        names=(*series.names, *missing),
        coverage=np.concatenate([series.coverage, ones]),
        scale=None if series.scale is None else np.concatenate([series.scale, ones]),
        percent=(
            None
            if series.percent is None
            else np.concatenate([series.percent, np.zeros(len(missing), dtype=bool)])
        ),
        notes=(
            *series.notes,
            "Inputs made from events, convolved with a haemodynamic response: "
            f"{', '.join(missing)}.",
        ),
    )


def _column(
    series: RegionSeries, tables: Sequence[list[tuple[float, float, str]]], name: str
) -> NDArray[np.float64]:
    """Return one input at the kept volumes, of mean zero and standard deviation one."""
    response = double_gamma(_STEP)
    column = np.empty(len(series.values))
    for run, table in enumerate(tables):
        steps = int(series.n_volumes[run] * series.tr / _STEP) + 1
        on = np.zeros(steps)
        for onset, duration, trial_type in table:
            if trial_type == name:
                first = max(0, round(onset / _STEP))
                on[first : max(first + 1, round((onset + duration) / _STEP))] = 1.0
        expected = np.convolve(on, response)[:steps]
        here = series.runs == run
        middle = (series.volumes[here] + 0.5) * series.tr / _STEP
        column[here] = expected[np.minimum(middle.astype(np.int64), steps - 1)]
    column -= column.mean()
    return np.asarray(column / (column.std() + 1e-12))
