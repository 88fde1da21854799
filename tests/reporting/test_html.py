import base64
import gc
import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import yaml
from fake_records import SIX, changed, group_record, names_of, statuses, subject_record
from page_parser import Page
from rendering import assert_self_contained, render_group, render_subject

from causal_ivae.derivatives.files import write_json, write_table
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import MISSING
from causal_ivae.reporting.references import bibliography
from causal_ivae.settings import Pipeline, resources


@pytest.fixture(scope="module")
def subject_html():
    return render_subject(subject_record(notes=("The repetition time is assumed to be 2 s.",)))


@pytest.fixture(scope="module")
def subject_page(subject_html):
    return Page(subject_html)


def test_cleaning_and_runs_left_out_are_shown():
    record = subject_record()
    assert "Degrees of freedom" not in render_subject(record)
    cleaning = {
        "Run": "task-rest_run-1", "VolumesAcquired": 240, "VolumesKept": 231,
        "RankOfConfounds": 17, "ResidualDegreesOfFreedom": 213,
    }  # fmt: skip
    excluded = {"Run": "task-rest_run-2", "Reason": "<b>10 volumes</b> are kept of 240."}
    shown = replace(
        record, sidecar={**record.sidecar, "Cleaning": [cleaning], "ExcludedRuns": [excluded]}
    )
    html = render_subject(shown)
    cells = [f'<td class="number">{number}</td>' for number in (240, 231, 17, 213)]
    assert "".join(cells) in html
    assert "task-rest_run-2 was left out. &lt;b&gt;10 volumes&lt;/b&gt; are kept of 240." in html


@pytest.mark.parametrize("which", ["subject_html", "group_html"])
def test_a_page_is_one_file_that_asks_for_nothing(which, request):
    assert_self_contained(request.getfixturevalue(which))


@pytest.mark.parametrize("which", ["subject_html", "group_html"])
def test_a_page_is_well_formed_and_accessible(which, request):
    html = request.getfixturevalue(which)
    page = Page(html)
    assert page.errors == []
    assert page.all("html") == [{"lang": "en"}]
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert page.all("th")
    assert all(attrs.get("scope") in ("col", "row", "rowgroup") for attrs in page.all("th"))
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert svg.get("aria-label") or svg["aria-labelledby"] in ids
    anchors = {attrs["href"][1:] for attrs in page.all("a") if attrs["href"].startswith("#")}
    assert anchors <= set(ids)
    assert page.all("a")[0]["class"] == "skip"
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html


def test_the_policy_lets_only_the_page_s_own_script_run(subject_html):
    import hashlib
    from base64 import b64encode

    script = re.search(r"<script>(.*?)</script>", subject_html, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}" in subject_html or (
        f"script-src 'sha256-{digest}'" in subject_html
    )


def test_edge_rows_read_from_cause_to_effect(subject_page):
    record = subject_record()
    edges = record.methods["ivae"].edges
    turned = edges[edges["decision"] == "y->x"].iloc[0]
    row = next(r for r in subject_page.rows if r and r[0] == f"{turned['y']} → {turned['x']}")
    assert row[1] == "directed"
    assert row[2] == f"+{-turned['score']:.2f}"
    start = subject_page.rows.index(
        next(r for r in subject_page.rows if r[:2] == ["Pair", "Decision"])
    )
    first_table = subject_page.rows[start + 1 : start + 1 + len(edges)]
    decisions = [r[1] for r in first_table]
    assert decisions == sorted(decisions, key=["directed", "undecided", "none"].index)


def test_the_summary_counts_what_the_tables_hold(subject_page):
    for name, method in subject_record().methods.items():
        counts = method.edges["decision"].value_counts()
        directed = counts.get("x->y", 0) + counts.get("y->x", 0)
        shown = {"ivae": "iVAE", "tcl": "TCL (FastICA)"}[name]
        row = next(row for row in subject_page.rows if row[:1] == [shown] and len(row) == 8)
        assert row[2].removesuffix(" hollow").startswith(str(directed))
        assert row[3:6] == [MISSING, str(counts["undecided"]), str(counts["none"])]
    assert "The repetition time is assumed to be 2 s." in subject_page.flat
    assert "It is no proof that one region drives the other" in subject_page.flat


def test_all_four_p_values_stand_in_their_columns():
    record = subject_record(names_of(2), ("ivae",), restarts=2, prior=False)
    tests = record.methods["ivae"].tests.copy()
    x, y = names_of(2)
    values = {(x, "n1"): 0.111, (x, "n2"): 0.222, (y, "n1"): 0.0333, (y, "n2"): 0.0044}
    for (first, second), value in values.items():
        chosen = (tests["restart"] == 1) & (tests["first"] == first) & (tests["second"] == second)
        tests.loc[chosen, "p_value"] = value
    # The rows may come in any order.
    method = changed(record.methods["ivae"], tests=tests.sample(frac=1, random_state=1))
    page = Page(render_subject(replace(record, methods={"ivae": method})))
    row = next(r for r in page.rows if r[:1] == ["2"])
    assert row[1:5] == ["0.11", "0.22", "0.033", "0.004"]
    header = next(r for r in page.rows if "x ~ n1" in r)
    assert header[2:6] == ["x ~ n1", "x ~ n2", "y ~ n1", "y ~ n2"]


def test_fits_are_judged_in_numbers_and_in_words(subject_page):
    table = subject_record().methods["tcl"].diagnostics
    assert table["verdict"].value_counts().to_dict() == {
        "usable": 10, "doubtful": 3, "modulation not shown": 2,
    }  # fmt: skip
    text = subject_page.flat
    for name in ("iVAE", "TCL (FastICA)"):
        assert f"{name}: 10 of 15 pairs usable, 3 doubtful, 2 modulation not shown." in text
    assert "There are 14 segments; 3 are needed." in text
    assert (
        "a disturbance hardly changes with the segment (3 pairs); "
        "the segments show 1 of the 2 independent changes that are needed (2 pairs)."
    ) in text
    rows = [row for row in subject_page.rows if len(row) == 8 and row[2].endswith(" of 2")]
    first_method = rows[: len(table)]
    words = [row[1].split(" because")[0].rstrip(".") for row in first_method]
    assert words == ["Modulation not shown"] * 2 + ["Doubtful"] * 3 + ["Usable"] * 10
    shaky = first_method[2]
    assert "the fits disagree (mean MCC 0.55)" in shaky[1]
    assert shaky[2:] == ["2 of 2", "1.8", "0.41 ± 0.11", "0.08 ± 0.10", "0.55", "0.41"]
    for term in ("Segments needed:", "Rank and condition of L:", "Modulation:",
                 "Agreement:", "Residual dependence:"):  # fmt: skip
        assert term in text


def test_usable_fits_have_nothing_against_them():
    record = subject_record(names_of(2), ("ivae",))
    html = Page(render_subject(record)).flat
    assert "iVAE: 1 of 1 pair usable." in html
    assert "Reasons against" not in html


def test_a_single_restart_has_no_agreement_and_no_condition_is_infinite():
    record = subject_record(names_of(2), ("ivae",))
    method = record.methods["ivae"]
    table = method.diagnostics.assign(agreement=np.nan, condition=np.inf)
    page = Page(
        render_subject(replace(record, methods={"ivae": changed(method, diagnostics=table)}))
    )
    row = next(row for row in page.rows if row[2:3] == ["2 of 2"])
    assert row[3] == row[6] == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("ica", "label"), [("fastica", "TCL (FastICA)"), ("score_matching", "TCL (score matching)")]
)
def test_every_result_of_tcl_says_which_linear_ica_follows_it(ica, label):
    pipeline = Pipeline().changed({"unmixing.tcl.ica": ica, "prior.name": "hippocampal_circuit"})
    record = subject_record(names_of(3), pipeline=pipeline)
    page = Page(render_subject(record))
    group = Page(render_group(group_record(names_of(3), pipeline=pipeline), statuses(3)))
    for shown in (page, group):
        titles = [text for _, text in shown.headings]
        assert "TCL" not in titles
        assert titles.count(label) >= 2
        rows = [row for row in shown.rows if row[:1] == [label]]
        assert rows, "the comparison with anatomy names it too"
    assert f"{label}: verdict and reasons" in page.flat
    assert f"{label}: all four p-values" in page.flat


def test_what_speaks_for_either_direction_is_shown_where_there_is_evidence():
    record = subject_record(names_of(4), ("structural", "ivae"), prior=False)
    method = record.methods["structural"]
    edges = method.edges
    page = Page(render_subject(record))
    assert page.errors == []
    header = next(row for row in page.rows if "Neither" in row)
    assert header == [
        "x, y", "x → y", "y → x", "No edge", "Neither", "If an arrow", "Effect", "Gain",
        "Statistic", "Dependence left by x → y",
        "Dependence left by y → x",
    ]  # fmt: skip
    start = page.rows.index(header) + 1
    shown = page.rows[start : start + len(edges)]
    assert [row[0] for row in shown] == list(edges["x"] + ", " + edges["y"])
    for row, edge, found in zip(
        shown, edges.itertuples(), method.evidence.itertuples(), strict=True
    ):
        assert row[1:5] == [
            f"{100 * value:.0f}%"
            for value in (
                edge.probability_forward, edge.probability_backward, edge.probability_none,
                edge.probability_unknown,
            )
        ]  # fmt: skip
        either = edge.probability_forward + edge.probability_backward
        likelier = max(edge.probability_forward, edge.probability_backward)
        arrow = "x → y" if likelier == edge.probability_forward else "y → x"
        assert row[5] == f"{arrow} {100 * likelier / either:.0f}%"
        assert row[6] == found.mechanism
        assert float(row[9]) == pytest.approx(1000 * found.residual_forward)
        assert float(row[10]) == pytest.approx(1000 * found.residual_backward)
    # The fits of a pair are its directions, not restarts.
    assert "Structural flow: over 12 pairs and directions" in page.flat
    assert "iVAE: over 24 pairs and restarts" in page.flat
    assert "were fitted by exact likelihood" in page.flat
    assert page.flat.count("the evidence for either direction") == 1


def test_the_reliability_of_the_probabilities_is_shown_where_there_are_any():
    html = render_subject(subject_record(SIX[:3], ("structural", "ivae")))
    assert "97 percent: 98 percent right of 500 pairs" in html
    assert "on 900 simulated pairs of 12 designs" in html
    assert "expected calibration error is 0.02" in html
    assert 'id="calibration"' not in render_subject(subject_record(SIX[:3], ("ivae",)))


def test_stability_over_segments_and_restarts_is_shown():
    record = subject_record(SIX[:3], ("structural", "ivae"))
    html = render_subject(record)
    page = Page(html)
    assert "stability of 3 pairs over segments and restarts" in html
    assert "stability of 3 pairs over segments<" in html
    decisions = [list(method.edges["decision"]) for method in record.methods.values()]
    shown = sum(d != "undecided" for d in decisions[1]) + len(decisions[0])
    meters = [attrs for tag, attrs in page.tags if tag == "meter"]
    assert [float(meter["value"]) for meter in meters] == [0.7] * shown
    assert "the same in 70% of resamples of segments" in html
    other = {n: changed(m, stability=None) for n, m in record.methods.items()}
    assert "<meter" not in render_subject(replace(record, methods=other))


def test_no_evidence_is_shown_of_a_method_that_has_none():
    page = Page(render_subject(subject_record(names_of(3), ("ivae",))))
    assert "the evidence for either direction" not in page.flat
    assert "were fitted by exact likelihood" not in page.flat
    assert not any("Neither" in row for row in page.rows)


def test_prior_comparison_shows_chance(subject_page):
    row = next(r for r in subject_page.rows if r[:2] == ["iVAE", "direct or indirect"])
    assert row[-2:] == ["83%", "<0.001"]
    assert "feasible; by chance 83% (p < 0.001)" in subject_page.flat
    assert "feasibility alone says little" in subject_page.flat


def test_provenance_is_complete(subject_page):
    text = subject_page.flat
    for expected in (
        "causal-ivae run bold out participant --participant-label 01 --seed 0",
        "torch 2.13.0",
        "sha256:0123456789abcdef",
        "83 s",
        "cpu",
    ):
        assert expected in text


def test_simulated_data_are_labelled(subject_html, group_html):
    assert "SIMULATED DATA:" not in subject_html + group_html
    record = subject_record(names_of(2), ("ivae",), simulated=True)
    assert "SIMULATED DATA:" in render_subject(record)
    group = group_record(names_of(2), ("ivae",), simulated=True)
    assert "SIMULATED DATA:" in render_group(group, statuses(3))


def test_garbage_is_collected_again_after_a_page(subject_html):
    assert gc.isenabled()
    with pytest.raises(AttributeError):
        render_subject(None)
    assert gc.isenabled()


def test_a_page_is_reproducible():
    first, second = (subject_record(names_of(2), ("ivae",)) for _ in range(2))
    assert render_subject(first) == render_subject(second)


def test_a_page_from_files_is_the_page_from_memory(tmp_path):
    methods = ("structural", "ivae", "tcl")
    record = subject_record(SIX[:2], methods)
    paths = UnitPaths(tmp_path, record.name, (("task", "rest"),))
    for method in record.methods.values():
        method.write(paths)
    write_table(paths.file("timeseries.tsv"), record.timeseries)
    write_table(paths.file("outliers.tsv"), record.outliers)
    write_json(paths.file("timeseries.json"), record.sidecar)
    read = Unit.read(paths, methods)
    assert [read.methods[name].evidence is None for name in methods] == [False, True, True]
    assert json.dumps(read.sidecar) == json.dumps(record.sidecar)
    assert Page(render_subject(read)).flat == Page(render_subject(record)).flat


def test_settings_can_be_saved_as_a_pipeline_that_loads_again(subject_page):
    links = [attrs for tag, attrs in subject_page.tags if attrs.get("download") == "pipeline.yaml"]
    assert len(links) == 2
    content = base64.b64decode(links[0]["href"].partition("base64,")[2])
    settings = subject_record().methods["ivae"].sidecar["Settings"]
    assert Pipeline.model_validate(yaml.safe_load(content)) == Pipeline.model_validate(settings)


def test_the_works_cited_can_be_saved_as_bibtex(subject_html, subject_page):
    (link,) = [a for _, a in subject_page.tags if a.get("download") == "references.bib"]
    saved = base64.b64decode(link["href"].partition("base64,")[2]).decode()
    works = bibliography()
    listed = subject_html.partition('<ul class="references">')[2].partition("</ul>")[0]
    assert saved.count("\n@") + 1 == listed.count("<li>")
    assert works["khemakhem2020"].entry in saved
    # Whole entries of the file that is cited from, and no others.
    source = (resources.folder("reports") / "references.bib").read_text(encoding="utf-8")
    assert all(f"@{entry}".strip() in source for entry in f"\n{saved}".split("\n@")[1:])
    assert "rabiner1989" in works
    assert "rabiner1989" not in saved
