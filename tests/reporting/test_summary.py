"""The findings at the head of a subject's page."""

from dataclasses import replace

import pytest
from fake_records import names_of, subject_record

from causal_ivae.reporting.summary import summary_sentences


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (False, "Directions of iVAE close 4 cycles (a > b > c > a, a > b > c > a, "),
        (True, "Directions of iVAE closed 4 cycles (a > b > c > a, a > b > c > a, "),
    ],
)
def test_cycles_are_among_the_findings(broken, said):
    record = subject_record(("a", "b", "c"), methods=("ivae", "tcl"))
    cycle = {"Regions": ["a", "b", "c"], "Cause": "c", "Effect": "a", "Broken": broken}
    record.methods["ivae"].sidecar["Cycles"] = [cycle] * 4
    (sentence,) = [text for text in summary_sentences(record) if "cycle" in text]
    assert sentence.startswith(said)
    assert "and 1 more" in sentence
    assert ("left undecided" in sentence) is broken


@pytest.mark.parametrize("assumed", [True, False])
def test_an_assumed_arrow_is_among_the_findings(assumed):
    record = subject_record(names_of(3), ("structural", "tcl"), prior=False)
    methods = {}
    for name, method in record.methods.items():
        settings = {"decision": {"alpha": 0.05, "assume_arrow": assumed}}
        methods[name] = replace(method, sidecar={**method.sidecar, "Settings": settings})
    sentences = summary_sentences(replace(record, methods=methods))
    said = [line for line in sentences if "granted" in line]
    assert len(said) == assumed
    assert all(line.startswith("Structural flow took for granted") for line in said)
