"""Pages of a method that handed its work over to another one."""

import importlib
import sys
from dataclasses import replace

import pytest
from fake_records import names_of, subject_record
from page_parser import Page
from rendering import render_subject

from causal_ivae.discovery.methods import METHODS, unregister
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.summary import summary_sentences


@pytest.fixture
def handed():
    """Return a subject's results by the method of ``tests/toy_network.py``, which `ivae` made."""
    importlib.import_module("toy_network")
    record = subject_record(names_of(3), ("ivae",))
    graph = record.methods["ivae"]
    about = {**graph.sidecar, "Method": "toynet", "MadeBy": "ivae"}
    graph = replace(graph, method="toynet", made_by="ivae", sidecar=about)
    yield replace(record, methods={"toynet": graph})
    unregister("toynet")
    del sys.modules["toy_network"]


def test_its_page_names_both_and_describes_what_was_done(handed):
    assert method_label("toynet", handed.methods["toynet"].sidecar) == "Toy network, by iVAE"
    page = Page(render_subject(handed))
    assert "Toy network, by iVAE finds" in page.flat
    assert "Partial correlations of 3 pairs were computed." in page.flat
    assert "an identifiable variational autoencoder" in page.flat
    assert "Are the fits usable?" in page.flat
    assert "Tests behind the decisions" in page.flat


def test_cycles_that_a_model_allows_are_no_errors(handed, monkeypatch):
    graph = replace(handed.methods["toynet"], made_by="")
    cycle = {"Regions": ["a", "b", "c"], "Cause": "c", "Effect": "a", "Broken": False}
    graph.sidecar["Cycles"] = [cycle]
    record = replace(handed, methods={"toynet": graph})
    for cyclic, words in ((False, "at least one edge of each is wrong"), (True, "model allows")):
        monkeypatch.setattr(type(METHODS["toynet"]), "cyclic", cyclic)
        (sentence,) = [text for text in summary_sentences(record) if "cycle" in text]
        assert words in sentence
