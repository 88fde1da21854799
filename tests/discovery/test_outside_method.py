"""A method that is registered from outside goes all the way, and leaves nothing behind."""

import importlib
import json
import sys

import pandas as pd
import pytest
from tiny_study import NAMES, file_of, run_study, states, subject_table, tiny_pipeline, write_study

from causal_ivae import discover
from causal_ivae.batch.overview import write_overview
from causal_ivae.discovery.methods import METHODS, unregister
from causal_ivae.errors import SettingsError
from causal_ivae.settings import IndependenceSettings, Pipeline, UnmixingSettings
from causal_ivae.settings.pipeline_files import load_pipeline


@pytest.fixture
def toy():
    """Register the method of ``tests/toy_method.py`` for one test."""
    before = dict(METHODS)
    yield importlib.import_module("toy_method")
    unregister("toy")
    del sys.modules["toy_method"]
    assert before == METHODS
    assert not hasattr(Pipeline().unmixing, "toy")


def test_discover_takes_it_and_its_settings(toy):
    values = subject_table("01")
    unmixing = UnmixingSettings.model_validate({"restarts": 2, "toy": {"steps": 7}})
    draws = IndependenceSettings(draws=99)
    graph = discover(values, 30, method="toy", unmixing=unmixing, independence=draws)
    assert graph.method == "toy"
    assert graph.training["step"].max() == 7
    assert len(graph.restarts) == 2 * 3
    assert graph.evidence is None
    assert graph.settings["unmixing"]["toy"]["steps"] == 7


def test_pipelines_know_its_block_and_name_what_is_wrong_in_it(toy, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("unmixing: {methods: [toy], toy: {steps: 9}}", encoding="utf-8")
    pipeline = load_pipeline(mine)
    assert (pipeline.unmixing.toy.steps, pipeline.unmixing.toy.layers) == (9, 2)
    assert pipeline.changed({"unmixing.toy.layers": 3}).unmixing.toy.layers == 3
    again = Pipeline.model_validate(json.loads(pipeline.model_dump_json()))
    assert again == pipeline
    for text, said in (
        ("unmixing: {toy: {stps: 9}}", r"unmixing\.toy\.stps.*Did you mean 'steps'"),
        ("unmixing: {toy: {steps: 0}}", r"Invalid value 0 for 'unmixing\.toy\.steps'"),
        ("unmixing: {ty: {}}", r"'unmixing\.ty'.*Did you mean 'toy'"),
        ("unmixing: {methods: [toyy]}", r"unknown method 'toyy'. Did you mean 'toy'"),
    ):
        mine.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError, match=said):
            load_pipeline(mine)


def test_its_graphs_go_stale_by_what_it_heeds_and_no_others_do(toy):
    for change, stale in (
        ({"unmixing.toy.steps": 21}, {"toy"}),
        ({"unmixing.toy.layers": 3}, {"toy"}),
        ({"unmixing.restarts": 3}, {"ivae", "tcl", "toy"}),
        ({"decision.confidence": 0.9}, {"network", "structural"}),
    ):
        one, other = Pipeline(), Pipeline().changed(change)
        changed = {n for n, method in METHODS.items() if method.digest(one) != method.digest(other)}
        assert changed == stale


def test_a_run_with_workers_its_pages_the_group_and_the_comparison(toy, tmp_path):
    out = tmp_path / "out"
    pipeline = tiny_pipeline(unmixing__methods=["tcl", "toy"])
    source = write_study(tmp_path / "input", ("01", "02"))
    result = run_study(source, out, pipeline=pipeline, levels=("participant", "group"), nprocs=2)
    assert states(result) == {"sub-01": "done", "sub-02": "done", "group": "done"}
    for unit in ("sub-01", "group"):
        edges = pd.read_csv(file_of(out, unit, "edges.tsv", "toy"), sep="\t")
        assert len(edges) == len(NAMES)
        page = (out / f"{unit}.html").read_text(encoding="utf-8")
        assert "Toy flow" in page
        assert "A toy (Toymaker, 2026) took 20 steps for 3 pairs." in page
        assert "a toy broke, or training had not converged" in page
        # Both decide alike, so nothing says whose a direction is.
        assert "A direction needed two regions that were dependent" in page
        assert "Journal of Toys" in page
    write_overview(out)
    compared = (out / "compare.html").read_text(encoding="utf-8")
    assert "Toy flow" in compared
    assert "TCL (FastICA)" in compared
    again = run_study(source, out, pipeline=pipeline, levels=("participant", "group"), nprocs=2)
    assert set(states(again).values()) == {"up to date"}


def test_without_it_its_name_is_unknown():
    with pytest.raises(SettingsError, match="Unknown method 'toy'"):
        discover(subject_table("01"), 30, method="toy")
    with pytest.raises(SettingsError, match="unknown method 'toy'"):
        Pipeline().changed({"unmixing.methods": ["toy"]})
