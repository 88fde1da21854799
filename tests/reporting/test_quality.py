"""How pages say that results are not usable, and what depends on them."""

from dataclasses import replace

import pytest
from fake_records import SIX, group_record, statuses, subject_record
from page_parser import Page
from rendering import render_group, render_subject

from causal_ivae.drawing.wording import MISSING
from causal_ivae.reporting.comparison_page import pair_rows, render_compare
from causal_ivae.reporting.subject_summary import summarise_subject


def judged(words, usable_decision=None):
    """Return a group whose subjects have these verdicts, and the decisions of the usable ones."""
    record = group_record(SIX, ("ivae",), len(words))
    method = record.methods["ivae"]
    edges = method.edges.assign(n_usable=words.count("usable"))
    if usable_decision is not None:
        edges["usable_decision"] = usable_decision(edges["decision"])
    quality = {f"sub-{i + 1:02d}": word for i, word in enumerate(words)}
    method = replace(
        method,
        tables={**method.tables, "edges": edges},
        sidecar={**method.sidecar, "Quality": quality},
    )
    return replace(record, methods={"ivae": method})


def only_first_arrow(decision):
    first = decision.index[decision.isin(["x->y", "y->x"])][0]
    return decision.where(decision.index == first, "undecided")


@pytest.mark.parametrize(
    ("words", "decisions", "usable", "alone"),
    [
        (["usable"] * 7, lambda d: d, "7 of 7", "the same"),
        (["not known"] * 7, None, MISSING, MISSING),
        (["doubtful"] * 7, lambda d: "", "0 of 7", "too few"),
        (
            ["doubtful", "not identifiable", "not identifiable", *["usable"] * 4],
            only_first_arrow,
            "4 of 7",
            "1 (1 of 5 stay)",
        ),
        (["doubtful"] * 5 + ["usable"] * 2, lambda d: "", "2 of 7", "too few"),
    ],
)
def test_what_depends_on_subjects_that_are_not_usable(words, decisions, usable, alone):
    record = judged(words, decisions)
    page = Page(render_group(record, statuses()))
    heads = next(row for row in page.rows if "Usable subjects alone" in row)
    row = next(r for r in page.rows if r[0].startswith("iVAE") and len(r) == len(heads))
    shown = [row[heads.index(name)] for name in ("Usable subjects", "Usable subjects alone")]
    assert shown == [usable, alone]


def test_subjects_have_badges_on_the_group_page_and_arrows_their_fits():
    words = ["doubtful", *["usable"] * 6]
    rows = statuses()
    for row, word in zip(rows, words, strict=True):
        row["quality"] = word
    rows[3].update(state="excluded", quality="", message="Excluded by participants.tsv.")
    record = judged(words, only_first_arrow)
    page = Page(render_group(record, rows))
    heads = next(r for r in page.rows if r[:2] == ["Subject", "State"])
    listed = [r for r in page.rows if r[0].startswith("sub-") and len(r) == len(heads)]
    shown = {r[0]: r[heads.index("Verdict")] for r in listed}
    assert (shown["sub-01"], shown["sub-02"], shown["sub-04"]) == ("doubtful", "usable", MISSING)
    assert "1 excluded" in page.flat
    heads = next(r for r in page.rows if "Usable fits" in r)
    edges = record.methods["ivae"].edges
    first = edges.loc[edges["usable_decision"] != "undecided"].iloc[0]
    name = f"{first['cause']} → {first['effect']}"
    below = page.rows[page.rows.index(heads) :]
    row = next(r for r in below if r[0] == name)
    assert row[heads.index("Usable fits")] == "6 of 7"
    assert row[heads.index("Usable subjects alone")] == name
    details = [attrs["data-detail"] for _, attrs in page.tags if "data-detail" in attrs]
    assert all("fit usable in 6 of 7 subjects" in text for text in details)
    assert sum(f"decision of the usable subjects alone: {name}" in text for text in details) == 1


def test_every_arrow_of_a_subject_says_how_good_its_fit_is():
    record = subject_record(SIX, ("ivae", "tcl"))
    edges = record.methods["ivae"].edges
    page = Page(render_subject(record))
    heads = next(r for r in page.rows if "Fit" in r and "Decision" in r)
    for edge in edges[edges["cause"] != ""].to_dict("records"):
        name = f"{edge['cause']} → {edge['effect']}"
        row = next(r for r in page.rows if r[0] == name and len(r) == len(heads))
        assert row[heads.index("Fit")] == edge["quality"]
    bad = int((edges.loc[edges["cause"] != "", "quality"] != "usable").sum())
    assert bad > 1
    n = int((edges["cause"] != "").sum())
    row = next(row for row in page.rows if row and row[0] == "iVAE" and len(row) == 8)
    assert row[2] == f"{n}{bad} hollow"
    assert f"{n - bad} of them by usable fits" in page.flat
    assert sum("\nfit: doubtful" in str(attrs.get("data-detail")) for _, attrs in page.tags) > 1


def test_quality_is_on_the_page_that_compares_methods():
    subject = subject_record(SIX, ("ivae", "tcl"))
    edges = subject.methods["ivae"].edges
    bad = edges[(edges["cause"] != "") & (edges["quality"] == "doubtful")].iloc[0]
    row = next(r for r in pair_rows(subject) if (r.x, r.y) == (bad["x"], bad["y"]))
    assert row.decisions[0] == f"{bad['cause']} → {bad['effect']} (fit doubtful)"
    html = render_compare(
        judged(["doubtful", *["usable"] * 6]), {"sub-01": summarise_subject(subject)}
    )
    page = Page(html)
    heads = next(r for r in page.rows if "Usable subjects" in r)
    row = next(r for r in page.rows if r[0].startswith("iVAE"))
    assert row[heads.index("Usable subjects")] == "6 of 7"
    assert "(6 of 7 fits usable)" in page.flat
    heads = next(r for r in page.rows if r[:2] == ["Subject", "Verdict"])
    assert next(r for r in page.rows if r[0] == "sub-01")[heads.index("Verdict")] == "doubtful"
