"""What was found in one subject or in the group: written as files, and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.files import (
    read_array,
    read_json,
    read_table,
    write_array,
    write_json,
    write_table,
)
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.tables import columns_of
from causal_ivae.derivatives.vouching import FILES

RELMAT_DESCRIPTION = (
    "Signed direction score of every ordered pair of regions. Row = cause, column = effect: a "
    "positive value in row i, column j favours 'region i drives region j', and the value in row "
    "j, column i is its negative. No header; rows and columns in the order of _nodeindices.tsv. "
    "File names follow the draft of BIDS extension proposal 17 (BEP017)."
)

DISTURBANCES_DESCRIPTION = (
    "Recovered disturbances, z-scored, half precision, shape (pairs, 2, volumes): one row per "
    "unmixed pair in the order of _diagnostics.tsv, of the fit that it judges; by structural flows "
    "of x and y, else n1 and n2. Volumes are the rows of _timeseries.tsv that are in a segment. "
    "Read it with numpy.load."
)


def write_graph(
    paths: UnitPaths,
    method: str,
    names: Sequence[str],
    matrix: NDArray[np.float64],
    tables: Mapping[str, pd.DataFrame],
    sidecar: Mapping[str, Any],
    *,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    disturbances: NDArray[np.floating] | None = None,
) -> None:
    """Write everything about one graph, the sidecar ``_edges.json`` last.

    Parameters
    ----------
    paths : UnitPaths
    method : str
    names : sequence of str, length n_regions
    matrix : ndarray, shape (n_regions, n_regions)
        Signed direction scores, row = cause, column = effect.
    tables : mapping of str to pandas.DataFrame
        Such as ``{"edges": ..., "tests": ...}``.
    sidecar : mapping
    columns : mapping of str to mapping of str to str, optional
        For some of the tables, what each of their columns is; goes into a sidecar of its own.
    disturbances : ndarray, shape (n_unmixed, 2, n_times), optional
        Written in half precision.
    """
    vouches = paths.file("edges.json", method)
    # An old sidecar must not vouch for new tables if writing stops half way.
    vouches.unlink(missing_ok=True)
    files: dict[str, Any] = {}
    for suffix, table in tables.items():
        path = paths.file(f"{suffix}.tsv", method)
        files[path.name] = write_table(path, table)
    for suffix, described in (columns or {}).items():
        path = paths.file(f"{suffix}.json", method)
        content = {name: {"Description": text} for name, text in described.items()}
        files[path.name] = write_json(path, content)
    if disturbances is not None:
        path = paths.file("disturbances.npy", method)
        files[path.name] = write_array(path, disturbances.astype(np.float16))
        path = paths.file("disturbances.json", method)
        files[path.name] = write_json(path, {"Description": DISTURBANCES_DESCRIPTION})
    path = paths.file("nodeindices.tsv")
    nodes = pd.DataFrame({"index": range(len(names)), "name": list(names)})
    files[path.name] = write_table(path, nodes)
    path = paths.file("relmat.dense.tsv", method)
    files[path.name] = write_table(path, pd.DataFrame(matrix), header=False)
    path = paths.file("relmat.json", method)
    about = {"Description": RELMAT_DESCRIPTION, "Measure": f"direction score of {method}"}
    files[path.name] = write_json(path, about)
    write_json(vouches, {**sidecar, FILES: files})


@dataclass(frozen=True)
class MethodRecord:
    """What one method found in one unit, as read back from its files.

    ``edges``, ``tests``, ``restarts``, ``training``, ``diagnostics``, ``evidence`` and
    ``stability`` are those of `causal_ivae.discovery.graph.CausalGraph`; group records have only
    ``edges``, and ``model`` where one was asked for.

    Attributes
    ----------
    disturbances : ndarray or None, shape (n_unmixed, 2, n_times), float16
        Read from the file when they are used.
    prior_check : pandas.DataFrame or None
        One row per decided edge: ``cause``, ``effect``, ``verdict`` ("direct", "indirect" or
        "not feasible"), ``path`` (region names joined with " > ", empty where there is none).
    sidecar : dict
        ``Method``, ``Settings`` (the whole pipeline), ``SettingsHash``, ``Seed``, ``Versions``,
        ``Command``, ``Seconds``, ``InputFingerprints``, ``Device``, ``Simulated`` (bool),
        ``Calibration`` (of the probabilities, see
        `causal_ivae.discovery.probability.calibration_entry`),
        ``Space`` and ``Coordinates`` (name to x, y, z in mm) where an atlas says where regions
        are, ``NullCheck`` (``SurrogatePairs``, ``Rejected``, ``Alpha`` and Wilson ``Interval``),
        ``Cycles`` (each ``Regions``, its least confident edge ``Cause``, ``Effect``, and whether
        that was ``Broken``), of groups ``SplitHalf`` (``Splits``, ``SameDirection``,
        ``Correlation``) and ``Model`` (``Formula``, ``Subjects``, ``LeftOut``: unit to reason) and,
        where a prior was given, ``Prior``: ``Name``, ``Directed``, ``Edges``, and per verdict
        ("Direct", "Feasible") ``Count``, ``Share``, ``ChanceShare``, ``PValue``.
    """

    edges: pd.DataFrame
    tests: pd.DataFrame | None
    restarts: pd.DataFrame | None
    training: pd.DataFrame | None
    diagnostics: pd.DataFrame | None
    evidence: pd.DataFrame | None
    prior_check: pd.DataFrame | None
    sidecar: dict[str, Any]
    disturbances: NDArray[np.float16] | None = None
    stability: pd.DataFrame | None = None
    model: pd.DataFrame | None = None


@dataclass(frozen=True)
class UnitRecord:
    """Everything that was written about one unit; reports are made from this alone.

    Attributes
    ----------
    unit : str
        ``"sub-<label>"``, ``"group"`` or ``"pooled"``.
    timeseries : pandas.DataFrame or None
        (n_times, n_regions), z-scored; None for a group made of subjects' graphs.
    outliers : pandas.DataFrame or None
        One row per volume as acquired: ``run``, ``volume``, ``kept`` (0 or 1), ``segment``
        (name; empty where none), ``framewise_displacement`` (mm).
    sidecar : dict
        ``RepetitionTime`` (s), ``SegmentKind``, ``Segments`` (names), ``Coverage`` (name to
        share), ``Sources``, ``Notes`` (sentences), ``Simulated``.
    methods : dict
        Method name to `MethodRecord`, in the order run.
    region_map : bytes or None
        The regions on the template, content of a PNG file.
    """

    unit: str
    timeseries: pd.DataFrame | None
    outliers: pd.DataFrame | None
    sidecar: dict[str, Any]
    methods: dict[str, MethodRecord]
    region_map: bytes | None = None


def read_unit(
    paths: UnitPaths, methods: tuple[str, ...], *, cohort_only: bool = False
) -> UnitRecord:
    """Read a unit's files back; methods whose sidecar is missing are left out.

    With `cohort_only`, what the pages of a cohort need and no more: the ends of arrows, the
    verdicts on fits, the restarts that diverged, and the volumes.
    """

    def needed(suffix: str) -> list[str]:
        declared = columns_of(suffix.removesuffix(".tsv"))
        return [name for name, column in declared.items() if column.of_cohort]

    def there(suffix: str, method: str | None = None) -> pd.DataFrame:
        columns = needed(suffix) if cohort_only else None
        return read_table(paths.file(suffix, method), columns=columns)

    def table(suffix: str, method: str | None = None) -> pd.DataFrame | None:
        if cohort_only and not needed(suffix):
            return None
        return there(suffix, method) if paths.file(suffix, method).is_file() else None

    records = {}
    for method in methods:
        sidecar = paths.file("edges.json", method)
        if not sidecar.is_file():
            continue
        records[method] = MethodRecord(
            edges=there("edges.tsv", method),
            tests=table("tests.tsv", method),
            restarts=table("restarts.tsv", method),
            training=table("training.tsv", method),
            diagnostics=table("diagnostics.tsv", method),
            evidence=table("evidence.tsv", method),
            prior_check=table("priorcheck.tsv", method),
            sidecar=read_json(sidecar),
            stability=table("stability.tsv", method),
            disturbances=None
            if cohort_only
            else read_array(paths.file("disturbances.npy", method)),
            model=table("model.tsv", method),
        )
    described = paths.file("timeseries.json")
    about = read_json(described) if described.is_file() else {}
    drawn = paths.root / ("" if cohort_only else str(about.get("RegionMap", "")))
    return UnitRecord(
        unit=paths.unit,
        timeseries=table("timeseries.tsv"),
        outliers=table("outliers.tsv"),
        sidecar=about,
        methods=records,
        region_map=drawn.read_bytes() if drawn.is_file() else None,
    )
