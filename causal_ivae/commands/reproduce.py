"""Define ``causal-ivae reproduce``, which computes the figures of the paper."""

from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import DONE, Command, say
from causal_ivae.commands.options import add_option, add_output
from causal_ivae.validation.registry import FIGURE_OPTIONS, FIGURES, reproduce


def _add_arguments(parser: ArgumentParser) -> None:
    listed = f"{', '.join(FIGURES[:-1])} or {FIGURES[-1]}"
    parser.add_argument("figure", choices=FIGURES, metavar="FIGURE", help=listed)
    add_output(parser)
    for option in FIGURE_OPTIONS:
        add_option(parser, option)


def _run(options: Namespace, command: str) -> int:
    given = {option.name: getattr(options, option.name) for option in FIGURE_OPTIONS}
    report = reproduce(options.figure, options.output, **given, command=command, say=say)
    for path in report.written:
        print(path)
    return DONE


REPRODUCE = Command(
    name="reproduce",
    summary="the figures of the paper, computed anew",
    description="Simulate, fit and draw a figure of Khemakhem et al. 2020, and write the table "
    "of every fit beside it. A full figure takes from minutes to an hour or two on a CPU. "
    "figure4 is drawn from fMRI of six regions of the medial temporal lobe, given by --data.",
    add_arguments=_add_arguments,
    run=_run,
)
