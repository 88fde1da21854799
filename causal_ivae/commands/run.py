"""Define ``causal-ivae run``, which estimates causal graphs of subjects and of the group."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causal_ivae.commands.command import DONE, FAILED, Command, complain, say
from causal_ivae.commands.options import (
    add_device,
    add_nprocs,
    add_output,
    add_verbose,
    count,
    megabytes,
    memory,
    positive,
    seed,
)
from causal_ivae.commands.run_settings import pipeline_of
from causal_ivae.errors import InputError, NotFetchedError

if TYPE_CHECKING:
    from causal_ivae.batch.plan import Plan
    from causal_ivae.batch.request import Request
    from causal_ivae.batch.status import BatchResult


LEVELS = ("participant", "group")
_LABELS = ("--participant-label", "--participant_label")
_SESSIONS = ("--session-label", "--session_label", "--session-id")
_TASKS = ("--task", "--task-id", "--task_id", "-t")
_MANY = (*_LABELS, *_SESSIONS, *_TASKS, "--method")
"""Options that take several words."""
_PERHAPS = ("--screen",)
"""Options that take one word or none."""


def with_levels_apart(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of ``run`` with levels at the end that an option would swallow.

    In ``run IN OUT --method tcl participant``, argparse takes the level for a second method.
    """
    options = [i for i, word in enumerate(arguments) if word.startswith("-")]
    first = options[0] if options else len(arguments)
    if any(word in LEVELS for word in arguments[:first]) or "--" in arguments:
        return list(arguments)
    kept, levels = list(arguments), list[str]()
    for start, stop in reversed(list(pairwise([*options, len(arguments)]))):
        # One word after an option is its value; a level may only come after it.
        least = 2 if arguments[start] in _MANY else 1
        several = arguments[start] in (*_MANY, *_PERHAPS)
        while several and stop - start > least and kept[stop - 1] in LEVELS:
            levels.insert(0, kept.pop(stop - 1))
            stop -= 1
    return [*kept, "--", *levels] if levels else kept


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="fMRIPrep derivatives, or a folder or one file of time-series tables "
        "(.tsv, .csv, .npy, .npz, .mat, .h5)",
    )
    add_output(parser)
    parser.add_argument(
        "levels", nargs="+", choices=LEVELS, metavar="LEVEL", help="participant, group, or both"
    )
    what = parser.add_argument_group("what to run on")
    what.add_argument(*_LABELS, nargs="+", default=[], metavar="LABEL")
    what.add_argument(*_TASKS, nargs="+", default=[], metavar="LABEL", help="one or several")
    what.add_argument(*_SESSIONS, nargs="+", default=[], metavar="LABEL")
    what.add_argument("--space", metavar="NAME", help="such as MNI152NLin2009cAsym")
    what.add_argument("--bids-filter-file", type=Path, metavar="FILE", help="as fMRIPrep's")
    how = parser.add_argument_group("how to analyse")
    how.add_argument("--pipeline", metavar="NAME|FILE", help="default: default")
    how.add_argument(
        "--config-file",
        type=Path,
        metavar="FILE",
        help="pipeline.yaml in the logs of an earlier run, which is repeated with its settings, "
        "seed and choice of subjects; other options take precedence",
    )
    how.add_argument(
        "--denoise",
        metavar="NAME|FILE",
        help="denoising preset for images: simple, scrubbing, compcor, 24P, 32P, 36P; the first "
        "four also with _gsr (global signal)",
    )
    how.add_argument("--atlas", metavar="NAME|FILE", help="needed for images")
    how.add_argument("--prior", metavar="NAME|FILE", help="anatomical prior, or 'none'")
    how.add_argument("--method", nargs="+", metavar="METHOD", help="network, structural, ivae, tcl")
    how.add_argument(
        "--segments",
        metavar="KIND",
        help="the auxiliary variable: windows[:SECONDS], runs, sessions, task, changepoints, hmm "
        "or subjects",
    )
    how.add_argument(
        "--exogenous",
        nargs="+",
        default=None,
        metavar="TRIAL_TYPE",
        help="known inputs, which no arrow leads into: trial types of the events (convolved with a "
        "haemodynamic response) or columns of tables",
    )
    how.add_argument(
        "--screen",
        nargs="?",
        const="partial_correlation",
        metavar="TEST",
        help="unmix only pairs that a cheap test connects: partial_correlation (if no test is "
        "named), dependence or skeleton (PC algorithm); 'none' for all pairs",
    )
    how.add_argument(
        "--pooled",
        action="store_true",
        help="also fit all subjects at once, each as a segment, beside the group statistics (level "
        "group)",
    )
    how.add_argument(
        "--model",
        metavar="FORMULA",
        help='explain the scores of subjects by columns of participants.tsv, such as "score ~ '
        'group + age"; C(site) for numbers that are labels (level group)',
    )
    how.add_argument(
        "--participants",
        type=Path,
        metavar="FILE",
        help="participants.tsv, if it is neither in INPUT nor in the two folders above; its column "
        "'exclude' (1 or 0) leaves subjects out of the group",
    )
    how.add_argument(
        "--tr", type=float, metavar="SECONDS", help="repetition time of tables without a sidecar"
    )
    how.add_argument("--seed", "--random-seed", type=seed, metavar="N", help="default: 0")
    where = parser.add_argument_group("where and when")
    add_device(where)
    add_nprocs(where)
    where.add_argument(
        "--mem",
        type=memory,
        metavar="4G",
        help="memory of each worker process (GiB without a unit); a subject that takes more fails, "
        "and only as many workers are started as fit into the machine's memory",
    )
    where.add_argument(
        "--mem-mb", "--mem_mb", type=megabytes, dest="mem", metavar="MB", help="the same, in MB"
    )
    where.add_argument(
        "--omp-nthreads", type=count, metavar="N", help="threads of each worker process"
    )
    where.add_argument(
        "-w", "--work-dir", type=Path, metavar="FOLDER", help="accepted; nothing is written there"
    )
    where.add_argument(
        "--time-limit",
        type=positive,
        metavar="MINUTES",
        help="a subject fails if loading or estimating it takes longer",
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler")
    where.add_argument(
        "--overwrite",
        choices=("never", "stale", "always"),
        default="stale",
        help="compute again nothing that exists, what is out of date (default), or everything",
    )
    where.add_argument("--stop-on-first-crash", action="store_true")
    where.add_argument(
        "--reports-only", action="store_true", help="write the pages again from OUTPUT's files"
    )
    where.add_argument(
        "--boilerplate-only",
        action="store_true",
        help="print the text for the methods section, from OUTPUT's files",
    )
    where.add_argument(
        "--templates",
        type=Path,
        metavar="FOLDER",
        help="your own templates, style sheet or script for the pages instead of the bundled ones; "
        "templates run in a sandbox, the script in the browser of whoever opens a page",
    )
    where.add_argument("--dry-run", action="store_true", help="print what would run; write nothing")
    add_verbose(where)


def _run(options: Namespace, command: str) -> int:
    if options.reports_only:
        return _write_reports(options)
    if options.boilerplate_only:
        return _print_boilerplate(options)
    if options.work_dir is not None:
        say(f"--work-dir '{options.work_dir}' is not used: there are no intermediate files.")
    if options.omp_nthreads is not None:
        # Worker processes read it when they start.
        os.environ["OMP_NUM_THREADS"] = str(options.omp_nthreads)
    from causal_ivae.batch.plan import plan

    request = _request(options, command)
    try:
        planned = plan(request)
    except NotFetchedError as error:
        if options.dry_run:
            raise
        _fetch(error.atlas)
        planned = plan(request)
    if options.dry_run:
        return _print_plan(planned)
    return run_and_report(planned, verbose=options.verbose)


def run_and_report(planned: "Plan", *, verbose: int = 0) -> int:
    """Run a plan with a progress display, print what failed, and return the exit code."""
    from causal_ivae.batch.overview import write_overview
    from causal_ivae.batch.progress import display
    from causal_ivae.batch.runner import run

    result = run(planned, display(verbose=bool(verbose)))
    # Said first, as the pages over all subjects can fail.
    _print_result(result, planned.analysis.output, loud=verbose > 1)
    write_overview(planned.analysis.output, planned.analysis.templates)
    return result.exit_code


def _write_reports(options: Namespace) -> int:
    from causal_ivae.batch.overview import write_overview
    from causal_ivae.batch.pages import write_all
    from causal_ivae.reporting.templates import check_templates

    if options.templates is not None:
        check_templates(options.templates)
    labels = tuple(options.participant_label)
    pages, complaints = write_all(options.output, labels, options.templates)
    for complaint in complaints:
        complain(complaint)
    for page in pages:
        print(page)
    for page in write_overview(options.output, options.templates, again=True):
        print(page)
    return FAILED if complaints else DONE


def _fetch(name: str) -> None:
    """Fetch a published atlas, and say so before."""
    from causal_ivae.imaging.published_atlases import fetch, find_published

    atlas = find_published(name)
    if atlas is not None:
        fetch(atlas, say)


def _print_boilerplate(options: Namespace) -> int:
    """Print the methods text of the group, or else of the first subject."""
    from causal_ivae.reporting.methods_files import TEXT, text_alone

    wanted = [f"sub-{label.removeprefix('sub-')}" for label in options.participant_label]
    folders = wanted or ["group", "sub-*"]
    files = [f for unit in folders for f in sorted(options.output.glob(f"{unit}/figures/*_{TEXT}"))]
    if not files:
        raise InputError(
            f"'{options.output}' holds no text on methods: run the analysis, or --reports-only, "
            "first."
        )
    print(text_alone(files[0].read_text(encoding="utf-8")))
    return DONE


def _earlier(options: Namespace) -> dict[str, Any]:
    """Return the choice of subjects and the seed of the run that ``--config-file`` is from."""
    if options.config_file is None:
        return {}
    from causal_ivae.derivatives.files import read_sidecar

    about = read_sidecar(options.config_file.with_name("run.json"))
    chosen = about.get("Filters", {})
    return {**(chosen if isinstance(chosen, dict) else {}), "seed": about.get("Seed", 0)}


def _request(options: Namespace, command: str) -> "Request":
    from causal_ivae.batch.request import Request
    from causal_ivae.imaging.filters import load_bids_filter

    earlier = _earlier(options)
    query = None
    if options.bids_filter_file is not None:
        query = load_bids_filter(options.bids_filter_file)
    return Request(
        source=options.input,
        output=options.output,
        levels=tuple(dict.fromkeys(options.levels)),
        pipeline=pipeline_of(options),
        labels=tuple(options.participant_label or earlier.get("labels", ())),
        sessions=tuple(options.session_label or earlier.get("sessions", ())),
        tasks=tuple(options.task or earlier.get("tasks", ())),
        space=options.space or earlier.get("space"),
        bids_filter=query or earlier.get("bids_filter"),
        seed=int(earlier.get("seed", 0)) if options.seed is None else options.seed,
        device=options.device,
        overwrite=options.overwrite,
        nprocs=options.nprocs,
        memory=options.mem,
        time_limit=None if options.time_limit is None else 60 * options.time_limit,
        scheduler=options.scheduler,
        stop_on_first_crash=options.stop_on_first_crash,
        templates=options.templates,
        participants_file=options.participants,
        command=command,
    )


def _print_plan(planned: "Plan") -> int:
    from causal_ivae.batch.preview import WOULD_FAIL, preview

    analysis = planned.analysis
    pipeline = analysis.pipeline
    print(f"Output    {analysis.output}")
    print(f"Levels    {', '.join(analysis.levels)}")
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
    return FAILED if any(what.startswith(WOULD_FAIL) for what in said.values()) else DONE


def _print_result(result: "BatchResult", output: Path, *, loud: bool) -> None:
    for outcome in result.failed:
        where = f" (crash file: {output / outcome.crash})" if outcome.crash else ""
        complain(f"{outcome.unit}: {outcome.message}{where}")
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


RUN = Command(
    name="run",
    summary="causal graphs of subjects and of the group",
    description="Estimate the causal graph of every subject, and of the group.",
    add_arguments=_add_arguments,
    run=_run,
)
