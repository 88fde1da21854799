"""Compute the group: statistics over the subjects' graphs, or one graph of all of them pooled."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from causal_ivae.batch.analysis import Analysis, Outcome, State, guarded
from causal_ivae.batch.pages import listing, qualities, subject_rows, write_group_page
from causal_ivae.batch.participant import prior_entry
from causal_ivae.batch.recording import places, read_series, select_regions, write_series
from causal_ivae.batch.standing import is_whole
from causal_ivae.batch.state import GroupState, Member, UnitState, excluded_sentence, excluded_units
from causal_ivae.batch.workers.pool import Stage
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_table
from causal_ivae.derivatives.names import GROUP, UnitPaths
from causal_ivae.derivatives.stored_tables import remove_table
from causal_ivae.derivatives.tables import EDGES, PRIOR_CHECK
from causal_ivae.derivatives.unit_tables import MODEL, OUTLIERS, TIMESERIES
from causal_ivae.derivatives.units import Unit, find_recording
from causal_ivae.outcomes import USABLE
from causal_ivae.provenance import fingerprints
from causal_ivae.reporting.fits import UNKNOWN
from causal_ivae.reporting.verdict import verdict_of
from causal_ivae.seeding import child_seed
from causal_ivae.settings import SegmentSettings

if TYPE_CHECKING:
    from causal_ivae.group import Subjects


def combine(state: GroupState, stage: Stage) -> Outcome:
    """Combine the subjects' graphs by each method and write the group's page."""

    def work() -> tuple[None, State, str]:
        analysis = state.analysis
        worked, messages, used = False, list[str](), dict[str, float]()
        for index, method in enumerate(analysis.pipeline.unmixing.methods):
            stage(f"{method}: statistics over subjects", index / 2)
            members = state.members(method)
            for member in members:
                used[member.unit] = used.get(member.unit, 0.0) + member.about.get("Seconds", 0.0)
            there = {member.unit for member in members}
            absent = [unit for unit in state.units if unit not in {*there, *state.excluded}]
            if absent:
                messages.append(f"{method}: without {', '.join(absent)}.")
            standing = state.standing(method, members)
            if happened := standing.sentence("combined again"):
                messages.append(f"{method}: {happened}")
            if standing.stale:
                _combine(state, method, members)
                worked = True
        if state.excluded:
            messages.append(excluded_sentence(state.excluded))
        stage("report", 0.9)
        known = qualities(state.paths, analysis.pipeline.unmixing.methods)
        rows = subject_rows(state.units, used, state.outcomes, state.excluded, known)
        if worked or not state.page_is_current(listing(rows), list(used)):
            methods = analysis.pipeline.unmixing.methods
            write_group_page(state.paths, methods, rows, analysis.templates)
            worked = True
        return None, "done" if worked else "up to date", " ".join(dict.fromkeys(messages))

    return guarded(state.analysis, GROUP, work)[1]


def pool(
    analysis: Analysis, units: Sequence[str], regions: tuple[str, ...], unit: str = GROUP
) -> str:
    """Append the series of all subjects to one another and write them as those of one unit.

    Returns
    -------
    str
        What happened to the series that were there, if they had to be pooled again for it, and
        what must be known of the subjects' scales.

    Raises
    ------
    InputError
        If the subjects cannot be pooled.
    """
    from causal_ivae.imaging.one_scale import scale_caution
    from causal_ivae.imaging.segments import pool_subjects

    states = [UnitState(analysis, subject) for subject in units]
    sidecars = [state.paths.file("timeseries.json") for state in states]
    inputs = fingerprints(sidecars, analysis.output)
    standing = UnitState(analysis, unit).series_standing(inputs)
    if not standing.stale:
        return ""
    for state in states:
        state.check_series()
    series = [select_regions(read_series(state.paths, state.series), regions) for state in states]
    excluded = {
        subject: file
        for subject, file in sorted(excluded_units(analysis).items())
        if subject not in units and find_recording(analysis.output, subject)
    }
    pooled = replace(pool_subjects(series), entities=())
    if excluded:
        pooled = replace(pooled, notes=(*pooled.notes, excluded_sentence(excluded)))
    provenance = {
        **places(states[0].series),
        "MissingRegions": [],
        **analysis.provenance(analysis.load_hash, inputs),
    }
    write_series(UnitPaths(analysis.output, unit), pooled, provenance)
    caution = scale_caution(pooled, SegmentSettings(by="subjects"))
    return " ".join(filter(None, (standing.sentence("pooled again"), caution)))


def _combine(state: GroupState, method: str, members: Sequence[Member]) -> None:
    """Combine the graphs of one method and write the group's."""
    from causal_ivae.discovery.cycles import find_cycles, without_cycles
    from causal_ivae.group import align, combine_subjects, split_half_entry

    analysis, paths = state.analysis, state.paths
    settings_hash, inputs = state.made_from(method, members)
    records = [member.about for member in members]
    tests = {m.unit: m.paths.file("tests.tsv", method) for m in members}
    tables = {m.unit: read_table(m.paths.file("edges.tsv", method)) for m in members}
    subjects = align(
        tables,
        # A method that judges all regions at once tests no pair by itself.
        {unit: read_table(table) for unit, table in tests.items()}
        if all(table.is_file() for table in tests.values())
        else None,
        least=analysis.pipeline.group.min_subjects,
    )
    seed = child_seed(analysis.seed, GROUP, method)
    quality = {m.unit: _quality(m, method) for m in members}
    usable = [unit for unit, word in quality.items() if word == USABLE]
    edges = combine_subjects(
        subjects,
        analysis.pipeline.group,
        usable=None if set(quality.values()) == {UNKNOWN} else usable,
        seed=seed,
    )
    model, modelled = _modelled(analysis, subjects)
    cycles, acyclic = find_cycles(edges), analysis.pipeline.decision.acyclic
    if acyclic:
        edges = without_cycles(edges, cycles)
    made_by = {record.get("MadeBy", "") for record in records}
    kept = {*edges["x"], *edges["y"]}
    asked = {name for table in tables.values() for name in (*table["x"], *table["y"])}
    # A region that is left out of the group is no node; a known input, of which methods of pairs
    # ask nothing, is one by every method, since all share one table of nodes.
    names = tuple(name for name in records[0]["Regions"] if name in kept or name not in asked)
    check, prior = prior_entry(analysis, edges, GROUP, method, records[0])
    # The old sidecar must not vouch for the new tables if writing is interrupted.
    paths.file("edges.json", method).unlink(missing_ok=True)
    # An earlier pooled analysis may have left series here, which are not those of the group.
    for name in (TIMESERIES.name, OUTLIERS.name):
        remove_table(paths, name)
    made = {EDGES.name: edges, PRIOR_CHECK.name: check, MODEL.name: model}
    about = {
        "Subjects": [m.unit for m in members],
        "Excluded": state.excluded,
        "Quality": quality,
        "Device": ", ".join(sorted({record["Device"] for record in records})),
        "Simulated": any(record["Simulated"] for record in records),
        **split_half_entry(subjects, seed),
        **modelled,
        **places(records[0]),
        **analysis.provenance(settings_hash, inputs),
        **prior,
    }
    CausalGraph(
        method=method,
        names=names,
        tables={name: table for name, table in made.items() if table is not None},
        settings=analysis.pipeline.model_dump(mode="json"),
        seconds=sum(record["Seconds"] for record in records),
        cycles=cycles,
        made_by=made_by.pop() if len(made_by) == 1 else "",
        sidecar=about,
    ).write(paths)


def _quality(member: Member, method: str) -> str:
    """Return the verdict on a subject's results by a method."""
    # Tables that were changed after they were written do not describe the results.
    if not is_whole(member.paths.file("edges.json", method)):
        return UNKNOWN
    verdict = verdict_of(Unit.read(member.paths, (method,), of_cohort=True), method)
    return UNKNOWN if verdict is None else verdict.word


def _modelled(
    analysis: Analysis, subjects: "Subjects"
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Return the table of the model over subjects and its entry in the sidecar, if requested."""
    formula = analysis.pipeline.group.model
    if formula is None or analysis.participants_file is None:
        return None, {}
    from causal_ivae.group import fit_model, read_participants

    model = fit_model(subjects, formula, read_participants(analysis.participants_file))
    entry = {
        "Formula": model.formula, "Subjects": list(model.subjects), "LeftOut": model.left_out,
        "Untested": {term: list(alone) for term, alone in model.untested.items()},
    }  # fmt: skip
    return model.table, {"Model": entry}
