"""Pages of many pairs hold all edges, and the details of the surest."""

from dataclasses import replace

import pandas as pd
import pytest
from fake_records import SIX, changed, subject_record
from page_parser import Page
from rendering import render_subject

from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.reporting import table_rows
from causal_ivae.reporting.table_rows import detailed

DETAILS = ("tests", "restarts", "diagnostics", "evidence", "stability")


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(table_rows, "MOST_DETAILED", 4)


def pairs_in(table):
    return set(zip(table["x"], table["y"], strict=True))


def test_few_pairs_are_all_detailed():
    method = subject_record(SIX, ("structural",)).methods["structural"]
    assert detailed(method) == (method, 0)


def test_the_details_are_those_of_pairs_with_a_direction_and_the_surest(few):
    method = subject_record(SIX, ("structural",)).methods["structural"]
    listed, left_out = detailed(method)
    assert left_out == 11
    assert listed.edges is method.edges
    pairs = pairs_in(listed.evidence)
    assert len(pairs) == 4
    for name in DETAILS:
        assert pairs_in(getattr(listed, name)) == pairs, name
    edges = method.edges.set_index(["x", "y"])
    surest = edges[edges["cause"] != ""]["confidence"].nlargest(4)
    assert len(surest) > 0
    assert set(surest.index) <= pairs


def test_pairs_that_were_screened_out_have_no_details(few):
    method = subject_record(SIX, ("structural",)).methods["structural"]
    unmixed = changed(method, diagnostics=method.diagnostics.tail(3))
    listed, left_out = detailed(unmixed)
    assert pairs_in(listed.tests) == pairs_in(method.diagnostics.tail(3))
    assert left_out == 0
    record = subject_record(SIX, ("structural",))
    page = Page(render_subject(replace(record, methods={"structural": unmixed})))
    # Only the test of dependence was made of the others.
    assert page.text.count("12 more pairs in the tables") == 1


def test_the_page_says_how_many_it_leaves_out(few):
    html = render_subject(subject_record(SIX, ("structural", "ivae")))
    page = Page(html)
    # Fits, evidence, stability, p-values and dependence of one, and all but evidence of the other.
    assert page.text.count("11 more pairs in the tables beside this page") == 9
    assert html.count('data-edge="0-edge-') == 15


def test_the_page_of_few_pairs_says_nothing_of_it():
    assert "more pairs in the tables" not in render_subject(
        subject_record(SIX, ("structural", "ivae"))
    )


def test_arrows_are_as_wide_as_their_own_number_allows():
    names = [f"R{i}" for i in range(60)]
    pairs = [(x, y) for i, x in enumerate(names) for y in names[i + 1 :]]
    edges = pd.DataFrame(pairs, columns=["x", "y"]).assign(
        decision="undecided", cause="", effect="", confidence=0.9
    )

    def widths(directed):
        table = edges.copy()
        ends = table.loc[: directed - 1, ["x", "y"]].to_numpy()
        table.loc[: directed - 1, ["cause", "effect"]] = ends
        table.loc[: directed - 1, "decision"] = "x->y"
        parts = graph_figure(names, table, {}, "g", "m").figure.parts
        lines = {part.name: part.width for part in parts if hasattr(part, "path")}
        return lines["edge-0"], lines["edge-1000"]

    few, dotted = widths(10)
    more, _ = widths(80)
    assert dotted < 0.15 < 0.5 * more
    assert more == pytest.approx(few / 2)
