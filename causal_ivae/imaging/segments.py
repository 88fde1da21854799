"""Divide series into segments, the auxiliary variable u of the models."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.given_files import read_table
from causal_ivae.imaging.event_folders import read_event_folder
from causal_ivae.imaging.file_names import parse_entities
from causal_ivae.imaging.one_scale import pooled_on_one_scale, scale_caution
from causal_ivae.imaging.segment_search import change_points, hidden_states
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.settings import SegmentSettings

MIN_SEGMENTS = 3
_FOUND_IN_SERIES = {
    "hmm": "The segments are hidden states that were found in the same series, so that variances "
    "differ between them in any case: of series without any modulation, 93% seem modulated. That "
    "disturbances are modulated is no evidence here.",
    "changepoints": "The segments lie between changes that were found in the same series, so that "
    "variances differ between them more than by chance in any case.",
}
"""What a reader must know of segments that were not given beforehand."""


def assign_segments(
    series: RegionSeries,
    settings: SegmentSettings,
    events: Sequence[Path | None] | None = None,
    labels: Sequence[str] | None = None,
) -> RegionSeries:
    """Divide the series into segments.

    ============  ==============================================================================
    windows       Equal windows of ``window_seconds`` within each run.  They are counted in
                  acquired volumes, so that censoring does not move their borders.  A last window
                  shorter than half is joined to the one before.
    runs          One segment per run.
    sessions      One segment per session (``ses-`` in the run's name).
    task          One segment per ``trial_type`` of the events, with all its blocks in all runs,
                  and ``rest`` for the time between.  A volume belongs to the block that holds its
                  midpoint.  No haemodynamic delay is applied: shift the onsets in the events file
                  by about 5 s if blocks are short.
    changepoints  Segments between changes of the regions' variances, by an optimal search in
                  every stretch without a gap; stretches below ``min_volumes`` are left out.
    hmm           One segment per state of a hidden Markov model of the regions' variances, with
                  all volumes in that state.
    subjects      One segment for the whole subject; `pool_subjects` joins subjects.
    ============  ==============================================================================

    Change points and states depend on the series that are analysed afterwards, so prefer the
    design of the experiment if there is one.

    Segments with fewer than ``min_volumes`` kept volumes are left out (-1), and a note says so.

    Parameters
    ----------
    series : RegionSeries
    settings : SegmentSettings
    events : sequence of pathlib.Path or None
        One events file per run, used for ``"task"``.
    labels : sequence of str, length n_times
        Label of every kept volume, used for ``"task"`` instead of events; empty for none.

    Returns
    -------
    RegionSeries

    Raises
    ------
    InputError
        If fewer than three segments remain, or a run has no session or no usable events.
    SettingsError
        If windows are shorter than ``min_volumes``.
    """
    kind: str = settings.by
    if settings.by == "windows":
        kind = f"windows of {settings.window_seconds:g} s"
        names = _windows(series, settings)
    elif settings.by == "runs":
        names = [series.run_names[run] for run in series.runs]
    elif settings.by == "sessions":
        sessions = [_session(series, name) for name in series.run_names]
        names = [sessions[run] for run in series.runs]
    elif settings.by == "subjects":
        whole = np.zeros(len(series.runs), dtype=np.int64)
        return series.with_segments(whole, (f"sub-{series.label}",), "subjects")
    elif settings.by == "changepoints":
        kind = f"change points, penalty {settings.penalty:g}"
        names = change_points(series, settings)
    elif settings.by == "hmm":
        kind = f"{settings.states} hidden states, mean stay {settings.stay_seconds:g} s"
        names = hidden_states(series, settings)
    elif labels is not None:
        kind, names = "task blocks", list(labels)
    else:
        kind, names = "task blocks", _blocks(series, events or ())
    return _numbered(series, names, kind, settings)


def pool_subjects(subjects: Sequence[RegionSeries], min_volumes: int = 8) -> RegionSeries:
    """Join all subjects to one series in which every subject is a segment.

    Parameters
    ----------
    subjects : sequence of RegionSeries
        Series with the same regions in the same order and the same repetition time.
    min_volumes : int
        Smallest permitted number of kept volumes of a subject.

    Returns
    -------
    RegionSeries
        The label is ``"group"``; run names begin with the subject's label.  Values keep the
        differences between subjects: each region is divided by one standard deviation over all.

    Raises
    ------
    InputError
        If subjects differ in regions, units or repetition time, fewer than three are given, or
        every subject was divided by its own standard deviation before.
    """
    check_number_of_subjects(len(subjects))
    first = subjects[0]
    for other in subjects[1:]:
        if other.names != first.names:
            odd = sorted(set(other.names) ^ set(first.names))
            what = f"'{odd[0]}'" if odd else "the order of regions"
            raise InputError(
                f"Subjects '{first.label}' and '{other.label}' cannot be pooled: they differ in "
                f"{what}."
            )
        if abs(other.tr - first.tr) > 1e-3 * first.tr:
            raise InputError(
                f"Subjects '{first.label}' and '{other.label}' cannot be pooled: their repetition "
                f"times are {first.tr:g} s and {other.tr:g} s."
            )
        if len(other.runs) < min_volumes:
            raise InputError(
                f"Subject '{other.label}' has {len(other.runs)} kept volumes; at least "
                f"{min_volumes} are needed."
            )
    offsets = np.cumsum([0, *(len(s.run_names) for s in subjects[:-1])])
    known = any(s.framewise_displacement is not None for s in subjects)
    displacement = [
        np.full(sum(s.n_volumes), np.nan)
        if s.framewise_displacement is None
        else s.framewise_displacement
        for s in subjects
    ]
    common = set.intersection(*(set(s.entities) for s in subjects))
    values, scale = pooled_on_one_scale(subjects)
    pooled = replace(
        first,
        label="group",
        values=values,
        scale=scale,
        runs=np.concatenate([s.runs + o for s, o in zip(subjects, offsets, strict=True)]),
        run_names=tuple(f"sub-{s.label}_{name}" for s in subjects for name in s.run_names),
        volumes=np.concatenate([s.volumes for s in subjects]),
        n_volumes=tuple(n for s in subjects for n in s.n_volumes),
        segments=np.repeat(np.arange(len(subjects)), [len(s.runs) for s in subjects]),
        segment_names=tuple(f"sub-{s.label}" for s in subjects),
        segment_kind="subjects",
        framewise_displacement=np.concatenate(displacement) if known else None,
        coverage=np.min([s.coverage for s in subjects], axis=0),
        entities=tuple(e for e in first.entities if e in common),
        sources=tuple(source for s in subjects for source in s.sources),
        notes=tuple(dict.fromkeys(note for s in subjects for note in s.notes)),
        simulated=any(s.simulated for s in subjects),
        cleaning=tuple(
            replace(c, run=f"sub-{s.label}_{c.run}") for s in subjects for c in s.cleaning
        ),
        excluded=tuple(
            (f"sub-{s.label}_{name}", reason) for s in subjects for name, reason in s.excluded
        ),
    )
    caution = scale_caution(pooled, SegmentSettings(by="subjects"))
    if caution and caution not in pooled.notes:
        pooled = replace(pooled, notes=(*pooled.notes, caution))
    return pooled


def check_number_of_subjects(number: int) -> None:
    """Raise `InputError` if there are too few subjects to use each as a segment."""
    if number < MIN_SEGMENTS:
        raise InputError(
            f"{number} subjects give {number} segments (segments.by: subjects); at least "
            f"{MIN_SEGMENTS} are needed. Add subjects, or segment by windows."
        )


def _windows(series: RegionSeries, settings: SegmentSettings) -> list[str]:
    length = max(1, round(settings.window_seconds / series.tr))
    if length < settings.min_volumes:
        raise SettingsError(
            f"Windows of {settings.window_seconds:g} s are {length} volumes of {series.tr:g} s, "
            f"but segments.min_volumes is {settings.min_volumes}. Use windows of at least "
            f"{settings.min_volumes * series.tr:g} s."
        )
    names = np.empty(len(series.runs), dtype=object)
    for run, (run_name, n_volumes) in enumerate(
        zip(series.run_names, series.n_volumes, strict=True)
    ):
        n_windows = max(1, n_volumes // length + (n_volumes % length * 2 >= length))
        here = series.runs == run
        window = np.minimum(series.volumes[here] // length, n_windows - 1)
        width = len(str(n_windows))
        names[here] = [f"{run_name}_window-{w + 1:0{width}d}" for w in window]
    return list(names)


def _session(series: RegionSeries, run_name: str) -> str:
    session = parse_entities(run_name).get("ses")
    if session is None:
        raise InputError(
            f"Run '{run_name}' of subject '{series.label}' names no session ('ses-' in the file "
            "name), so sessions cannot be segments. Segment by runs or windows."
        )
    return f"ses-{session}"


def _blocks(series: RegionSeries, events: Sequence[Path | None]) -> list[str]:
    names = np.full(len(series.runs), "rest", dtype=object)
    for run in range(len(series.run_names)):
        path = events_of(series, events, run, "segment by windows")
        here = np.flatnonzero(series.runs == run)
        midpoints = (series.volumes[here] + 0.5) * series.tr
        claimed = np.zeros(len(here), dtype=bool)
        blocks = _read_blocks(path)
        _check_within(path, blocks, series.n_volumes[run] * series.tr)
        for onset, duration, trial_type in blocks:
            inside = (midpoints >= onset) & (midpoints < onset + duration)
            clash = inside & claimed & (names[here] != trial_type)
            if clash.any():
                raise InputError(
                    f"In '{path}', blocks of '{trial_type}' and '{names[here][clash][0]}' overlap "
                    f"at {midpoints[clash][0]:g} s; blocks must not overlap."
                )
            names[here[inside]] = trial_type
            claimed |= inside
    return list(names)


def _check_within(path: Path, blocks: list[tuple[float, float, str]], length: float) -> None:
    """Raise `InputError` if events lie beyond the end of the run, whose length is in s."""
    outside = [onset for onset, _, _ in blocks if onset >= length or onset < 0]
    if not outside:
        return
    last = max(outside, key=abs)
    remedy = "Onsets are seconds from the start of the run; check that the file belongs to it."
    if abs(last) > 100 * length:
        remedy = "Onsets are seconds from the start of the run; these look like milliseconds."
    raise InputError(
        f"In '{path}', {len(outside)} of {len(blocks)} blocks begin outside the run, which lasts "
        f"{length:g} s (such as at {last:g} s). {remedy}"
    )


def events_of(series: RegionSeries, events: Sequence[Path | None], run: int, remedy: str) -> Path:
    """Return the events of a run; raise `InputError` with a further remedy if there are none."""
    path = events[run] if run < len(events) else None
    if path is None:
        name = series.run_names[run]
        raise InputError(
            f"No events for run '{name}' of subject '{series.label}': looked for "
            f"'sub-{series.label}_{name}_events.tsv' beside its data. Copy it there from the BIDS "
            f"dataset, or {remedy}."
        )
    return path


def read_events(path: Path) -> list[tuple[float, float, str]]:
    """Return onset (s), duration (s, 0 where it is not given) and trial type of all events.

    They stand in a table, or in a folder with a text for each trial type.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column.
    """
    if path.is_dir():
        return read_event_folder(path)
    table = read_table(path, "The events", dtype=str, keep_default_na=False)
    for column in ("onset", "duration", "trial_type"):
        if column not in table:
            raise InputError(
                f"'{path}' has no column '{column}'; blocks need onset and duration in s and a "
                "trial_type."
            )
    events = []
    for row, (onset, duration, trial_type) in enumerate(
        zip(table["onset"], table["duration"], table["trial_type"], strict=True)
    ):
        try:
            length = 0.0 if duration in ("n/a", "") else float(duration)
            block = (float(onset), length, str(trial_type).strip())
        except ValueError as error:
            raise InputError(f"'{path}', row {row + 1}: {error}.") from error
        if block[2] not in ("n/a", ""):
            events.append(block)
    return events


def _read_blocks(path: Path) -> list[tuple[float, float, str]]:
    # Events without a duration, such as button presses, are not blocks.
    blocks = [event for event in read_events(path) if event[1] > 0]
    if not blocks:
        raise InputError(f"'{path}' has no event with a duration above 0 s, so no blocks.")
    return blocks


def _numbered(
    series: RegionSeries, names: Sequence[str], kind: str, settings: SegmentSettings
) -> RegionSeries:
    counts = pd.Series(list(names)).value_counts(sort=False)
    # value_counts keeps the order in which the names appear.
    listed = [str(n) for n in counts.index if n != ""]
    kept = [n for n in listed if counts[n] >= settings.min_volumes]
    alone = int(counts.get("", 0)) if settings.by == "changepoints" else 0
    if len(kept) < MIN_SEGMENTS:
        remedy = {
            "windows": "Use shorter windows (segments.window_seconds).",
            "runs": "Segment by windows.",
            "sessions": "Segment by runs or windows.",
            "hmm": "Allow for more states (segments.states), or segment by windows.",
            "changepoints": "Lower segments.penalty, or segment by windows.",
        }.get(settings.by, "Segment by windows.")
        short = (
            f" ({len(listed) - len(kept)} more with fewer than {settings.min_volumes} kept volumes)"
            if len(listed) > len(kept)
            else ""
        )
        raise InputError(
            f"Subject '{series.label}' has {len(kept)} segments ({kind}){short}; at least "
            f"{MIN_SEGMENTS} are needed. {remedy}"
        )
    found = _FOUND_IN_SERIES.get(settings.by)
    if found is not None:
        series = replace(series, notes=(*series.notes, found))
    position = {name: i for i, name in enumerate(kept)}
    segments: NDArray[np.int64] = np.array([position.get(n, -1) for n in names], dtype=np.int64)
    result = series.with_segments(segments, tuple(kept), kind)
    if alone:
        note = (
            f"{alone} kept volumes lie in stretches between gaps of fewer than "
            f"{settings.min_volumes} volumes and are in no segment."
        )
        result = replace(result, notes=(*result.notes, note))
    if len(listed) > len(kept):
        left = len(listed) - len(kept)
        note = (
            f"{left} of {len(listed)} segments ({kind}) had fewer than {settings.min_volumes} "
            "kept volumes and were left out."
        )
        result = replace(result, notes=(*result.notes, note))
    return result
