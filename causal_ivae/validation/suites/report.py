"""What every benchmark of cases writes when its cases are done."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.derivatives.files import write_bytes, write_json, write_table, write_text
from causal_ivae.drawing.svg import png_and_svg
from causal_ivae.validation.speed.machine import load, machine, software
from causal_ivae.validation.suites.cases import CASE, ERROR

PACKAGES = ("lingam", "causal-learn")
"""Packages of other people's methods, whose versions are recorded."""


@dataclass(frozen=True)
class Session:
    """When a benchmark began, and how busy the machine was then; create one first."""

    started: float = field(default_factory=time.perf_counter)
    busy: float | None = field(default_factory=load)


def write_report(
    suite: str,
    output: Path,
    *,
    table: pd.DataFrame,
    summary: pd.DataFrame,
    figure: Figure,
    settings: Mapping[str, Any],
    method: str | Mapping[str, str],
    session: Session,
    seed: int,
    quick: bool,
    command: str,
    text: str | None = None,
    more: Mapping[str, pd.DataFrame] | None = None,
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Write the table of all cases, the summary, the figure and the record.

    Parameters
    ----------
    suite : str
        Name of the benchmark.
    output : pathlib.Path
        Folder; gets ``benchmark_<suite>.tsv`` (every row of every case), ``_summary.tsv``,
        ``.txt`` (what is printed), ``.png`` and ``.json`` (settings, seed, versions,
        machine, command).
    table : pandas.DataFrame
        As `causal_ivae.validation.suites.cases.run_cases` returns it.
    summary : pandas.DataFrame
    figure : matplotlib.figure.Figure
        Drawn within `causal_ivae.drawing.svg.figure_style`.
    settings : mapping
        All settings, as given to `run_cases`.
    method : str or mapping of str to str
        In words, what was measured and how.
    session : Session
    seed : int
    quick : bool
    command : str
        The command line.
    text : str, optional
        What is printed; default the summary.
    more : mapping of str to pandas.DataFrame, optional
        Further tables, each written as ``_<name>.tsv``.
    remarks : sequence of str
        Sentences below the printed table.

    Returns
    -------
    list of pathlib.Path
        What was written, what is to be printed (``.txt``) first.
    """
    output = output.expanduser().resolve()
    stem = f"benchmark_{suite}"
    printed, tsv, short, picture, record = (
        output / f"{stem}{end}" for end in (".txt", ".tsv", "_summary.tsv", ".png", ".json")
    )
    failures = table.loc[table[ERROR].notna(), [CASE, ERROR]]
    said = [*remarks, *(f"Failed: {row.case}: {row.error}" for row in failures.itertuples())]
    write_table(tsv, table)
    tables = {short: summary}
    tables |= {output / f"{stem}_{name}.tsv": content for name, content in (more or {}).items()}
    for path, content in tables.items():
        write_table(path, content)
    body = as_text(summary) if text is None else text
    write_text(printed, "\n".join([body, *([""] if said else []), *said]) + "\n")
    write_bytes(picture, png_and_svg(figure)[0])
    write_json(
        record,
        {
            "Benchmark": suite,
            "Command": command,
            "Quick": quick,
            "Seed": seed,
            "Seconds": round(time.perf_counter() - session.started, 1),
            "Cases": int(table[CASE].nunique()),
            "Failed": len(failures),
            "Machine": machine(torch.device("cpu")),
            "LoadBeforeAndAfter": [session.busy, load()],
            "Method": method,
            "Remarks": list(remarks),
            "Settings": settings,
            "Software": software(*PACKAGES),
        },
    )
    return [printed, tsv, *tables, picture, record]


def as_text(table: pd.DataFrame) -> str:
    """Return a table for a reader at a terminal: numbers to three digits, texts to the left."""
    columns = [[str(name), *(_shown(v) for v in table[name])] for name in table]
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    lines = []
    for row in zip(*columns, strict=True):
        cells = [
            cell.rjust(max(map(len, column))) if right else cell.ljust(max(map(len, column)))
            for cell, column, right in zip(row, columns, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def share_with_interval(hits: float, count: int) -> dict[str, float | int | None]:
    """Return a share with its 95 % Wilson interval: ``share``, ``low``, ``high``, ``count``.

    Parameters
    ----------
    hits : float
    count : int
        The share is missing where this is 0.
    """
    if not count:
        return {"share": None, "low": None, "high": None, "count": 0}
    low, high = proportion_confint(hits, count, alpha=0.05, method="wilson")
    return {"share": hits / count, "low": float(low), "high": float(high), "count": int(count)}


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
