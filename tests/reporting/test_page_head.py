"""The head of a page and the bar above it."""

from dataclasses import replace

import pytest
from fake_records import SIX, group_record, statuses, subject_record
from page_parser import Page
from rendering import render_group

from causal_ivae.reporting.html import subject_page
from causal_ivae.reporting.page_head import Atlas, Navigation, cited_atlas, head_of


def with_facts(record, **facts):
    methods = {
        name: replace(method, sidecar={**method.sidecar, **facts})
        for name, method in record.methods.items()
    }
    return replace(record, methods=methods)


def test_a_page_says_when_by_what_with_which_atlas_and_where_its_files_are():
    record = with_facts(
        subject_record(methods=("ivae",)),
        Date="2026-11-29T23:59:01+00:00",
        Settings={"atlas": "aal2"},
    )
    record = replace(record, sidecar={**record.sidecar, "Entities": {"task": "rest"}})
    html, _ = subject_page(record)
    page = Page(html)
    for fact in ("task rest", "29 November 2026", "causal-ivae 0.1.0", "atlas aal2 (Rolls et al."):
        assert fact in page.flat
    assert "sub-01/func/" in page.flat
    assert "Rolls ET, Joliot M, Tzourio-Mazoyer N (2015). Implementation" in page.flat
    assert "https://doi.org/10.1016/j.neuroimage.2015.07.075" in {a["href"] for a in page.all("a")}


def test_the_newest_date_and_nothing_unknown_is_shown():
    record = subject_record(methods=("ivae", "tcl"))
    assert head_of(record).date is None
    dates = iter(("2026-01-05T10:00:00+00:00", "2026-02-01T10:00:00+00:00"))
    methods = {
        name: replace(method, sidecar={**method.sidecar, "Date": next(dates)})
        for name, method in record.methods.items()
    }
    assert head_of(replace(record, methods=methods)).date.month == 2


def test_a_page_leads_to_the_index_the_group_and_its_neighbours():
    record = subject_record(SIX, ("ivae",))
    html, _ = subject_page(record, None, Navigation("sub-00", "sub-02", True))
    links = {a["href"]: a for a in Page(html).all("a")}
    assert {"index.html", "group.html", "sub-00.html", "sub-02.html"} <= set(links)
    assert links["sub-02.html"]["rel"] == "next"
    alone = {a["href"] for a in Page(subject_page(record)[0]).all("a")}
    assert not {"group.html", "sub-00.html"} & alone
    group = Page(render_group(group_record(SIX, ("ivae",)), statuses()))
    assert "page" in {a.get("aria-current") for a in group.all("a")}


@pytest.mark.parametrize(
    ("citation", "short"),
    [
        ("Desikan RS, Segonne F, Fischl B, et al. (2006). An automated", "Desikan et al. 2006"),
        ("Einstein A (1905). On the", "Einstein 1905"),
        ("Somebody's own regions", ""),
    ],
)
def test_a_citation_is_shortened_to_authors_and_year(citation, short):
    assert Atlas("a", citation).short == short


def test_an_atlas_is_cited_from_its_description(tmp_path):
    assert cited_atlas(None) is None
    assert cited_atlas("schaefer100").short == "Schaefer et al. 2018"
    own = tmp_path / "mine.nii.gz"
    own.touch()
    assert cited_atlas(str(own)) == Atlas("mine")
    (tmp_path / "mine.json").write_text('{"Citation": "Me A (2020). Mine.", "DOI": "10.1/2"}')
    assert cited_atlas(str(own)) == Atlas("mine", "Me A (2020). Mine.", "10.1/2")
    assert cited_atlas("/elsewhere/lost.nii.gz") == Atlas("lost.nii.gz")
