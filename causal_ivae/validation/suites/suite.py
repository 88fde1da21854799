"""Define what every benchmark of cases has in common, from its options to its files."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import pandas as pd
import torch
from matplotlib.figure import Figure

from causal_ivae.drawing.svg import figure_style, new_figure, png_and_svg
from causal_ivae.errors import SettingsError
from causal_ivae.provenance import versions
from causal_ivae.validation.report import Report, Say
from causal_ivae.validation.session import Session, check_names, load, machine
from causal_ivae.validation.suites.cases import CASE, ERROR, Case, Rows, run_cases

SUMMARY = "summary"
"""Every suite summarises its rows in a table of this name."""
Tables = Mapping[str, pd.DataFrame]
C = TypeVar("C", bound=Case)

_PACKAGES = ("lingam", "causal-learn", "tigramite")
"""The versions of these packages with published methods are recorded."""


@dataclass(frozen=True, kw_only=True)
class Suite(ABC, Generic[C]):
    """Run a benchmark of cases.

    The fields of a subclass are its options of the command line and how much is done where no
    option says it; their defaults are the full benchmark.

    Attributes
    ----------
    name : str
        On the command line and in the names of the files.
    method : mapping of str to str
        In words, what is measured and how.
    """

    name: ClassVar[str]
    method: ClassVar[Mapping[str, str]]

    seed: int = 0

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the values of fields of which `--quick` has fewer or smaller ones."""
        return {}

    @classmethod
    def asked(cls, options: Mapping[str, Any], *, quick: bool, say: Say) -> Self:  # noqa: ARG003
        """Return the suite with the options given, checked.

        Parameters
        ----------
        options : mapping of str to object
            Values of fields; None leaves the default.
        quick : bool
            Few and small cases, to see that it works.
        say : callable
            Told what is left out.

        Raises
        ------
        SettingsError
            If an option has no such value, or the package of a method that was asked for is not
            installed.
        """
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in options.items()
            if value is not None
        }
        return cls(**{**(cls.small() if quick else {}), **given})

    @abstractmethod
    def cases(self) -> Iterable[C]:
        """Yield every case of the benchmark."""

    @abstractmethod
    def work(self, case: C) -> Rows:
        """Return the rows of a case; runs in other processes."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return every value beside the case itself that the rows of all cases depend on."""

    def own_settings(self, case: C) -> Mapping[str, Any]:  # noqa: ARG002 - for subclasses
        """Return further settings that the rows of this case depend on."""
        return {}

    def described(self) -> dict[str, Any]:
        """Return what the record says of settings beside `settings`."""
        return {}

    def sources(self) -> dict[str, str]:
        """Return where the methods that are compared come from."""
        return {}

    def remarks(self) -> list[str]:
        """Return sentences for below the printed table."""
        return []

    @abstractmethod
    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return the summary of the rows of all cases that did not fail, and further tables."""

    @abstractmethod
    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield the tables as blocks of text for a terminal."""

    @abstractmethod
    def draw(self, rows: pd.DataFrame, tables: Tables) -> Figure:
        """Draw what `tables` got and returned."""


class MethodCase(Case, Protocol):
    """Describe a case of one method."""

    @property
    def method(self) -> str:
        """Return the name of the method, which is among the suite's `packages`."""
        ...


M = TypeVar("M", bound=MethodCase)


@dataclass(frozen=True, kw_only=True)
class MethodSuite(Suite[M]):
    """Run a benchmark of methods, of which its user may choose some.

    Attributes
    ----------
    packages : mapping of str to (str or None)
        All methods, and the package that each needs.
    cells : tuple of str
        The fields that say what is measured, for the record.
    """

    packages: ClassVar[Mapping[str, str | None]]
    cells: ClassVar[tuple[str, ...]] = ()

    methods: tuple[str, ...] = ()

    @classmethod
    def asked(cls, options: Mapping[str, Any], *, quick: bool, say: Say) -> Self:
        """Return the suite with the methods chosen, and the other options; see `Suite.asked`."""
        methods = choose(options.get("methods"), cls.methods, cls.packages, say)
        return super().asked({**options, "methods": methods}, quick=quick, say=say)

    @abstractmethod
    def settings_of(self, method: str) -> dict[str, Any]:
        """Return every setting that the rows of a method depend on."""

    def own_settings(self, case: M) -> Mapping[str, Any]:
        """Return the settings of the method of a case."""
        return self.settings_of(case.method)

    def described(self) -> dict[str, Any]:
        """Return what is measured, and the settings of all methods."""
        cells = {"cells": {name: getattr(self, name) for name in self.cells}} if self.cells else {}
        return {**cells, "methods": {method: self.settings_of(method) for method in self.methods}}


def run_suite(
    kind: type[Suite[C]], session: Session, *, nprocs: int | None, say: Say, **options: Any
) -> Report:
    """Run a benchmark of cases and write what it gave.

    Parameters
    ----------
    session : Session
        Its folder gets ``benchmark_<name>.txt`` (what is printed), ``.tsv`` (every row of every
        case), ``_summary.tsv``, a file for each further table, ``.png``, ``.json`` (settings,
        versions, machine, command) and the finished cases, see `run_cases`.
    nprocs : int or None
        Processes; None for one per core.
    say : callable
        Told every case that is done.
    **options
        Fields of the suite in place of their defaults; None leaves the default.

    Raises
    ------
    SettingsError
        If an option has no such value.
    InputError
        If the data cannot be used.
    """
    busy = load()
    suite = kind.asked(options, quick=session.quick, say=say)
    settings = suite.settings()
    table = run_cases(
        suite.name,
        list(suite.cases()),
        suite.work,
        session.output,
        settings=settings,
        own_settings=suite.own_settings,
        nprocs=nprocs,
        say=say,
    )
    rows = table[table[ERROR].isna()]
    tables = suite.tables(rows) if len(rows) else {SUMMARY: pd.DataFrame()}
    known = len(tables[SUMMARY]) > 0
    with figure_style(f"benchmark_{suite.name}"):
        figure = suite.draw(rows, tables) if known else new_figure(3.0, 2.0)
    failures = table.loc[table[ERROR].notna(), [CASE, ERROR]]
    remarks = suite.remarks()
    said = [*remarks, *(f"Failed: {row.case}: {row.error}" for row in failures.itertuples())]
    body = "\n\n".join(suite.blocks(tables)) if known else "No case gave a result."
    text = "\n".join([body, *([""] if said else []), *said]) + "\n"
    written = session.write(
        f"benchmark_{suite.name}",
        {
            ".txt": text,
            ".tsv": table,
            **{f"_{name}.tsv": content for name, content in tables.items()},
            ".png": png_and_svg(figure)[0],
        },
        Benchmark=suite.name,
        Seed=suite.seed,
        Cases=int(table[CASE].nunique()),
        Failed=len(failures),
        Machine=machine(torch.device("cpu")),
        LoadBeforeAndAfter=[busy, load()],
        Method={**suite.method, **suite.sources()},
        Remarks=remarks,
        Settings={**settings, **suite.described()},
        Software=versions(*_PACKAGES),
    )
    return Report(text, written)


def portions(count: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the number of every portion of so many things, in order."""
    for first in range(0, count, at_once):
        yield first, min(at_once, count - first)


def choose(
    asked: Sequence[str] | None,
    default: Sequence[str],
    packages: Mapping[str, str | None],
    say: Say,
) -> tuple[str, ...]:
    """Return the methods asked for, or those of the default whose packages are installed.

    Parameters
    ----------
    packages : mapping of str to (str or None)
        Every method that there is, and the package that it needs.
    say : callable
        Told which of the default are left out.

    Raises
    ------
    SettingsError
        If one that was asked for is unknown, or its package is not installed.
    """
    check_names("method", asked or (), packages)
    chosen = []
    for name in dict.fromkeys(asked or default):
        package = packages[name]
        if package is None or find_spec(package) is not None:
            chosen.append(name)
            continue
        message = f"'{name}' needs the package '{package}', which is not installed"
        if asked:
            raise SettingsError(
                f"{message}; pip install {package} 'scipy>=1.15.3', or choose other --methods."
            )
        say(f"{message}, and is left out.")
    return tuple(chosen)
