"""Define ``causal-ivae benchmark``, which measures accuracy, error rates and speed."""

from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import DONE, Command, say
from causal_ivae.commands.options import add_option, add_output
from causal_ivae.validation.registry import BENCHMARKS


def _add_arguments(parser: ArgumentParser) -> None:
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, benchmark in BENCHMARKS.items():
        kind = kinds.add_parser(name, help=benchmark.summary, description=benchmark.description)
        add_output(kind)
        for option in benchmark.options:
            add_option(kind, option)


def _run(options: Namespace, command: str) -> int:
    benchmark = BENCHMARKS[options.what]
    given = {option.name: getattr(options, option.name) for option in benchmark.options}
    report = benchmark.run(options.output, **given, command=command, say=say)
    if report.text:
        print(report.text)
    for path in report.written:
        print(path)
    return DONE


BENCHMARK = Command(
    name="benchmark",
    summary="accuracy and error rates against other methods, and how long the work takes",
    description="Measure directions, error rates and speed, and set them against other methods in "
    "the same run.",
    add_arguments=_add_arguments,
    run=_run,
)
