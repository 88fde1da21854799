"""What a reader of a subject's page sees first: a finding, advice, four numbers, a row a method."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_records import SIX, changed, names_of, subject_record
from page_parser import Page
from rendering import render_subject

from causal_ivae.outcomes import WHY
from causal_ivae.reporting.headline import headline_of, poor_arrows
from causal_ivae.reporting.method_table import method_rows
from causal_ivae.reporting.no_arrow import no_arrows
from causal_ivae.reporting.twins_text import twins_sentences


def with_power(record, *, cannot_decide=False, drawn=0.4, times=3.2, **about):
    """Return a record whose first method has looked for planted arrows."""
    name, method = next(iter(record.methods.items()))
    rows = [
        ("twins", 0.3, 24, 0.1, drawn / 2, 0.0, 0.6, np.nan),
        ("twins", 0.6, 24, 0.5, drawn, 0.1, 0.7, times),
        ("twins", 0.9, 24, 0.9, 2 * drawn, 0.1, 0.8, 1.0),
    ]
    columns = (
        "series", "strength", "planted", "connected", "drawn", "wrong", "right_sign",
        "times_needed",
    )  # fmt: skip
    both = {"Share": 0.44, "Low": 0.3, "High": 0.58}
    power = {
        "Volumes": 1200, "Windows": 14, "LagOne": 0.4, "RepetitionTime": 0.72, "Seed": 1,
        "RightSign": {"twins": both, "shifted": both}, "CannotDecide": cannot_decide,
    }  # fmt: skip
    table = pd.DataFrame(rows, columns=list(columns))
    shifted = table.assign(series="shifted")
    found = changed(method, power=pd.concat([table, shifted], ignore_index=True))
    found = replace(found, sidecar={**found.sidecar, "Power": power, **about})
    return replace(record, methods={**record.methods, name: found})


def undecided(record, why="data"):
    """Return a record whose first method leaves every pair undecided."""
    name, method = next(iter(record.methods.items()))
    edges = method.edges.assign(decision="undecided", cause="", effect="", why=why)
    return replace(record, methods={**record.methods, name: changed(method, edges=edges)})


def test_arrows_by_usable_fits_are_told_from_hollow_ones():
    record = subject_record(SIX, ("ivae",))
    method = record.methods["ivae"]
    edges = method.edges
    arrows = int((edges["cause"] != "").sum())
    hollow = int(((edges["cause"] != "") & (edges["quality"] != "usable")).sum())
    assert 0 < hollow < arrows
    assert poor_arrows(method) == hollow
    found = headline_of(record)
    assert found.finding == (
        f"iVAE finds {arrows} arrows among 15 pairs of regions, {arrows - hollow} of them by "
        "usable fits."
    )
    assert found.advice.startswith("Use the filled arrows only")
    plain = changed(
        method,
        edges=edges.assign(quality="usable"),
        diagnostics=method.diagnostics.assign(verdict="usable"),
    )
    found = headline_of(replace(record, methods={"ivae": plain}))
    assert found.finding == f"iVAE finds {arrows} arrows among 15 pairs of regions."
    assert found.advice.startswith("Report each arrow")
    doubted = replace(record, methods={"ivae": changed(plain, diagnostics=method.diagnostics)})
    said = "Be careful: the fits of 5 of 15 pairs are doubtful or worse."
    assert headline_of(doubted).advice == said
    worst = changed(method, edges=edges.assign(quality="doubtful"))
    found = headline_of(replace(record, methods={"ivae": worst}))
    assert found.finding.endswith("none of them by a usable fit.")
    assert found.advice.startswith("Do not use these directions")


def test_arrows_that_were_not_set_against_twins_are_not_recommended():
    record = subject_record(SIX, ("structural",))
    method = record.methods["structural"]
    usable = changed(
        method,
        edges=method.edges.assign(quality="usable"),
        diagnostics=method.diagnostics.assign(verdict="usable"),
    )
    for twins, advice in ((0, "Be careful: they were not set against"), (6, "Report each arrow")):
        one = replace(usable, sidecar={**usable.sidecar, "Twins": twins})
        assert headline_of(replace(record, methods={"structural": one})).advice.startswith(advice)


def test_without_an_arrow_the_headline_says_what_the_data_could_decide():
    record = undecided(subject_record(SIX, ("structural", "ivae")))
    found = headline_of(with_power(record, cannot_decide=True))
    assert found.word == "doubtful"
    assert found.finding.endswith("these data cannot decide directions.")
    found = headline_of(with_power(record, Twins=6, Claims=2, ClaimsPerTwin=2.7))
    assert found.finding.endswith("series without any arrow look alike.")
    assert "about 3.2 times the data would show 80% of arrows of strength 0.6" in found.advice
    found = headline_of(with_power(record, times=np.nan))
    assert "one of strength 0.6 would be found in 30% of cases." in found.advice
    assert "no proof of absence" in headline_of(record).advice
    method = record.methods["structural"]
    usable = changed(method, diagnostics=method.diagnostics.assign(verdict="usable"))
    assert headline_of(replace(record, methods={"structural": usable})).word == "undecided"
    assert headline_of(replace(record, methods={})) is None


def test_the_four_numbers_are_those_of_the_first_method():
    record = with_power(subject_record(SIX, ("structural", "ivae")))
    method = record.methods["structural"]
    arrows, leaning, power, anatomy = headline_of(record).numbers
    assert arrows.value == str(int((method.edges["cause"] != "").sum()))
    given = method.edges["probability_leaning"]
    assert leaning.value == str(
        int(((method.edges["decision"] == "undecided") & (given >= 0.6)).sum())
    )
    assert (power.value, power.beside) == (
        "30%",
        "of arrows of strength 0.6 would be found, and 10% drawn the wrong way (30% if regions had "
        "no common sources)",
    )
    prior = method.sidecar["Prior"]["Feasible"]
    assert anatomy.value == f"{100 * prior['Share']:.0f}%"
    assert "by chance 83% (p < 0.001)" in anatomy.beside
    bare = headline_of(subject_record(SIX, ("ivae",), prior=False)).numbers
    assert [number.value for number in bare[1:]] == ["\N{EN DASH}"] * 3
    assert bare[3].beside == "no prior was given"


def test_twins_stand_beside_the_arrows_of_every_method_that_has_them():
    record = subject_record(SIX, ("structural", "tcl"))
    method = record.methods["tcl"]
    about = {**method.sidecar, "Twins": 3, "Claims": 2, "ClaimsPerTwin": 0.0}
    about["LeastConfidenceDrawn"] = None
    guarded = replace(method, sidecar=about)
    record = replace(record, methods={**record.methods, "tcl": guarded})
    assert [row.twins for row in method_rows(record)] == ["", "of 2; in a twin 0.0"]
    text = Page(render_subject(record)).flat
    assert "of 2; in a twin 0.0" in text
    assert "in a twin” is how many such a series has" in text
    (said, *_) = twins_sentences("TCL", guarded)
    assert said.endswith("2 arrows to be more than chance, so no arrow is drawn; 10 twins could.")
    withheld = replace(guarded, sidecar={**guarded.sidecar, "WithheldByPlantedArrows": True})
    (said, *_) = twins_sentences("Network", withheld)
    assert said.endswith("No arrow is drawn, since " + WHY["planted"] + ".")


def test_every_method_has_one_row_and_no_sentence_stands_twice():
    record = subject_record(SIX, ("structural", "ivae", "tcl"))
    rows = method_rows(record)
    assert [row.name for row in rows] == ["Structural flow", "iVAE", "TCL (FastICA)"]
    for row, method in zip(rows, record.methods.values(), strict=True):
        decisions = method.edges["decision"]
        assert row.arrows + row.undecided + row.none == len(decisions)
        assert row.none == (decisions == "none").sum()
        assert row.prior.endswith("by chance 83% (p < 0.001)")
        assert [said.partition(":")[0] for said in row.agreement] == [
            other.name for other in rows if other is not row
        ]
    page = Page(render_subject(record))
    head = page.flat[: page.flat.index("Why there is no arrow")]
    for sentence in ("both give a direction", "tested 15 pairs", "Fits of"):
        assert sentence not in head


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("data", "too little data: an arrow of strength 0.6 would be found in 30% of cases"),
        ("twins", "not clearly more than what twins of these data without any arrow show"),
        ("direction", "of strong planted arrows 44% lean the right way (50% by chance)"),
        ("other", "a common cause, a cycle or noise fits as well (probability 50%)"),
        ("same", "the two are the same series"),
    ],
)
def test_every_undecided_pair_says_what_fits_as_well_as_an_arrow(why, said):
    record = undecided(subject_record(names_of(3), ("structural",)), why)
    method = record.methods["structural"]
    edges = method.edges.assign(probability_unknown=0.5, probability_adjacent=[0.2, 0.9, 0.5])
    edges.loc[0, "decision"] = "none"
    record = with_power(replace(record, methods={"structural": changed(method, edges=edges)}))
    found = no_arrows(record)
    assert [row.index for row in found.rows] == [1, 2], "the likeliest connection comes first"
    assert all(said in row.reason for row in found.rows)
    assert found.unrelated == 1
    row = next(row for row in Page(render_subject(record)).rows if len(row) == 4 and said in row[1])
    assert row[2] == "90%"


def test_methods_without_probabilities_have_reasons_too():
    record = subject_record(names_of(3), ("ivae",), decided=False)
    found = no_arrows(record)
    assert found.rows
    assert all("has the level" in row.reason for row in found.rows)
    method = record.methods["ivae"]
    edges = method.edges.assign(decision="x->y", cause=method.edges["x"], effect=method.edges["y"])
    everywhere = replace(record, methods={"ivae": changed(method, edges=edges)})
    assert no_arrows(everywhere) is None
    assert 'id="why"' not in render_subject(everywhere)
