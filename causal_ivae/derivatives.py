"""The one place that knows output names, and the only writer of output files.

Every file is written under a temporary name beside its final one and then moved, sidecars last,
so a file that exists under its final name is whole.

::

    dataset_description.json
    sub-XX/func/sub-XX_<entities>_timeseries.tsv, .json    kept volumes, z-scored per run
                              ..._outliers.tsv             one row per volume as acquired
                              ..._meas-<method>_edges.tsv, .json
                              ..._meas-<method>_tests.tsv
                              ..._meas-<method>_restarts.tsv
                              ..._meas-<method>_training.tsv
                              ..._meas-<method>_diagnostics.tsv, .json
                              ..._meas-<method>_stability.tsv, .json     over resamples, restarts
                              ..._meas-<method>_disturbances.npy, .json  recovered, of every pair
                              ..._meas-<method>_evidence.tsv, .json      of structural flows
                              ..._meas-<method>_screen.tsv, .json        where pairs were screened
                              ..._meas-<method>_priorcheck.tsv
                              ..._meas-<method>_relmat.dense.tsv, _relmat.json
                              ..._nodeindices.tsv
    sub-XX/figures/sub-XX_<entities>_meas-<method>_graph.graphml, .dot, .json, .tsv
                   ..._meas-<method>_graph.svg, .png; _circuit, _brain, _scores, _training alike
                   ..._series.svg, .png; _reliability, _share alike
    atlas-<name>_regions.png        the regions on the MNI template, where an atlas places them
    sub-XX.html, group.html
    group/group_meas-<method>_edges.tsv, .json, _relmat.dense.tsv, ...
    group/group_meas-<method>_model.tsv, .json      what scores go with, where a model is asked for
    group/group_subjects.tsv        which subjects are in it, and why the others are not
    pooled.html, pooled/pooled_meas-<method>_edges.tsv, ...    one fit of all, where asked for
    logs/<uuid>/status.tsv, run.json, run.log, pipeline.yaml
    .causal-ivae.lock               empty; says to other programs who writes what
"""

import io
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.errors import InputError

LOCK_NAME = ".causal-ivae.lock"

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

# Columns of text: a region called "1" or a run called "01" must come back as it was written.
_TEXT_COLUMNS = (
    "x", "y", "decision", "cause", "effect", "first", "second", "vote", "verdict", "path",
    "reasons", "run", "segment", "name", "unit", "mechanism", "term",
)  # fmt: skip

# What the pages of a cohort need of every subject: columns by table, None for all of them.
_OF_COHORT: dict[str, tuple[str, ...] | None] = {
    "edges.tsv": ("cause", "effect"),
    "diagnostics.tsv": ("verdict", "reasons", "agreement", "dependence_p"),
    "restarts.tsv": ("diverged",),
    "outliers.tsv": None,
}

POOLED = "pooled"
"""The unit of one fit of all subjects that stands beside the group."""
_UNIT = re.compile(rf"group|{POOLED}|sub-[A-Za-z0-9]+")
_ENTITY_KEY = re.compile(r"[A-Za-z]+")
_ENTITY_LABEL = re.compile(r"[A-Za-z0-9+]+(-[A-Za-z0-9+]+)*")
_PARTIAL = ".partial"


@dataclass(frozen=True)
class UnitPaths:
    """Names of the outputs of one subject, or of the group.

    Attributes
    ----------
    root : pathlib.Path
        Output folder.
    unit : str
        ``"sub-<label>"``, ``"group"``, or ``"pooled"`` for one fit of all subjects beside it.
    entities : tuple of (str, str)
        BIDS entities after the subject, such as ``(("task", "rest"), ("atlas", "aal2"))``.

    Raises
    ------
    InputError
        If a part is not made of letters and digits: labels come from files, and must not lead a
        path elsewhere.
    """

    root: Path
    unit: str
    entities: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _UNIT.fullmatch(self.unit):
            raise InputError(
                f"'{self.unit}' cannot be the name of an output: 'sub-' and letters or digits are "
                "needed."
            )
        for key, label in self.entities:
            if not (_ENTITY_KEY.fullmatch(key) and _ENTITY_LABEL.fullmatch(label)):
                raise InputError(
                    f"'{key}-{label}' cannot be part of the name of an output of '{self.unit}': "
                    "use letters and digits."
                )

    @property
    def folder(self) -> Path:
        """Folder of the unit's files."""
        folder = self.root / self.unit
        return folder / "func" if self.unit.startswith("sub-") else folder

    @property
    def report(self) -> Path:
        """The unit's page."""
        return self.root / f"{self.unit}.html"

    @property
    def crash_folder(self) -> Path:
        """Folder of the unit's crash files."""
        return self.root / self.unit / "log"

    def figure(self, suffix: str, method: str | None = None) -> Path:
        """Return the path of a figure or a graph file, such as ``figure("graph.dot", "ivae")``."""
        return self.root / self.unit / "figures" / self.file(suffix, method).name

    def file(self, suffix: str, method: str | None = None) -> Path:
        """Return the path of one output, such as ``file("edges.tsv", "ivae")``."""
        parts = [self.unit, *(f"{key}-{value}" for key, value in self.entities)]
        if method is not None:
            parts.append(f"meas-{method}")
        return self.folder / ("_".join(parts) + f"_{suffix}")

    def remove_partial_files(self) -> None:
        """Remove what a program that was killed left half written, under temporary names."""
        for folder, name in (
            (self.folder, ""), (self.crash_folder, ""), (self.root, self.report.name),
        ):  # fmt: skip
            for leftover in folder.glob(f".{name}*{_PARTIAL}"):
                leftover.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line to a log, in one piece; the only file that is not written anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


def write_text(path: Path, text: str) -> None:
    """Write a text so that the file is either whole or not there under its name."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or not there under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PARTIAL)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; outputs are as readable as the user's umask allows.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_table(path: Path, table: pd.DataFrame, *, header: bool = True) -> None:
    """Write a tab-separated table; missing values are ``n/a`` as BIDS asks."""
    text = table.to_csv(
        sep="\t", index=False, header=header, na_rep="n/a", lineterminator="\n", float_format="%.9g"
    )
    write_text(path, text)


def write_array(path: Path, values: NDArray[Any]) -> None:
    """Write an array as NumPy's ``.npy``, which holds numbers and no program."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
    for suffix, table in tables.items():
        write_table(paths.file(f"{suffix}.tsv", method), table)
    for suffix, described in (columns or {}).items():
        content = {name: {"Description": text} for name, text in described.items()}
        write_json(paths.file(f"{suffix}.json", method), content)
    if disturbances is not None:
        write_array(paths.file("disturbances.npy", method), disturbances.astype(np.float16))
        write_json(
            paths.file("disturbances.json", method), {"Description": DISTURBANCES_DESCRIPTION}
        )
    nodes = pd.DataFrame({"index": range(len(names)), "name": list(names)})
    write_table(paths.file("nodeindices.tsv"), nodes)
    write_table(paths.file("relmat.dense.tsv", method), pd.DataFrame(matrix), header=False)
    about = {"Description": RELMAT_DESCRIPTION, "Measure": f"direction score of {method}"}
    write_json(paths.file("relmat.json", method), about)
    write_json(vouches, sidecar)


def read_table(
    path: Path, *, header: bool = True, columns: tuple[str, ...] | None = None
) -> pd.DataFrame:
    """Read a table written by `write_table`; texts stay texts, empty ones too.

    With `columns`, those of them that the table has.
    """
    return pd.read_csv(
        path,
        sep="\t",
        header=0 if header else None,
        usecols=None if columns is None else columns.__contains__,
        dtype=dict.fromkeys(_TEXT_COLUMNS, str) if header else None,
        na_values=["n/a"],
        keep_default_na=False,
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read a JSON file that may be missing or damaged; it then vouches for nothing."""
    try:
        content = read_json(path)
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _array(path: Path) -> NDArray[Any] | None:
    """Return an array whose numbers are read when they are used; None without the file."""
    if not path.is_file():
        return None
    values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return values


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

    def there(suffix: str, method: str | None = None) -> pd.DataFrame:
        columns = _OF_COHORT[suffix] if cohort_only else None
        return read_table(paths.file(suffix, method), columns=columns)

    def table(suffix: str, method: str | None = None) -> pd.DataFrame | None:
        if cohort_only and suffix not in _OF_COHORT:
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
            disturbances=None if cohort_only else _array(paths.file("disturbances.npy", method)),
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
