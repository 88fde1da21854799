"""The command line.  Nothing heavy is imported before a command needs it."""

# ruff: noqa: T201 - printing is what this module is for

import argparse
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causal_ivae import __version__
from causal_ivae.batch.workers.process import prepare_process
from causal_ivae.commands.arguments import build_parser
from causal_ivae.errors import CausalIvaeError, InputError, SettingsError, nearest

if TYPE_CHECKING:
    from causal_ivae.batch.plan import Plan
    from causal_ivae.batch.request import Request
    from causal_ivae.batch.status import BatchResult
    from causal_ivae.settings import Pipeline

DONE, FAILED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130

_SUITES = ("many", "netsim", "null", "pairs", "reproducibility")
_SEGMENTS = ("windows", "runs", "sessions", "task", "changepoints", "hmm", "subjects")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; default ``sys.argv``.

    Returns
    -------
    int
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    loud = any(a in ("-vv", "-vvv") for a in given) or given.count("-v") > 1
    prepare_process()
    try:
        options = build_parser().parse_args(given)
        return _COMMANDS[options.command](options, shlex.join(["causal-ivae", *given]))
    except SystemExit as stop:
        # argparse leaves this way after --help and --version.
        return stop.code if isinstance(stop.code, int) else USAGE
    except (InputError, SettingsError) as error:
        return _explain(error, USAGE, loud=loud)
    except CausalIvaeError as error:
        return _explain(error, FAILED, loud=loud)
    except KeyboardInterrupt:
        _complain("Interrupted; run the same command again to go on.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 - the last resort: one line and a crash file
        crash = _write_crash(given)
        text = " ".join(str(error).split())
        _complain(f"internal error: {type(error).__name__}: {text} (crash file: {crash})")
        if loud:
            traceback.print_exc()
        return INTERNAL


def _run(options: argparse.Namespace, command: str) -> int:
    if options.reports_only:
        from causal_ivae.batch.overview import write_overview
        from causal_ivae.batch.pages import write_all

        if options.templates is not None:
            from causal_ivae.reporting.templates import check_templates

            check_templates(options.templates)
        pages = write_all(options.output, tuple(options.participant_label), options.templates)
        pages += write_overview(options.output, options.templates)
        for page in pages:
            print(page)
        return DONE
    from causal_ivae.batch.plan import plan

    planned = plan(_request(options, command))
    if options.dry_run:
        _print_plan(planned)
        return DONE
    return run_and_report(planned, verbose=options.verbose)


def run_and_report(planned: "Plan", *, verbose: int = 0) -> int:
    """Run a plan with a progress display, say what failed, and return the exit code."""
    from causal_ivae.batch.overview import write_overview
    from causal_ivae.batch.progress import display
    from causal_ivae.batch.runner import run

    result = run(planned, display(verbose=bool(verbose)))
    write_overview(planned.analysis.output, planned.analysis.templates)
    _print_result(result, planned, loud=verbose > 1)
    return result.exit_code


def _request(options: argparse.Namespace, command: str) -> "Request":
    from causal_ivae.batch.request import Request
    from causal_ivae.imaging.filters import load_bids_filter

    query = None
    if options.bids_filter_file is not None:
        query = load_bids_filter(options.bids_filter_file)
    return Request(
        source=options.input,
        output=options.output,
        levels=tuple(dict.fromkeys(options.levels)),
        pipeline=_pipeline(options),
        labels=tuple(options.participant_label),
        sessions=tuple(options.session_label),
        task=options.task,
        space=options.space,
        bids_filter=query,
        seed=options.seed,
        device=options.device,
        overwrite=options.overwrite,
        nprocs=options.nprocs,
        memory=None if options.mem is None else round(options.mem * 2**30),
        time_limit=None if options.time_limit is None else 60 * options.time_limit,
        scheduler=options.scheduler,
        stop_on_first_crash=options.stop_on_first_crash,
        templates=options.templates,
        participants_file=options.participants,
        command=command,
    )


def _pipeline(options: argparse.Namespace) -> "Pipeline":
    """Return the pipeline with the options put over it."""
    from causal_ivae.settings.files import load_pipeline

    changes: dict[str, Any] = {}
    if options.denoise is not None:
        changes["denoise.preset"] = options.denoise
    if options.atlas is not None:
        changes["atlas"] = options.atlas
    if options.prior is not None:
        changes["prior.name"] = None if options.prior == "none" else options.prior
    if options.method is not None:
        changes["unmixing.methods"] = options.method
    if options.tr is not None:
        changes["tables.tr"] = options.tr
    if options.screen is not None:
        changes["screen.by"] = _screening(options.screen)
    if options.pooled:
        changes["group.pooled"] = True
    if options.model is not None:
        changes["group.model"] = options.model
    if options.segments is not None:
        changes |= _segments(options.segments)
    return load_pipeline(options.pipeline).changed(changes)


def _screening(text: str) -> str:
    from causal_ivae.settings import SCREENINGS

    if text not in SCREENINGS:
        raise SettingsError(f"Invalid value '{text}' for --screen. {nearest(text, SCREENINGS)}")
    return text


def _segments(text: str) -> dict[str, Any]:
    kind, colon, seconds = text.partition(":")
    if kind not in _SEGMENTS or (colon and kind != "windows"):
        allowed = "windows, windows:SECONDS, runs, sessions, task, changepoints, hmm or subjects"
        raise SettingsError(f"Invalid value '{text}' for --segments. Allowed: {allowed}.")
    changes: dict[str, Any] = {"segments.by": kind}
    if colon:
        try:
            changes["segments.window_seconds"] = float(seconds)
        except ValueError:
            raise SettingsError(
                f"Invalid window '{seconds}' in --segments {text}: give seconds, such as "
                "windows:60."
            ) from None
    return changes


def _print_plan(planned: "Plan") -> None:
    from causal_ivae.batch.preview import preview

    request = planned.analysis
    pipeline = request.pipeline
    print(f"Output    {request.output}")
    print(f"Levels    {', '.join(request.levels)}")
    print(f"Methods   {', '.join(pipeline.unmixing.methods)}")
    print(f"Segments  {pipeline.segments.by}")
    if pipeline.regions is not None:
        n = len(pipeline.regions)
        print(f"Pairs     {n * (n - 1) // 2} of {n} regions")
    said = preview(planned)
    current = sum(what == "up to date" for what in said.values())
    print(f"Subjects  {len(planned.subjects)}, of them {current} up to date")
    for subject in planned.subjects:
        unit = f"sub-{subject.label}"
        runs = ", ".join(run.name for run in subject.runs)
        print(f"  {unit} ({runs}): {' '.join(said[unit].split())}")


def _print_result(result: "BatchResult", planned: "Plan", *, loud: bool) -> None:
    output = planned.analysis.output
    for outcome in result.failed:
        where = f" (crash file: {output / outcome.crash})" if outcome.crash else ""
        _complain(f"{outcome.unit}: {outcome.message}{where}")
        if loud and outcome.crash:
            print((output / outcome.crash).read_text(encoding="utf-8"), file=sys.stderr)
    states = [outcome.state for outcome in result.outcomes]
    counted = (f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    print(f"{', '.join(counted)}. Status: {result.folder / 'status.tsv'}")
    units = [o.unit for o in result.outcomes if o.state in ("done", "up to date")]
    pages = [output / f"{unit}.html" for unit in units]
    if "group" in units:
        pages = [output / "group.html"]
    for page in [page for page in pages if page.is_file()]:
        print(f"Report: {page}")


def _demo(options: argparse.Namespace, command: str) -> int:
    from causal_ivae.commands.demo import prepare

    planned = prepare(
        options.output,
        n_subjects=options.subjects,
        simulated=options.simulated,
        nprocs=options.nprocs,
        device=options.device,
        overwrite=options.overwrite,
        command=command,
        say=_say,
    )
    return run_and_report(planned, verbose=options.verbose)


def _reproduce(options: argparse.Namespace, command: str) -> int:
    given = {"quick": options.quick, "seed": options.seed, "device": options.device}
    if options.figure == "figure4":
        from causal_ivae.validation.paper.figure4 import reproduce_figure4

        written = reproduce_figure4(
            options.output, data=options.data, **given, command=command, say=_say
        )
    else:
        from causal_ivae.validation.paper.reproduce import reproduce

        if options.data is not None:
            raise SettingsError(f"--data is for figure4; {options.figure} simulates its data.")
        written = reproduce(options.figure, options.output, **given, command=command, say=_say)
    for path in written:
        print(path)
    return DONE


def _benchmark(options: argparse.Namespace, command: str) -> int:
    if options.what == "stack":
        from causal_ivae.validation.speed.stack import benchmark_stack

        print(benchmark_stack(options.output, steps=options.steps, device=options.device, say=_say))
        return DONE
    if options.what in _SUITES:
        return _suite(options, command)
    from causal_ivae.validation.speed.speed import benchmark_speed

    report = benchmark_speed(
        options.output,
        quick=options.quick,
        parts=options.parts,
        device=options.device,
        command=command,
        say=_say,
    )
    print(report.text)
    for path in report.written:
        print(path)
    return DONE


def _suite(options: argparse.Namespace, command: str) -> int:
    """Run a benchmark of cases, print its table and name what was written."""
    function = f"benchmark_{options.what}"
    run = getattr(import_module(f"causal_ivae.validation.suites.{options.what}"), function)
    given = {k: v for k, v in vars(options).items() if k not in ("command", "what", "output")}
    written = run(options.output, **given, command=command, say=_say)
    print(written[0].read_text(encoding="utf-8"))
    for path in written:
        print(path)
    return DONE


def _atlas(options: argparse.Namespace, _: str) -> int:
    from causal_ivae.imaging.atlas import list_atlases

    if options.action == "check":
        return _check_atlas(options.name)

    atlases = list_atlases()
    width = max((len(row.name) for row in atlases), default=0)
    for row in atlases:
        needs = f" [needs {row.needs}]" if row.needs else ""
        print(
            f"{row.name:<{width}}  {row.kind:<11} {row.regions:>4} regions  {row.space}"
            f"  {row.citation}{needs}"
        )
    return DONE


def _check_atlas(name: str) -> int:
    from causal_ivae.imaging.atlas import load_atlas
    from causal_ivae.imaging.atlas_check import check_atlas

    atlas = load_atlas(name)
    found = check_atlas(atlas)
    print(f"{atlas.name}: {atlas.kind}, {len(atlas.names)} regions, space {atlas.space}")
    print(f"Table   {atlas.source}")
    if atlas.image is not None:
        print(f"Image   {atlas.image}")
    for text in found.remarks:
        print(f"Remark  {text}")
    if found.problems:
        raise InputError(f"Atlas '{atlas.name}' cannot be used. {' '.join(found.problems)}")
    print("No fault found.")
    return DONE


def _pipelines(options: argparse.Namespace, _: str) -> int:
    from causal_ivae.settings import resources

    if options.action == "show":
        preset = options.name in resources.names("denoise")
        path = resources.find("denoise" if preset else "pipelines", options.name)
        sys.stdout.write(path.read_text(encoding="utf-8"))
        return DONE
    from causal_ivae.settings.files import load_pipeline
    from causal_ivae.settings.presets import load_preset

    named = {name: load_pipeline(name).description for name in resources.names("pipelines")}
    presets = {name: load_preset(name).description for name in resources.names("denoise")}
    width = max(map(len, (*named, *presets)), default=0)
    for name, description in named.items():
        print(f"{name:<{width}}  {description}")
    print("\nDenoising presets (--denoise, or denoise.preset in a pipeline):")
    for name, description in presets.items():
        print(f"{name:<{width}}  {description}")
    return DONE


def _view(options: argparse.Namespace, _: str) -> int:
    from causal_ivae.commands.view import view

    view(options.output, port=options.port, browser=not options.no_browser, say=_say)
    return DONE


def _explain(error: CausalIvaeError, code: int, *, loud: bool) -> int:
    _complain(" ".join(str(error).split()))
    if loud:
        traceback.print_exc()
    return code


def _complain(text: str) -> None:
    print(f"causal-ivae: error: {text}", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write_crash(arguments: Sequence[str]) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = Path(tempfile.gettempdir()) / f"causal-ivae-crash-{stamp}.txt"
    content = f"causal-ivae {__version__} {shlex.join(arguments)}\n\n{traceback.format_exc()}"
    path.write_text(content, encoding="utf-8")
    return path


_COMMANDS = {
    "run": _run,
    "demo": _demo,
    "reproduce": _reproduce,
    "benchmark": _benchmark,
    "atlas": _atlas,
    "pipeline": _pipelines,
    "view": _view,
}
