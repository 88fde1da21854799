"""Stacks over data sets and restarts are scored as single fits would be."""

import numpy as np
import pytest
import torch

from causal_ivae.settings import FlowSettings, TCLSettings, VAESettings
from causal_ivae.unmixing.matching import mean_correlation
from causal_ivae.validation.paper.mixtures import simulate_mixture
from causal_ivae.validation.paper.model_comparison import Recipe, compare

CPU = torch.device("cpu")
FLOW = Recipe("flow", FlowSettings(prior="gaussian", layers=3, hidden=0, steps=60, batch_size=64))
TCL = Recipe("TCL", TCLSettings(hidden=8, steps=40))


def mixtures(seeds=(0, 1), **changes):
    sizes = {"n_segments": 6, "n_per_segment": 60, "n_test_per_segment": 40, "n_sources": 2}
    return [simulate_mixture(**(sizes | changes), seed=seed) for seed in seeds]


def compared(*recipes, of=None, **changes):
    options = {"restarts": 2, "seed": 0, "device": CPU} | changes
    return compare(of or mixtures(), recipes, **options)


@pytest.fixture(scope="module")
def result():
    return compared(FLOW, TCL, curves=True)


def test_every_fit_is_a_row_with_its_sizes(result):
    rows = result.runs[result.runs["method"] == "flow"]
    assert list(rows["data_seed"]) == [0, 0, 1, 1]
    assert list(rows["restart"]) == [0, 1, 0, 1]
    assert (rows[["M", "L", "d", "n"]] == [6, 60, 2, 2]).all(axis=None)
    scores = result.runs[["mcc_in", "mcc_out", "weak_mcc_out"]]
    assert ((scores >= 0) & (scores <= 1)).all(axis=None)
    assert (rows["seconds"] * rows["members"]).to_numpy() == pytest.approx(rows["stack_seconds"])


def test_restarts_are_selected_by_the_objective_on_other_rows_not_by_the_truth(result):
    rows = result.runs[result.runs["method"] == "flow"]
    assert set(rows["data_seed"]) == {0, 1}
    for _, fits in rows.groupby("data_seed"):
        assert fits["selected"].sum() == 1
        assert fits.loc[fits["selected"], "held_out"].item() == fits["held_out"].max()


def test_components_of_the_selected_restart_give_its_score(result):
    rows = result.runs[(result.runs["method"] == "flow") & result.runs["selected"]]
    for mixture, z, score in zip(
        mixtures(), result.components["flow"], rows["mcc_in"], strict=True
    ):
        assert mean_correlation(mixture.train.sources, z) == pytest.approx(score)


def test_a_fit_does_not_depend_on_the_other_data_sets(result):
    alone = compared(FLOW, of=mixtures(seeds=(1,)))
    both = result.runs[(result.runs["method"] == "flow") & (result.runs["data_seed"] == 1)]
    fitted = alone.runs[alone.runs["method"] == "flow"]
    np.testing.assert_array_equal(fitted["mcc_out"], both["mcc_out"])
    np.testing.assert_array_equal(fitted["held_out"], both["held_out"])


def test_tcl_is_scored_in_all_its_forms(result):
    rows = result.runs[result.runs["method"].str.startswith("TCL")]
    forms = {(m, t) for m, t in zip(rows["method"], rows["target"], strict=True)}
    icas = ("TCL, FastICA", "TCL, score matching")
    assert forms == {(ica, target) for ica in icas for target in ("s", "|s|")}
    assert rows["accuracy"].between(0, 1).all()
    # One training serves all forms.
    assert rows["held_out"].nunique() == 4


def test_baselines_stand_beside(result):
    rows = result.runs[result.runs["target"] == "s"].set_index("method")["mcc_out"]
    assert rows["chance"].max() < 0.4
    raw = [mean_correlation(m.test.sources, m.test.observations) for m in mixtures()]
    # Matched on the training rows, so at most as high as matched on these.
    assert (rows["observations"].to_numpy() <= np.array(raw) + 1e-12).all()
    assert "linear ICA" in rows.index


def test_curves_follow_training_and_end_at_the_final_score(result):
    curves = result.curves[result.curves["method"] == "flow"]
    assert curves["epoch"].max() == pytest.approx(60 * 64 / 360)
    last = curves[curves["epoch"] == curves["epoch"].max()]
    final = result.runs[result.runs["method"] == "flow"]
    np.testing.assert_allclose(last["held_out"], final["held_out"], rtol=1e-5)


def test_fewer_sources_than_columns_have_no_raw_score():
    runs = compared(
        Recipe("VAE", VAESettings(steps=20)), of=mixtures(n_sources=2, n_features=4)
    ).runs
    assert "observations" not in set(runs["method"])
    assert {"VAE", "linear ICA", "chance"} == set(runs["method"])
