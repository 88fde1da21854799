"""The findings at the head of a subject's page."""

from dataclasses import replace

import numpy as np
import pytest
from fake_records import SIX, changed, group_record, names_of, subject_record
from page_parser import Page
from rendering import render_subject

from causal_ivae.drawing.wording import confidence_name
from causal_ivae.reporting.index_page import index_row, render_index
from causal_ivae.reporting.subject_summary import summarise_subject
from causal_ivae.reporting.summary import summary_sentences
from causal_ivae.reporting.verdict import verdicts_of
from causal_ivae.reporting.volume_counts import volumes_of


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


def test_volumes_without_a_segment_do_not_count_as_analysed():
    record = subject_record(names_of(3), ("ivae",), n_volumes=600)
    outliers = record.outliers.copy()
    last = outliers["segment"] == outliers["segment"].iloc[-1]
    outliers.loc[last, "segment"] = ""
    record = changed(record, outliers=outliers)
    volumes = volumes_of(record)
    n = int(last.sum())
    assert (volumes.acquired, volumes.kept, volumes.analysed) == (600, 592, 592 - n)
    said = f"Of 600 volumes, 592 were kept and {592 - n} were analysed; the other {n} kept volumes"
    page = Page(render_subject(record))
    # Once beside the series and once in the methods paragraph.
    assert page.flat.count(said) == 2
    assert f"{n} of 592 kept volumes lie in no segment" in verdicts_of(record)[0].sentence
    index = Page(
        render_index([index_row(summarise_subject(record), "done", "", ("ivae",))], ("ivae",), [])
    )
    assert f"{592 - n} of 600" in index.flat
    whole = subject_record(names_of(3), ("ivae",), n_volumes=600)
    assert "Of 600 volumes, 592 were kept and analysed." in Page(render_subject(whole)).flat


def screened(method, kept):
    """Return a graph of which only the first pairs were unmixed."""
    edges, tables = method.edges.copy(), dict(method.tables)
    left = np.arange(len(edges)) >= kept
    edges.loc[left, ["decision", "cause", "effect"]] = ["none", "", ""]
    edges.loc[left, "score"] = 0.0
    pairs = edges[["x", "y"]]
    screen = pairs.assign(statistic=0.1, p_value=0.5, kept=(~left).astype(int))
    return replace(method, tables={**tables, "edges": edges, "screen": screen})


def test_pairs_that_the_screen_left_out_are_not_called_tested():
    record = subject_record(SIX, ("ivae",))
    method = screened(record.methods["ivae"], 3)
    record = replace(record, methods={"ivae": method})
    found = summary_sentences(record)[0]
    assert found.startswith("iVAE tested 3 pairs of regions: ")
    assert found.endswith("Another 12 pairs were left out by the screen and given no edge.")
    page = Page(render_subject(record))
    assert sum("none, by the screen" in row for row in page.rows) == 12
    none = int((method.edges["decision"].head(3) == "none").sum())
    assert f"{none} show" in found or f"{none} shows" in found or not none


def test_pairs_without_a_direction_to_ask_for_are_not_called_tested():
    record = subject_record(SIX, ("ivae",))
    method = record.methods["ivae"]
    edges = method.edges.assign(reason="")
    edges.loc[14, ["decision", "cause", "effect", "reason"]] = ["undecided", "", "", "copies"]
    record = replace(record, methods={"ivae": changed(method, edges=edges)})
    found = summary_sentences(record)[0]
    assert found.startswith("iVAE tested 14 pairs of regions: ")
    assert found.endswith("Another 1 pair was not tested, for the reason in the table.")


def test_stability_is_not_called_confidence():
    record = subject_record(SIX, ("structural", "ivae"), prior=False)
    names = {name: confidence_name(method.edges) for name, method in record.methods.items()}
    assert names == {"structural": "probability", "ivae": "stability"}
    assert (
        confidence_name(group_record(SIX, ("ivae",)).methods["ivae"].edges) == "share of subjects"
    )
    html = render_subject(record)
    page = Page(html)
    heads = [row for row in page.rows if row[:2] == ["Pair", "Decision"]]
    assert [row[-3:] for row in heads] == [
        ["Probability", "If one drives the other", "Fit"],
        ["Interval level", "Stability", "Fit"],
    ]  # fmt: skip
    assert "Smallest probability or stability shown" in page.flat
    details = [attrs["data-detail"] for _, attrs in page.tags if "data-detail" in attrs]
    assert sum("\nstability " in text for text in details) == 15
    assert sum("\nprobability " in text for text in details) == 15


def test_bars_of_stability_are_good_where_they_are_long():
    page = Page(render_subject(subject_record(SIX, ("ivae",))))
    bars = [attrs for tag, attrs in page.tags if tag == "meter"]
    assert bars
    # Without an optimum, HTML takes the middle of the scale for the best.
    assert {(bar["low"], bar["optimum"], bar["max"]) for bar in bars} == {("0.8", "1", "1")}


def test_a_summary_has_the_lowest_coverage_of_images_and_the_verdict_on_the_first_method():
    record = subject_record(names_of(3), ("ivae", "tcl"))
    names = record.names
    about = {**record.sidecar, "Coverage": dict(zip(names, (0.9, 0.4, None), strict=True))}
    of_images = replace(record, sidecar={**about, "Sources": ["sub-01_bold.nii.gz"]})
    found = summarise_subject(of_images)
    assert found.coverage == 0.4
    assert found.sentence == verdicts_of(of_images)[0].sentence
    assert found.sentence.startswith("iVAE")
    assert found.agreement("tcl", "ivae") == found.agreement("ivae", "tcl")
    assert found.agreement("tcl", "ivae") is not None
    of_tables = replace(record, sidecar={**about, "Sources": ["sub-01_timeseries.tsv"]})
    assert summarise_subject(of_tables).coverage is None
