"""List every benchmark and figure that a command can ask for, with its options.

Building a parser from this imports nothing heavy: a benchmark's own modules are imported when it
runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from causal_ivae.errors import SettingsError
from causal_ivae.validation.report import Report

if TYPE_CHECKING:
    from causal_ivae.validation.paper.experiments import FigureName
    from causal_ivae.validation.suites.suite import Suite

Kind = Literal["text", "texts", "count", "counts", "seed", "number", "folder", "folders", "flag"]


@dataclass(frozen=True)
class Option:
    """Describe an option of the command line.

    Attributes
    ----------
    name : str
        Without the two dashes.
    kind : {"text", "texts", "count", "counts", "seed", "number", "folder", "folders", "flag"}
        What its value is: any text, a whole number of 1 or more, or one or more of these; a whole
        number of 0 or more; a number above 0; a path, or one or more of these; or nothing at all,
        where it matters only whether the option is given.
    metavar : str
        What stands for its value in the help; empty for a flag.
    default : str or int or None
        Where the option is not given; a flag is then false.
    """

    name: str
    kind: Kind
    metavar: str = ""
    help: str = ""
    default: str | int | None = None


@dataclass(frozen=True)
class Benchmark:
    """Describe a benchmark for the command line.

    Attributes
    ----------
    summary : str
        For the list of all benchmarks.
    description : str
        For its own help.
    options : tuple of Option
        Beside the folder that it writes to.
    run : callable
        ``run(output, command=..., say=..., **options)``: measures, writes, and returns a `Report`.
        ``say`` is told in a line what is done.
    """

    summary: str
    description: str
    options: tuple[Option, ...]
    run: Callable[..., Report]


SEED = Option("seed", "seed", "N", default=0)
DEVICE = Option("device", "text", "auto|cpu|cuda", default="auto")


def _stack(output: Path, **options: Any) -> Report:
    from causal_ivae.validation.speed.stack import benchmark_stack

    options.pop("command")
    return Report("", (benchmark_stack(output, **options),))


def _speed(output: Path, *, command: str, quick: bool, **options: Any) -> Report:
    from causal_ivae.validation.session import Session
    from causal_ivae.validation.speed.speed import benchmark_speed

    return benchmark_speed(Session.start(output, command=command, quick=quick), **options)


def _suites() -> "Mapping[str, type[Suite[Any]]]":
    """Return every benchmark of cases, by its name."""
    from causal_ivae.validation.suites.bold_networks import BoldNetworks
    from causal_ivae.validation.suites.many import Networks
    from causal_ivae.validation.suites.netsim import Netsim
    from causal_ivae.validation.suites.null import FalsePositives
    from causal_ivae.validation.suites.pairs import Pairs
    from causal_ivae.validation.suites.reproducibility import Reproducibility
    from causal_ivae.validation.suites.twins import KnownArrows
    from causal_ivae.validation.suites.unmixing import Unmixing

    kinds: tuple[type[Suite[Any]], ...] = (
        BoldNetworks, FalsePositives, KnownArrows, Netsim, Networks, Pairs, Reproducibility,
        Unmixing,
    )  # fmt: skip
    return {kind.name: kind for kind in kinds}


def _suite(
    name: str, summary: str, description: str, *own: Option, data: str = "", several: bool = False
) -> Benchmark:
    """Make a benchmark of cases, with the options that all of them have and some of its own."""

    def run(output: Path, *, command: str, quick: bool, **options: Any) -> Report:
        from causal_ivae.validation.session import Session
        from causal_ivae.validation.suites.suite import run_suite

        return run_suite(
            _suites()[name], Session.start(output, command=command, quick=quick), **options
        )

    shared = (
        *([Option("data", "folders" if several else "folder", "FOLDER", data)] if data else []),
        Option("quick", "flag", help="few and small cases, to see that it works"),
        SEED,
        Option("nprocs", "count", "N", "cases at once (default: one per core; 1: in this process)"),
    )
    return Benchmark(
        summary,
        f"{description} A table is printed and written, with a figure. Cases that are finished are "
        "not computed again: the same command goes on where it was interrupted.",
        (*shared, *own),
        run,
    )


_METHODS = Option("methods", "texts", "METHOD")

BENCHMARKS: Mapping[str, Benchmark] = {
    "stack": Benchmark(
        "25 fits trained at once against the same 25 fits one by one",
        "Time 25 fits trained at once against the same 25 fits one by one.",
        (Option("steps", "count", "N", "of every fit (default: 1000)", default=1000), DEVICE),
        _stack,
    ),
    "speed": Benchmark(
        "training, tests, scaling and whole subjects, with one thread",
        "Time training against a plain loop, tests of independence against lingam, causal-learn "
        "and hyppo where these are installed, how time and memory grow, whole subjects, a pair "
        "beside published methods, and the commands that a user waits for. A table is printed and "
        "written, with a figure. Takes half an hour or more on a CPU.",
        (
            Option("quick", "flag", help="few and small measurements, to see that it works"),
            Option(
                "parts",
                "texts",
                "PART",
                "of training, independence, scaling, workers, subjects, peers, waiting (default: "
                "all)",
            ),
            DEVICE,
        ),
        _speed,
    ),
    "pairs": _suite(
        "pairs",
        "which way simulated pairs point: ours and published methods",
        "Orient simulated pairs of known direction, and pairs that have none, by our methods and "
        "by published ones (some need the extra [benchmark]).",
        Option("layers", "counts", "N", "default: 1 to 5"),
        Option("segments", "counts", "N", "default: 4 8 16 32 48"),
        Option("pairs", "count", "N", "of every cell (default: 100)"),
        _METHODS,
        Option("kinds", "texts", "KIND", "directed, cyclic, independent (default: all)"),
        Option(
            "generators",
            "texts",
            "NAME",
            "network (default), additive, heteroscedastic, post_nonlinear, sigmoid",
        ),
    ),
    "null": _suite(
        "null",
        "how often tests reject where nothing depends on anything",
        "Measure the false-positive rate of every test with every null on simulated series, and "
        "on the user's own: phase-randomised, and of different subjects; and for how many pairs "
        "the network method claims an arrow in series, in their twins without any arrow, and by "
        "chance.",
        Option("pairs", "count", "N", "of every cell (default: 400)"),
        Option("nulls", "texts", "NULL", "default: all"),
        Option("networks", "count", "N", "judged with their twins (default: 20)"),
        data="folder of tables of region time series of three or more subjects (default: none)",
    ),
    "netsim": _suite(
        "netsim",
        "which way the edges of the NetSim simulations point",
        "Orient the true edges of the NetSim simulations of Smith et al. 2011.",
        Option("sims", "texts", "NAME", "default: all in the folder"),
        _METHODS,
        Option(
            "units",
            "texts",
            "UNIT",
            "'pooled windows', 'pooled subjects', 'subject' (default: all)",
        ),
        Option("subjects", "count", "N", "the first N of every simulation"),
        data="folder of NetSim's .npz files with 'ts' (subjects, volumes, nodes) and 'net'",
    ),
    "many": _suite(
        "many",
        "directed edges of simulated networks of six regions",
        "Estimate simulated networks of six regions by our methods and by published ones.",
        Option("layers", "counts", "N", "default: 1 to 5"),
        Option("segments", "counts", "N", "default: 8 16 32"),
        Option("graphs", "count", "N", "of every cell (default: 20)"),
        Option(
            "methods",
            "texts",
            "METHOD",
            "pairwise, whole-set, direct-lingam, pc, random (default: all)",
        ),
    ),
    "networks": _suite(
        "networks",
        "directed graphs of BOLD networks, nothing given",
        "Estimate directed graphs of simulated BOLD networks, nothing given, by the network method "
        "and by published ones.",
        Option("networks", "texts", "NAME", "default: all in the folders"),
        Option("own", "seed", "N", "networks simulated here (default: 20)"),
        Option("subjects", "counts", "N", "default: 1 5 10 50"),
        Option("draws", "count", "N", "random choices of subjects (default: 3)"),
        Option(
            "tr", "number", "SECONDS", "repetition time of the networks in the folders (default: 2)"
        ),
        _METHODS,
        data="folders of .npz files with 'ts' and 'net', or of tables with truth.tsv",
        several=True,
    ),
    "twins": _suite(
        "twins",
        "what is drawn of planted arrows, and where there is none, in given series",
        "Plant arrows through haemodynamic responses into twins of the series, which keep common "
        "sources, and into regions that were moved in time each by itself, and count what the "
        "network method draws of them, and where there is none.",
        Option("networks", "count", "N", "of every kind and strength (default: 50)"),
        Option("regions", "count", "N", "of a network, drawn at random (default: 6)"),
        Option("subjects", "count", "N", "of a network, pooled (default: 1)"),
        Option("guards", "texts", "GUARD", "share, network (default: both)"),
        data="folder of tables of region time series (default: simulated BOLD networks)",
    ),
    "unmixing": _suite(
        "unmixing",
        "what models recover of the sources of simulated mixtures: ours and a published package",
        "Unmix simulated mixtures of five sources by every estimator as it is without parameters, "
        "and by pi-vae-pytorch where it is installed (extra [benchmark]).",
        Option("datasets", "count", "N", "of every kind of mixing (default: 5)"),
        Option("activations", "texts", "NAME", "leaky_relu, xtanh (default: both)"),
        _METHODS,
    ),
    "reproducibility": _suite(
        "reproducibility",
        "whether directions in real data come back in another part of them",
        "Compare directions between halves of the subjects, halves of the volumes, and left and "
        "right counterparts, beside the same in twins of the data, which have no arrow.",
        _METHODS,
        Option(
            "comparisons",
            "texts",
            "NAME",
            "subjects, volumes, hemispheres (default: those that the data allow)",
        ),
        Option("regions", "texts", "NAME", "default: all"),
        Option("splits", "count", "N", "of the subjects (default: 5)"),
        Option(
            "segments",
            "text",
            "KIND",
            "u within the pooled fit: subjects (default), windows or windows:SECONDS",
            default="subjects",
        ),
        data="folder of tables of region time series, as 'causal-ivae run' reads them",
    ),
}

FIGURES = ("figure1", "figure2", "figure3", "figure4", "discrete", "selection")
FIGURE_OPTIONS = (
    Option("quick", "flag", help="few and short fits, to see that it works"),
    SEED,
    DEVICE,
    Option("data", "folder", "FOLDER", "tables of the subjects; figure4 only"),
    Option("datasets", "count", "N", "simulated with seeds 0 to N - 1 (default: 5); not figure4"),
    Option("restarts", "count", "N", "of every model on a data set (default: 5); not figure4"),
)


def reproduce(
    figure: str,
    output: Path,
    *,
    command: str,
    quick: bool,
    data: Path | None,
    datasets: int | None,
    restarts: int | None,
    **options: Any,
) -> Report:
    """Compute a figure of the paper and write it; `options` are those of `FIGURE_OPTIONS`."""
    from causal_ivae.validation.paper.figure4.command import reproduce_figure4
    from causal_ivae.validation.paper.reproduce import reproduce
    from causal_ivae.validation.session import Session

    session = Session.start(output, command=command, quick=quick)
    if figure == "figure4":
        if datasets is not None or restarts is not None:
            raise SettingsError("--datasets and --restarts are for simulations; figure4 has none.")
        return reproduce_figure4(session, data=data, **options)
    if data is not None:
        raise SettingsError(f"--data is for figure4; {figure} simulates its data.")
    given = {"data_sets": datasets, "restarts": restarts}
    size = {name: value for name, value in given.items() if value is not None}
    return reproduce(cast("FigureName", figure), session, size=size, **options)
