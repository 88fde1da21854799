"""The group: statistics over the subjects' graphs, or one graph of all subjects pooled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from causal_ivae.batch.analysis import Analysis, Outcome, State, guarded
from causal_ivae.batch.pages import are_listed, subject_rows, write_group_page
from causal_ivae.batch.participant import prior_entry
from causal_ivae.batch.recording import (
    places,
    read_series,
    select_regions,
    write_series,
)
from causal_ivae.batch.workers.pool import Stage
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths
from causal_ivae.derivatives.stored_tables import remove_table
from causal_ivae.derivatives.tables import EDGES, MODEL, OUTLIERS, PRIOR_CHECK, TIMESERIES
from causal_ivae.derivatives.units import find_paths
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import InputError
from causal_ivae.provenance import digest_of, fingerprints
from causal_ivae.seeding import child_seed

if TYPE_CHECKING:
    from causal_ivae.group import Subjects


@dataclass(frozen=True)
class Combining:
    """The piece of work "combine the subjects' graphs".

    Attributes
    ----------
    analysis : Analysis
    units : tuple of str
        ``"sub-<label>"`` of every subject of this run, failed ones too.
    outcomes : mapping of str to Outcome
        How they ended in this run; empty where only the group is run.
    """

    analysis: Analysis
    units: tuple[str, ...]
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)


@dataclass(frozen=True)
class _Member:
    unit: str
    paths: UnitPaths
    hash: str


def combine(piece: Combining, stage: Stage) -> Outcome:
    """Combine the subjects' graphs by each method and write the group's page."""

    def work() -> tuple[None, State, str]:
        paths = UnitPaths(piece.analysis.output, GROUP)
        worked, messages = False, list[str]()
        members: dict[str, list[_Member]] = {}
        for index, method in enumerate(piece.analysis.pipeline.unmixing.methods):
            stage(f"{method}: statistics over subjects", index / 2)
            members[method], absent = _members(piece, method)
            if absent:
                messages.append(f"{method}: without {', '.join(absent)}.")
            worked = _combined(piece.analysis, paths, method, members[method]) or worked
        stage("report", 0.9)
        used = {m.unit: m.paths for group in members.values() for m in group}
        methods = piece.analysis.pipeline.unmixing.methods
        rows = subject_rows(piece.units, used, piece.outcomes, methods)
        shown = dict(used)
        if piece.analysis.pipeline.group.pooled:
            shown[POOLED] = UnitPaths(piece.analysis.output, POOLED)
        if worked or not _page_is_current(paths, shown) or not are_listed(paths, rows):
            write_group_page(paths, methods, rows, piece.analysis.templates)
            worked = True
        return None, "done" if worked else "up to date", " ".join(dict.fromkeys(messages))

    return guarded(piece.analysis, GROUP, work)[1]


def poolable(piece: Combining) -> tuple[list[str], tuple[str, ...]]:
    """Return the subjects whose series can be pooled, and the regions that all of them have."""
    sidecars = {}
    for unit in piece.units:
        outcome, paths = piece.outcomes.get(unit), find_paths(piece.analysis.output, unit)
        if paths is not None and (outcome is None or outcome.state != "failed"):
            sidecars[unit] = read_json(paths.file("timeseries.json"))
    regions: dict[str, None] | None = None
    for about in sidecars.values():
        there = set(about["Regions"]) - set(about.get("MissingRegions", ()))
        regions = {name: None for name in regions or about["Regions"] if name in there}
    return list(sidecars), tuple(regions or ())


def pool(
    analysis: Analysis, units: Sequence[str], regions: tuple[str, ...], unit: str = GROUP
) -> None:
    """Write the series of all subjects, one below the other, as another unit's.

    Raises
    ------
    InputError
        If the subjects cannot be pooled.
    """
    from causal_ivae.imaging.segments import pool_subjects

    found = {unit: find_paths(analysis.output, unit) for unit in units}
    sidecars = {
        unit: paths.file("timeseries.json") for unit, paths in found.items() if paths is not None
    }
    inputs = fingerprints(sidecars.values(), analysis.output)
    paths = UnitPaths(analysis.output, unit)
    if analysis.overwrite != "always" and analysis.is_fresh(
        paths.file("timeseries.json"), analysis.load_hash, inputs
    ):
        return
    series = [
        select_regions(read_series(paths), regions) for paths in found.values() if paths is not None
    ]
    pooled = replace(pool_subjects(series), entities=())
    provenance = {
        **places(read_json(next(iter(sidecars.values())))),
        "MissingRegions": [],
        **analysis.provenance(analysis.load_hash, inputs),
    }
    write_series(paths, pooled, provenance)


def _members(piece: Combining, method: str) -> tuple[list[_Member], list[str]]:
    """Return the subjects with a graph by this method, and the names of the others."""
    analysis = piece.analysis
    members, absent = [], []
    for unit in piece.units:
        paths = find_paths(analysis.output, unit)
        sidecar = paths.file("edges.json", method) if paths is not None else None
        outcome = piece.outcomes.get(unit)
        # What an earlier run left of a subject that failed now is of other data.
        lost = outcome is not None and outcome.state == "failed"
        if lost or paths is None or sidecar is None or not sidecar.is_file():
            absent.append(unit)
            continue
        about = read_json(sidecar)
        wanted = analysis.method_hash(method, analysis.load_hash)
        if about["SettingsHash"] != wanted and analysis.overwrite != "never":
            raise InputError(
                f"The {method} graph of '{unit}' was made with other settings than the group's "
                f"('{sidecar}'): run the level participant again, or use --overwrite never to "
                "take it as it is."
            )
        members.append(_Member(unit, paths, about["SettingsHash"]))
    if not members:
        raise InputError(
            f"No subject has a graph by {method} in '{analysis.output}': run the level participant "
            "first."
        )
    return members, absent


def _combined(analysis: Analysis, paths: UnitPaths, method: str, members: list[_Member]) -> bool:
    """Combine one method's graphs; False if what is there is up to date."""
    from causal_ivae.discovery.cycles import find_cycles, without_cycles
    from causal_ivae.group import align, combine_subjects, split_half_entry

    tables = {m.unit: m.paths.file("edges.tsv", method) for m in members}
    read = [*tables.values(), *([analysis.participants_file] if analysis.participants_file else [])]
    inputs = fingerprints(read, analysis.output)
    settings_hash = digest_of(
        analysis.pipeline.group_digest, analysis.prior_hash, *sorted({m.hash for m in members})
    )
    sidecar = paths.file("edges.json", method)
    if analysis.overwrite == "never" and sidecar.is_file():
        return False
    if analysis.overwrite == "stale" and analysis.is_fresh(sidecar, settings_hash, inputs):
        return False
    records = {m.unit: read_json(m.paths.file("edges.json", method)) for m in members}
    subjects = align(
        {unit: read_table(path) for unit, path in tables.items()},
        {m.unit: read_table(m.paths.file("tests.tsv", method)) for m in members},
        least=analysis.pipeline.group.min_subjects,
    )
    seed = child_seed(analysis.seed, GROUP, method)
    edges = combine_subjects(subjects, analysis.pipeline.group, seed=seed)
    model, modelled = _modelled(analysis, subjects)
    cycles, acyclic = find_cycles(edges), analysis.pipeline.decision.acyclic
    if acyclic:
        edges = without_cycles(edges, cycles)
    names = tuple(dict.fromkeys([*edges["x"], *edges["y"]]))
    regions = next(iter(records.values()))["Regions"]
    names = tuple(name for name in regions if name in names)
    check, prior = prior_entry(analysis, edges, GROUP, method)
    # From here on the old sidecar vouches for nothing.
    sidecar.unlink(missing_ok=True)
    # A pooled analysis may have been here before; its series is not the group's.
    for name in (TIMESERIES.name, OUTLIERS.name):
        remove_table(paths, name)
    made = {EDGES.name: edges, PRIOR_CHECK.name: check, MODEL.name: model}
    about = {
        "Subjects": [m.unit for m in members],
        "Device": ", ".join(sorted({record["Device"] for record in records.values()})),
        "Simulated": any(record["Simulated"] for record in records.values()),
        **split_half_entry(subjects, seed),
        **modelled,
        **places(next(iter(records.values()))),
        **analysis.provenance(settings_hash, inputs),
        **prior,
    }
    CausalGraph(
        method=method,
        names=names,
        tables={name: table for name, table in made.items() if table is not None},
        settings=analysis.pipeline.model_dump(mode="json"),
        seconds=sum(record["Seconds"] for record in records.values()),
        cycles=cycles,
        sidecar=about,
    ).write(paths)
    return True


def _modelled(
    analysis: Analysis, subjects: "Subjects"
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Return the table of the model over subjects and its entry in the sidecar; none if unasked."""
    formula = analysis.pipeline.group.model
    if formula is None or analysis.participants_file is None:
        return None, {}
    from causal_ivae.group import fit_model, read_participants

    model = fit_model(subjects, formula, read_participants(analysis.participants_file))
    entry = {
        "Formula": model.formula, "Subjects": list(model.subjects), "LeftOut": model.left_out,
    }  # fmt: skip
    return model.table, {"Model": entry}


def _page_is_current(paths: UnitPaths, subjects: Mapping[str, UnitPaths]) -> bool:
    if not paths.report.is_file():
        return False
    page = paths.report.stat().st_mtime_ns
    files: list[Path] = []
    for unit in (paths, *subjects.values()):
        files += [unit.file("edges.json", method) for method in METHODS]
    return all(file.stat().st_mtime_ns <= page for file in files if file.is_file())
