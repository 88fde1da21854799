"""Read everything that was written about a subject, a group or a whole study."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_json, read_sidecar
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths, is_subject
from causal_ivae.derivatives.stored_tables import StoredTables
from causal_ivae.errors import InputError


@dataclass(frozen=True, eq=False, repr=False)
class Unit:
    """Hold everything that was written about one subject, the group, or all subjects pooled.

    Attributes
    ----------
    name : str
        ``"sub-<label>"``, ``"group"`` or ``"pooled"``.
    methods : dict of str to CausalGraph
        Results by method, without methods that failed.
    tables : mapping of str to pandas.DataFrame
        Tables that belong to no method, by the last part of their files' names.
    sidecar : dict
        Sidecar of the time series: ``RepetitionTime`` (s), ``SegmentKind``, ``Segments`` (names),
        ``Coverage`` (share by region), ``Sources``, ``Notes`` (sentences), ``Simulated``.
    region_map : pathlib.Path or None
        PNG file with the regions on the template.
    """

    name: str
    methods: Mapping[str, CausalGraph]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    region_map: Path | None = None

    def __repr__(self) -> str:
        return f"<Unit '{self.name}': {', '.join(self.methods) or 'no results'}>"

    @property
    def timeseries(self) -> pd.DataFrame | None:
        """Return the kept volumes, shape (n_times, n_regions); None for the group."""
        return self.tables.get("timeseries")

    @property
    def outliers(self) -> pd.DataFrame | None:
        """Return one row per acquired volume: run, segment, head motion, and if it was kept."""
        return self.tables.get("outliers")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the analysed regions, in the order of the series."""
        for graph in self.methods.values():
            return graph.names
        return () if self.timeseries is None else tuple(self.timeseries.columns)

    @classmethod
    def read(
        cls, paths: UnitPaths, methods: tuple[str, ...] | None = None, *, of_cohort: bool = False
    ) -> Self:
        """Read the results of a unit; tables are read when they are used.

        Parameters
        ----------
        paths : UnitPaths
        methods : tuple of str, optional
            Methods to read if they have results; all methods with results by default.
        of_cohort : bool
            True to read only what the pages of a cohort need, as in `CausalGraph.read`.
        """
        found = found_methods(paths)
        sidecars = {
            method: read_json(paths.file("edges.json", method))
            for method in (found if methods is None else methods)
            if method in found
        }
        about = read_sidecar(paths.file("timeseries.json"))
        return cls.of_sidecars(paths, sidecars, about, of_cohort=of_cohort)

    @classmethod
    def of_sidecars(
        cls,
        paths: UnitPaths,
        sidecars: Mapping[str, Mapping[str, Any]],
        about: Mapping[str, Any],
        *,
        of_cohort: bool = False,
        disturbances: bool = True,
    ) -> Self:
        """Make the unit that `read` reads where its sidecars are known already.

        Parameters
        ----------
        paths : UnitPaths
        sidecars : mapping of str to mapping
            Content of ``_edges.json`` by method.
        about : mapping
            Content of ``_timeseries.json``.
        of_cohort : bool
            As in `read`.
        disturbances : bool
            False to leave the recovered disturbances out.
        """
        picture = paths.root / str(about.get("RegionMap", ""))
        return cls(
            name=paths.unit,
            methods={
                method: CausalGraph.of_sidecar(
                    paths, method, sidecar, of_cohort=of_cohort, disturbances=disturbances
                )
                for method, sidecar in sidecars.items()
            },
            tables=StoredTables(paths, of_cohort=of_cohort),
            sidecar=about,
            region_map=picture if picture.is_file() else None,
        )


@dataclass(frozen=True)
class StudyResults:
    """Hold the results in an output folder.

    Attributes
    ----------
    subjects : dict of str to Unit
        Results of every subject, by label without ``sub-``.
    group : Unit or None
        Statistics over subjects, or one fit of all subjects if it was requested instead.
    pooled : Unit or None
        One fit of all subjects, in addition to the group.
    """

    subjects: Mapping[str, Unit]
    group: Unit | None
    pooled: Unit | None


def load_results(folder: str | Path) -> StudyResults:
    """Load what ``causal-ivae run`` wrote into a folder.

    Parameters
    ----------
    folder : str or pathlib.Path
        The output folder.

    Returns
    -------
    StudyResults
        Its units hold for every method a `CausalGraph`, which `causal_ivae.discover` returns too.
        Sidecars are read at once, and tables when they are used.

    Raises
    ------
    InputError
        If the folder holds no results.

    Examples
    --------
    >>> results = load_results("OUTPUT")  # doctest: +SKIP
    >>> results.group.methods["structural"].plot()  # doctest: +SKIP
    >>> results.subjects["01"].methods["structural"].edges  # doctest: +SKIP
    """
    root = Path(folder)
    units = {
        name: Unit.read(find_paths(root, name) or UnitPaths(root, name))
        for name in (*subjects_in(root), GROUP, POOLED)
    }
    there = {name: unit for name, unit in units.items() if unit.methods}
    if not there:
        raise InputError(f"'{root}' holds no results: give the output folder of 'causal-ivae run'.")
    group, pooled = there.pop(GROUP, None), there.pop(POOLED, None)
    subjects = {name.removeprefix("sub-"): unit for name, unit in there.items()}
    return StudyResults(subjects, group, pooled)


def subjects_in(root: Path) -> list[str]:
    """Return ``sub-<label>`` of every subject with a folder in an output, sorted."""
    # Other folders, such as 'sub-01 copy', are the user's and hold no results of ours.
    folders = (path for path in root.glob("sub-*") if path.is_dir())
    return sorted(path.name for path in folders if is_subject(path.name))


def find_recording(root: Path, unit: str) -> tuple[UnitPaths, dict[str, Any]] | None:
    """Return paths and sidecar of a unit's latest series; None if there are none.

    Series whose sidecar is damaged do not count.
    """
    described = UnitPaths(root, unit).folder.glob("*_timeseries.json")
    for sidecar in sorted(described, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        about = read_sidecar(sidecar)
        entities, regions = about.get("Entities", {}), about.get("Regions")
        if not (isinstance(regions, list) and isinstance(entities, dict)):
            continue
        with suppress(InputError):
            paths = UnitPaths(root, unit, tuple((str(k), str(v)) for k, v in entities.items()))
            return paths, about
    return None


def find_paths(root: Path, unit: str) -> UnitPaths | None:
    """Return the paths of a unit's latest results; None if there are none."""
    found = find_recording(root, unit)
    return None if found is None else found[0]


def found_methods(paths: UnitPaths) -> tuple[str, ...]:
    """Return the methods for which a unit has a graph, in alphabetical order."""
    before, _, after = paths.file("edges.json", "*").name.partition("*")
    names = sorted(path.name for path in paths.folder.glob(f"{before}*{after}"))
    pattern = re.compile(re.escape(before) + "([A-Za-z0-9]+)" + re.escape(after))
    return tuple(match[1] for name in names if (match := pattern.fullmatch(name)))
