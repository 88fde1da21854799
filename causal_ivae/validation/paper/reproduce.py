"""The paper's simulation figures, computed anew and written with the numbers behind them."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from causal_ivae.derivatives.files import write_bytes, write_json, write_table, write_text
from causal_ivae.errors import SettingsError
from causal_ivae.provenance import versions
from causal_ivae.unmixing.training.ensemble import resolve_device
from causal_ivae.validation.paper.experiments import FULL, QUICK, FigureName, run_experiment
from causal_ivae.validation.paper.plots import draw


def reproduce(
    figure: FigureName,
    output: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Compute a figure and write it.

    Parameters
    ----------
    figure : {"figure1", "figure2", "figure3", "discrete", "selection"}
    output : pathlib.Path
        Folder; gets ``<figure>.png``, ``.svg``, ``_runs.tsv`` (every fit), ``_summary.tsv``
        (medians and ranges over data sets of the restarts selected), ``_curves.tsv`` (where
        scores were followed during training) and ``.json`` (every setting and seed).
    quick : bool
        Few and short fits of few data, to see that it works.
    seed : int
        Of the starting weights; data sets have the seeds 0, 1, ...
    device : str
    command : str
        The command line, for the record.
    say : callable
        Told what is done.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If `output` is a file.
    """
    output = output.expanduser().resolve()
    if output.exists() and not output.is_dir():
        raise SettingsError(f"'{output}' is not a folder; give a folder to write to.")
    started = time.perf_counter()
    target = resolve_device(device)
    outcome = run_experiment(figure, QUICK if quick else FULL, seed=seed, device=target, say=say)
    png, svg = draw(figure, outcome)
    tables = {"runs": outcome.runs, "summary": summarise(outcome.runs), "curves": outcome.curves}
    written = []
    for suffix, table in tables.items():
        if len(table):
            written.append(output / f"{figure}_{suffix}.tsv")
            write_table(written[-1], table)
    written += [output / f"{figure}.png", output / f"{figure}.svg", output / f"{figure}.json"]
    write_bytes(written[-3], png)
    write_text(written[-2], svg)
    write_json(
        written[-1],
        {
            "Figure": figure,
            "Command": command,
            "Quick": quick,
            "Seed": seed,
            "Device": str(target),
            "Seconds": round(time.perf_counter() - started, 1),
            "Selection": "of the restarts of a data set, the one with the best objective on rows "
            "that it was not trained on; the truth has no part in it",
            "Settings": outcome.settings,
            "Software": versions(),
        },
    )
    return written


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return median and range over data sets of the restarts selected.

    Parameters
    ----------
    runs : pandas.DataFrame
        See `causal_ivae.validation.paper.model_comparison.Comparison`.

    Returns
    -------
    pandas.DataFrame
        One row per panel, mixing, size, method and target.
    """
    keys = [k for k in ("panel", "mixing", "M", "L", "d", "n", "method", "target") if k in runs]
    grouped = runs[runs["selected"]].groupby(keys, sort=False, dropna=False)
    table = grouped["mcc_out"].agg(["count", "median", "min", "max"])
    table.columns = ["data_sets", "mcc_median", "mcc_min", "mcc_max"]
    table["mcc_in_median"] = grouped["mcc_in"].median()
    table["weak_mcc_median"] = grouped["weak_mcc_out"].median()
    for column in ("held_out", "accuracy", "stack_seconds"):
        if column in runs:
            table[f"{column}_median"] = grouped[column].median()
    return table.reset_index()
