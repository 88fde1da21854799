"""Write the pages of a subject, the group or a whole output folder from result files alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from causal_ivae.batch.analysis import Outcome, one_line
from causal_ivae.batch.navigation import navigation_of
from causal_ivae.batch.state import whole_methods
from causal_ivae.batch.summaries import folder_digest, summarise_page
from causal_ivae.derivatives.files import read_sidecar, read_table, write_bytes, write_text
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths, is_subject
from causal_ivae.derivatives.stored_tables import write_described
from causal_ivae.derivatives.unit_tables import SUBJECTS
from causal_ivae.derivatives.units import Unit, find_paths, subjects_in
from causal_ivae.derivatives.vouching import damaged_files
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError, NothingMatchedError
from causal_ivae.group.participants import PARTICIPANTS
from causal_ivae.imaging.atlas import Parcellation
from causal_ivae.reporting.fits import UNKNOWN
from causal_ivae.reporting.mni_maps import has_map, map_name
from causal_ivae.reporting.recorded import complaint, lacking, readable

if TYPE_CHECKING:
    from causal_ivae.reporting.forest import SubjectScores
    from causal_ivae.reporting.graph_files import Drawings


def write_unit_page(
    paths: UnitPaths,
    methods: Sequence[str],
    templates: Path | None = None,
    *,
    with_group: bool = False,
) -> None:
    """Write the page of one subject, or of all subjects pooled.

    Parameters
    ----------
    templates : pathlib.Path, optional
        A user's own.
    with_group : bool
        True if a page of the group will be written too.

    Raises
    ------
    CausalIvaeError
        If the page cannot be made; the results stay as they are.
    """
    # Drawing takes longer to import than it takes to find out that a page is current.
    from causal_ivae.reporting.html import subject_page

    digest = folder_digest(paths.folder)

    def page_of(record: Unit) -> tuple[str, "Drawings"]:
        group = with_group or (paths.root / f"{GROUP}.html").is_file()
        return subject_page(record, templates, navigation_of(paths.root, paths.unit, group=group))

    record = _write(paths, methods, page_of)
    if is_subject(paths.unit):
        summarise_page(paths, digest, record)


def write_region_map(output: Path, parcellation: Parcellation) -> None:
    """Write the picture of an atlas's regions for the pages, if it can be drawn and is missing.

    Parameters
    ----------
    parcellation : Parcellation
        In the space of the images, if there are any.
    """
    if not has_map(parcellation):
        return
    picture = output / map_name(parcellation)
    files = (file for file in (parcellation.source, parcellation.image) if file is not None)
    newest = max(file.stat().st_mtime_ns for file in files)
    if not picture.is_file() or picture.stat().st_mtime_ns < newest:
        from causal_ivae.reporting.region_map import region_map

        write_bytes(picture, region_map(parcellation))


def subject_rows(
    units: Sequence[str],
    seconds: Mapping[str, float],
    outcomes: Mapping[str, Outcome],
    excluded: Mapping[str, str] = MappingProxyType({}),
    qualities: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Return one row per subject for the page of the group.

    Parameters
    ----------
    units : sequence of str
        Subjects to list.
    seconds : mapping of str to float
        Of those whose graphs are in the group's, how long their graphs took.
    outcomes : mapping of str to Outcome
        Of this run.
    excluded : mapping of str to str
        Subjects with results that are left out of the group, with the file that says so.
    qualities : mapping of str to str
        From `qualities`.
    """
    rows = []
    for unit in units:
        row = _row(unit, seconds.get(unit), outcomes.get(unit))
        if unit in excluded and row["state"] != "failed":
            row |= {"state": "excluded", "message": f"Excluded by {excluded[unit]}."}
        rows.append(row | {"quality": qualities.get(unit, "")})
    return rows


def qualities(group: UnitPaths, methods: Sequence[str]) -> dict[str, str]:
    """Return a verdict for every subject of the group, from the first method that has one."""
    found: dict[str, str] = {}
    for method in methods:
        for unit, word in read_sidecar(group.file("edges.json", method)).get("Quality", {}).items():
            if found.get(unit, UNKNOWN) == UNKNOWN:
                found[unit] = word
    return found


def listing(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the table of subjects, states and messages that is written beside the group's page."""
    columns = {"label": "subject", "state": "state", "quality": "quality", "message": "message"}
    return pd.DataFrame(rows, columns=list(columns)).rename(columns=columns)


def write_group_page(
    paths: UnitPaths,
    methods: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    templates: Path | None = None,
) -> None:
    """Write ``group_subjects.tsv`` and the page of the group.

    Parameters
    ----------
    paths : UnitPaths
        Of the group.
    rows : sequence of mapping
        From `subject_rows`.
    templates : pathlib.Path, optional
        A user's own.

    Raises
    ------
    CausalIvaeError
        If the page cannot be made; the results stay as they are.
    """
    from causal_ivae.reporting.group_page import group_page

    # If writing is interrupted, the old page must not stand beside a list that is newer.
    paths.report.unlink(missing_ok=True)
    write_described(paths, SUBJECTS.name, listing(rows))

    def page_of(record: Unit) -> tuple[str, "Drawings"]:
        beside = _beside(paths.root, record), _scores_of_subjects(paths.root, record)
        return group_page(record, rows, templates, pooled=beside[0], scores=beside[1])

    _write(paths, methods, page_of)


def write_all(
    output: Path, labels: Sequence[str] = (), templates: Path | None = None
) -> tuple[list[Path], list[str]]:
    """Write every page of an output folder again from the results that are undamaged.

    Parameters
    ----------
    labels : sequence of str
        Labels, with or without ``sub-``; empty takes all, and the group.
    templates : pathlib.Path, optional
        A user's own.

    Returns
    -------
    pages : list of pathlib.Path
        The pages written.
    complaints : list of str
        Sentences about results that no page shows because they are damaged.

    Raises
    ------
    NothingMatchedError
        If there is nothing to write a page of.
    """
    wanted = {f"sub-{label.removeprefix('sub-')}" for label in labels}
    found = {
        unit: paths
        for unit in subjects_in(output)
        if (paths := find_paths(output, unit)) is not None
    }
    if wanted - set(found):
        absent = ", ".join(sorted(wanted - set(found)))
        raise NothingMatchedError(f"No results of {absent} in '{output}'; run them first.")
    pages: list[Path] = []
    complaints: list[str] = []

    def write(paths: UnitPaths, page: Callable[[tuple[str, ...]], None]) -> None:
        whole = whole_methods(paths)
        complaints.extend(
            f"The {method} results of '{paths.unit}' are damaged and are on no page: run the same "
            "analysis again."
            for method in METHODS
            if method not in whole and paths.file("edges.json", method).exists()
        )
        if lost := _lost_series(paths, read_sidecar(paths.file("timeseries.json"))):
            complaints.append(f"{paths.unit}: {lost}")
        try:
            page(whole)
        except CausalIvaeError as error:
            complaints.append(str(error))
        else:
            pages.append(paths.report)
            complaints.extend(
                complaint(f"{paths.unit}, {method}", missing)
                for method in whole
                if (missing := lacking(read_sidecar(paths.file("edges.json", method))))
            )

    for unit, paths in found.items():
        if not wanted or unit in wanted:
            write(paths, partial(write_unit_page, paths, templates=templates))
    pooled = find_paths(output, POOLED)
    if not wanted and pooled is not None:
        write(pooled, partial(write_unit_page, pooled, templates=templates))
    group = UnitPaths(output, GROUP)
    if not wanted and group.folder.is_dir():
        if find_paths(output, GROUP) is not None:
            write(group, partial(write_unit_page, group, templates=templates))
        else:
            members = {unit for about in _sidecars(group) for unit in about.get("Subjects", ())}
            seconds = {
                unit: sum(about.get("Seconds", 0.0) for about in _sidecars(paths))
                for unit, paths in found.items()
                if unit in members
            }
            excluded = {u: by for about in _sidecars(group) for u, by in _excluded(about).items()}
            known = qualities(group, tuple(METHODS))
            rows = subject_rows(list(found), seconds, {}, excluded, known)
            write(group, partial(write_group_page, group, rows=rows, templates=templates))
    if not (pages or complaints):
        raise NothingMatchedError(f"No results in '{output}' to write pages of; run first.")
    return pages, complaints


def _sidecars(paths: UnitPaths) -> list[dict[str, Any]]:
    return [read_sidecar(paths.file("edges.json", method)) for method in METHODS]


def _excluded(about: Mapping[str, Any]) -> Mapping[str, str]:
    """Return who was left out of a group by which file; sidecars of earlier versions only list."""
    found = about.get("Excluded", {})
    if isinstance(found, Mapping):
        return found
    return dict.fromkeys(found, PARTICIPANTS)


def _beside(root: Path, group: Unit) -> Unit | None:
    """Return the fit of all subjects pooled, if one was requested or the method makes one."""
    asked = {
        name: method.sidecar.get("Settings", {}).get("group", {}).get("pooled")
        for name, method in group.methods.items()
    }
    by_itself = any(wanted is None and METHODS[name].pools for name, wanted in asked.items())
    if not any(asked.values()) and not (by_itself and find_paths(root, POOLED)):
        return None
    return readable(Unit.read(UnitPaths(root, POOLED), tuple(METHODS)))


def _scores_of_subjects(root: Path, group: Unit) -> dict[str, "SubjectScores"]:
    """Read the scores of all subjects of the group, by method."""
    from causal_ivae.reporting.forest import SubjectScores

    columns = ("x", "y", "score", "score_low", "score_high")
    found = {}
    for name, method in group.methods.items():
        tables = {}
        for unit in method.sidecar.get("Subjects", ()):
            paths = find_paths(root, unit)
            table = None if paths is None else paths.file("edges.tsv", name)
            if table is not None and table.is_file():
                tables[unit] = read_table(table, columns=columns)
        if tables:
            edges = pd.concat(tables, names=["unit"]).reset_index("unit")
            found[name] = SubjectScores(tuple(tables), edges)
    return found


def _write(
    paths: UnitPaths,
    methods: Sequence[str],
    page_of: Callable[[Unit], tuple[str, "Drawings"]],
) -> Unit:
    """Write a unit's page and the files that go with it, and return its results."""
    from causal_ivae.reporting.graph_files import drawing_files, unit_files
    from causal_ivae.reporting.methods_files import methods_files

    try:
        record = readable(Unit.read(paths, tuple(methods)))
        if lost := _lost_series(paths, record.sidecar):
            about = {**record.sidecar, "Notes": [*record.sidecar.get("Notes", ()), lost]}
            record = replace(record, tables={}, sidecar=about)
        page, drawings = page_of(record)
        files = {**unit_files(record), **drawing_files(drawings), **methods_files(record)}
    except Exception as error:
        raise CausalIvaeError(
            f"The results of '{paths.unit}' are written, but its report failed: {one_line(error)}"
        ) from error
    for (method, suffix), content in files.items():
        write_bytes(paths.figure(suffix, method), content)
    # The page is written last, because its date tells whether page and figures are current.
    write_text(paths.report, page)
    return record


def _lost_series(paths: UnitPaths, about: Mapping[str, Any]) -> str:
    """Say that the series were changed after their sidecar was written; empty if they were not."""
    damage = damaged_files(paths.file("timeseries.json"), about) if about else {}
    if not damage:
        return ""
    return (
        "The time series and what is made of them are not shown, for "
        f"{next(iter(damage.values()))}: run the level participant again."
    )


def _row(unit: str, seconds: float | None, outcome: Outcome | None) -> dict[str, Any]:
    if outcome is not None and outcome.state == "failed":
        return {"label": unit, "state": "failed", "seconds": None, "message": outcome.message}
    if seconds is None:
        return {"label": unit, "state": "skipped", "seconds": None, "message": "Has no results."}
    return {"label": unit, "state": "done", "seconds": seconds, "message": ""}
