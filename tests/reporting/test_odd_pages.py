"""Pages of results that are odd: hostile names, nothing to show, other versions, many regions."""

from base64 import b64decode
from dataclasses import replace

import numpy as np
from fake_records import HOSTILE, changed, group_record, names_of, statuses, subject_record
from page_parser import Page
from rendering import assert_self_contained, render_group, render_subject

from causal_ivae.derivatives.units import Unit


def test_hostile_names_come_out_as_text():
    names = (HOSTILE, 'a$b$ & "c" --> <b>', "_x id=\"y\" 'z'")
    html = render_subject(subject_record(names, ("ivae",), notes=(HOSTILE,)))
    assert html.count("<script") == 1
    assert "<b>" not in html
    assert_self_contained(html)
    page = Page(html)
    assert page.errors == []
    assert all(name in page.text for name in names)
    status = [{"label": HOSTILE, "state": "done", "seconds": 1.0, "message": HOSTILE}]
    group = render_group(group_record(names, ("ivae",)), status)
    assert group.count("<script") == 1
    assert Page(group).errors == []


def test_names_that_look_like_numbers():
    page = Page(render_subject(subject_record(("1", "03"), ("ivae",))))
    assert any(row[:1] in (["1 → 03"], ["03 → 1"]) for row in page.rows)


def test_one_method_without_prior_edges_or_tables():
    record = subject_record(names_of(2), ("ivae",), prior=False, decided=False)
    method = changed(
        record.methods["ivae"], tests=None, restarts=None, training=None, diagnostics=None
    )
    record = Unit("sub-01", {"ivae": method})
    page = Page(render_subject(record))
    assert page.errors == []
    for expected in (
        "iVAE finds no arrow among 1 pair of regions",
        "TCL was requested but left no result",
        "No anatomical prior was given",
        "iVAE left no table of tests",
        "iVAE left no training curves",
        "iVAE left no table of diagnostics",
        "time series were not found",
    ):
        assert expected in page.flat


def test_a_prior_without_a_judged_edge_and_with_unknown_regions():
    record = subject_record(names_of(2), ("ivae",))
    method = record.methods["ivae"]
    nothing = {"Count": 0, "Share": None, "ChanceShare": None, "PValue": None}
    prior = {
        "Name": "p", "Directed": False, "Edges": 0, "EdgesLeftOut": 1, "Unknown": ["A", "B"],
        "Direct": nothing, "Feasible": nothing,
        "Orientation": {"Edges": 0, "Count": 0, "PValue": None},
    }  # fmt: skip
    method = changed(method, priorcheck=method.prior_check.assign(verdict="", path=""))
    method = replace(method, sidecar={**method.sidecar, "Prior": prior})
    page = Page(render_subject(replace(record, methods={"ivae": method})))
    for expected in (
        "no arrow to compare",
        "both directions of a connected pair count as feasible",
        "A and B are unknown",
        "1 edge left out of all counts",
        "not covered",
    ):
        assert expected in page.flat


def test_no_method_at_all():
    record = replace(subject_record(names_of(3)), methods={})
    page = Page(render_subject(record))
    assert page.errors == []
    assert "No method left a result here." in page.flat
    assert "Data and segments" in page.flat
    group = Page(render_group(replace(group_record(names_of(2)), methods={}), statuses()))
    assert "No method left a result for the group." in group.flat


def test_settings_of_another_version_still_give_a_page():
    record = subject_record(names_of(2), ("ivae",))
    method = record.methods["ivae"]
    method = replace(method, sidecar={**method.sidecar, "Settings": {"old_key": 1}})
    page = Page(render_subject(replace(record, methods={"ivae": method})))
    assert "do not fit this version" in page.flat
    (link,) = [a for _, a in page.tags if a.get("download") == "pipeline.yaml"]
    assert b"old_key: 1" in b64decode(link["href"].partition("base64,")[2])


def test_diverged_restarts_are_counted_not_averaged():
    record = subject_record(names_of(2), ("ivae",), restarts=3)
    method = record.methods["ivae"]
    restarts = method.restarts.assign(
        objective=[-1.0, np.nan, -2.0], retried=[1, 1, 0], diverged=[0, 1, 0]
    )
    training = method.training.copy()
    training.loc[training["restart"] == 1, "objective"] = np.inf
    method = changed(method, restarts=restarts, training=training)
    page = Page(render_subject(replace(record, methods={"ivae": method})))
    assert "2 restarts diverged at first and trained again at half the learning rate" in page.flat
    assert "1 restart diverged and took no part" in page.flat
    votes = {row[0]: row[-2] for row in page.rows if row[0] in ("2", "3")}
    assert votes["2"] == "diverged"
    assert votes["3"] != "diverged"
    assert "median \N{MINUS SIGN}1.5" in page.flat


def test_twenty_regions_stay_below_five_megabytes():
    record = subject_record(names_of(20), ("ivae",), n_volumes=2400, restarts=8)
    html = render_subject(record)
    assert len(html.encode()) < 3_000_000
    assert Page(html).errors == []
