"""The figure for a paper: the prior and all methods in one row, and what it is made of."""

import re
from itertools import pairwise

import numpy as np
import pytest
from fake_records import SIX, names_of, subject_record
from page_parser import Page
from PIL import Image
from rendering import render_subject

from causal_ivae.drawing.abbreviations import abbreviated
from causal_ivae.drawing.arrows import STYLES
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.panel_figure import method_panel, panel_figure, prior_panel
from causal_ivae.drawing.region_groups import hemisphere_of, lobe_of, ring_of
from causal_ivae.reporting.html import subject_page
from causal_ivae.reporting.solid_brain import brain_surface


@pytest.fixture(scope="module")
def made():
    return subject_page(subject_record(SIX, ("structural", "ivae", "tcl"), placed=True))


def panels_of(record):
    return [
        method_panel(str(index), name, method.edges, {})
        for index, (name, method) in enumerate(record.methods.items())
    ]


def test_prior_and_methods_stand_in_one_row_with_the_regions_in_the_same_places(made):
    svg = str(made[1][None, "panel"].svg)
    titles = ("Prior", "Structural flow", "iVAE", "TCL (FastICA)")
    left = [
        float(re.search(rf'x="([-\d.]+)"[^>]*>{re.escape(title)}<', svg).group(1))
        for title in titles
    ]
    assert np.diff(left) == pytest.approx(518 / 4, abs=0.3)
    assert svg.count(">Amy<") == len(titles)
    assert svg.count(">Amy: Amygdala_L<") == 1


def test_every_edge_of_every_method_and_of_the_prior_can_be_found_in_it(made):
    html, _ = made
    ids = {attrs["id"] for _, attrs in Page(html).tags if "id" in attrs}
    record = subject_record(SIX, ("structural", "ivae", "tcl"), placed=True)
    for index, method in enumerate(record.methods.values()):
        for row in np.flatnonzero(method.edges["cause"] != ""):
            assert f"fig-panel-{index}-edge-{row}-head" in ids
    # The prior of these records joins the first region with the second and the last.
    prior = {name for name in ids if re.fullmatch(r"fig-panel-prior-edge-\d+", name)}
    assert prior == {"fig-panel-prior-edge-0", "fig-panel-prior-edge-4"}


@pytest.mark.parametrize("n", [6, 20])
def test_a_known_input_has_square_corners_in_every_panel(n):
    names = names_of(n)
    panels = panels_of(subject_record(names, ("ivae", "tcl")))
    square = 'stroke-width="1.4"'
    before = str(panel_figure(names, panels, None, "fig-panel").svg)
    svg = str(panel_figure(names, panels, None, "fig-panel", names[1:2]).svg)
    assert svg.count(square) == before.count(square) + len(panels)
    assert f"{names[1]}, known input" in svg


def test_undecided_pairs_have_an_open_head_and_its_probability():
    record = subject_record(SIX, ("structural",))
    edges = record.methods["structural"].edges
    leans = edges[(edges["decision"] == "undecided") & (edges["probability_leaning"] >= 0.6)]
    svg = str(panel_figure(SIX, panels_of(record), None, "fig-panel").svg)
    assert len(leans) > 0
    for row, given in leans["probability_leaning"].items():
        label = svg.partition(f'id="fig-panel-0-edge-{row}-side-head"')[2].partition("</text>")[0]
        assert label.endswith(f">{100 * given:.0f}%")
    assert STYLES["leaning"].words in svg


def test_arrows_of_fits_that_are_not_usable_are_hollow():
    record = subject_record(SIX, ("ivae",))
    edges = record.methods["ivae"].edges
    svg = str(panel_figure(SIX, panels_of(record), None, "fig-panel").svg)
    for row, edge in edges[edges["cause"] != ""].iterrows():
        head = svg.partition(f'id="fig-panel-0-edge-{row}-head"')[2].partition("/>")[0]
        assert ('fill="#ffffff"' in head) == (edge["quality"] != "usable")
    assert "hollow: the fit is not usable" in svg
    usable = record.methods["ivae"].edges.assign(quality="usable")
    (panel,) = panels_of(record)
    plain = [method_panel("0", panel.title, usable, {})]
    assert "hollow" not in str(panel_figure(SIX, plain, None, "fig-panel").svg)


@pytest.mark.parametrize(("directed", "heads"), [(True, 3), (False, 0)])
def test_a_prior_without_directions_has_no_heads(directed, heads):
    rows = {frozenset(pair): row for row, pair in enumerate([("a", "b"), ("b", "c"), ("a", "c")])}
    panel = prior_panel("Prior", [("a", "b"), ("b", "a"), ("c", "b")], rows, directed=directed)
    assert sum(len(edge.heads) for edge in panel.edges) == heads
    assert [edge.row for edge in panel.edges] == [0, 1]


def test_it_is_saved_for_print_and_from_the_page(made, tmp_path):
    html, drawings = made
    files = drawings[None, "panel"].files
    assert list(files) == ["svg", "png", "pdf"]
    assert files["pdf"].startswith(b"%PDF")
    (tmp_path / "panel.png").write_bytes(files["png"])
    with Image.open(tmp_path / "panel.png") as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        # 518 points are the width of a page of a journal.
        assert picture.width == pytest.approx(518 / 72 * 300, abs=2)
    assert set(re.findall(r'font-size="([\d.]+)"', files["svg"].decode())) == {"8"}
    saved = [attrs["download"] for attrs in Page(html).all("a") if "download" in attrs]
    assert {f"sub-01_panel.{kind}" for kind in ("svg", "pdf", "png")} <= set(saved)


def test_names_are_shortened_to_different_labels():
    assert abbreviated(SIX) == ("Hip", "PH", "Amy", "CP", "Pre", "FSM")
    assert abbreviated(("CA1", "Hippocampus_L", "Hippocampus_R")) == ("CA1", "Hipl", "Hipr")
    many = abbreviated(names_of(40))
    assert len(set(many)) == 40
    assert max(map(len, many)) <= 6


def test_regions_are_grouped_by_hemisphere_and_lobe():
    assert [hemisphere_of(n) for n in ("Left-Caudate", "ctx-rh-fusiform", "CA1")] == ["L", "R", ""]
    assert lobe_of("Precuneus_L") == "parietal"
    assert lobe_of("Cuneus_L") == "occipital"
    assert lobe_of("ParaHippocampal_R") == "limbic"
    names = [
        f"{stem}_{side}" for stem in ("Occipital_Sup", "Frontal_Sup", "Precuneus") for side in "LR"
    ]
    ring = ring_of(names)
    left = np.cos(ring.angles) < 0
    assert list(left) == [True, False] * 3
    # The front is at the top.
    assert (np.sin(ring.angles)[2:4] > np.sin(ring.angles)[:2]).all()
    assert len(ring.arcs) == 6
    assert ring_of([f"ROI_{i:03d}" for i in range(20)]) is None
    networks = dict.fromkeys(names, "default")
    assert [name for name, *_ in ring_of(names, {}, networks).arcs] == ["default", "default"]


def test_many_regions_lie_around_a_ring_and_few_on_a_circle():
    names = names_of(14)
    edges = subject_record(names, ("ivae",)).methods["ivae"].edges
    ring = ring_of(names)
    svg = str(graph_figure(names, edges, {}, "fig", "iVAE", ring=ring).svg)
    assert "ring by hemisphere and lobe" in svg
    assert all(f">{group}<" in svg for group in ring.colors)
    assert "ring" in Page(render_subject(subject_record(names, ("ivae",)))).flat
    html = render_subject(subject_record(SIX, ("ivae",)))
    assert "ring by hemisphere" not in html


def test_the_surface_of_the_brain_is_closed_and_of_the_size_of_one():
    surface = brain_surface()
    spans = np.ptp(surface.points.astype(int), axis=0)
    assert (spans > [110, 140, 90]).all()
    assert (spans < [150, 190, 140]).all()
    edges: dict[frozenset[int], int] = {}
    for triangle in surface.triangles.tolist():
        for pair in pairwise([*triangle, triangle[0]]):
            edges[frozenset(pair)] = edges.get(frozenset(pair), 0) + 1
    assert set(edges.values()) == {2}
    assert len(surface.triangles) == 2 * 1280
