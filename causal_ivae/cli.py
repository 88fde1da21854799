"""Run the command line: find the command, and turn errors into one line and an exit code.

Nothing heavy is imported before a command needs it.
"""

import argparse
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from causal_ivae.batch.workers.process import prepare_process
from causal_ivae.commands import COMMANDS
from causal_ivae.commands.command import (
    EXIT_CODES,
    FAILED,
    INTERNAL,
    INTERRUPTED,
    SIGNALLED,
    USAGE,
    complain,
)
from causal_ivae.commands.interruption import Stopped, stopped_by_signals
from causal_ivae.commands.run import RUN, with_levels_apart
from causal_ivae.commands.streams import lasting_streams
from causal_ivae.errors import CausalIvaeError, InputError, SettingsError
from causal_ivae.provenance import package_version


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report wrong usage in one line."""
        raise SettingsError(f"{message} (see '{self.prog} --help')")


class _Version(argparse.Action):
    """Look the version up only for the users who ask for it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and exit."""
        sys.stdout.write(f"causal-ivae {package_version()}\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="causal-ivae",
        description="Estimate which brain region drives which from fMRI time series.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    children = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        child = children.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(child)
    return parser


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
    with lasting_streams(), stopped_by_signals():
        return _main(list(sys.argv[1:] if arguments is None else arguments))


def _main(given: list[str]) -> int:
    loud = any(a in ("-vv", "-vvv") for a in given) or given.count("-v") > 1
    prepare_process()
    try:
        apart = with_levels_apart(given) if given[:1] == [RUN.name] else given
        options = build_parser().parse_args(apart)
        chosen = next(command for command in COMMANDS if command.name == options.command)
        return chosen.run(options, shlex.join(["causal-ivae", *given]))
    except SystemExit as stop:
        # argparse leaves this way after --help and --version.
        return stop.code if isinstance(stop.code, int) else USAGE
    except (InputError, SettingsError) as error:
        return _explain(error, USAGE, loud=loud)
    except CausalIvaeError as error:
        return _explain(error, FAILED, loud=loud)
    except KeyboardInterrupt as stop:
        complain("Interrupted; run the same command again to go on.")
        return SIGNALLED + stop.number if isinstance(stop, Stopped) else INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: one line and a crash file
        crash = _write_crash(given)
        text = " ".join(str(error).split())
        complain(f"internal error: {type(error).__name__}: {text} (crash file: {crash})")
        if loud:
            traceback.print_exc()
        return INTERNAL


def _explain(error: CausalIvaeError, code: int, *, loud: bool) -> int:
    complain(" ".join(str(error).split()))
    if loud:
        traceback.print_exc()
    return code


def _write_crash(arguments: Sequence[str]) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = Path(tempfile.gettempdir()) / f"causal-ivae-crash-{stamp}.txt"
    content = f"causal-ivae {package_version()} {shlex.join(arguments)}\n\n{traceback.format_exc()}"
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        return f"none, since '{path.parent}' cannot be written to: {error.strerror}"
    return str(path)
