"""Turn the files of one subject, images or tables, into one `RegionSeries`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from causal_ivae.errors import InputError, NotASeriesError, SettingsError, TooShortError
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.atlas_check import overlapping
from causal_ivae.imaging.bids import SubjectFiles
from causal_ivae.imaging.file_names import natural_key
from causal_ivae.imaging.one_scale import on_one_scale, scale_caution
from causal_ivae.imaging.run_series import RunSeries, image_run, table_runs
from causal_ivae.imaging.same_volumes import without_concatenations
from causal_ivae.imaging.segments import assign_segments
from causal_ivae.imaging.series import Cleaning, RegionSeries
from causal_ivae.imaging.task_inputs import with_task_inputs
from causal_ivae.settings import Pipeline

_NOT_COMMON = ("sub", "ses", "run", "desc", "atlas", "seg")
"""These entities name a run or a version of a file; the others describe the whole analysis."""


def load_subject(
    subject: SubjectFiles, pipeline: Pipeline, parcellation: Parcellation | None = None
) -> RegionSeries:
    """Read, clean and join the runs of one subject and divide them into segments.

    The series of images are region means inside the brain mask, cleaned by one regression of the
    confounds on the kept volumes.  Runs that keep too little (``denoise.min_volumes``,
    ``denoise.min_time``) are left out, and a note says so.  A polynomial of
    ``tables.detrend_order`` is removed from tables.  Every run then has mean 0 and, where regions
    have a baseline, the unit percent signal change.  Each region is divided by its standard
    deviation over all runs.

    Parameters
    ----------
    subject : SubjectFiles
    pipeline : Pipeline
        Its ``exogenous`` adds columns made from events; its ``regions`` choose and order the
        regions.
    parcellation : Parcellation or None
        The atlas, which images need.  It also names the columns of arrays without names if the
        numbers match.

    Returns
    -------
    RegionSeries
        With ``denoise.missing_regions: drop``, a region that a run does not cover has coverage
        below ``denoise.min_coverage`` and values that may be NaN: `missing_regions`
        finds it.

    Raises
    ------
    InputError
        If a file cannot be used, no run is long enough, runs differ in regions or repetition
        time, a region is missing (``missing_regions: fail``) or fewer than three segments
        remain.
    SettingsError
        If a region is unknown, or images come without an atlas.
    """
    runs: list[RunSeries] = []
    excluded: list[tuple[str, str]] = []
    atlas = _selected(pipeline, parcellation) if subject.kind == "images" else None
    for run in subject.runs:
        try:
            runs += (
                table_runs(run, pipeline, parcellation)
                if atlas is None
                else [image_run(run, pipeline, atlas)]
            )
        except (TooShortError, NotASeriesError) as error:
            excluded.append((run.name, str(error)))
    if not runs:
        reasons = " ".join(reason for _, reason in excluded)
        raise InputError(f"No run of subject '{subject.label}' can be analysed. {reasons}")
    _check_alike(subject.label, runs)
    runs, joined_again = without_concatenations(runs, subject.label)
    excluded += joined_again
    series = replace(_joined(subject, runs, parcellation), excluded=tuple(excluded))
    left_out = tuple(f"Run '{name}' was left out. {reason}" for name, reason in excluded)
    series = replace(series, notes=(*series.notes, *left_out))
    lacking = missing_regions(series, pipeline.denoise.min_coverage)
    if lacking and pipeline.denoise.missing_regions == "fail":
        worst = ", ".join(f"'{n}' ({series.coverage[series.names.index(n)]:.0%})" for n in lacking)
        raise InputError(
            f"Subject '{subject.label}' covers less than {pipeline.denoise.min_coverage:.0%} of "
            f"{worst}. Leave those regions out (regions), or set denoise.missing_regions to "
            "'drop' to leave them out for every subject."
        )
    if lacking:
        listed = ", ".join(lacking)
        note = f"Covered too little and to be dropped for every subject: {listed}."
        series = replace(series, notes=(*series.notes, note))
    labels = None
    if any(run.labels is not None for run in runs):
        labels = [
            label for run in runs for label in (run.labels or ("",) * len(run.volumes))
        ]  # fmt: skip
    events = [run.events for run in runs]
    series = with_task_inputs(series, events, pipeline.exogenous)
    series = assign_segments(series, pipeline.segments, events, labels)
    caution = scale_caution(series, pipeline.segments)
    return replace(series, notes=(*series.notes, caution)) if caution else series


def missing_regions(series: RegionSeries, min_coverage: float) -> tuple[str, ...]:
    """Return the regions of which less than a share is covered, or nothing at all."""
    return tuple(
        name
        for name, share in zip(series.names, series.coverage.tolist(), strict=True)
        if share < min_coverage or share == 0
    )


def _selected(pipeline: Pipeline, parcellation: Parcellation | None) -> Parcellation:
    if parcellation is None:
        raise SettingsError(
            "Images need an atlas: name one with --atlas or in the pipeline ('causal-ivae atlas "
            "list' shows the bundled ones)."
        )
    if parcellation.kind != "coordinates":
        parcellation.volume()
    if pipeline.regions is not None:
        return parcellation.subset(pipeline.regions)
    if len(parcellation.names) < 2:
        raise InputError(
            f"Atlas '{parcellation.name}' has {len(parcellation.names)} region; at least two are "
            "needed."
        )
    return parcellation


def _check_alike(label: str, runs: Sequence[RunSeries]) -> None:
    """Raise `InputError` if runs differ in regions or repetition time."""
    first = runs[0]
    for run in runs[1:]:
        if run.names != first.names:
            odd = sorted(set(run.names) ^ set(first.names))
            what = f"'{odd[0]}' is in one only" if odd else "the order differs"
            raise InputError(
                f"Subject '{label}': '{first.path}' and '{run.path}' have different "
                f"regions ({what}); all runs need the same."
            )
        if abs(run.tr - first.tr) > 1e-3 * first.tr:
            raise InputError(
                f"Subject '{label}': the repetition times of '{first.path}' and "
                f"'{run.path}' are {first.tr:g} s and {run.tr:g} s; analyse them apart."
            )


def _joined(
    subject: SubjectFiles, runs: list[RunSeries], parcellation: Parcellation | None
) -> RegionSeries:
    if subject.kind == "tables":
        runs.sort(key=lambda run: natural_key(run.name))
    first = runs[0]
    notes = [note for run in runs for note in run.notes]
    atlas = ""
    entities = set.intersection(*(set(run.entities) for run in subject.runs))
    if parcellation is not None and subject.kind == "images":
        atlas = parcellation.name
        chosen = parcellation.subset(first.names)
        notes += [
            f"The spheres of '{a}' and '{b}' overlap, so their signals are mixed."
            for a, b in overlapping(chosen)
        ]
        space = subject.runs[0].entity("space")
        if parcellation.space == "MNI" and space is not None:
            notes.append(
                f"Atlas '{atlas}' does not say which template of the MNI frame it is in; the "
                f"images are in {space}. Templates differ by a few mm."
            )
    else:
        atlas = subject.runs[0].entity("atlas") or subject.runs[0].entity("seg") or ""
    displacement = None
    if any(run.displacement is not None for run in runs):
        displacement = np.concatenate(
            [
                np.full(run.n_volumes, np.nan) if run.displacement is None else run.displacement
                for run in runs
            ]
        )
    common = tuple(
        (key, label)
        for key, label in subject.runs[0].entities
        if key not in _NOT_COMMON and (key, label) in entities
    )
    scaled = on_one_scale([run.values for run in runs], [run.raw for run in runs])
    return RegionSeries(
        label=subject.label,
        values=scaled.values.astype(np.float32),
        names=first.names,
        tr=first.tr,
        runs=np.repeat(np.arange(len(runs)), [len(run.volumes) for run in runs]),
        run_names=tuple(run.name for run in runs),
        volumes=np.concatenate([run.volumes for run in runs]),
        n_volumes=tuple(run.n_volumes for run in runs),
        segments=np.zeros(sum(len(run.volumes) for run in runs), dtype=np.int64),
        segment_names=("all",),
        segment_kind="none",
        framewise_displacement=displacement,
        coverage=np.min([run.coverage for run in runs], axis=0),
        entities=(*common, ("atlas", atlas)) if atlas else common,
        sources=tuple(dict.fromkeys(run.path for run in runs)),
        notes=tuple(dict.fromkeys(notes)),
        simulated=any(run.simulated for run in runs),
        cleaning=tuple(
            Cleaning(
                run.name, run.n_volumes, len(run.volumes), run.rank - 1, len(run.volumes) - run.rank
            )
            for run in runs
        ),
        scale=scaled.scale,
        percent=scaled.percent,
        scaled_apart=scaled.scaled_apart,
    )
