"""The page of a group."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_records import HOSTILE, SIX, changed, group_record, names_of, statuses, subject_record
from page_parser import Page
from rendering import render_group, render_subject

from causal_ivae.reporting.forest import SubjectScores, forest_of
from causal_ivae.reporting.group_summary import (
    advice_line,
    main_graph,
    method_rows,
    unanimity_sentence,
)


def test_group_page(group_page):
    text = group_page.flat
    assert (
        "7 subjects; whether their results are usable is not known: 1 failed and 1 without" in text
    )
    # Of 15 pairs, three have no edge; .0156 * 12 / 4 is the first q that is at most .05.
    table = next(r for r in group_page.rows if "Unanimous pairs needed" in r)
    rows = group_page.rows[group_page.rows.index(table) + 1 :][:2]
    assert [row[table.index("Unanimous pairs needed")] for row in rows] == ["4 of 12", "4 of 12"]
    assert (
        "With 7 subjects, no p-value over subjects can be below 0.016. A direction needs q ≤ 0.05 "
        "over all pairs tested and a mean score of 0.1 or more, and so as many pairs as the table "
        "says on which all 7 subjects favour the same direction, or more pairs on which nearly all"
    ) in text
    links = {a["href"] for a in group_page.all("a") if a["href"].startswith("sub-")}
    assert links == {f"sub-{i:02d}.html" for i in (1, 2, 4, 5, 6)}
    failed = next(r for r in group_page.rows if r and r[0] == "sub-07")
    assert failed[1] == "failed"
    assert "remove it" in failed[4]
    assert "Wilson interval" in text
    assert "sign-flip permutation test" in text


def by_method(page):
    """Return the rows of statistics over subjects in the table at the top, by method and column."""
    heads = next(r for r in page.rows if "Usable subjects alone" in r and "Method" in r)
    rows = page.rows[page.rows.index(heads) + 1 :]
    return {
        r[0].removesuffix("statistics over subjects"): dict(zip(heads, r, strict=True))
        for r in rows
        if len(r) == len(heads)
    }


def test_the_picture_comes_first_with_one_verdict_and_one_advice(group_html, group_page):
    main = group_html[group_html.index('<main id="main">') :]
    top = main[: main.index("<svg")]
    arrows = group_record().methods["ivae"].edges.query("cause != ''")
    first = arrows.iloc[0]
    assert f"{len(arrows)} arrows over subjects: {first['cause']} → {first['effect']}" in top
    assert top.count("<p ") == 3
    assert len(re.sub(r"<[^>]+>", "", top)) < 600
    assert by_method(group_page)["iVAE"]["Arrows"] == str(len(arrows))


def test_badges_and_counts_tell_who_is_usable():
    record = group_record(SIX, ("ivae",))
    words = ["usable"] * 4 + ["doubtful"] * 2 + ["modulation not shown"]
    quality = {f"sub-{i + 1:02d}": word for i, word in enumerate(words)}
    method = record.methods["ivae"]
    edges = method.edges.assign(usable_decision="undecided")
    kept = edges.index[edges["cause"] != ""][0]
    edges.loc[kept, "usable_decision"] = edges.loc[kept, "decision"]
    method = replace(changed(method, edges=edges), sidecar={**method.sidecar, "Quality": quality})
    record = replace(record, methods={"ivae": method})
    rows = [
        {"label": unit, "state": "done", "seconds": 1.0, "message": "", "quality": word}
        for unit, word in quality.items()
    ]
    html = render_group(record, rows)
    page = Page(html)
    assert (
        "7 subjects, 4 of them usable by iVAE: 2 doubtful and 1 modulation not shown." in page.flat
    )
    start = html.index('<ul class="people">')
    people = html[start : html.index("</ul>", start)]
    assert people.count('class="quality usable"') == 4
    assert people.count('class="quality doubtful"') == 2
    row = by_method(page)["iVAE"]
    assert row["Usable subjects"] == "4 of 7"
    n_arrows = int((edges["cause"] != "").sum())
    assert row["Usable subjects alone"] == f"1 (1 of {n_arrows} stay)"
    assert "Report what also holds for the usable subjects alone" in page.flat
    nobody = dict.fromkeys(quality, "doubtful")
    method = replace(method, sidecar={**method.sidecar, "Quality": nobody})
    rows = [{**row, "quality": "doubtful"} for row in rows]
    page = Page(render_group(replace(record, methods={"ivae": method}), rows))
    assert "7 subjects, none of them usable by iVAE: 7 doubtful." in page.flat
    assert "Do not use these directions" in page.flat


def test_the_scores_of_all_subjects_are_there_for_the_forest_of_a_pair():
    record = group_record(SIX, ("ivae",), 3)
    method = record.methods["ivae"]
    turned = method.edges[method.edges["decision"] == "y->x"].iloc[0]
    ends = {"x": turned["x"], "y": turned["y"]}
    scores = pd.DataFrame(
        [
            {"unit": "sub-01", **ends, "score": -0.4, "score_low": -0.6, "score_high": 0.1},
            {"unit": "sub-03", **ends, "score": 0.25},
        ]
    )
    units = ("sub-01", "sub-02", "sub-03")
    quality = {"sub-01": "usable", "sub-02": "usable", "sub-03": "doubtful"}
    method = replace(method, sidecar={**method.sidecar, "Quality": quality})
    forest = forest_of(method, SubjectScores(units, scores), 1)
    assert forest.subjects == "sub-01 sub-02 sub-03*"
    # The page shows the pair from cause to effect, which is from y to x.
    assert forest.pairs == {int(turned.name): "40,-10,60 ,, -25,,"}
    record = replace(record, methods={"ivae": method})
    html = render_group(record, statuses(3), scores={"ivae": SubjectScores(units, scores)})
    assert 'data-forest="40,-10,60 ,, -25,,"' in html
    assert f'data-first="{turned["y"]}" data-second="{turned["x"]}"' in html
    many = forest_of(method, SubjectScores(units, scores), 10**6)
    assert many.pairs == {}


def test_what_the_group_hangs_on_is_said(group_html, group_page):
    edges = group_record().methods["ivae"].edges
    arrows = edges[edges["cause"] != ""]
    held = int((arrows["leave_one_out"] == 1).sum())
    row = by_method(group_page)["iVAE"]
    assert row["Stay without any one subject"] == f"{held} of {len(arrows)}"
    assert row["Same in both halves"] == "62%"
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
    assert "What the scores depend on" not in group_page.flat


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
    assert f"age: {len(in_groups)} pairs with q ≤ 0.05." in page.flat
    assert "fig-model-ivae" in {attrs.get("id") for _, attrs in page.tags}
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
    assert by_method(page)["iVAE"]["As in one graph of all"] == f"{n} of {n}"
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
    edge, agreement = rows[:2]
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
    header = next(r for r in page.rows if "Subjects with this sign" in r)
    row = page.rows[page.rows.index(header) + 1]
    for column in ("p", "q"):
        assert row[header.index(column)] == "\N{EN DASH}", column
    assert "p of dependence" not in header, "no pair has one"
    assert not re.search(r"\bnan\b", page.flat, re.IGNORECASE)


@pytest.mark.parametrize(
    ("n_subjects", "said", "needed"),
    [
        (3, "be below 0.25, and a direction needs q ≤ 0.05: in a group of this size no pair", None),
        (10, "With 10 subjects, no p-value over subjects can be below 0.002.", "1 of 12"),
    ],
)
def test_how_unanimous_a_group_must_be(n_subjects, said, needed):
    record = group_record(SIX, ("ivae",), n_subjects)
    assert said in unanimity_sentence(record)
    (row,) = method_rows(record, None)
    assert row.needed == (needed or "no number is enough")
    advice = advice_line(record, main_graph(record, None), [])
    assert advice.startswith("Add subjects") == (needed is None)


def test_a_group_without_dependent_pairs_had_nothing_to_test():
    record = group_record(SIX, ("ivae",))
    edges = record.methods["ivae"].edges.assign(
        decision="none", cause="", effect="", q_value=np.nan
    )
    record = replace(record, methods={"ivae": changed(record.methods["ivae"], edges=edges)})
    page = Page(render_group(record, statuses()))
    assert by_method(page)["iVAE"]["Unanimous pairs needed"] == "none tested"
    assert "No pair of regions has a direction over subjects." in page.flat
    assert "fig-share" not in {attrs.get("id") for _, attrs in page.tags}
    assert "there is no direction to agree on" in page.flat
