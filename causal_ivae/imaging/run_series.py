"""Turn the file of one run, an image or a table, into cleaned series with their gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.gaps import Gaps, find_gaps
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.imaging.bids import RunFile
from causal_ivae.imaging.censoring import not_censored, read_censoring
from causal_ivae.imaging.cleaning import polynomial_design, regress_out, require_signal
from causal_ivae.imaging.confounds import check_length, load_run_confounds, many_confounds
from causal_ivae.imaging.images import region_means
from causal_ivae.imaging.series_tables import read_table_run
from causal_ivae.settings import Pipeline


@dataclass(frozen=True, eq=False)
class RunSeries:
    """Hold the series of one run before runs are joined and put on one scale."""

    name: str
    entities: tuple[tuple[str, str], ...]
    path: str
    values: NDArray[np.float64]
    """Cleaned, around zero, in the units of the file."""
    raw: NDArray[np.float64]
    """Kept volumes before cleaning; NaN for regions that are not covered."""
    names: tuple[str, ...]
    tr: float
    volumes: NDArray[np.int64]
    n_volumes: int
    rank: int
    displacement: NDArray[np.float64] | None
    coverage: NDArray[np.float64]
    labels: tuple[str, ...] | None
    notes: tuple[str, ...]
    events: Path | None
    simulated: bool


def image_run(run: RunFile, pipeline: Pipeline, atlas: Parcellation) -> RunSeries:
    """Average an image region by region and, if that was not done before, regress confounds out.

    Raises
    ------
    InputError
        If a file cannot be used; `TooShortError` if too few volumes are kept.
    """
    if run.denoised:
        return _denoised_run(run, pipeline, atlas)
    settings = pipeline.denoise
    means = region_means(run, atlas, settings.smoothing_fwhm)
    n_volumes = len(means.values)
    confounds = load_run_confounds(run.path, n_volumes, means.tr, settings)
    where = f"'{run.path.name}'"
    kept = confounds.kept
    covered = means.coverage > 0
    gaps = _gaps(means.values[:, covered], kept)
    if gaps.rows.any():
        kept = kept & ~gaps.rows
        check_length(where, int(kept.sum()), n_volumes, means.tr, settings, " (with gaps)")
    values, rank = _cleaned(means.values, confounds.design, kept, covered, atlas.names, where)
    return RunSeries(
        name=run.name,
        entities=run.entities,
        path=str(run.path),
        values=values,
        raw=means.values[kept],
        names=atlas.names,
        tr=means.tr,
        volumes=np.flatnonzero(kept).astype(np.int64),
        n_volumes=n_volumes,
        rank=rank,
        displacement=confounds.framewise_displacement,
        coverage=means.coverage,
        labels=None,
        notes=(
            *means.notes,
            *confounds.notes,
            *_said(gaps, run.name),
            *many_confounds(rank, int(kept.sum()), run.name),
        ),
        events=run.events,
        simulated=False,
    )


def _denoised_run(run: RunFile, pipeline: Pipeline, atlas: Parcellation) -> RunSeries:
    means = region_means(run, atlas, pipeline.denoise.smoothing_fwhm)
    raw = _Raw(
        means.values,
        atlas.names,
        means.tr,
        means.coverage,
        notes=(
            *means.notes,
            f"'{run.path.name}' counts as denoised: no confounds were regressed out here.",
        ),
    )
    return _without_confounds(run, pipeline, raw, run.name, np.arange(len(means.values)))


def _gaps(values: NDArray[np.float64], kept: NDArray[np.bool_]) -> Gaps:
    """Find the volumes without a measurement among those that are kept."""
    if values.shape[1] < 2 or not kept.any():
        return Gaps(np.zeros(len(values), dtype=bool))
    found = find_gaps(values[kept])
    rows = np.zeros(len(values), dtype=bool)
    rows[np.flatnonzero(kept)[found.rows]] = True
    return replace(found, rows=rows)


def _said(gaps: Gaps, run: str) -> tuple[str, ...]:
    return (f"Run '{run}': {gaps.sentence}",) if gaps.rows.any() else ()


def _cleaned(
    raw: NDArray[np.float64],
    design: NDArray[np.float64],
    kept: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    names: Sequence[str],
    where: str,
) -> tuple[NDArray[np.float64], int]:
    """Return the kept volumes without drifts and confounds, and the rank of these.

    Regions that are not covered are NaN.
    """
    values = np.full((int(kept.sum()), len(names)), np.nan)
    if not covered.any():
        return values, 1
    known = raw[:, covered]
    named = [n for n, c in zip(names, covered, strict=True) if c]
    residuals, rank = regress_out(known, design, kept, where)
    require_signal(residuals, np.abs(known[kept]).max(axis=0), named, where)
    values[:, covered] = residuals
    return values, rank


def table_runs(
    run: RunFile, pipeline: Pipeline, parcellation: Parcellation | None
) -> list[RunSeries]:
    """Read a table and remove drifts; a column ``run`` makes several runs of it.

    Raises
    ------
    InputError
        If the file cannot be used; `TooShortError` if too few volumes are kept.
    """
    labels: Mapping[int, str] | None = None
    if parcellation is not None and parcellation.kind == "labels":
        labels = dict(zip(parcellation.indices, parcellation.names, strict=True))
    table = read_table_run(
        run.path,
        pipeline.tables,
        root=run.root,
        regions=pipeline.regions,
        unnamed=None if parcellation is None else parcellation.names,
        labelled=labels,
        key=run.key,
    )
    notes = table.notes
    if table.labels is not None and pipeline.segments.by != "task":
        notes += ("The column 'segment' is used with segments.by: task only.",)
    covered = ~np.asarray(np.isnan(table.values).all(axis=0))
    raw = _Raw(
        table.values,
        table.names,
        table.tr,
        covered.astype(np.float64),
        table.labels,
        notes,
        table.simulated,
    )
    if table.runs is None:
        everything = np.arange(len(table.values))
        return [_without_confounds(run, pipeline, raw, run.name, everything)]
    return [
        _without_confounds(
            replace(run, entities=(*run.entities, ("run", label)), events=None)
            if len(set(table.runs)) > 1
            else replace(run, entities=(*run.entities, ("run", label))),
            pipeline,
            raw,
            _run_name(run, label),
            rows,
            f", run '{label}'",
        )
        for label, rows in _split(run, table.runs)
    ]


@dataclass(frozen=True, eq=False)
class _Raw:
    """Hold region series as they are in a file that was denoised before."""

    values: NDArray[np.float64]
    names: tuple[str, ...]
    tr: float
    coverage: NDArray[np.float64]
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    simulated: bool = False


def _without_confounds(
    run: RunFile, pipeline: Pipeline, raw: _Raw, name: str, rows: NDArray[np.int64], which: str = ""
) -> RunSeries:
    """Remove drifts from rows of a denoised file, after finding out which of them are gaps."""
    where = f"'{run.path}'{which}"
    values = raw.values[rows]
    censoring = not_censored(len(rows)) if which else read_censoring(run.path, run.root, len(rows))
    covered = raw.coverage > 0
    measured = ~censoring.censored
    gaps = _gaps(values[:, covered], measured)
    kept = measured & ~gaps.rows
    left_out = int(censoring.n_acquired - kept.sum())
    why = " (the others are gaps)" if left_out else ""
    n_volumes = censoring.n_acquired
    check_length(where, int(kept.sum()), n_volumes, raw.tr, pipeline.denoise, why)
    design = polynomial_design(len(rows), pipeline.tables.detrend_order)
    cleaned, rank = _cleaned(values, design, kept, covered, raw.names, where)
    notes = (*raw.notes, *censoring.notes, *_said(gaps, name))
    censored = left_out - int(gaps.rows.sum())
    if censored:
        notes += (f"Run '{name}': {censored} of {n_volumes} volumes were censored before.",)
    return RunSeries(
        name=name,
        entities=run.entities,
        path=str(run.path),
        values=cleaned,
        raw=values[kept],
        names=raw.names,
        tr=raw.tr,
        volumes=censoring.volumes[kept].astype(np.int64),
        n_volumes=n_volumes,
        rank=rank,
        displacement=censoring.displacement,
        coverage=np.where(np.isnan(values).all(axis=0), 0.0, raw.coverage),
        labels=None if raw.labels is None else tuple(raw.labels[r] for r in rows[kept]),
        notes=notes,
        events=run.events,
        simulated=raw.simulated,
    )


def _run_name(run: RunFile, label: str) -> str:
    plain = "".join(c for c in label if c.isalnum()) or "0"
    if run.name == "run-1" and run.entity("run") is None:
        return f"run-{plain}"
    return f"{run.name}_part-{plain}" if run.entity("run") else f"{run.name}_run-{plain}"


def _split(run: RunFile, labels: tuple[str, ...]) -> list[tuple[str, NDArray[np.int64]]]:
    array = np.array(labels)
    starts = np.flatnonzero(np.r_[True, array[1:] != array[:-1]])
    ends = np.r_[starts[1:], len(array)]
    parts = [(labels[s], np.arange(s, e)) for s, e in zip(starts, ends, strict=True)]
    seen: set[str] = set()
    for label, rows in parts:
        if label == "" or label in seen:
            what = "is empty" if label == "" else f"returns to '{label}'"
            raise InputError(
                f"'{run.path}', column 'run' {what} in row {rows[0] + 1}; the rows of a run must "
                "follow each other."
            )
        seen.add(label)
    return parts
