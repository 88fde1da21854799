from itertools import combinations

import numpy as np
import pytest
from fake_records import HOSTILE, names_of
from svg_reading import drawn, edge_table, label_position, part, size, texts

from causal_ivae.reporting.circuit_figure import MOST_EDGES, circuit_figure

NAMES = tuple("ABCDEF")


def edges_of(*arrows, undecided=()):
    """Return an edge table of arrows such as "AB", which leads from A to B."""
    return edge_table(
        [(*arrow, "x->y", 0.5, 0.9 - 0.01 * i) for i, arrow in enumerate(arrows)]
        + [(*pair, "undecided", 0.1, 0.5) for pair in undecided]
    )


def circuit(edges, names=NAMES, **options):
    return drawn(circuit_figure, names, edges, {}, "fig", "iVAE", **options)


def rows_of(svg, names=NAMES):
    """Return the names of every row, from top to bottom and from left to right."""
    places = {name: label_position(svg, name) for name in names}
    levels = sorted({round(y) for _, y in places.values()})
    return [
        [n for n in sorted(places, key=lambda n: places[n][0]) if round(places[n][1]) == level]
        for level in levels
    ]


def test_causes_stand_above_their_effects():
    svg = circuit(edges_of("FA", "AB", "BC", "AC", "CD"))
    assert rows_of(svg) == [["F"], ["A"], ["B"], ["C"], ["D"], ["E"]]


def test_an_edge_begins_at_its_cause_and_its_head_is_at_the_effect():
    arrows = ["FA", "AB", "BF", "FD", "CE"]
    svg = circuit(edges_of(*arrows))
    for row, (cause, effect) in enumerate(arrows):
        line, head = part(svg, f"fig-edge-{row}"), part(svg, f"fig-edge-{row}-head")
        assert np.abs(line[0] - label_position(svg, cause)).max() < 16
        assert np.abs(head[0] - label_position(svg, effect)).max() < 16


def test_the_least_sure_edge_of_a_cycle_points_upwards():
    svg = circuit(edges_of("AB", "BC", "CD", "DA"))
    assert rows_of(svg)[:4] == [["A"], ["B"], ["C"], ["D"]]
    upwards = [part(svg, f"fig-edge-{row}")[[0, -1], 1] for row in range(4)]
    assert [bool(stop < start) for start, stop in upwards] == [False, False, False, True]


def test_undecided_pairs_are_left_to_the_circle():
    svg = circuit(edges_of("AB", undecided=("CD",)))
    assert "fig-edge-0" in svg
    assert "fig-edge-1" not in svg


def test_rows_of_the_prior_come_before_those_of_the_edges():
    svg = circuit(edges_of("BA", "FC"), rows=[["A", "X"], ["D", "B"], ["C"]])
    rows = rows_of(svg)
    assert [set(row) for row in rows] == [{"A"}, {"B", "D"}, {"C"}, {"E", "F"}]


def test_projections_lie_beneath_once_for_each_pair():
    edges = edges_of("AB")
    plain = circuit(edges)
    one = circuit(edges, projections=[["B", "C"]])
    both = circuit(edges, projections=[["B", "C"], ["C", "B"]])
    band = "#d9e0e8"
    assert [svg.count(band) for svg in (plain, one, both)] == [0, 2, 3]
    assert one.index(band) < one.index("fig-edge-0")
    # The prior is drawn where there is no edge, and nothing where there is neither.
    undecided = circuit(edges_of(undecided=("AB",)), projections=[["A", "B"]])
    assert band in undecided
    assert [len(row) for row in rows_of(undecided)] == [3, 3]
    assert circuit(edges_of(undecided=("AB",))) is None
    assert band not in circuit(edges, projections=[["A", "of another study"]])


def test_edges_pass_between_the_boxes_of_the_rows_they_cross():
    svg = circuit(edges_of("AB", "BC", "CD", "AD", "AC", "BD"))
    for row in (3, 4, 5):
        line = part(svg, f"fig-edge-{row}")
        for name in "BC":
            if name in edges_of("AB", "BC", "CD", "AD", "AC", "BD").loc[row, ["x", "y"]].tolist():
                continue
            apart = np.abs(line - label_position(svg, name))
            assert (apart.max(axis=1) > 9).all()


@pytest.mark.parametrize("n", [2, 7, 20])
def test_names_keep_apart_within_the_drawing(n):
    names = names_of(n)
    rng = np.random.default_rng(n)
    pairs = [pair for pair in combinations(names, 2) if rng.random() < 0.4] or [names[:2]]
    svg = circuit(edge_table([(*p, "x->y", 0.5, 0.9) for p in pairs]), names)
    assert sorted(texts(svg)) == sorted(names)
    places = np.array([label_position(svg, name) for name in names])
    assert (places > 0).all()
    assert (places < size(svg)).all()
    for one, other in combinations(places, 2):
        assert abs(one[1] - other[1]) > 18 or abs(one[0] - other[0]) > 30


def test_only_the_surest_of_very_many_edges_are_drawn():
    names = names_of(20)
    rows = [(x, y, "x->y", 0.5, 0.5 + i / 400) for i, (x, y) in enumerate(combinations(names, 2))]
    svg = circuit(edge_table(rows), names)
    drawn = [row for row in range(len(rows)) if f'id="fig-edge-{row}"' in svg]
    assert drawn == list(range(len(rows) - MOST_EDGES, len(rows)))


def test_names_are_text_and_the_drawing_reproduces():
    names = (HOSTILE, "höhe 海馬", "a$b$")
    edges = edge_table([(HOSTILE, "höhe 海馬", "x->y", 0.5, 0.9)])
    assert set(texts(circuit(edges, names))) == set(names)
    assert circuit(edges, names) == circuit(edges, names)
