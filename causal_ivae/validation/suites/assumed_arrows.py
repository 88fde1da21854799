"""Fit how far odds of a direction hold where an arrow is known, on simulated BOLD networks.

Simulated pairs without a haemodynamic response make the structural method too sure of its
directions on BOLD.  ``make calibrate`` therefore scales the odds that it gives to pairs that are
known to have an arrow (`DecisionSettings.assume_arrow`) by a factor that is fitted here.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from causal_ivae.discovery import discover
from causal_ivae.discovery.probability import Calibration, Evidence
from causal_ivae.seeding import child_seed
from causal_ivae.settings import UnmixingSettings
from causal_ivae.simulate.bold_networks import draw_bold_design, simulate_bold_network
from causal_ivae.validation.suites.calibration_error import (
    expected_calibration_error,
    reliability_entry,
)

NETWORKS = 60
_MOST_SUBJECTS, _MOST_VOLUMES = 10, 250
_SLOPES = (0.01, 2.0)


def collect_arrows(
    number: int, seed: int, unmixing: UnmixingSettings | None = None
) -> pd.DataFrame:
    """Return the evidence on all arrows of one simulated network, with subjects as segments.

    Parameters
    ----------
    number : int
        Of the network.
    unmixing : UnmixingSettings, optional
        Default settings by default.

    Returns
    -------
    pandas.DataFrame
        Columns of `Evidence`, ``forward`` (whether the arrow leads from x to y) and ``network``.
        Pairs with arrows in both directions are left out.
    """
    own = child_seed(seed, "assumed arrows", number)
    drawn = draw_bold_design(own)
    # Common causes would answer another question, and size costs time.
    design = replace(
        drawn,
        hidden=(),
        n_subjects=min(drawn.n_subjects, _MOST_SUBJECTS),
        n_times=min(drawn.n_times, _MOST_VOLUMES),
    )
    values, subjects = simulate_bold_network(design, seed=own).stacked
    names = [f"r{region}" for region in range(values.shape[1])]
    one_way = np.argwhere(np.triu(design.adjacency ^ design.adjacency.T))
    graph = discover(
        values,
        subjects,
        names,
        method="structural",
        skeleton=[(names[i], names[j]) for i, j in one_way],
        seed=own,
        unmixing=unmixing,
    )
    assert graph.evidence is not None
    forward = design.adjacency[one_way[:, 0], one_way[:, 1]]
    return graph.evidence.assign(forward=forward, network=number)


def fit_slope(of_pairs: Calibration, table: pd.DataFrame) -> float:
    """Return the factor of the log odds that makes the arrows of a table most likely.

    Parameters
    ----------
    of_pairs : Calibration
        Gives the odds; its own factor is not used.
    table : pandas.DataFrame
        Rows of `collect_arrows`.
    """
    toward_truth = _toward_truth(of_pairs, table)

    def surprise(slope: float) -> float:
        return float(-log_expit(slope * toward_truth).sum())

    return float(minimize_scalar(surprise, bounds=_SLOPES, method="bounded").x)


def reliability_of_slope(of_pairs: Calibration, table: pd.DataFrame) -> dict[str, Any]:
    """Return how often the likelier direction is right, with and without the factor.

    Every network is judged with a factor that was fitted to the others.
    """
    toward_truth = _toward_truth(of_pairs, table)
    slope = np.empty(len(table))
    for network in table["network"].unique():
        own = (table["network"] == network).to_numpy()
        slope[own] = fit_slope(of_pairs, table[~own])
    right = toward_truth > 0
    said = expit(slope * np.abs(toward_truth))
    before = expit(np.abs(toward_truth))
    return {
        "Description": "Probability of the likelier direction of arrows in simulated BOLD "
        "networks, given that there is an arrow, and how often it is right; every network is "
        "judged with a factor fitted to the others.",
        "Networks": int(table["network"].nunique()),
        "Arrows": len(table),
        "Right": float(right.mean()),
        **reliability_entry(said, right),
        "ExpectedCalibrationErrorWithoutFactor": expected_calibration_error(before, right),
    }


def _toward_truth(of_pairs: Calibration, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log odds of the true direction against the other."""
    odds = of_pairs.direction_odds(Evidence.of_table(table))
    return np.where(table["forward"], odds, -odds)
