"""Define ``causal-ivae export``, which writes graphs for the programs that people use next."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from causal_ivae.commands.command import DONE, Command

_FORMATS = ("bct", "nbs", "brainnet", "conn", "gexf", "graphml", "cytoscape", "dcm")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="output folder of a run")
    parser.add_argument("--to", required=True, choices=_FORMATS, help="format to write")
    parser.add_argument("--method", metavar="METHOD", help="default: the first that was run")
    parser.add_argument(
        "--weights",
        choices=("decided", "probability", "score"),
        default="decided",
        help="scores of decided edges (default), the probability of every direction, or the signed "
        "score of every pair; row = cause, column = effect (of dcm the other way round)",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="default: OUTPUT/exports/FORMAT"
    )


def _run(options: Namespace, _: str) -> int:
    from causal_ivae.exports import export, networks_of

    networks = networks_of(options.output, options.method, options.weights)
    folder = options.folder or options.output / "exports" / options.to
    for path in export(networks, options.to, folder):
        print(path)
    return DONE


EXPORT = Command(
    name="export",
    summary="graphs as matrices and networks for other programs",
    description="Write the graphs of a run for BCT, NBS, BrainNet Viewer, CONN, Gephi, Cytoscape, "
    "or DCM.",
    add_arguments=_add_arguments,
    run=_run,
)
