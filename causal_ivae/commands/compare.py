"""Define ``causal-ivae compare``, which sets the methods of a run beside each other."""

import sys
from argparse import ArgumentParser, Namespace
from itertools import combinations
from pathlib import Path

from causal_ivae.commands.command import DONE, Command
from causal_ivae.errors import InputError

_COLUMNS = ("subject", "method", "other", "pairs", "both_decide", "same", "opposite")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="output folder of a run")
    parser.add_argument("--method", nargs="+", metavar="METHOD", help="default: all that were run")


def _run(options: Namespace, _: str) -> int:
    from causal_ivae.derivatives import load_results

    results = load_results(options.output)
    units = {f"sub-{label}": unit for label, unit in results.subjects.items()}
    if results.group is not None:
        units["group"] = results.group
    rows = []
    for name, unit in units.items():
        methods = [m for m in unit.methods if options.method is None or m in options.method]
        for one, other in combinations(methods, 2):
            a, b = unit.methods[one].adjacency, unit.methods[other].adjacency
            if unit.methods[one].names != unit.methods[other].names:
                continue
            decided = (a | a.T) & (b | b.T)
            same = (a & b) | (a & b).T
            opposite = decided & ~same
            pairs = len(a) * (len(a) - 1) // 2
            counts = (decided.sum() // 2, same.sum() // 2, opposite.sum() // 2)
            rows.append((name, one, other, pairs, *map(int, counts)))
    if not rows:
        raise InputError(f"'{options.output}' has no subject with two of these methods.")
    sys.stdout.write("\t".join(_COLUMNS) + "\n")
    for row in rows:
        sys.stdout.write("\t".join(map(str, row)) + "\n")
    return DONE


COMPARE = Command(
    name="compare",
    summary="how far the methods of a run agree",
    description="Print for every subject and two methods how many pairs both decide, and how many "
    "of them in the same and in opposite directions, as a table (.tsv).",
    add_arguments=_add_arguments,
    run=_run,
)
