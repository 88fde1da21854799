"""The pages in a real browser without a network.  `make test-browser` runs them."""

import io
import os
import platform
import re
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from fake_records import HOSTILE, SIX, group_record, names_of, statuses, subject_record
from PIL import Image
from rendering import render_group, render_subject

from causal_ivae.batch.summaries import FOLDER, folder_digest
from causal_ivae.commands.page_server import open_server
from causal_ivae.derivatives.files import write_json, write_text
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.group import RATINGS, Rating, read_ratings
from causal_ivae.reporting.comparison_page import render_compare
from causal_ivae.reporting.forest import SubjectScores
from causal_ivae.reporting.index_page import index_row, render_index
from causal_ivae.reporting.subject_summary import summarise_subject

pytestmark = pytest.mark.browser
METHODS = ("structural", "ivae", "tcl")
ODD = (HOSTILE, "\"quoted\" & 'single'", "höhe 海馬", "x" * 200, "CA1", "SUB")


def cohort(n=12):
    record = subject_record()
    rows = [
        index_row(summarise_subject(subject_record() if i % 3 else record), "done", "", METHODS)
        for i in range(n - 2)
    ]
    rows = [
        replace(row, unit=f"sub-{i:02d}", link=f"sub-{i:02d}.html", motion=0.1 + 0.01 * i**2)
        for i, row in enumerate(rows)
    ]
    rows.append(replace(rows[0], unit=f"sub-{HOSTILE}", link=None, state="failed", message="NaN"))
    rows.append(replace(rows[0], unit="sub-" + "y" * 200, quality="usable"))
    return render_index(rows, METHODS, [("compare.html", "Methods compared")])


def group():
    record = group_record(SIX, formula="score ~ group + age")
    units = tuple(f"sub-{i:02d}" for i in range(1, 8))
    quality = dict.fromkeys(units, "usable") | {"sub-04": "doubtful"}
    methods = {
        name: replace(method, sidecar={**method.sidecar, "Quality": quality})
        for name, method in record.methods.items()
    }
    scores = {}
    for name, method in methods.items():
        edges = method.edges[["x", "y", "score", "score_low", "score_high"]]
        tables = [
            edges.assign(unit=unit, score=edges["score"] / (i + 1)) for i, unit in enumerate(units)
        ]
        scores[name] = SubjectScores(units, pd.concat(tables))
    return render_group(replace(record, methods=methods), statuses(), scores=scores)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    names = names_of(20)
    record = subject_record(names, METHODS, placed=True)
    pages = {
        "sub-01": render_subject(record),
        "odd": render_subject(subject_record(ODD, METHODS, simulated=True, placed=True)),
        "group": group(),
        "compare": render_compare(
            group_record(SIX, METHODS), {"sub-01": summarise_subject(record)}
        ),
        "index": cohort(),
    }
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return folder


PAGES = ("sub-01", "odd", "group", "compare", "index")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_no_wider_than_the_window(opened, name, width):
    page = opened(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shots = os.environ.get("SCREENSHOTS")
    if shots:
        Path(shots).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(shots) / f"{name}-{width}.png"), full_page=True)


def test_odd_names_are_text(opened):
    page = opened("odd")
    assert page.locator("script").count() == 1
    body = page.inner_text("body")
    assert HOSTILE in body
    assert "x" * 200 in body
    assert "höhe 海馬" in body
    assert HOSTILE in opened("index").inner_text("body")


def test_the_index_sorts_by_a_column_and_turns_round(opened):
    page = opened("index")
    units = "Array.from(document.querySelectorAll('#index tbody th'), (e) => e.textContent)"
    before = page.evaluate(units)
    page.locator("#index th button", has_text="Subject").press("Enter")
    ascending = page.evaluate(units)
    page.locator("#index th button", has_text="Subject").click()
    assert page.evaluate(units) == ascending[::-1]
    assert sorted(before) == sorted(ascending)


def test_the_index_filters_by_state_quality_and_name(opened):
    page = opened("index")
    shown = page.locator("#index tbody tr:visible")
    assert shown.count() == 12
    page.get_by_label("State").select_option("failed")
    assert shown.count() == 1
    page.get_by_label("State").select_option("")
    page.get_by_label("Verdict").select_option("usable")
    assert 0 < shown.count() < 12
    page.get_by_label("Verdict").select_option("")
    page.get_by_label("Name contains").fill("SUB-03")
    assert shown.count() == 1
    assert page.locator("[data-filters] output").inner_text() == "1 of 12 shown"


def test_the_scores_of_all_subjects_open_by_the_keyboard_and_close(opened):
    page = opened("group")
    box = page.locator("#forest")
    button = page.locator("[data-opens=forest]").first
    button.focus()
    page.keyboard.press("Enter")
    assert box.is_visible()
    assert box.locator("circle").count() == 7
    assert box.locator("circle.hollow").count() == 1
    assert re.match(r"\d of 7 subjects favour ", box.locator("h2").inner_text())
    page.keyboard.press("Escape")
    assert box.is_hidden()
    assert button.evaluate("e => e === document.activeElement")


def test_without_a_server_ratings_are_offered_as_a_file(opened):
    page = opened("index")
    page.locator("[data-rate]").nth(1).click()
    box = page.locator("#rating")
    box.get_by_label("exclude: leave out").check()
    box.get_by_label("Note").fill("moved  a\tlot")
    box.get_by_role("button", name="Save").click()
    assert box.is_hidden()
    unit = page.locator("#index tbody tr").nth(1).get_attribute("data-unit")
    href = page.get_by_role("link", name="Download exclude.tsv").get_attribute("href")
    assert unquote(href.partition(",")[2]) == (
        f"participant_id\texclude\tnote\n{unit}\t1\tmoved a lot\n"
    )
    page.locator("[data-filter=rating]").select_option("exclude")
    assert page.locator("#index tbody tr:visible").count() == 1


def test_a_dot_of_the_strip_leads_to_its_subject(opened):
    page = opened("index")
    dot = page.locator("[data-dot]").first
    dot.click()
    shown = page.locator("#index tbody tr:visible")
    assert shown.first.get_attribute("data-unit").startswith(dot.get_attribute("data-dot"))


def test_a_subject_is_rated_through_the_server_while_a_run_goes_on(browser, tmp_path):
    def state(three):
        lines = ["subject\tstate\tseconds\tpeak_memory_mib\tmessage\tcrash_file"]
        for unit, word in (("sub-01", "done"), ("sub-02", three), ("sub-03", "not run")):
            lines.append(f"{unit}\t{word}\t30.0\t1\tn/a\tn/a")
        write_text(run / "status.tsv", "\n".join(lines) + "\n")

    run = tmp_path / "logs" / "20261130-000000_a"
    state("running")
    write_json(run / "run.json", {"Host": platform.node(), "Process": os.getpid()})
    write_json(
        tmp_path / FOLDER / "sub-01.json",
        {
            "Digest": folder_digest(UnitPaths(tmp_path, "sub-01").folder),
            "Summary": replace(summarise_subject(subject_record()), unit="sub-01").as_dict(),
        },
    )
    server, address = open_server(tmp_path)
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = browser.new_page()
        problems = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        assert "1 of 3 subjects done, 1 running and 1 waiting" in page.inner_text(".run-line")
        page.get_by_role("button", name="Rate sub-01: not rated").focus()
        page.keyboard.press("Enter")
        page.locator("#rating").get_by_label("exclude: leave out").check()
        page.locator("#rating").get_by_label("Note").fill("<b>spikes</b>")
        page.keyboard.press("Enter")
        page.locator("#rating").wait_for(state="hidden")
        assert read_ratings(tmp_path) == {"sub-01": Rating("exclude", "<b>spikes</b>")}
        state("failed")
        page.locator("tr[data-unit=sub-02][data-state=failed]").wait_for(timeout=15_000)
        page.locator("tr[data-unit=sub-01][data-rating=exclude]").wait_for()
        assert "<b>spikes</b>" in page.inner_text("tr[data-unit=sub-01]")
        (tmp_path / RATINGS).write_text("mine\n")
        page.locator("[data-rate]").first.click()
        page.locator("#rating").get_by_role("button", name="Save").click()
        page.locator("#rating .problem:visible").wait_for()
        assert "exclude.tsv" in page.inner_text("#rating .problem")
        assert [words for words in problems if "409" not in words] == []
        page.close()
        server.shutdown()
        thread.join()


def serious_violations(page):
    # Without it this is an error: the extra that has playwright has it too.
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    return [
        (v["id"], v["impact"], v["nodes"][0]["html"][:200])
        for v in axe.run(page).response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(opened, name, scheme):
    assert serious_violations(opened(name, color_scheme=scheme, bypass_csp=True)) == []


def test_axe_finds_what_a_page_must_not_have(opened):
    page = opened("index", bypass_csp=True)
    page.evaluate(
        """() => {
          const faint = document.createElement("p");
          faint.textContent = "too faint to be read";
          faint.style.cssText = "color: #ddd; background: #fff";
          document.querySelector("main").append(faint, document.createElement("select"));
        }"""
    )
    assert {"color-contrast", "select-name"} <= {name for name, *_ in serious_violations(page)}


# Words in drawings, which axe leaves out, by their contrast with the sheet as a filter turns it.
FAINT_WORDS = """() => {
  const numbers = (color) => (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const turned = (element, color) => {
    for (let e = element; e; e = e.parentElement)
      if (getComputedStyle(e).filter.startsWith("invert")) {
        const by = parseFloat(getComputedStyle(e).filter.slice(7));
        color = color.map((v) => v * (1 - 2 * by) + 255 * by);
      }
    return color;
  };
  const light = (color) => {
    const [r, g, b] = color.map((v) => v / 255).map(
      (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const sheet = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = numbers(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0.5) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  return Array.from(document.querySelectorAll("svg text")).filter((text) => {
    const box = text.getBoundingClientRect();
    if (!box.width || getComputedStyle(text).visibility === "hidden") return false;
    const words = turned(text, numbers(getComputedStyle(text).fill).slice(0, 3));
    const [a, b] = [light(words), light(sheet(text.ownerSVGElement.parentElement))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map((text) => text.textContent.slice(0, 40));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_words_in_drawings_can_be_read(opened, name, scheme):
    page = opened(name, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate(FAINT_WORDS) == []


def test_faint_words_in_drawings_are_found(opened):
    page = opened("sub-01", color_scheme="dark")
    page.evaluate(
        "document.querySelectorAll('svg text').forEach((t) => t.setAttribute('fill', '#eee'))"
    )
    assert len(page.evaluate(FAINT_WORDS)) > 10


def test_a_carpet_plot_is_as_light_in_the_dark_as_its_caption_says(opened):
    shown = []
    for scheme in ("light", "dark"):
        page = opened("sub-01", color_scheme=scheme)
        picture = page.locator("#data .card svg image").first.screenshot()
        shown.append(np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=float).ravel())
    assert np.corrcoef(*shown)[0, 1] > 0.9
