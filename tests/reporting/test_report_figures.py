import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fake_records import HOSTILE, SIX, group_record, names_of, subject_record
from svg_reading import SVG, drawn, edge_table, heads, label_position, texts

from causal_ivae.drawing.arrows import STYLES, graph_legend
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.reporting import figures
from causal_ivae.reporting.score_matrix import cell_pixels, score_matrix, score_scale
from causal_ivae.reporting.series_figure import _SHADES, _envelope, series_figure, spectra


def marks(svg, *styles):
    """Return the positions of the markers drawn in all of these styles."""
    return [
        (float(node.get("x")), float(node.get("y")))
        for node in ET.fromstring(svg).iter(f"{SVG}use")
        if all(style in (node.get("style") or "") for style in styles)
    ]


def places(svg, letters):
    """Return where the labels that are one of these letters stand."""
    found = []
    for node in ET.fromstring(svg).iter(f"{SVG}text"):
        if node.text and node.text in letters:
            move = re.search(r"(?:translate|rotate)\([^)]*\)", node.get("transform") or "")
            rotated = "-90" in (node.get("transform") or "")
            x, y = node.get("x"), node.get("y")
            if x is None:
                x, y = re.findall(r"-?[\d.]+", move.group())[:2]
            found.append({"x": float(x), "y": float(y), "rotated": rotated})
    return found


@pytest.fixture
def pair():
    return ("Alpha", "Beta")


@pytest.mark.parametrize("decision", ["x->y", "y->x"])
def test_the_arrow_head_is_at_the_effect(pair, decision):
    edges = edge_table([(*pair, decision, 0.5, 0.9)])
    svg = drawn(graph_figure, pair, edges, {}, "fig", "iVAE")
    (head,) = heads(svg, STYLES["no prior"].color)
    cause, effect = pair if decision == "x->y" else pair[::-1]
    middle = head.mean(axis=0)
    to_effect = np.linalg.norm(middle - label_position(svg, effect))
    assert to_effect < np.linalg.norm(middle - label_position(svg, cause))


def test_kinds_of_edges_differ_in_line_style_not_only_colour():
    names = names_of(6)
    edges = edge_table(
        [
            (names[0], names[1], "x->y", 0.5, 0.9),
            (names[0], names[2], "x->y", 0.5, 0.9),
            (names[0], names[3], "x->y", 0.5, 0.9),
            (names[0], names[4], "undecided", 0.1, 0.5),
            (names[0], names[5], "none", 0.1, 0.5),
        ]
    )
    verdicts = {
        (names[0], names[1]): "direct",
        (names[0], names[2]): "indirect",
        (names[0], names[3]): "not feasible",
    }
    svg = drawn(graph_figure, names, edges, verdicts, "fig", "iVAE")
    assert len(heads(svg, STYLES["direct"].color)) == 2
    assert len(heads(svg, STYLES["not feasible"].color)) == 1
    styles = {kind: (style.dashes, style.arrow, style.open) for kind, style in STYLES.items()}
    del styles["no prior"]
    # Its two heads tell it apart.
    del styles["both"]
    assert len(set(styles.values())) == len(styles)
    # direct: none; indirect: dashed; not feasible: dash-dot; undecided: dotted; "none": not drawn
    dashes = re.findall(r'stroke-dasharray="([\d.,]+)"', svg)
    assert len(dashes) == 3
    assert len(set(dashes)) == 3


def test_width_grows_with_confidence(pair):
    widths = []
    for confidence in (0.55, 0.95):
        edges = edge_table([(*pair, "x->y", 0.5, confidence)])
        svg = drawn(graph_figure, pair, edges, {}, "fig", "iVAE")
        color = STYLES["no prior"].color
        lines = re.findall(rf'stroke="{color}" stroke-width="([\d.]+)"', svg)
        widths.append(float(lines[0]))
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_names_do_not_overlap(n):
    names = names_of(n)
    edges = subject_record(names, ("ivae",)).methods["ivae"].edges
    svg = drawn(graph_figure, names, edges, {}, "fig", "iVAE")
    assert sorted(texts(svg)) == sorted(names)
    width, height = (float(v) for v in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    places = np.array([label_position(svg, name) for name in names])
    assert (places > 0).all()
    assert (places < [width, height]).all()
    for side in (places[:, 0] > width / 2, places[:, 0] <= width / 2):
        heights = np.sort(places[side, 1])
        assert (np.diff(heights) > 9).all()


def test_the_layout_does_not_depend_on_the_edges():
    names = names_of(6)
    one = edge_table([(names[0], names[1], "x->y", 0.5, 0.9)])
    two = edge_table([(names[2], names[5], "y->x", 0.5, 0.9)])
    svgs = [drawn(graph_figure, names, edges, {}, "fig", "iVAE") for edges in (one, two)]
    for name in names:
        np.testing.assert_array_equal(*(label_position(svg, name) for svg in svgs))


def test_the_legend_names_what_is_drawn():
    said = texts(drawn(graph_legend, ["direct", "undecided"], "fig", "stability"))
    assert said == [STYLES["direct"].words, STYLES["undecided"].words, "thicker: higher stability"]
    assert texts(drawn(graph_legend, ["undecided"], "fig", "x")) == [STYLES["undecided"].words]


def test_a_matrix_of_scores_has_causes_in_rows():
    matrix = np.array([[np.nan, 0.5], [-0.5, np.nan]])
    decided = np.array([[False, True], [False, False]])
    svg = drawn(score_matrix, ("A", "B"), matrix, decided, "fig", "iVAE")
    assert {"cause (row)", "effect (column)", "A", "B"} <= set(texts(svg))
    # The edge A -> B is marked in the row of A, the upper one, and right of it, in B's column.
    (dot,) = ET.fromstring(svg).iter(f"{SVG}circle")
    mark = float(dot.get("cx")), float(dot.get("cy"))
    row_a, row_b = sorted(node["y"] for node in places(svg, "AB") if not node["rotated"])
    column_a, column_b = sorted(node["x"] for node in places(svg, "AB") if node["rotated"])
    assert abs(mark[1] - row_a) < abs(mark[1] - row_b)
    assert abs(mark[0] - column_b) < abs(mark[0] - column_a)


def test_a_score_has_the_same_colour_in_every_matrix_and_zero_is_no_missing_score():
    def colours(score):
        scores = np.array([[np.nan, 0.02, np.nan], [score, np.nan, 0.0], [0.0, 0.0, np.nan]])
        pixels = cell_pixels(scores, 8).astype(int).reshape(3, 8, 3, 8, 3)
        return {
            name: pixels[row, :-1, column, :-1].reshape(-1, 3)
            for name, row, column in (("weak", 0, 1), ("strong", 1, 0), ("zero", 1, 2),
                                      ("untested", 0, 2), ("own", 0, 0))
        }  # fmt: skip

    found, other = colours(0.87), colours(-0.4)
    np.testing.assert_array_equal(found["weak"], other["weak"])
    assert np.abs(found["strong"][0] - other["strong"][0]).max() > 100
    # Tested cells have one colour, and those that were not tested are hatched.
    assert [len(np.unique(found[name], axis=0)) for name in found] == [1, 1, 1, 2, 1]
    assert (found["own"] == 255).all()
    assert np.abs(found["zero"][0] - found["untested"]).max(axis=1).max() > 30
    shown = texts(score_scale("fig").svg)
    assert {"\N{MINUS SIGN}1", "0", "1", "not tested", "row drives column"} <= set(shown)


def test_long_series_are_thinned_and_keep_their_peaks():
    n = 20_000
    values = np.zeros(n)
    values[12_345] = 3.0
    _, y = _envelope(np.arange(n, dtype=float), values)
    assert len(y) <= 1600
    assert y.max() == 3.0
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 4)), columns=list("abcd"))
    assert len(drawn(series_figure, table, None, 2.0, None, "fig")) < 250_000
    gap = np.full(5000, np.nan)
    gap[:10] = 1.0
    assert np.nanmax(_envelope(np.arange(5000.0), gap)[1]) == 1.0


def test_the_carpet_names_regions_and_units_where_they_are_known():
    record = subject_record(SIX, ("ivae",), n_volumes=200, restarts=1)
    known = dict.fromkeys(SIX, 0.9)
    said = texts(drawn(series_figure, record.timeseries, record.outliers, 0.72, 0.5, "fig", known))
    assert {*SIX, "FD (mm)", "segment", "Hz", "coverage", "%", "time as acquired (min)"} <= set(
        said
    )
    many = subject_record(names_of(60), ("ivae",), n_volumes=200, restarts=1)
    outliers = many.outliers.assign(framewise_displacement=np.nan)
    svg = drawn(series_figure, many.timeseries, outliers, None, None, "fig")
    said = set(texts(svg))
    assert {"volume as acquired", "cycles per volume", "region, in the order of the table"} <= said
    assert not {"FD (mm)", "coverage", SIX[0]} & said
    assert "data:image/png" in svg


def test_spectra_peak_where_a_region_oscillates_and_never_cross_a_gap():
    tr, n = 0.72, 1200
    rng = np.random.default_rng(0)
    time = np.arange(n) * tr
    values = rng.normal(size=(n, 2)) * 0.1
    values[:, 0] += np.sin(2 * np.pi * 0.05 * time)
    values[:, 1] += np.sin(2 * np.pi * 0.2 * time)
    values[400:405] = np.nan
    runs = np.array(["a"] * 700 + ["b"] * 500, dtype=object)
    frequencies, power = spectra(values, runs, tr)
    assert frequencies[power.argmax(axis=1)] == pytest.approx([0.05, 0.2], abs=0.012)
    # Phases that jump at a gap or a new run must not spread the power.
    jumping = values.copy()
    jumping[405:] = -jumping[405:]
    jumping[700:] = -jumping[700:]
    assert spectra(jumping, runs, tr)[1] == pytest.approx(power)
    none, empty = spectra(values[398:408], runs[398:408], tr)
    assert len(none) == 0
    assert empty.shape == (2, 0)


def test_runs_are_named_by_what_tells_them_apart_where_there_is_room():
    record = subject_record(names_of(2), ("ivae",), n_volumes=400, restarts=1)
    for length, shown in ((200, {"run-1", "run-2"}), (4, set())):
        run = np.where(np.arange(400) < length, "task-rest_run-1", "task-rest_run-2")
        if not shown:
            run = [f"task-rest_run-{i // length:03d}" for i in range(400)]
        svg = drawn(
            series_figure, record.timeseries, record.outliers.assign(run=run), 2.0, None, "f"
        )
        assert {name for name in texts(svg) if "run-" in name} == shown


def test_a_mismatched_outlier_table_is_not_trusted():
    record = subject_record(names_of(2), ("ivae",), n_volumes=200)
    outliers = record.outliers.iloc[:-5]
    svg = drawn(series_figure, record.timeseries, outliers, 0.72, 0.5, "fig")
    assert f"{len(record.timeseries)} of {len(record.timeseries)} volumes kept" in svg


def test_dense_training_curves_are_drawn_as_pixels():
    few = subject_record(names_of(2), ("ivae",), restarts=2).methods["ivae"].training
    many = subject_record(names_of(9), ("ivae",), restarts=6).methods["ivae"].training
    assert "data:image/png" not in drawn(figures.training_figure, few, "fig", "iVAE")
    svg = drawn(figures.training_figure, many, "fig", "iVAE")
    assert "data:image/png" in svg
    assert len(svg) < 300_000
    empty = drawn(figures.training_figure, few.iloc[:0], "fig", "iVAE")
    assert "training step" in texts(empty)


def test_the_mark_lies_nearer_to_the_cause():
    edges = pd.DataFrame(
        {"x": ["A"], "y": ["B"], "decision": ["x->y"], "score": [0.4], "confidence": [0.9],
         "share_low": [0.6], "share_high": [0.98]}
    )  # fmt: skip
    found = {}
    for sign in (1, -1):
        svg = drawn(figures.share_figure, {"iVAE": edges.assign(score=0.4 * sign)}, "fig")
        # The last mark is the legend's.
        found[sign] = marks(svg, "fill: #0b57a4")[0][0]
        assert texts(svg).count("A") == texts(svg).count("B") == 1
        a = next(n for n in ET.fromstring(svg).iter(f"{SVG}text") if n.text == "A")
        b = next(n for n in ET.fromstring(svg).iter(f"{SVG}text") if n.text == "B")
        assert float(a.get("x")) < float(b.get("x"))
    assert found[1] < found[-1]


def test_group_figure_has_a_row_per_pair_that_may_have_an_edge():
    record = group_record(names_of(5))
    edges = {name: method.edges for name, method in record.methods.items()}
    # Every fourth pair has no edge by either method.
    assert (edges["ivae"]["decision"] == "none").sum() == 2
    assert "For 8 pairs of regions" in drawn(figures.share_figure, edges, "fig")


def test_only_decided_directions_look_settled():
    edges = pd.DataFrame(
        {"x": list("ACE"), "y": list("BDF"), "decision": ["x->y", "undecided", "none"],
         "score": 0.4, "confidence": 1.0, "share_low": 0.65, "share_high": 1.0}
    )  # fmt: skip
    svg = drawn(figures.share_figure, {"iVAE": edges}, "fig")
    assert {"A", "B", "C", "D"} <= set(texts(svg))
    assert not {"E", "F"} & set(texts(svg))
    # One mark of the pair with a direction and one in the legend are filled.
    assert len(marks(svg, "fill: #0b57a4")) == 2
    assert len(marks(svg, "fill: #ffffff", "stroke: #0b57a4")) == 1
    assert figures.share_figure({"iVAE": edges.tail(1)}, "fig") is None


def test_svg_is_clean_and_reproducible(pair):
    edges = edge_table([(*pair, "x->y", 0.5, 0.9)])
    svg = drawn(graph_figure, pair, edges, {}, "fig", "iVAE")
    assert svg == drawn(graph_figure, pair, edges, {}, "fig", "iVAE")
    assert svg.startswith("<svg ")
    assert not re.search("<metadata|<style|<!DOCTYPE|<[?]xml|<!--", svg)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text.startswith("Graph estimated by iVAE")
    assert all(node.get("id", "fig").startswith("fig") for node in root.iter())


def test_text_is_escaped_and_never_read_as_mathematics():
    names = (HOSTILE, "a$b$ & <b>", "漢字")
    edges = edge_table([(names[0], names[1], "x->y", 0.5, 0.9)])
    svg = drawn(graph_figure, names, edges, {}, "fig", HOSTILE)
    assert "<script" not in svg
    assert sorted(texts(svg)) == sorted(names)


def test_matplotlib_settings_are_left_alone():
    before = dict(mpl.rcParams)
    record = subject_record(names_of(2), ("ivae",))
    drawn(series_figure, record.timeseries, record.outliers, 0.72, 0.5, "fig")
    assert dict(mpl.rcParams) == before


def test_segments_that_return_have_a_colour_of_their_own():
    record = subject_record(names_of(4), n_volumes=240)
    once = drawn(series_figure, record.timeseries, record.outliers, 0.72, 0.5, "fig")
    states = np.array(["a", "b", "c", "a", "b", "c"], dtype=object).repeat(40)
    outliers = record.outliers.assign(segment=np.where(record.outliers["kept"] == 1, states, ""))
    again = drawn(series_figure, record.timeseries, outliers, 0.72, 0.5, "fig")
    shades = [[color in svg for color in _SHADES] for svg in (once, again)]
    assert shades == [[True, True] + 6 * [False], [True, True, True] + 5 * [False]]
