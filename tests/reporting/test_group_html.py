"""The page of a group."""

import re
from dataclasses import replace

import numpy as np
import pytest
from fake_records import HOSTILE, SIX, changed, group_record, names_of, statuses, subject_record
from page_parser import Page
from rendering import render_group, render_subject

from causal_ivae.reporting.summary import power_sentences


def test_group_page(group_page):
    text = group_page.flat
    assert "7 subjects: 4 finished, 1 up to date, 1 without results and 1 failed." in text
    assert (
        "The group's iVAE and TCL (FastICA) graphs combine 7 subjects; with this number, no" in text
    )
    # Of 15 pairs, three have no edge; .0156 * 12 / 4 is the first q that is at most .05.
    assert (
        "p-value can be below 0.016, and a direction needs at least 4 of the 12 pairs tested for "
        "direction in which all 7 subjects favour the same one, or more pairs in which nearly all "
        "do (q ≤ 0.05 and a mean score of 0.1 or more)."
    ) in text
    links = {a["href"] for a in group_page.all("a") if a["href"].startswith("sub-")}
    assert links == {f"sub-{i:02d}.html" for i in (1, 2, 4, 5, 6)}
    failed = next(r for r in group_page.rows if r and r[0] == "sub-07")
    assert failed[1] == "failed"
    assert "remove it" in failed[4]
    assert "Wilson interval" in text
    assert "sign-flip permutation test" in text


def test_what_the_group_hangs_on_is_said(group_html, group_page):
    text = group_page.flat
    edges = group_record().methods["ivae"].edges
    arrows = edges[edges["cause"] != ""]
    held = int((arrows["leave_one_out"] == 1).sum())
    turned = int((arrows["sign_without_one"] < 1).sum())
    assert f"iVAE: of {len(arrows)} directions, {held} would also be decided without any" in text
    assert "with one subject fewer no p-value can be below 0.031, so that decisions get" in text
    assert f"the sign of {turned} depends on a single subject." in text
    assert "favour the same direction for 62% of the pairs (50% by chance)" in text
    assert (
        "their scores correlate by +0.41 (95% of 500 splits: \N{MINUS SIGN}0.10 to +0.72)" in text
    )
    heads = next(r for r in group_page.rows if "Spread beyond resampling" in r)
    pair = edges.iloc[7]
    row = next(
        r
        for r in group_page.rows
        if len(r) == len(heads) and {pair["x"], pair["y"]} <= {*r[0].split()}
    )
    columns = {
        "Spread beyond resampling": "unexplained_spread",
        "Decision with one subject fewer": "leave_one_out",
        "Sign with one subject fewer": "sign_without_one",
        "Same in both halves": "split_half",
    }
    for head, name in columns.items():
        assert row[heads.index(head)] == f"{100 * pair[name]:.0f}%"
    assert "same decision with one subject fewer" in group_html
    assert "What the scores depend on" not in text


def test_a_model_over_subjects_is_shown_with_whom_it_leaves_out():
    record = group_record(SIX, ("ivae",), formula="score ~ group + age")
    table = record.methods["ivae"].model
    page = Page(render_group(record, statuses()))
    assert "What the scores depend on" in page.flat
    assert "iVAE: score ~ group + age" in page.flat
    assert "6 subjects. Left out, as it has no age: sub-07." in page.flat
    shown = [r for r in page.rows if len(r) == 6 and r[1] in ("group[T.patient]", "age")]
    assert len(shown) == 30
    least = table[table["term"] != "Intercept"].sort_values("p_value").iloc[0]
    assert shown[0][:2] == [f"{least['x']} \N{EN DASH} {least['y']}", least["term"]]
    in_groups = table[(table["term"] == "age") & (table["q_value"] <= 0.05)]
    assert f"and age in {len(in_groups)} (q ≤ 0.05)" in page.flat
    many = Page(render_group(group_record(names_of(16), ("ivae",), formula="x"), statuses()))
    assert "The 200 smallest of 240 p-values are shown." in many.flat


def test_the_pooled_fit_stands_beside_the_group():
    record = group_record(SIX, ("ivae",))
    edges = record.methods["ivae"].edges
    pooled = edges.copy()
    # One pair is written the other way round, and one left undecided.
    turned = pooled.index[pooled["decision"] == "x->y"][0]
    pooled.loc[turned, ["x", "y"]] = pooled.loc[turned, ["y", "x"]].to_list()
    pooled.loc[turned, ["decision", "score"]] = ["y->x", -0.4]
    opened = pooled.index[pooled["decision"] == "y->x"][-1]
    pooled.loc[opened, ["decision", "cause", "effect"]] = ["undecided", "", ""]
    other = replace(record, methods={"ivae": changed(record.methods["ivae"], edges=pooled)})
    page = Page(render_group(record, statuses(), pooled=other))
    n = int((edges["cause"] != "").sum()) - 1
    assert f"both give a direction to {n} pairs and agree on {n}; random" in page.flat
    first = edges.loc[turned]
    arrow = f"{first['x']} → {first['y']}"
    assert [arrow, "directed", arrow, "+0.40"] in [r[:4] for r in page.rows]
    second = edges.loc[opened]
    lines = [r for r in page.rows if r and r[0] == f"{second['cause']} → {second['effect']}"]
    assert ["directed", "undecided"] in [r[1:3] for r in lines]
    assert "pooled.html" in {a["href"] for a in page.all("a")}
    missing = Page(render_group(record, statuses(), pooled=replace(record, methods={})))
    assert "The pooled fit left no result" in missing.flat


def test_terms_of_a_model_are_text():
    record = group_record(names_of(2), ("ivae",), formula="score ~ group")
    model = record.methods["ivae"].model
    model["term"] = model["term"].replace("age", HOSTILE)
    html = render_group(record, statuses())
    assert HOSTILE not in html
    assert html.count("&lt;script&gt;") >= 2


def test_group_counts_turn_with_the_edge(group_page):
    edges = group_record().methods["ivae"].edges
    turned = edges[edges["decision"] == "y->x"].iloc[0]
    rows = [r for r in group_page.rows if r and r[0] == f"{turned['y']} → {turned['x']}"]
    agreement, edge = rows[:2]
    assert agreement[1:3] == [str(turned["n_y_to_x"]), str(turned["n_x_to_y"])]
    share = f"{100 * turned['confidence']:.0f}%"
    assert edge[5].startswith(share + " (")


def test_links_to_subjects_are_quoted():
    status = [{"label": "a b/c?", "state": "done", "seconds": 1.0, "message": ""}]
    page = Page(render_group(group_record(names_of(2), ("ivae",)), status))
    assert "sub-a%20b/c%3F.html" in {a["href"] for a in page.all("a")}


def test_pooled_subjects_get_a_group_page():
    record = replace(subject_record(names_of(2), ("ivae",)), name="group")
    page = Page(render_subject(record))
    assert page.headings[0] == (1, "All subjects pooled")


def test_missing_numbers_are_dashes():
    record = group_record(names_of(2), ("ivae",))
    edges = {
        name: method.edges.assign(p_dependence=np.nan, q_value=np.nan, p_value=np.nan)
        for name, method in record.methods.items()
    }
    methods = {n: changed(m, edges=edges[n]) for n, m in record.methods.items()}
    page = Page(render_group(replace(record, methods=methods), []))
    header = next(r for r in page.rows if "p of dependence" in r)
    row = page.rows[page.rows.index(header) + 1]
    for column in ("p", "q", "p of dependence"):
        assert row[header.index(column)] == "\N{EN DASH}", column
    assert not re.search(r"\bnan\b", page.flat, re.IGNORECASE)


@pytest.mark.parametrize(
    ("n_subjects", "said"),
    [
        (3, "no p-value can be below 0.25, and a direction needs q ≤ 0.05, so that no pair can"),
        (10, "a direction needs a pair in which all 10 subjects favour it, or more pairs in which"),
        (12, "The group's iVAE graph combines 12 subjects."),
    ],
)
def test_how_unanimous_a_group_must_be(n_subjects, said):
    (sentence,) = power_sentences(group_record(SIX, ("ivae",), n_subjects))
    assert said in sentence


def test_a_group_without_dependent_pairs_had_nothing_to_test():
    record = group_record(SIX, ("ivae",))
    edges = record.methods["ivae"].edges.assign(
        decision="none", cause="", effect="", q_value=np.nan
    )
    record = replace(record, methods={"ivae": changed(record.methods["ivae"], edges=edges)})
    (sentence,) = power_sentences(record)
    assert "no pair is dependent, so that none was tested for direction" in sentence
    page = Page(render_group(record, statuses()))
    assert "fig-share" not in {attrs.get("id") for _, attrs in page.tags}
    assert "there is no direction to agree on" in page.flat
