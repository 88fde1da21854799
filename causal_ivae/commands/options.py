"""Define options that several commands share, and parse the numbers that options accept."""

import argparse
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from causal_ivae.validation.registry import Kind, Option


class _Arguments(Protocol):
    """Accept options, as a parser or a group of options does."""

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action: ...


def seed(text: str) -> int:
    """Parse a whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 0 or more")
    return int(text)


def positive(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return number


def count(text: str) -> int:
    """Parse a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of 1 or more")
    return int(text)


_SIZES = {"": 2**30, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
"""Bytes of the units of memory; numbers without one are GiB."""


def memory(text: str) -> int:
    """Parse an amount of memory, such as ``4``, ``4G``, ``4GB`` or ``500M``, to bytes."""
    plain = text.strip().lower().removesuffix("ib").removesuffix("b")
    unit = plain[-1:] if plain[-1:].isalpha() else ""
    if unit not in _SIZES:
        raise argparse.ArgumentTypeError(f"'{text}' is no amount of memory such as 4G or 500M")
    return round(positive(plain.removesuffix(unit)) * _SIZES[unit])


def megabytes(text: str) -> int:
    """Parse an amount of memory in MB to bytes."""
    return round(positive(text) * 1e6)


def add_output(parser: _Arguments) -> None:
    """Add the argument for the folder that a command writes to."""
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="folder to write to")


def add_device(parser: _Arguments) -> None:
    """Add the option for the device on which torch computes."""
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda")


def add_nprocs(parser: _Arguments) -> None:
    """Add the option for the number of worker processes."""
    parser.add_argument(
        "--nprocs",
        "--n_cpus",
        "--n-cpus",
        "--nthreads",
        type=count,
        metavar="N",
        help="subjects at once (default: one per core or GPU)",
    )


def add_verbose(parser: _Arguments) -> None:
    """Add the option for the amount of messages."""
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="more lines; -vv: tracebacks too"
    )


_TYPES: dict[Kind, Callable[[str], Any]] = {
    "text": str,
    "texts": str,
    "count": count,
    "counts": count,
    "seed": seed,
    "number": positive,
    "folder": Path,
    "folders": Path,
}


def add_option(parser: ArgumentParser, option: Option) -> None:
    """Add an option of a benchmark or of a figure of the paper."""
    name = f"--{option.name}"
    if option.kind == "flag":
        parser.add_argument(name, action="store_true", help=option.help)
        return
    parser.add_argument(
        name,
        type=_TYPES[option.kind],
        nargs="+" if option.kind in ("texts", "counts", "folders") else None,
        default=option.default,
        metavar=option.metavar,
        help=option.help,
    )
