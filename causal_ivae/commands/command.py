"""Define what a command is, the exit codes, and how commands print to standard error."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass

DONE, FAILED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130
SIGNALLED = 128
"""Added to the number of the signal that ended the program, as shells do."""
EXIT_CODES = (
    "Exit codes: 0 all done or up to date; 1 a run or a report failed; 2 usage or settings, or "
    "nothing matched; 70 internal error; 130 interrupted (143 by SIGTERM, 129 by SIGHUP)."
)


@dataclass(frozen=True)
class Command:
    """Describe a command of the command line.

    Its module must import nothing slow before `run` is called, so that ``--help`` answers at once.

    Attributes
    ----------
    name : str
    summary : str
        Text for the list of all commands.
    add_arguments : callable
        Function that adds the command's options to its parser.
    run : callable
        Function that does the work, given the options and the whole command line as text, and
        returns the exit code.
    description : str or None
        Text for the command's own help.
    """

    name: str
    summary: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, str], int]
    description: str | None = None


def say(text: str) -> None:
    """Print a line on standard error, so that results on standard output can be piped."""
    print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Print an error of the program in one line on standard error."""
    say(f"causal-ivae: error: {text}")
