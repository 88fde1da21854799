"""Decide which results are current, which are made again, and why.

A result is current if its sidecar says that this analysis would make the same again, and if the
files that the sidecar vouches for are as they were written.  A state reads each sidecar once, when
it is first asked for it, and then remembers it: once results were written, ask a new state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.standing import (
    Standing,
    damage_to,
    existing_sidecar,
    is_newest,
    is_whole,
    judge,
    would_be_same,
)
from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.files import read_whole_table
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths
from causal_ivae.derivatives.tables import PRIOR_CHECK
from causal_ivae.derivatives.units import Unit, find_recording, subjects_in
from causal_ivae.derivatives.vouching import FILES, damaged_files, lost_sidecar
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError, InputError
from causal_ivae.group import RATINGS, excluded_participants
from causal_ivae.provenance import digest_of, fingerprint, shown

_OF_PRIOR = f"_{PRIOR_CHECK.name}."


class UnitState:
    """Describe the existing results of one subject, or of all subjects pooled.

    Attributes
    ----------
    series : dict
        The sidecar of the newest series; empty if none can be read.
    """

    def __init__(self, analysis: Analysis, unit: str) -> None:
        self.analysis, self.unit = analysis, unit
        found = find_recording(analysis.output, unit)
        self._paths = None if found is None else found[0]
        self.series: dict[str, Any] = {} if found is None else found[1]
        self._graphs: dict[str, dict[str, Any]] = {}
        self._damage: dict[str, dict[str, str]] = {}

    @property
    def paths(self) -> UnitPaths:
        """Return the names of the unit's files.

        Raises
        ------
        CausalIvaeError
            If it has no series.
        """
        if self._paths is None:
            raise CausalIvaeError(f"'{self.unit}' has no time series in '{self.analysis.output}'.")
        return self._paths

    def series_standing(self, inputs: Mapping[str, str]) -> Standing:
        """Return what must be done about the series, given the fingerprints of the input."""
        if self._paths is None:
            tables = UnitPaths(self.analysis.output, self.unit).folder.glob("*_timeseries.tsv")
            lost = (lost_sidecar(table.with_suffix(".json")) for table in tables)
            return Standing(stale=True, reason=next(lost, ""))
        damage = damage_to(self._paths.file("timeseries.json"), self.series)
        standing = judge(self.analysis, self.series, self.analysis.load_hash, inputs, damage)
        if {"MissingRegions", "RegionScale"} <= self.series.keys():
            return standing
        # Series of an earlier version lack the missing regions or have another scale.
        return Standing(stale=True, reason=standing.reason)

    def check_series(self) -> None:
        """Check that the files of the series are undamaged.

        Raises
        ------
        InputError
            If one was changed or removed.
        """
        sidecar = self.paths.file("timeseries.json")
        for lost in damage_to(sidecar, self.series).values():
            raise InputError(
                f"The series of '{self.unit}' cannot be used, for {lost} ('{sidecar}'): run the "
                "level participant again."
            )

    def graph(self, method: str) -> dict[str, Any]:
        """Return the sidecar of a method's graph; empty if it is missing or damaged."""
        if method not in self._graphs:
            self._graphs[method] = existing_sidecar(self.paths.file("edges.json", method))
        return self._graphs[method]

    def standing(self, method: str, regions: Sequence[str]) -> Standing:
        """Return what must be done about a method's graph, given the regions to analyse."""
        about, damage = self.graph(method), self._graph_damage(method)
        of_prior = {name: why for name, why in damage.items() if _OF_PRIOR in name}
        rest = {name: why for name, why in damage.items() if name not in of_prior}
        standing = judge(self.analysis, about, *self._wanted(method), rest, regions)
        if standing.stale or not (of_prior or about.get("PriorHash") != self.analysis.prior_hash):
            return standing
        return replace(standing, compare=True, reason=next(iter(of_prior.values()), ""))

    def stale_methods(self, regions: Sequence[str]) -> tuple[str, ...]:
        """Return the methods whose graphs are estimated again, given the regions to analyse."""
        methods = self.analysis.pipeline.unmixing.methods
        return tuple(method for method in methods if self.standing(method, regions).stale)

    def shown_methods(self) -> tuple[str, ...]:
        """Return the requested methods and the others whose results are current as well."""
        asked = self.analysis.pipeline.unmixing.methods
        others = tuple(
            method
            for method in METHODS
            if method not in asked
            and would_be_same(self.analysis, self.graph(method), *self._wanted(method))
            and not self._graph_damage(method)
        )
        return (*asked, *others)

    def is_up_to_date(self, regions: Sequence[str]) -> bool:
        """Check that graphs, comparisons and page are current and that nothing must be reported."""
        methods = self.analysis.pipeline.unmixing.methods
        return all(self.standing(method, regions).current for method in methods) and is_newest(
            self.paths.report, [self.paths.file("edges.json", method) for method in methods]
        )

    def _wanted(self, method: str) -> tuple[str, Mapping[str, str]]:
        """Return the settings hash and the input fingerprints that a new graph would have."""
        load_hash = self.series.get("SettingsHash", "")
        inputs = self.series.get("InputFingerprints", {})
        return self.analysis.method_hash(method, load_hash), inputs

    def _graph_damage(self, method: str) -> dict[str, str]:
        if method not in self._damage:
            sidecar = self.paths.file("edges.json", method)
            self._damage[method] = damage_to(sidecar, self.graph(method))
        return self._damage[method]


@dataclass(frozen=True)
class Member:
    """Hold the paths and the sidecar of one subject's graph that enters the group."""

    unit: str
    paths: UnitPaths
    about: Mapping[str, Any]


class GroupState:
    """Describe the existing results of the group and of its subjects.

    Parameters
    ----------
    units : sequence of str
        ``"sub-<label>"`` of every subject of this run, failed ones too.
    outcomes : mapping of str to Outcome
        How they ended in this run; empty if only the group is run.

    Attributes
    ----------
    paths : UnitPaths
        Of the group.
    excluded : dict of str to str
        Subjects with results that are left out of the group, with the file that says so.
    """

    def __init__(
        self, analysis: Analysis, units: Sequence[str], outcomes: Mapping[str, Outcome]
    ) -> None:
        self.analysis, self.units, self.outcomes = analysis, units, outcomes
        self.paths = UnitPaths(analysis.output, GROUP)
        # The results of a subject that failed now come from an earlier run with other data.
        there = (u for u in units if u not in outcomes or outcomes[u].state != "failed")
        found = {unit: known for unit in there if (known := find_recording(analysis.output, unit))}
        left_out = excluded_units(analysis)
        self.excluded = {unit: left_out[unit] for unit in found if unit in left_out}
        self._found = {unit: known for unit, known in found.items() if unit not in left_out}

    def poolable(self) -> tuple[list[str], tuple[str, ...]]:
        """Return the subjects whose series can be pooled, and the regions that all of them have."""
        regions: dict[str, None] | None = None
        for _, about in self._found.values():
            there = set(about["Regions"]) - set(about.get("MissingRegions", ()))
            regions = {name: None for name in regions or about["Regions"] if name in there}
        return list(self._found), tuple(regions or ())

    def members(self, method: str) -> list[Member]:
        """Return the subjects that have a graph by a method.

        Raises
        ------
        InputError
            If a graph was made with other settings than the group's, if its tables were changed,
            or if nobody has one.
        """
        members = []
        for unit, (paths, _) in self._found.items():
            sidecar = paths.file("edges.json", method)
            if about := existing_sidecar(sidecar):
                members.append(Member(unit, paths, about))
                self._check(members[-1], sidecar, method)
        if not members and self.excluded:
            raise InputError(
                f"All {len(self.excluded)} subjects with results are excluded by "
                f"{' and '.join(dict.fromkeys(self.excluded.values()))}: keep some of them in the "
                "group."
            )
        if not members:
            raise InputError(
                f"No subject has a graph by {method} in '{self.analysis.output}': run the level "
                "participant first."
            )
        return members

    def _check(self, member: Member, sidecar: Path, method: str) -> None:
        wanted = self.analysis.method_hash(method, self.analysis.load_hash)
        if member.about.get("SettingsHash") != wanted and self.analysis.overwrite != "never":
            raise InputError(
                f"The {method} graph of '{member.unit}' was made with other settings than the "
                f"group's ('{sidecar}'): run the level participant again, or use --overwrite never "
                "to take it as it is."
            )
        damage = damaged_files(sidecar, member.about)
        for suffix in ("edges.tsv", "tests.tsv"):
            if lost := damage.get(member.paths.file(suffix, method).name):
                raise InputError(
                    f"The {method} graph of '{member.unit}' cannot be used, for {lost} "
                    f"('{sidecar}'): run the level participant again."
                )

    def made_from(self, method: str, members: Sequence[Member]) -> tuple[str, dict[str, str]]:
        """Return the settings hash and the input fingerprints of the graph of these members."""
        output, participants = self.analysis.output, self.analysis.participants_file
        inputs = (
            {} if participants is None else {shown(participants, output): fingerprint(participants)}
        )
        for member in members:
            table = member.paths.file("edges.tsv", method)
            # Only sidecars of an earlier version lack the digest of the table.
            written = member.about.get(FILES, {}).get(table.name, {}).get("SHA256")
            inputs[shown(table, output)] = f"sha256:{written}" if written else fingerprint(table)
        hashes = sorted({member.about["SettingsHash"] for member in members})
        settings = (self.analysis.pipeline.group_digest, self.analysis.prior_hash, *hashes)
        return digest_of(*settings), dict(sorted(inputs.items()))

    def standing(self, method: str, members: Sequence[Member]) -> Standing:
        """Return what must be done about the group's graph, given its members."""
        sidecar = self.paths.file("edges.json", method)
        about = existing_sidecar(sidecar)
        wanted = self.made_from(method, members)
        return judge(self.analysis, about, *wanted, damage_to(sidecar, about))

    def page_is_current(self, listing: pd.DataFrame, members: Sequence[str]) -> bool:
        """Check that the page shows the current results.

        Parameters
        ----------
        listing : pandas.DataFrame
            The subjects, their states and messages as the page would list them.
        members : sequence of str
            Units whose graphs are in the group's.
        """
        shown_on_it = [self.paths, *(self._found[unit][0] for unit in members)]
        if self.analysis.pooled_methods:
            shown_on_it.append(UnitPaths(self.analysis.output, POOLED))
        sidecars = [paths.file("edges.json", m) for paths in shown_on_it for m in METHODS]
        if not is_newest(self.paths.report, sidecars):
            return False
        written = read_whole_table(self.paths.file("subjects.tsv"), ())
        return written is not None and bool(written.equals(listing))


def excluded_units(analysis: Analysis) -> dict[str, str]:
    """Return the subjects that are left out of the group, with the name of the file that says so.

    The file is ``participants.tsv``, or ``exclude.tsv`` in the output, which readers of the pages
    write.  A subject that either leaves out is left out.
    """
    there = [unit.removeprefix("sub-") for unit in subjects_in(analysis.output)]
    files = (analysis.participants_file, analysis.output / RATINGS)
    return {
        f"sub-{label}": file.name
        for file in files
        if file is not None and file.is_file()
        for label in excluded_participants(file, there)
    }


def excluded_sentence(excluded: Mapping[str, str]) -> str:
    """Say who is left out of the group by which file; empty if nobody is."""
    files = dict.fromkeys(excluded.values())
    return " ".join(
        f"Excluded by {name}: {', '.join(unit for unit, by in excluded.items() if by == name)}."
        for name in files
    )


def read_whole(
    paths: UnitPaths,
    about: Mapping[str, Any],
    known: Mapping[str, CausalGraph] = MappingProxyType({}),
    *,
    of_cohort: bool = False,
) -> Unit:
    """Read the undamaged results of a unit without disturbances; every sidecar is read once.

    Parameters
    ----------
    about : mapping
        Sidecar of its series.
    known : mapping of str to CausalGraph
        Graphs that were read before.
    of_cohort : bool
        As in `Unit.read`.
    """
    sidecars: dict[str, Mapping[str, Any]] = {}
    for method in METHODS:
        place = paths.file("edges.json", method)
        sidecar = known[method].sidecar if method in known else existing_sidecar(place)
        if sidecar and not damaged_files(place, sidecar):
            sidecars[method] = sidecar
    found = Unit.of_sidecars(paths, sidecars, about, of_cohort=of_cohort, disturbances=False)
    found = replace(found, methods={m: known.get(m, graph) for m, graph in found.methods.items()})
    series = paths.file("timeseries.json")
    damaged = damaged_files(series, about) if about else series.is_file()
    return replace(found, tables={}) if damaged else found


def whole_methods(paths: UnitPaths) -> tuple[str, ...]:
    """Return the methods whose sidecars and tables are undamaged, so that pages can show them."""
    return tuple(method for method in METHODS if is_whole(paths.file("edges.json", method)))
