"""Pairs that drive each other, and pairs that are connected in an unknown direction, on pages."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_records import changed, group_record, names_of, statuses, subject_record
from page_parser import Page
from rendering import render_group, render_subject
from svg_reading import drawn, edge_table, heads, part

from causal_ivae.drawing.arrows import STYLES
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.wording import MISSING
from causal_ivae.outcomes import CONNECTED
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.circuit_figure import circuit_figure
from causal_ivae.reporting.comparison_page import pair_rows
from causal_ivae.reporting.table_rows import edge_rows

NAMES = names_of(4)
A, B, C, D = NAMES


def with_outcomes(record, method="ivae"):
    """Return a record in which A and B drive each other, and A and C are only connected."""
    graph = record.methods[method]
    edges = graph.edges.copy()
    decisions = ["both", "undecided", "undecided", "none", "none", "x->y"]
    ends = {"cause": [""] * 5 + [C], "effect": [""] * 5 + [D]}
    adjacent = [0.97, 0.8, 0.2, 0.1, 0.1, 0.9]
    edges = edges.assign(
        decision=decisions, **ends, confidence=0.75, score=[0.1] + [-0.2] * 5,
        probability_adjacent=adjacent, probability_both=[0.72] + [np.nan] * 5,
    )  # fmt: skip
    check = pd.DataFrame(
        [(A, B, "direct", f"{A} > {B}"), (B, A, "not feasible", ""), (C, D, "direct", "")],
        columns=["cause", "effect", "verdict", "path"],
    )
    found = changed(graph, edges=edges, priorcheck=check)
    return changed_method(record, method, found)


def changed_method(record, method, graph):
    return replace(record, methods={**record.methods, method: graph})


def test_a_subjects_page_tells_the_outcomes_apart():
    record = with_outcomes(subject_record(NAMES, ("ivae",)))
    html = render_subject(record)
    page = Page(html)
    rows = {row[0]: row for row in page.rows if row and len(row) == 9}
    both = rows[f"{A} ↔ {B}"]
    assert both[1] == "both"
    assert both[5] == "97%"
    assert "direct" in both[7]
    assert "not feasible" in both[7]
    assert rows[f"{A} \N{EN DASH} {C}"][1] == CONNECTED
    assert rows[f"{A} \N{EN DASH} {D}"][1] == "undecided"
    assert "iVAE finds 3 arrows among 6 pairs of regions" in page.flat
    counts = next(row for row in page.rows if row and row[0] == "iVAE" and len(row) == 8)
    assert [counts[2], *counts[3:6]] == ["31 hollow", MISSING, "2", "2"]
    assert f"{A} ↔ {B}: both" in html
    assert "probability of a direct connection 97%" in html
    assert "probability that each drives the other 72%" in html
    assert "two heads: each region drives the other" in html
    assert html.count('id="fig-graph-0-edge-0-tail"') == 1
    assert html.count('id="fig-circuit-0-edge-0-tail"') == 1


def test_a_groups_page_counts_subjects_in_which_both_hold():
    record = with_outcomes(group_record(NAMES, ("ivae",)))
    edges = record.methods["ivae"].edges.assign(n_both=[3, 0, 0, 0, 0, 0])
    record = changed_method(record, "ivae", changed(record.methods["ivae"], edges=edges))
    page = Page(render_group(record, statuses()))
    table = next(row for row in page.rows if "Each drives the other" in row)
    row = next(
        row for row in page.rows if row and row[0] == f"{A} ↔ {B}" and len(row) == len(table)
    )
    assert row[table.index("Each drives the other")] == "3"
    without = Page(render_group(group_record(NAMES, ("ivae",)), statuses()))
    assert not any("Each drives the other" in row for row in without.rows)


def test_methods_are_compared_by_single_directions():
    record = with_outcomes(subject_record(NAMES, ("ivae", "tcl")))
    other = record.methods["tcl"].edges.assign(
        decision=["x->y", "x->y", "none", "none", "none", "y->x"]
    )
    record = changed_method(record, "tcl", changed(record.methods["tcl"], edges=other))
    assert same_direction(record.methods["ivae"], record.methods["tcl"]) == (1, 0)
    rows = {(row.x, row.y): row for row in pair_rows(record)}
    assert rows[A, B].outcome == "both directions or one"
    assert rows[A, B].decisions == (f"{A} ↔ {B}", f"{A} → {B}")
    assert rows[A, C].decisions == (CONNECTED, f"{A} → {C} (fit doubtful)")
    assert rows[C, D].outcome == "opposite directions"
    assert [row.decision for row in edge_rows(record.methods["ivae"])][:3] == [
        "both", "directed", CONNECTED,
    ]  # fmt: skip


@pytest.mark.parametrize("figure", [graph_figure, circuit_figure])
def test_each_of_two_heads_has_the_colour_of_its_own_verdict(figure):
    edges = edge_table([(A, B, "both", 0.0, 0.9)])
    verdicts = {(A, B): "direct", (B, A): "not feasible"}
    svg = drawn(figure, (A, B), edges, verdicts, "fig", "network")
    (forward,) = heads(svg, STYLES["direct"].color)
    (back,) = heads(svg, STYLES["not feasible"].color)
    assert part(svg, "fig-edge-0-head") == pytest.approx(forward)
    assert part(svg, "fig-edge-0-tail") == pytest.approx(back)
    assert not heads(svg, STYLES["both"].color)
    alike = drawn(figure, (A, B), edges, {}, "fig", "network")
    assert len(heads(alike, STYLES["no prior"].color)) == 2
    assert "2 directed edges" in alike
