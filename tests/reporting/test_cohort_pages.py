from dataclasses import replace

import pytest
from fake_records import HOSTILE, SIX, changed, diagnostics, group_record, subject_record
from page_parser import Page
from rendering import render_subject

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import signed
from causal_ivae.group import Rating
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.comparison_page import pair_rows, render_compare
from causal_ivae.reporting.index_page import index_row, render_index
from causal_ivae.reporting.subject_summary import SubjectSummary, summarise_subject
from causal_ivae.reporting.verdict import verdicts_of

METHODS = ("ivae", "tcl")


def judged(*verdicts):
    """Return a record of iVAE whose fits have these verdicts in turn."""
    record = subject_record(methods=("ivae",), n_volumes=1800)
    table = diagnostics(SIX)
    table["verdict"] = [verdicts[i % len(verdicts)] for i in range(len(table))]
    method = changed(record.methods["ivae"], diagnostics=table)
    return replace(record, methods={"ivae": method})


def the_verdict(record):
    (verdict,) = verdicts_of(record)
    return verdict


def test_verdict_follows_the_fits():
    good = the_verdict(judged("usable"))
    assert (good.word, good.reasons) == ("usable", ())
    assert good.sentence.startswith("iVAE: usable.")
    shaky = the_verdict(judged("usable", "doubtful"))
    assert shaky.word == "doubtful"
    assert "7 of 15 pairs are doubtful or worse" in shaky.sentence
    lost = the_verdict(judged("not identifiable"))
    assert lost.word == "not identifiable"
    assert "too few segments to tell the disturbances of 15 of 15 pairs apart" in lost.sentence
    weak = the_verdict(judged("modulation not shown"))
    assert weak.word == "modulation not shown"
    assert "a standard deviation of 0.24 or more in 80 % of cases" in weak.sentence


def test_motion_censoring_coverage_and_divergence_make_a_subject_doubtful():
    record = judged("usable")
    moved = record.outliers.assign(framewise_displacement=0.7)
    assert "0.70 mm" in the_verdict(changed(record, outliers=moved)).sentence
    censored = record.outliers.assign(kept=[i % 2 for i in range(len(record.outliers))])
    assert "50% of the volumes" in the_verdict(changed(record, outliers=censored)).sentence
    cut = {**record.sidecar, "Coverage": {"CA1": 0.3, "SUB": 1.0}}
    verdict = the_verdict(replace(record, sidecar=cut))
    assert verdict.word == "doubtful"
    assert "less than 80% of CA1" in verdict.sentence
    method = record.methods["ivae"]
    lost = changed(method, restarts=method.restarts.assign(diverged=1))
    assert "diverged" in the_verdict(replace(record, methods={"ivae": lost})).sentence


def test_restarts_that_disagree_and_dependence_left_are_noted_without_deciding():
    record = judged("usable")
    method = record.methods["ivae"]
    table = method.diagnostics.assign(agreement=0.3, dependence_p=0.001)
    verdict = the_verdict(replace(record, methods={"ivae": changed(method, diagnostics=table)}))
    assert verdict.word == "usable"
    assert "0.30" in verdict.sentence
    assert "15 of 15 fits leave dependence" in verdict.sentence


def with_null_check(record, rejected, interval):
    about = {"SurrogatePairs": 200, "Rejected": rejected, "Alpha": 0.05, "Interval": interval}
    method = record.methods["ivae"]
    method = replace(method, sidecar={**method.sidecar, "NullCheck": about})
    return replace(record, methods={"ivae": method})


def test_a_test_that_does_not_keep_its_level_makes_a_subject_doubtful():
    good = with_null_check(judged("usable"), 14, [0.042, 0.114])
    assert the_verdict(good).word == "usable"
    bad = with_null_check(judged("usable"), 38, [0.142, 0.25])
    assert the_verdict(bad).word == "doubtful"
    assert "rejects 19% of independent pairs made from these series, at a level of 5%" in (
        the_verdict(bad).sentence
    )
    assert "rejects 38 of them (19%, 95% interval 14% to 25%)" in render_subject(bad)


def test_a_subjects_page_begins_with_the_verdict():
    html = render_subject(judged("not identifiable"))
    found = html.index('<p class="finding"><span class="quality not-identifiable">')
    assert found < html.index('id="fig-panel"') < html.index("iVAE: not identifiable because")


def test_the_index_has_a_row_for_every_subject_and_escapes_names():
    empty = Unit(f"sub-{HOSTILE}", {})
    rows = [
        index_row(summarise_subject(subject_record()), "done", "", METHODS),
        index_row(summarise_subject(empty), "failed", "NaN in 'x'", METHODS),
    ]
    assert rows[1].link is None
    assert rows[1].quality == "not known"
    html = render_index(rows, METHODS, [("group.html", "Group")])
    page = Page(html)
    kept = [attrs for tag, attrs in page.tags if tag == "tr" and "data-unit" in attrs]
    assert [row["data-state"] for row in kept] == ["done", "failed"]
    assert kept[1]["data-unit"] == f"sub-{HOSTILE}"
    assert [tag for tag, _ in page.tags].count("script") == 1
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert {"sub-01.html", "group.html"} <= set(links)
    (summary,) = {row.directions for row in rows if row.link}
    said = "Arrows in a subject: {} by iVAE and {} by TCL."
    assert said.format(*summary) in page.flat
    assert "SIMULATED DATA:" not in html


def test_an_index_of_simulated_subjects_says_so():
    made_up = summarise_subject(subject_record(simulated=True))
    assert SubjectSummary.from_dict(made_up.as_dict()) == made_up
    rows = [
        index_row(made_up, "done", "", METHODS),
        index_row(SubjectSummary("sub-2"), "failed", "", METHODS),
    ]
    assert "SIMULATED DATA:" in render_index(rows, METHODS, [])


def test_a_strip_has_a_dot_for_every_subject_whose_measure_is_known():
    rows = [
        index_row(summarise_subject(subject_record()), "done", "", METHODS, Rating("pass", "ok"))
        for _ in range(4)
    ]
    known = [
        replace(row, unit=f"sub-{i}", motion=motion, quality=quality, coverage=0.9)
        for i, (row, motion, quality) in enumerate(
            zip(rows, (0.1, 0.2, 0.9, None), ("usable", "usable", "doubtful", ""), strict=True)
        )
    ]
    known[0] = replace(known[0], unit=f"sub-{HOSTILE}")
    html = render_index(known, METHODS, [])
    page = Page(html)
    dots = [attrs for attrs in page.all("circle") if "data-dot" in attrs]
    # Equal coverage and equal shares of volumes would tell nothing.
    assert [dot["data-dot"] for dot in dots] == [f"sub-{HOSTILE}", "sub-1", "sub-2"]
    assert [dot["class"] for dot in dots] == ["dot", "dot", "dot hollow"]
    places = [float(dot["cx"]) for dot in dots]
    assert (places[1] - places[0]) / (places[2] - places[0]) == pytest.approx(1 / 8, abs=1e-3)
    assert "Head motion (mean, mm)" in page.flat
    assert "Lowest coverage" not in page.flat
    assert HOSTILE not in html
    assert 'data-rating="pass" data-note="ok"' in html
    assert not Page(render_index(known[3:], METHODS, [])).all("circle")


def test_compare_sets_methods_beside_each_other_pair_by_pair():
    record = group_record(SIX, METHODS)
    rows = pair_rows(record)
    assert len(rows) == 15
    outcomes = [row.outcome for row in rows]
    order = ["opposite directions", "same direction", "one direction", "no direction"]
    assert outcomes == sorted(outcomes, key=order.index)
    for row in rows:
        directed = [words for words in row.decisions if "→" in words]
        if row.outcome == "opposite directions":
            assert len(set(directed)) == 2
        if row.outcome == "same direction":
            assert len(directed) == 2
            assert len(set(directed)) == 1
    html = render_compare(record, {"sub-01": summarise_subject(subject_record())})
    page = Page(html)
    figures = [attrs["id"] for tag, attrs in page.tags if tag == "svg"]
    assert {"fig-graph-0", "fig-graph-1"} <= set(figures)
    assert "Share by chance" in html
    assert 'href="sub-01.html"' in html
    # One row a method and one row for two of them, in place of sentences that are alike.
    heads = next(row for row in page.rows if "Unanimous pairs needed" in row)
    assert sum(len(row) == len(heads) for row in page.rows) >= 1 + len(METHODS)
    n_both, n_same = same_direction(*record.methods.values())
    two = next(row for row in page.rows if row and " and " in row[0] and len(row) == 4)
    assert two[1:] == [str(n_both), str(n_same), f"{n_both / 2:g}"]
    opposite = outcomes.count("opposite directions")
    assert f"{n_both} pairs with a direction by two methods or more, {n_same} have" in page.flat
    assert f"{opposite} opposite ones" in page.flat
    open_pairs = {
        name: changed(method, edges=method.edges.assign(decision="undecided", cause="", effect=""))
        for name, method in record.methods.items()
    }
    assert "No pair has a direction by two methods." in render_compare(
        replace(record, methods=open_pairs), {}
    )
    alone = Page(render_compare(subject_record(SIX, METHODS), {}))
    assert "Usable?" in next(row for row in alone.rows if row[0] == "Method")
    assert "directions drawn at random" not in page.flat + alone.flat


@pytest.mark.parametrize("name", ["structural", "ivae", "tcl"])
def test_every_arrow_has_a_row_that_tells_all_about_it(name):
    record = subject_record(methods=(name,), placed=True)
    html = render_subject(record)
    page = Page(html)
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    rows = [attrs for tag, attrs in page.tags if tag == "tr" and "data-edge" in attrs]
    edges = record.methods[name].edges
    assert len(rows) == len(edges)
    for row in rows:
        edge = edges.iloc[int(row["data-edge"].rpartition("-")[2])]
        assert edge["x"] in row["data-detail"]
        for view in ("graph", "circuit", "brain"):
            head = f"fig-{view}-{row['data-edge']}-head"
            known = view != "brain" or SIX[-1] not in (edge["cause"], edge["effect"])
            leans = view == "graph" and name == "structural" and edge["decision"] == "undecided"
            assert (head in ids) == (leans or (edge["cause"] != "" and known))
        assert "votes: " in row["data-detail"]
        if edge["cause"]:
            low, high = edge["score_low"], edge["score_high"]
            low, high = (low, high) if edge["cause"] == edge["x"] else (-high, -low)
            assert (
                f"score +{abs(edge['score']):.2f}, 95% interval {signed(low)} to {signed(high)} "
                f"(positive favours {edge['cause']} →" in row["data-detail"]
            )
        assert "four tests, median p" in row["data-detail"]
        # Of the made-up pairs without an edge, both directions are equally probable.
        leaning = name == "structural" and edge["decision"] != "none"
        assert ("if one drives the other" in row["data-detail"]) == leaning
        if leaning:
            both = edge[["probability_forward", "probability_backward"]]
            first, second = (edge["x"], edge["y"]) if both.argmax() == 0 else (edge["y"], edge["x"])
            share = f"{100 * both.max() / both.sum():.0f}%"
            words = f"{first} → {second}: {share}"
            if both.max() / both.sum() < 0.6:
                words = "either way is as probable"
            assert f"if one drives the other, {words}\n" in row["data-detail"]
        assert float(row["data-confidence"]) == pytest.approx(edge["confidence"])
