"""Write the region time series of a subject to files, and read them back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.files import read_json, read_table, write_json, write_table
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.stored_tables import write_described
from causal_ivae.derivatives.vouching import FILES
from causal_ivae.errors import InputError
from causal_ivae.imaging.series import Cleaning, RegionSeries


def write_series(paths: UnitPaths, series: RegionSeries, provenance: Mapping[str, Any]) -> None:
    """Write ``_timeseries.tsv``, ``_outliers.tsv`` and, last, ``_timeseries.json``.

    Parameters
    ----------
    provenance : mapping
        Added to the sidecar: hashes, fingerprints, versions, command.
    """
    sidecar = paths.file("timeseries.json")
    # An old sidecar must not vouch for new tables if writing stops half way.
    sidecar.unlink(missing_ok=True)
    files = write_described(paths, "outliers", _outliers(series))
    values = paths.file("timeseries.tsv")
    files[values.name] = write_table(
        values, pd.DataFrame(series.values, columns=list(series.names))
    )
    write_json(
        sidecar,
        {
            "Description": "Region time series, kept volumes: mean 0 in every run, standard "
            "deviation 1 over all runs (dimensionless). RegionScale times a value is percent "
            "signal change for regions in PercentSignalChange, else in the units of the files.",
            "RepetitionTime": series.tr,
            "Entities": dict(series.entities),
            "Regions": list(series.names),
            "Runs": list(series.run_names),
            "Cleaning": [
                {
                    "Run": run.run,
                    "VolumesAcquired": run.n_acquired,
                    "VolumesKept": run.n_kept,
                    "RankOfConfounds": run.rank,
                    "ResidualDegreesOfFreedom": run.residual_dof,
                }
                for run in series.cleaning
            ],
            "ExcludedRuns": [{"Run": name, "Reason": why} for name, why in series.excluded],
            "SegmentKind": series.segment_kind,
            "Segments": list(series.segment_names),
            "Coverage": dict(zip(series.names, series.coverage.tolist(), strict=True)),
            **_scale(series),
            "Sources": list(series.sources),
            "Notes": list(series.notes),
            "Simulated": series.simulated,
            **provenance,
            FILES: files,
        },
    )


def read_series(paths: UnitPaths, about: Mapping[str, Any] | None = None) -> RegionSeries:
    """Read the series that `write_series` wrote.

    Parameters
    ----------
    about : mapping, optional
        The sidecar, where it was read already.

    Raises
    ------
    InputError
        If the files do not agree with one another.
    """
    about = read_json(paths.file("timeseries.json")) if about is None else about
    values = read_table(paths.file("timeseries.tsv"))
    outliers = read_table(paths.file("outliers.tsv"))
    kept = outliers["kept"].to_numpy() == 1
    if kept.sum() != len(values) or list(values.columns) != about["Regions"]:
        raise InputError(
            f"'{paths.file('timeseries.tsv')}' does not match its _outliers.tsv and sidecar; "
            "was it edited? Run again with --overwrite always."
        )
    run_of, segment_of = (
        {name: i for i, name in enumerate(about[key])} for key in ("Runs", "Segments")
    )
    used = outliers[kept]
    runs = outliers["run"].map(run_of).to_numpy()
    motion = outliers["framewise_displacement"].to_numpy(dtype=np.float64)
    return RegionSeries(
        label=paths.unit.removeprefix("sub-"),
        values=values.to_numpy(dtype=np.float32),
        names=tuple(about["Regions"]),
        tr=about["RepetitionTime"],
        runs=_integers(used["run"].map(run_of)),
        run_names=tuple(about["Runs"]),
        volumes=_integers(used["volume"]),
        n_volumes=tuple(int((runs == i).sum()) for i in range(len(run_of))),
        segments=_integers(used["segment"].map(segment_of).fillna(-1)),
        segment_names=tuple(about["Segments"]),
        segment_kind=about["SegmentKind"],
        framewise_displacement=None if np.isnan(motion).all() else motion,
        coverage=np.array([about["Coverage"][name] for name in about["Regions"]]),
        entities=tuple(about["Entities"].items()),
        sources=tuple(about["Sources"]),
        notes=tuple(about["Notes"]),
        simulated=about["Simulated"],
        cleaning=tuple(
            Cleaning(
                run["Run"],
                run["VolumesAcquired"],
                run["VolumesKept"],
                run["RankOfConfounds"],
                run["ResidualDegreesOfFreedom"],
            )
            for run in about.get("Cleaning", ())
        ),
        excluded=tuple((run["Run"], run["Reason"]) for run in about.get("ExcludedRuns", ())),
        scale=None
        if about["RegionScale"] is None
        else np.array([about["RegionScale"].get(name, np.nan) for name in about["Regions"]]),
        percent=None
        if about["PercentSignalChange"] is None
        else np.array([name in about["PercentSignalChange"] for name in about["Regions"]]),
        scaled_apart=about["ScaledApart"],
    )


def places(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a sidecar that say where the regions are, to copy them."""
    keys = ("Space", "Coordinates", "Networks", "RegionMap", "RegionMapAnatomy")
    return {key: about[key] for key in keys if key in about}


def select_regions(series: RegionSeries, names: tuple[str, ...]) -> RegionSeries:
    """Return the series of the given regions, in the given order."""
    position = {name: i for i, name in enumerate(series.names)}
    columns = [position[name] for name in names]
    return replace(
        series,
        values=np.ascontiguousarray(series.values[:, columns]),
        names=names,
        coverage=series.coverage[columns],
        scale=None if series.scale is None else series.scale[columns],
        percent=None if series.percent is None else series.percent[columns],
    )


def _scale(series: RegionSeries) -> dict[str, Any]:
    """Return the entries of the sidecar that describe the scale of the series."""
    scale, percent = series.scale, series.percent
    return {
        "RegionScale": None
        if scale is None
        else {
            name: value
            for name, value in zip(series.names, scale.tolist(), strict=True)
            if not np.isnan(value)
        },
        "PercentSignalChange": None
        if percent is None
        else [name for name, yes in zip(series.names, percent, strict=True) if yes],
        "ScaledApart": series.scaled_apart,
    }


def _outliers(series: RegionSeries) -> pd.DataFrame:
    """Return the table of outliers, with one row for every acquired volume."""
    total = sum(series.n_volumes)
    starts = np.concatenate([[0], np.cumsum(series.n_volumes)])
    rows = starts[series.runs] + series.volumes
    kept = np.zeros(total, dtype=np.int64)
    kept[rows] = 1
    segment = np.full(total, "", dtype=object)
    named = series.segments >= 0
    segment[rows[named]] = np.array(series.segment_names, dtype=object)[series.segments[named]]
    motion = series.framewise_displacement
    return pd.DataFrame(
        {
            "run": np.repeat(np.array(series.run_names, dtype=object), series.n_volumes),
            "volume": np.concatenate([np.arange(n) for n in series.n_volumes]),
            "kept": kept,
            "segment": segment,
            "framewise_displacement": np.full(total, np.nan) if motion is None else motion,
        }
    )


def _integers(column: "pd.Series[Any]") -> NDArray[np.int64]:
    return column.to_numpy(dtype=np.int64)
