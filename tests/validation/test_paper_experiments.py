"""Every figure can be computed, drawn and written; in full that is `causal-ivae reproduce`."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from causal_ivae.validation.paper.experiments import (
    FIGURES,
    FLOW,
    FULL,
    Scale,
    choices,
    recipes,
    run_experiment,
)
from causal_ivae.validation.paper.plots import best_tcl, draw
from causal_ivae.validation.paper.reproduce import summarise

TINY = Scale(data_sets=2, restarts=2, n_per_segment=20, effort=0.004, conditions=1)


@pytest.fixture(scope="module", params=FIGURES)
def computed(request):
    said = []
    outcome = run_experiment(
        request.param, TINY, seed=0, device=torch.device("cpu"), say=said.append
    )
    return request.param, outcome, said


def test_the_figure_has_its_methods_and_settings(computed):
    name, outcome, said = computed
    methods = set(outcome.runs["method"])
    expected = {
        "figure1": {"iVAE", "iVAE (flow)", "iVAE (diagonal)", "VAE"},
        "figure2": {"iVAE", "iVAE (flow)", "iVAE (diagonal)", "VAE", "beta-VAE", "beta-TC-VAE"},
        "figure3": {
            "iVAE",
            "iVAE (flow)",
            "iVAE (diagonal)",
            "TCL, FastICA",
            "TCL, score matching",
        },
        "discrete": {"iVAE", "iVAE (diagonal)", "VAE"},
        "selection": set(),
    }[name]
    assert expected <= methods
    assert {"linear ICA", "chance"} <= methods
    assert outcome.settings["recipes"]
    assert said
    assert np.isfinite(outcome.runs["mcc_out"]).all()


def test_the_figure_is_drawn(computed):
    name, outcome, _ = computed
    png, svg = draw(name, outcome)
    assert png.startswith(b"\x89PNG")
    assert svg.count("<svg") == 1
    text = " ".join(re.findall(r"<text[^>]*>([^<]*)", svg))
    expected = {
        "figure1": "sources",
        "figure2": "epochs",
        "figure3": "segments M",
        "discrete": "binary x",
        "selection": "(b) settings of iVAE (diagonal)",
    }
    assert expected[name] in text
    assert draw(name, outcome)[1] == svg


def test_the_summary_counts_data_sets_not_fits(computed):
    _, outcome, _ = computed
    table = summarise(outcome.runs)
    assert set(table["data_sets"]) <= {1, 2}
    assert (table["mcc_min"] <= table["mcc_median"]).all()
    assert (table["mcc_median"] <= table["mcc_max"]).all()


def test_a_full_figure_has_five_data_sets_and_restarts():
    assert (FULL.data_sets, FULL.restarts, FULL.n_per_segment) == (5, 5, 1000)
    assert recipes(FULL)[FLOW].settings.steps > recipes(TINY)[FLOW].settings.steps


def test_tcl_is_shown_in_its_best_form():
    runs = pd.DataFrame(
        {
            "method": ["TCL, FastICA", "TCL, FastICA", "TCL, score matching", "iVAE (flow)"],
            "target": ["|s|", "s", "|s|", "s"],
            "mcc_out": [0.5, 0.2, 0.7, 0.99],
        }
    )
    form, rows = best_tcl(runs)
    assert form == "TCL, score matching, |s|"
    assert list(rows["mcc_out"]) == [0.7]


def test_how_the_elbo_chooses_settings():
    settings = pd.DataFrame(
        {
            "panel": "a",
            "data_seed": [0] * 4 + [1] * 4 + [2] * 2,
            "selected": True,
            "held_out": [1.0, 2.0, 3.0, 4.0] * 2 + [1.0, 2.0],
            "mcc_out": [0.1, 0.2, 0.3, 0.4, 0.4, 0.3, 0.2, 0.1, 0.5, 0.6],
        }
    )
    restart = settings.assign(selected=False, held_out=9.0, mcc_out=0.9)
    other = settings.iloc[:4].assign(panel="b", mcc_out=[0.7, 0.5, 0.8, 0.6])
    found = choices(pd.concat([settings, restart, other], ignore_index=True))
    assert list(found["panel"]) == ["a", "a", "a", "b"]
    np.testing.assert_allclose(found["rank_correlation"], [1.0, -1.0, np.nan, 0.0], atol=1e-12)
    np.testing.assert_allclose(found["mcc_chosen"], [0.4, 0.1, 0.6, 0.6])
    np.testing.assert_allclose(found["mcc_median"], [0.25, 0.25, 0.55, 0.65])
    np.testing.assert_allclose(found["mcc_best"], [0.4, 0.4, 0.6, 0.8])
