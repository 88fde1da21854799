"""Run a plan: every subject in isolation from the others, and then the group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from causal_ivae.batch import cohort, loading, participant
from causal_ivae.batch.analysis import Analysis, Outcome, State, guarded, one_line, write_crash
from causal_ivae.batch.claims import FOLDER, Claims
from causal_ivae.batch.forecast import forecast
from causal_ivae.batch.loading import Loaded, Loading, common_regions
from causal_ivae.batch.pages import write_region_map
from causal_ivae.batch.participant import Estimating
from causal_ivae.batch.plan import Plan
from causal_ivae.batch.progress import Display
from causal_ivae.batch.state import GroupState, UnitState, excluded_sentence, excluded_units
from causal_ivae.batch.status import BatchResult, Record, describe, last_run_with
from causal_ivae.batch.workers.machine import devices_for
from causal_ivae.batch.workers.pool import Lost, Pool, Stage, open_pool
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths
from causal_ivae.errors import CausalIvaeError, InputError, SettingsError
from causal_ivae.imaging.atlas_choice import atlas_for
from causal_ivae.imaging.file_names import Folders


def run(planned: Plan, display: Display | None = None) -> BatchResult:
    """Run a plan.

    Parameters
    ----------
    display : Display, optional

    Returns
    -------
    BatchResult
        What failed is in it; only what concerns the run as a whole is raised.

    Raises
    ------
    SettingsError
        If the output folder cannot be written to, or another program is writing one of the
        subjects in it.
    """
    analysis = planned.analysis
    folders = Folders()
    units = {f"sub-{s.label}": Loading.of(analysis, s, folders) for s in planned.subjects}
    targets = (*units, *_of_all(analysis))
    with _claimed(analysis.output, targets) as claims, display or Display() as shown:
        record = Record(analysis, shown, targets)
        _begin(record)
        if not claims.supported:
            record.note(
                f"The file system of '{analysis.output}' has no locks: run no other program on "
                "the same subjects meanwhile."
            )
        try:
            with open_pool(
                len(units),
                nprocs=analysis.nprocs,
                scheduler=analysis.scheduler,
                on_stage=shown.stage,
                on_start=record.started,
                limits=analysis.limits,
            ) as pool:
                runner = _Runner(record, pool, analysis)
                if "participant" in analysis.levels:
                    _participants(runner, analysis, units)
                elif analysis.pooled:
                    _pooled(runner, analysis, units)
            ended = {outcome.unit: outcome for outcome in record.result.outcomes}
            nobody = bool(ended) and all(o.state == "failed" for o in ended.values())
            grouped = "group" in analysis.levels and not analysis.pooled and not runner.stopped
            if grouped and nobody:
                left_out = "No subject could be analysed."
                record.add(Outcome(GROUP, "not run", message=left_out), quiet=True)
            elif grouped:
                state = GroupState(analysis, tuple(units), ended)
                if POOLED in targets:
                    shown.phase(POOLED, 1)
                    record.add(_pooled_beside(analysis, state, _stage_of(shown, POOLED)))
                shown.phase(GROUP, 1)
                record.add(cohort.combine(state, _stage_of(shown, GROUP)))
        finally:
            # An interrupted run must also record which units were not reached.
            record.close()
    return record.result


def _of_all(analysis: Analysis) -> tuple[str, ...]:
    """Return the units that are made of all subjects."""
    if "group" not in analysis.levels:
        return ()
    return (POOLED, GROUP) if analysis.pooled_methods else (GROUP,)


def _claimed(output: Path, units: tuple[str, ...]) -> Claims:
    """Claim units for this program, and remove partial files that a killed program left."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        claims = Claims(output / FOLDER)
        held = claims.take(units)
        if not held and claims.supported:
            for unit in units:
                UnitPaths(output, unit).remove_partial_files()
    except OSError as error:
        raise _not_writable(output, error) from error
    if not held:
        return claims
    claims.close()
    more = f" and {len(held) - 1} more" if len(held) > 1 else ""
    who = last_run_with(output, held[0])
    raise SettingsError(
        f"Another program is writing '{held[0]}'{more} in '{output}'{f' ({who})' if who else ''}. "
        "Wait until it has ended, or choose other subjects with --participant-label."
    )


def _begin(record: Record) -> None:
    try:
        describe(record)
    except OSError as error:
        raise _not_writable(record.analysis.output, error) from error


def _not_writable(output: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"The output folder '{output}' cannot be written to: {error.strerror}. Give another one."
    )


def _participants(runner: "_Runner", analysis: Analysis, units: Mapping[str, Loading]) -> None:
    atlas = analysis.pipeline.atlas
    try:
        pieces_there = list(units.values())
        parcellation = atlas_for(atlas, pieces_there[0].subject, analysis.source)
        if parcellation is not None:
            spaces = {run.entity("space") for piece in pieces_there for run in piece.subject.runs}
            space = spaces.pop() if len(spaces) == 1 else None
            write_region_map(analysis.output, parcellation.in_space(space))
    except Exception as error:  # noqa: BLE001 - a picture is worth no analysis
        runner.record.note(f"No map of the regions of '{atlas}': {one_line(error)}")
    loaded = _load(runner, units)
    regions, lacking = common_regions(loaded, analysis.pipeline.denoise.missing_regions)
    runner.record.display.phase("subjects", len(loaded))
    for unit, names in lacking.items():
        runner.fail(unit, loaded[unit].outcome, _lacks(names))
    pieces = {
        unit: Estimating(analysis, unit, regions[unit]) for unit in loaded if unit not in lacking
    }
    waiting = {}
    for unit, piece in pieces.items():
        if UnitState(analysis, unit).is_up_to_date(piece.regions):
            runner.record.add(loaded[unit].outcome.after(None))
        else:
            waiting[unit] = piece
    devices: tuple[str, ...] = ()
    if len(waiting) > 1 and analysis.scheduler is None:
        devices = devices_for(analysis.device, analysis.nprocs)
    runner.announce(waiting, len(devices) or analysis.nprocs)
    for unit, outcome in runner.each(participant.estimate, waiting, devices):
        runner.finish(unit, outcome, loaded[unit].outcome)


def _load(runner: "_Runner", units: Mapping[str, Loading]) -> dict[str, Loaded]:
    """Load all subjects, and return those that could be loaded."""
    runner.record.display.phase("loading", len(units))
    loaded: dict[str, Loaded] = {}
    waiting = {}
    for unit, piece in units.items():
        try:
            known = loading.up_to_date_series(piece)
        except OSError:
            # Loading the subject reports which file cannot be read.
            known = None
        if known is None:
            waiting[unit] = piece
        else:
            loaded[unit] = known
            runner.record.loaded(unit, "loaded before")
    for unit, result in runner.each(loading.load, waiting):
        if isinstance(result, Loaded) and result.outcome.state != "failed":
            loaded[unit] = result
            runner.record.loaded(unit, f"loaded in {result.outcome.seconds:.1f} s")
        else:
            runner.finish(unit, result.outcome if isinstance(result, Loaded) else result, None)
    # Subjects finish in any order, but results must not depend on it.
    return {unit: loaded[unit] for unit in units if unit in loaded}


def _pooled(runner: "_Runner", analysis: Analysis, units: Mapping[str, Loading]) -> None:
    loaded = _load(runner, units)
    regions, lacking = common_regions(loaded, analysis.pipeline.denoise.missing_regions)
    runner.record.display.phase(GROUP, len(lacking) + 1)
    for unit, names in lacking.items():
        runner.fail(unit, loaded[unit].outcome, _lacks(names))
    excluded = excluded_units(analysis)
    left_out = {unit: excluded[unit] for unit in loaded if unit in excluded}
    kept = [unit for unit in loaded if unit not in {*lacking, *left_out}]
    if left_out:
        runner.record.note(excluded_sentence(left_out))
    for unit in kept:
        runner.record.add(loaded[unit].outcome, quiet=True)
    if runner.stopped:
        return
    if not kept:
        return
    shared = set.intersection(*(set(regions[unit]) for unit in kept))
    names = tuple(name for name in regions[kept[0]] if name in shared)
    stage = _stage_of(runner.record.display, GROUP)
    runner.record.add(_estimate_pooled(analysis, GROUP, kept, names, stage))


def _pooled_beside(analysis: Analysis, state: GroupState, stage: Stage) -> Outcome:
    """Judge all subjects in one fit; unless it was asked for, it is left out where it cannot be."""
    subjects, names = state.poolable()
    methods = {"unmixing.methods": list(analysis.pooled_methods)}
    chosen = replace(analysis, pipeline=analysis.pipeline.changed(methods))
    asked_for = analysis.pipeline.group.pooled is not None
    return _estimate_pooled(chosen, POOLED, subjects, names, stage, asked_for=asked_for)


def _estimate_pooled(
    analysis: Analysis,
    unit: str,
    subjects: list[str],
    names: tuple[str, ...],
    stage: Stage,
    *,
    asked_for: bool = True,
) -> Outcome:
    def pool() -> tuple[None, State, str]:
        try:
            return None, "up to date", cohort.pool(analysis, subjects, names, unit)
        except InputError as error:
            if asked_for:
                raise
            return None, "not run", one_line(error)

    _, outcome = guarded(analysis, unit, pool)
    if outcome.state in ("failed", "not run") or UnitState(analysis, unit).is_up_to_date(names):
        return outcome
    return participant.estimate(Estimating(analysis, unit, names), stage).after(outcome)


@dataclass
class _Runner:
    """Run pieces of work in a pool and turn lost ones into failed outcomes."""

    record: Record
    pool: Pool
    analysis: Analysis
    stopped: bool = False

    def each(
        self,
        function: Callable[[Any, Stage], Any],
        pieces: Mapping[str, Any],
        devices: Sequence[str] = (),
    ) -> Iterator[tuple[str, Any]]:
        """Yield the name and result of each piece until a failure stops the run."""
        if self._has_stopped():
            return
        for unit, result in self.pool.map(function, pieces, devices):
            yield unit, result
            if self._has_stopped():
                return

    def announce(self, waiting: Mapping[str, Estimating], nprocs: int | None) -> None:
        """Tell the user how much work there is, unless other machines do it."""
        if not waiting or self.analysis.scheduler is not None or self._has_stopped():
            return
        try:
            lines = forecast(self.analysis, waiting, nprocs)
        except (CausalIvaeError, OSError, RuntimeError):
            # Estimating the subject reports the same error, and a forecast is not worth a failure.
            return
        for line in lines:
            self.record.note(line)

    def _has_stopped(self) -> bool:
        return self.stopped

    def finish(self, unit: str, result: Outcome | Lost, earlier: Outcome | None) -> None:
        if isinstance(result, Lost):
            details = f"{result.message}\n\n{result.where}".strip()
            crash = write_crash(self.analysis, unit, details)
            name = crash.relative_to(self.analysis.output).as_posix()
            result = Outcome(
                unit, "failed", result.seconds, result.peak_mib, result.message, crash=name
            )
        self.record.add(result.after(earlier))
        self.stopped = self.stopped or (
            result.state == "failed" and self.analysis.stop_on_first_crash
        )

    def fail(self, unit: str, earlier: Outcome, message: str) -> None:
        crash = write_crash(self.analysis, unit, message)
        name = crash.relative_to(self.analysis.output).as_posix()
        failed = Outcome(unit, "failed", message=message, crash=name, bad_input=True)
        self.finish(unit, failed, earlier)


def _lacks(names: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"Regions {listed}{more} that the other subjects have are missing: set "
        "denoise.missing_regions to drop, or leave the subject out."
    )


def _stage_of(display: Display, unit: str) -> Stage:
    def stage(what: str, share: float) -> None:
        display.stage(unit, what, share)

    return stage
