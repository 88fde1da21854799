"""Links between the pages of an output folder."""

import os

from causal_ivae.batch.claims import FOLDER, Claims
from causal_ivae.batch.navigation import correct_links, navigation_of
from causal_ivae.derivatives.files import write_json
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.reporting.page_head import Navigation
from causal_ivae.reporting.templates import render_part


def study(output, units):
    for unit in units:
        about = {"Regions": ["A"], "Entities": {}}
        write_json(UnitPaths(output, unit).file("timeseries.json"), about)


def page(output, unit, links):
    parts = ("_links.html.jinja", "_navigation.html.jinja")
    about = {"navigation": links, "kind": "", "title": ""}
    text = "\n".join(render_part(part, about) for part in parts)
    path = output / f"{unit}.html"
    path.write_text(f"<head>{text}<p>{unit}</p>", encoding="utf-8")
    os.utime(path, (1000, 1000))
    return path


def test_neighbours_are_subjects_with_series(tmp_path):
    study(tmp_path, ["sub-01", "sub-03", "sub-04"])
    (tmp_path / "sub-02" / "log").mkdir(parents=True)
    assert navigation_of(tmp_path, "sub-01", group=True) == Navigation("", "sub-03", True)
    assert navigation_of(tmp_path, "sub-03", group=False) == Navigation("sub-01", "sub-04")
    assert navigation_of(tmp_path, "group", group=True) == Navigation(group=True)


def test_links_follow_subjects_that_were_added_or_failed(tmp_path):
    units = ["sub-01", "sub-02", "sub-03"]
    study(tmp_path, units)
    first = page(tmp_path, "sub-01", Navigation("", "sub-02"))
    lost = page(tmp_path, "sub-02", Navigation("sub-01", "sub-03"))
    last = page(tmp_path, "sub-03", Navigation("sub-02", ""))
    right = [path.read_text(encoding="utf-8") for path in (first, lost, last)]
    correct_links(tmp_path, units)
    assert [path.read_text(encoding="utf-8") for path in (first, lost, last)] == right
    lost.unlink()
    (tmp_path / "group.html").touch()
    correct_links(tmp_path, units)
    text = first.read_text(encoding="utf-8")
    assert 'content=",sub-03,group"' in text
    assert 'href="sub-03.html"' in text
    assert "sub-02" not in text
    assert "<p>sub-01</p>" in text
    # The date says whether the page shows the newest results.
    assert first.stat().st_mtime == 1000


def test_a_page_that_another_program_writes_or_without_a_bar_is_left_alone(tmp_path):
    units = ["sub-01", "sub-02"]
    study(tmp_path, units)
    wrong = page(tmp_path, "sub-01", Navigation("", "sub-09"))
    (tmp_path / "sub-02.html").write_text("<p>own template</p>")
    before = wrong.read_text(encoding="utf-8")
    with Claims(tmp_path / FOLDER) as other:
        assert other.take(["sub-01"]) == ()
        correct_links(tmp_path, units)
    assert wrong.read_text(encoding="utf-8") == before
    assert (tmp_path / "sub-02.html").read_text() == "<p>own template</p>"
    correct_links(tmp_path, units)
    assert 'href="sub-02.html"' in wrong.read_text(encoding="utf-8")
