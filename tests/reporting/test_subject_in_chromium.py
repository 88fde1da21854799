"""A subject's page in a real browser: what comes first, linked pairs, files, keyboard, print."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from fake_records import HOSTILE, SIX, changed, names_of, subject_record
from rendering import render_subject

pytestmark = pytest.mark.browser
METHODS = ("structural", "ivae", "tcl")
ODD = (HOSTILE, "\"quoted\" & 'single'", "höhe 海馬", "x" * 200, "CA1", "SUB")


def with_arrows_by_one_method(record):
    methods = {
        name: method
        if name == METHODS[0]
        else changed(method, edges=method.edges.assign(decision="none", cause="", effect=""))
        for name, method in record.methods.items()
    }
    return replace(record, methods=methods)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("subjects")
    records = {
        "sub-01": subject_record(names_of(20), METHODS, placed=True),
        "pairs": subject_record(SIX, METHODS, placed=True),
        "one": with_arrows_by_one_method(subject_record(SIX, METHODS, placed=True)),
        "odd": subject_record(ODD, METHODS, simulated=True, placed=True),
    }
    for name, record in records.items():
        (folder / f"{name}.html").write_text(render_subject(record), encoding="utf-8")
    return folder


def test_the_slider_hides_unsure_edges_in_drawing_and_table(opened):
    page = opened("odd")
    rows = page.locator("tr[data-edge]")
    sure = rows.evaluate_all("rows => rows.filter(r => Number(r.dataset.confidence) >= .9).length")
    assert 0 < sure < rows.count()
    page.locator(".slider input").fill("90")
    assert page.locator("tr[data-edge]:not([hidden])").count() == sure
    hidden = rows.evaluate_all(
        "rows => rows.filter(r => r.hidden).flatMap(r => ['graph', 'circuit', 'brain', 'panel']"
        ".map(view => document.getElementById(`fig-${view}-${r.dataset.edge}-head`)))"
        ".filter(Boolean).map(part => part.style.display)"
    )
    assert len(hidden) > 3
    assert set(hidden) == {"none"}
    page.locator(".slider input").fill("0")
    assert page.locator("tr[data-edge]:not([hidden])").count() == rows.count()


@pytest.mark.parametrize(("width", "height", "most"), [(1280, 800, 500), (390, 844, 600)])
def test_the_picture_and_the_numbers_come_first(opened, width, height, most):
    page = opened("sub-01", width)
    page.set_viewport_size({"width": width, "height": height})
    top = page.locator("#fig-panel").evaluate("e => e.getBoundingClientRect().top + scrollY")
    assert top <= most
    said = page.locator("main").inner_text().partition("Save the figure")[0]
    assert said.count(". ") + said.count(".\n") <= 4, "sentences before the picture"
    if width == 1280:
        assert page.locator(".numbers").evaluate("e => e.getBoundingClientRect().top") < height


def test_an_edge_tells_all_to_the_keyboard_and_the_pointer(opened):
    page = opened("odd")
    panel = page.locator("#edge-detail")
    assert panel.is_hidden()
    page.locator("tr[data-edge] button").first.focus()
    text = panel.inner_text()
    for word in ("score", "p ", "q ", "probability", "four tests", "votes", "prior"):
        assert word in text
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    edge = page.locator("tr[data-edge]").first.get_attribute("data-edge")
    head = page.locator(f"#fig-panel-{edge}-head")
    head.hover(force=True)
    assert panel.inner_text() == text
    for view, figure in (("circle", "graph"), ("circuit", "circuit"), ("brain", "brain")):
        page.check(f"input[value={view}]")
        page.mouse.move(0, 0)
        assert panel.is_hidden()
        page.locator(f"#fig-{figure}-{edge}-head").hover(force=True)
        assert panel.inner_text() == text


def test_a_pair_is_marked_in_every_drawing_and_table(opened):
    page = opened("pairs")
    edge = page.locator("tr[data-edge]").first
    pair = edge.get_attribute("data-pair")
    page.locator(f"#fig-panel-{edge.get_attribute('data-edge')}-head").hover(force=True)
    rows = page.locator("tr.on[data-edge]")
    assert rows.count() == len(METHODS)
    assert set(rows.evaluate_all("rows => rows.map(r => r.dataset.pair)")) == {pair}
    marked = page.locator("svg .on").evaluate_all("parts => parts.map(p => p.id)")
    for view in ("graph", "circuit", "brain", "panel"):
        assert f"fig-{view}-{edge.get_attribute('data-edge')}" in marked
    # The two series, and the disturbances of every method with their spread by segment.
    panel = page.locator("#edge-detail")
    assert panel.locator("img").count() == 1 + len(METHODS)
    assert panel.locator("svg").count() == len(METHODS)
    assert panel.locator("p").count() == len(METHODS) - 1
    page.check("input[value=matrix]")
    page.locator("tr[data-edge] button").first.focus()
    assert page.locator(".cell").count() == 2 * len(METHODS)
    page.keyboard.press("Escape")
    assert page.locator(".cell, tr.on, svg .on").count() == 0


def test_a_click_keeps_the_evidence_until_escape_or_another_click(opened):
    page = opened("sub-01")
    panel = page.locator("#edge-detail")
    page.locator("tr[data-shows] button").first.click()
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    assert panel.is_visible()
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    page.locator("tr[data-shows] button").first.click()
    page.locator("h1").click()
    assert panel.is_hidden()


def test_arrow_keys_go_from_pair_to_pair_in_the_picture(opened):
    page = opened("sub-01")
    page.locator("[data-walk]").focus()
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        told.append(page.locator("#edge-detail h4").first.inner_text())
    assert told[0] != told[1]
    assert told[2] == told[0]


@pytest.mark.parametrize(
    ("kind", "begins"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_the_picture_is_saved_from_the_page(opened, kind, begins):
    page = opened("pairs")
    page.locator("tr[data-edge] button").first.click()
    with page.expect_download() as saved:
        page.locator(f"a[download$='_panel.{kind}']").click()
    content = Path(saved.value.path()).read_bytes()
    assert saved.value.suggested_filename == f"sub-01_panel.{kind}"
    assert content.startswith(begins)
    if kind == "svg":
        text = content.decode()
        assert ET.fromstring(text).tag.endswith("svg")
        assert "not usable" in text
        assert 'class="on"' not in text


def test_the_brain_turns_by_the_keyboard_and_by_buttons(opened):
    page = opened("sub-01")
    page.check("input[value=solid]")
    canvas = page.locator("canvas")
    pictures = []

    def picture():
        pictures.append(canvas.evaluate("e => e.toDataURL()"))

    picture()
    assert len(pictures[0]) > 5000
    canvas.focus()
    page.keyboard.press("ArrowLeft")
    picture()
    page.get_by_role("button", name="from above").click()
    picture()
    page.locator(".turns select").select_option("2")
    picture()
    assert len(set(pictures)) == 4


def test_one_way_to_draw_the_graphs_is_shown_and_the_keyboard_changes_it(opened):
    page = opened("sub-01")

    def shown():
        views = page.locator("div.view:visible")
        return [view.get_attribute("class").split()[-1] for view in views.all()]

    assert shown() == ["circle"]
    page.locator("input[value=circle]").focus()
    for view in ("circuit", "brain", "solid", "matrix"):
        page.keyboard.press("ArrowRight")
        assert shown() == [view]


def test_without_scripts_all_ways_to_draw_the_graphs_are_shown(opened):
    page = opened("sub-01", java_script_enabled=False)
    assert page.locator(".pair.view:visible").count() == 4
    assert page.locator(".views").is_hidden()
    assert page.locator("canvas").is_hidden()


@pytest.mark.parametrize("name", ["pairs", "sub-01"])
def test_a_subject_is_printed_on_at_most_six_pages(opened, name):
    content = opened(name).pdf(format="A4")
    assert 2 <= len(re.findall(rb"/Type\s*/Page[^s]", content)) <= 6


def test_paper_has_no_empty_table_no_file_to_save_and_no_figure_twice(opened):
    page = opened("one")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    tables = page.locator("#edges details")
    assert tables.locator("summary:visible").count() == len(METHODS)
    assert tables.locator("table:visible").count() == 1, "one method has arrows"
    assert page.locator("a[download]").count() > 3
    assert page.locator("a[download]:visible").count() == 0
    assert page.locator("#graphs").is_hidden()
    page.emulate_media(media="screen")
    page.check("input[value=brain]")
    page.emulate_media(media="print")
    assert page.locator("#graphs .brain svg").first.is_visible()
    # Chromium leaves buttons blank in a head that it repeats on the next page.
    heads = page.locator("thead th button").evaluate_all(
        "all => all.map(e => getComputedStyle(e).display)"
    )
    assert set(heads) == {"contents"}
