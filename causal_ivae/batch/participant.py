"""Estimate the graphs of one subject, compare them with anatomy and write the page.

Loading and estimating are two stages, because a region that one subject lacks concerns all.
Between them stand files, so each stage can be restarted by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from causal_ivae.batch.analysis import Analysis, Outcome, State, guarded, one_line
from causal_ivae.batch.pages import write_unit_page
from causal_ivae.batch.recording import places, read_series, select_regions
from causal_ivae.batch.state import UnitState
from causal_ivae.batch.workers.pool import Stage
from causal_ivae.derivatives.files import read_table, write_json
from causal_ivae.derivatives.stored_tables import remove_table, write_described
from causal_ivae.derivatives.tables import PRIOR_CHECK
from causal_ivae.derivatives.vouching import FILES
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.errors import CausalIvaeError, FitError, InputError, SettingsError
from causal_ivae.imaging.series import RegionSeries
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.training.memory import give_memory_back


@dataclass(frozen=True)
class Estimating:
    """Hold the piece of work of estimating the graphs of one subject, or of all pooled."""

    analysis: Analysis
    unit: str
    regions: tuple[str, ...]


def estimate(piece: Estimating, stage: Stage) -> Outcome:
    """Estimate all graphs that are stale, compare them with the prior, and write the page."""

    def work() -> tuple[None, State, str]:
        state = UnitState(piece.analysis, piece.unit)
        paths = state.paths
        failure: Exception | None = None
        had_page = paths.report.is_file()
        worked, messages = False, list[str]()
        try:
            worked, messages = _graphs(piece, state, stage)
        except Exception as error:  # noqa: BLE001 - raised again once the page shows what there is
            failure = error
        stage("report", 0.95)
        try:
            write_unit_page(
                paths,
                state.shown_methods(),
                piece.analysis.templates,
                with_group="group" in piece.analysis.levels,
            )
        except CausalIvaeError as error:
            raise failure or error from error
        if failure is not None:
            raise failure
        return None, "done" if worked or not had_page else "up to date", " ".join(messages)

    return guarded(piece.analysis, piece.unit, work)[1]


def prior_entry(
    analysis: Analysis, edges: Any, unit: str, method: str, about: Mapping[str, Any]
) -> tuple[Any | None, dict[str, Any]]:
    """Compare edges with the prior, and return the table and the entries for the sidecar.

    `about` is a sidecar that may say where the regions are.
    """
    from causal_ivae.anatomy.prior import compare_with_prior, load_prior

    settings = analysis.pipeline.prior
    prior = load_prior(settings)
    if prior is None:
        return None, {"PriorHash": analysis.prior_hash}
    compared = compare_with_prior(
        edges,
        prior,
        max_path=settings.max_path,
        draws=settings.draws,
        seed=child_seed(analysis.seed, unit, method, "prior"),
        coordinates=about.get("Coordinates"),
    )
    return compared.check, {"Prior": compared.summary, "PriorHash": analysis.prior_hash}


def _graphs(piece: Estimating, state: UnitState, stage: Stage) -> tuple[bool, list[str]]:
    """Bring the graphs of all methods up to date; if one fails, the others are still run."""
    methods = piece.analysis.pipeline.unmixing.methods
    series: RegionSeries | None = None
    null_check: dict[str, Any] | None = None
    worked, messages = False, []
    failures: list[tuple[str, Exception]] = []
    for index, method in enumerate(methods):

        def within(what: str, share: float, index: int = index, method: str = method) -> None:
            stage(f"{method}: {what}", 0.9 * (index + share) / len(methods))

        standing = state.standing(method, piece.regions)
        done = "estimated again" if standing.stale else "compared with the prior again"
        if happened := standing.sentence(done):
            messages.append(f"{method}: {happened}")
        if not standing.stale:
            if standing.kept:
                messages.append(f"{method}: kept, though made with other settings or data.")
            if standing.compare:
                _compare_again(piece, state, method)
                worked = True
            continue
        if standing.reason:
            # A graph whose files were changed must not be shown, even if the new fit fails.
            state.paths.file("edges.json", method).unlink(missing_ok=True)
        try:
            if series is None:
                series = select_regions(read_series(state.paths, state.series), piece.regions)
            if null_check is None and isinstance(METHODS[method], PairMethod):
                within("check of the null", 0.0)
                null_check = _null_check(piece, series)
            _graph(piece, state, method, series, null_check or {}, within)
            give_memory_back()
        except Exception as error:  # noqa: BLE001 - raised again below, after the other methods
            failures.append((method, error))
        worked = True
    if failures and all(isinstance(error, (InputError, SettingsError)) for _, error in failures):
        # All methods fail in the same way if the input cannot be used, so one message is enough.
        raise failures[0][1]
    if failures:
        texts = (f"{method}: {one_line(error)}" for method, error in failures)
        raise FitError("; ".join(texts)) from failures[0][1]
    return worked, messages


def _null_check(piece: Estimating, series: RegionSeries) -> dict[str, Any]:
    """Check the test of dependence on surrogates, and return the entry for all sidecars."""
    from causal_ivae.discovery.null_check import check_null

    settings = piece.analysis.pipeline
    used = series.segments >= 0
    found = check_null(
        series.values[used],
        series.stretches[used],
        series.unbroken[used],
        settings.independence,
        alpha=settings.decision.alpha,
        seed=piece.analysis.seed,
        key=piece.unit.removeprefix("sub-"),
        memory_gib=settings.unmixing.memory_gib,
    )
    if found is None:
        return {}
    about = {
        "SurrogatePairs": found.pairs,
        "Rejected": found.rejected,
        "Alpha": found.alpha,
        "Interval": [found.low, found.high],
    }
    return {"NullCheck": about}


def _graph(
    piece: Estimating,
    state: UnitState,
    method: str,
    series: RegionSeries,
    checked: dict[str, Any],
    stage: Stage,
) -> None:
    from causal_ivae.discovery import discover
    from causal_ivae.unmixing.training.ensemble import resolve_device

    analysis, about = piece.analysis, state.series
    settings = analysis.pipeline
    used = series.segments >= 0
    graph = discover(
        series.values[used],
        series.segments[used],
        series.names,
        method=method,
        exogenous=settings.exogenous,
        restarts=settings.unmixing.restarts,
        seed=analysis.seed,
        device=analysis.device,
        blocks=series.stretches[used],
        unmixing=settings.unmixing,
        independence=settings.independence,
        decision=settings.decision,
        screen=settings.screen,
        power=settings.power,
        tr=series.tr,
        key=piece.unit.removeprefix("sub-"),
        progress=stage,
    )
    give_memory_back()
    check, prior = prior_entry(analysis, graph.edges, piece.unit, method, about)
    settings_hash = analysis.method_hash(method, about["SettingsHash"])
    calibration = METHODS[graph.estimator].calibration()
    sidecar = {
        **graph.sidecar,
        "Device": str(resolve_device(analysis.device)),
        "Simulated": series.simulated,
        **places(about),
        **(checked if graph.tests is not None else {}),
        **({} if calibration is None else {"Calibration": calibration}),
        **analysis.provenance(settings_hash, about["InputFingerprints"]),
        **prior,
    }
    replace(
        graph,
        tables=dict(graph.tables) if check is None else {**graph.tables, PRIOR_CHECK.name: check},
        settings=settings.model_dump(mode="json"),
        sidecar=sidecar,
    ).write(state.paths)


def _compare_again(piece: Estimating, state: UnitState, method: str) -> None:
    """Compare an existing graph with the prior again and update its sidecar."""
    paths = state.paths
    sidecar = paths.file("edges.json", method)
    about = {k: v for k, v in state.graph(method).items() if k not in ("Prior", "PriorHash")}
    edges = read_table(paths.file("edges.tsv", method))
    check, prior = prior_entry(piece.analysis, edges, piece.unit, method, about)
    old = {paths.file(f"{PRIOR_CHECK.name}.{kind}", method).name for kind in ("tsv", "json")}
    files = {name: facts for name, facts in about.get(FILES, {}).items() if name not in old}
    listed = FILES in about
    # The old comparison must not be vouched for if writing the new one stops half way.
    write_json(sidecar, {**about, FILES: files} if listed else about)
    if check is None:
        remove_table(paths, PRIOR_CHECK.name, method)
    else:
        files |= write_described(paths, PRIOR_CHECK.name, check, method)
    settings = {**about["Settings"], "prior": piece.analysis.pipeline.prior.model_dump(mode="json")}
    about |= {"Settings": settings, **prior}
    # A result of an earlier version lists no files, and must not seem to vouch for some of them.
    write_json(sidecar, {**about, FILES: files} if listed else about)
