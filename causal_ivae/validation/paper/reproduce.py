"""Compute the paper's simulation figures and write them with the numbers behind them."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from causal_ivae.provenance import versions
from causal_ivae.unmixing.training.ensemble import resolve_device
from causal_ivae.validation.paper.experiments import FULL, QUICK, FigureName, run_experiment
from causal_ivae.validation.paper.plots import draw
from causal_ivae.validation.report import Report, Say
from causal_ivae.validation.session import Session


def reproduce(
    figure: FigureName,
    session: Session,
    *,
    size: Mapping[str, int],
    seed: int,
    device: str,
    say: Say,
) -> Report:
    """Compute a figure and write it.

    Parameters
    ----------
    figure : {"figure1", "figure2", "figure3", "discrete", "selection"}
    session : Session
        Its folder gets ``<figure>_runs.tsv`` (every fit), ``_summary.tsv`` (medians and ranges
        over data sets of the restarts selected), ``_curves.tsv`` (where scores were followed
        during training), ``.png``, ``.svg`` and ``.json`` (every setting and seed).
    size : mapping of str to int
        Changes to the scale: ``data_sets``, ``restarts`` or none.
    seed : int
        Of the starting weights; data sets have the seeds 0, 1, ...
    device : str
    say : callable
        Told what is done.
    """
    target = resolve_device(device)
    scale = replace(QUICK if session.quick else FULL, **size)
    outcome = run_experiment(figure, scale, seed=seed, device=target, say=say)
    png, svg = draw(figure, outcome)
    tables = {"runs": outcome.runs, "summary": summarise(outcome.runs), "curves": outcome.curves}
    written = session.write(
        figure,
        {
            **{f"_{name}.tsv": table for name, table in tables.items() if len(table)},
            ".png": png,
            ".svg": svg,
        },
        Figure=figure,
        Seed=seed,
        Device=str(target),
        Selection="of the restarts of a data set, the one with the best objective on rows that it "
        "was not trained on; the truth has no part in it",
        Settings=outcome.settings,
        Software=versions(),
    )
    return Report("", written)


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
