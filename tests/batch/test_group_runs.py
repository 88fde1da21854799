"""The group: statistics over subjects, models of them, and fits of all of them."""

import json

import pytest
from tiny_study import (
    file_of,
    run_study,
    states,
    tiny_pipeline,
    write_study,
)

from causal_ivae.batch import pages
from causal_ivae.batch.overview import write_overview
from causal_ivae.derivatives.files import read_table
from causal_ivae.errors import CausalIvaeError, InputError, SettingsError
from causal_ivae.group import Rating, write_rating
from causal_ivae.reporting.fits import VERDICTS


def test_group_refuses_graphs_made_with_other_settings(finished):
    source, out = finished
    pipeline = tiny_pipeline(decision__alpha=0.01)
    result = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert result.exit_code == 2
    assert "made with other settings" in result.failed[0].message


def test_a_model_over_subjects_is_fitted_and_redone_when_what_is_known_of_them_changes(finished):
    source, out = finished
    known = source / "participants.tsv"
    known.write_text("participant_id\tage\nsub-01\t31\nsub-02\t55\nsub-03\t48\n")
    pipeline = tiny_pipeline(group__model="score ~ age")
    result = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(result)["group"] == "done"
    table = read_table(file_of(out, "group", "model.tsv", "ivae"))
    assert list(table["term"]) == ["Intercept", "age"] * 3
    columns = json.loads(file_of(out, "group", "model.json", "ivae").read_text())
    assert set(columns) == set(table.columns)
    about = json.loads(file_of(out, "group", "edges.json", "ivae").read_text())
    assert about["Model"]["Subjects"] == ["sub-01", "sub-02", "sub-03"]
    assert "score ~ age" in (out / "group.html").read_text()
    again = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(again)["group"] == "up to date"
    known.write_text(known.read_text().replace("31", "35"))
    changed = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(changed)["group"] == "done"
    assert not read_table(file_of(out, "group", "model.tsv", "ivae")).equals(table)
    # Without the model its table is not left lying.
    assert states(run_study(source, out, levels=("group",)))["group"] == "done"
    assert not list((out / "group").glob("*_model.*"))


def test_subjects_are_left_out_of_the_group_by_participants_tsv(finished):
    source, out = finished
    known = source / "participants.tsv"
    before = read_table(file_of(out, "group", "edges.tsv", "ivae"))
    assert set(before["n_subjects"]) == {3}
    known.write_text("participant_id\texclude\nsub-01\t0\nsub-02\t1\nsub-03\tn/a\n")
    result = run_study(source, out, levels=("group",))
    assert states(result)["group"] == "done"
    (outcome,) = (o for o in result.outcomes if o.unit == "group")
    assert "Excluded by participants.tsv: sub-02." in outcome.message
    table = read_table(file_of(out, "group", "edges.tsv", "ivae"))
    assert set(table["n_subjects"]) == {2}
    about = json.loads(file_of(out, "group", "edges.json", "ivae").read_text())
    assert about["Subjects"] == ["sub-01", "sub-03"]
    assert about["Excluded"] == {"sub-02": "participants.tsv"}
    listed = read_table(file_of(out, "group", "subjects.tsv")).set_index("subject")
    assert list(listed["state"]) == ["done", "excluded", "done"]
    assert listed["quality"]["sub-02"] == ""
    page = (out / "group.html").read_text()
    assert "none of them usable by iVAE" in page
    assert "and 1 excluded." in page
    again = run_study(source, out, levels=("group",))
    assert states(again)["group"] == "up to date"
    pages.write_all(out)
    assert "and 1 excluded." in (out / "group.html").read_text()
    known.write_text(known.read_text().replace("sub-02\t1", "sub-02\t0"))
    run_study(source, out, levels=("group",))
    assert read_table(file_of(out, "group", "edges.tsv", "ivae")).equals(before)
    known.write_text("participant_id\texclude\nsub-01\t1\nsub-02\t1\nsub-03\t1\n")
    nobody = run_study(source, out, levels=("group",))
    assert "All 3 subjects with results are excluded by" in nobody.failed[0].message
    known.write_text("participant_id\texclude\nsub-01\tmaybe\n")
    with pytest.raises(InputError, match="'maybe' in the column 'exclude' of 'sub-01'"):
        run_study(source, out, levels=("group",))


def test_subjects_are_left_out_of_the_group_by_a_rating_on_the_pages(finished):
    source, out = finished
    write_rating(out, "sub-03", Rating("exclude", "spikes"))
    write_rating(out, "sub-01", Rating("pass"))
    result = run_study(source, out, levels=("group",))
    (outcome,) = (o for o in result.outcomes if o.unit == "group")
    assert "Excluded by exclude.tsv: sub-03." in outcome.message
    about = json.loads(file_of(out, "group", "edges.json", "ivae").read_text())
    assert about["Subjects"] == ["sub-01", "sub-02"]
    listed = read_table(file_of(out, "group", "subjects.tsv")).set_index("subject")
    assert listed["message"]["sub-03"] == "Excluded by exclude.tsv."
    write_overview(out)
    index = (out / "index.html").read_text()
    assert 'data-rating="exclude" data-note="spikes"' in index
    assert index.count('data-rating="not rated"') == 1
    assert states(run_study(source, out, levels=("group",)))["group"] == "up to date"
    # Either file leaves a subject out, and a note that follows leaves the group as it is.
    (source / "participants.tsv").write_text("participant_id\texclude\nsub-03\t0\n")
    write_rating(out, "sub-03", Rating("exclude", "many spikes"))
    assert states(run_study(source, out, levels=("group",)))["group"] == "done"
    again = json.loads(file_of(out, "group", "edges.json", "ivae").read_text())
    assert again["Excluded"] == {"sub-03": "exclude.tsv"}
    (out / "exclude.tsv").write_text("participant_id\texclude\nsub-01\tperhaps\n")
    with pytest.raises(InputError, match="'perhaps' in the column 'exclude' of 'sub-01'"):
        run_study(source, out, levels=("group",))


def test_the_quality_of_subjects_is_on_the_pages_of_the_group(finished):
    _, out = finished
    about = json.loads(file_of(out, "group", "edges.json", "ivae").read_text())
    words = about["Quality"]
    assert list(words) == ["sub-01", "sub-02", "sub-03"]
    # So short a training is never usable.
    assert set(words.values()) <= {*VERDICTS[1:]}
    listed = read_table(file_of(out, "group", "subjects.tsv"))
    assert dict(zip(listed["subject"], listed["quality"], strict=True)) == words
    table = read_table(file_of(out, "group", "edges.tsv", "ivae"))
    assert {"n_usable", "usable_decision"} <= set(table)
    page = (out / "group.html").read_text()
    assert "3 subjects, none of them usable by iVAE" in page
    drawn = table["decision"].isin(["x->y", "y->x", "both"]).any()
    advice = "Do not use these directions" if drawn else "This is no proof of absence"
    assert f"{advice}: nobody&#39;s results are usable." in page
    assert page.count("data-forest=") == 6
    badge = f'<span class="quality {words["sub-01"].replace(" ", "-")}">{words["sub-01"]}</span>'
    assert page.count(badge) >= 1
    write_overview(out)
    compared = (out / "compare.html").read_text()
    tables = [read_table(file_of(out, "group", "edges.tsv", method)) for method in ("ivae", "tcl")]
    arrows = [edges["decision"].isin(["x->y", "y->x", "both"]).any() for edges in tables]
    assert ("(0 of 3 fits usable)" in compared) == any(arrows)
    assert badge in compared


def test_one_fit_of_all_subjects_stands_beside_the_group(finished):
    source, out = finished
    before = read_table(file_of(out, "group", "edges.tsv", "tcl"))
    pipeline = tiny_pipeline(group__pooled=True)
    result = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(result)["pooled"] == "done"
    assert states(result)["group"] == "done"
    about = json.loads(file_of(out, "pooled", "timeseries.json").read_text())
    assert about["Segments"] == ["sub-01", "sub-02", "sub-03"]
    for method in ("ivae", "tcl"):
        assert len(read_table(file_of(out, "pooled", "edges.tsv", method))) == 3
    # The statistics over subjects are what they were.
    assert read_table(file_of(out, "group", "edges.tsv", "tcl")).equals(before)
    page = (out / "group.html").read_text()
    assert "One graph of all subjects, and statistics over subjects" in page
    assert 'href="pooled.html"' in page
    assert "All subjects pooled" in (out / "pooled.html").read_text()
    write_overview(out)
    assert "pooled.html" in (out / "index.html").read_text()
    again = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert [states(again)[unit] for unit in ("pooled", "group")] == ["up to date"] * 2
    assert out / "pooled.html" in pages.write_all(out)[0]
    # Without it, the page speaks of it no longer.
    run_study(source, out, levels=("group",))
    assert "One graph of all subjects" not in (out / "group.html").read_text()


def test_a_pooled_fit_that_cannot_be_leaves_the_group(finished, tmp_path):
    source, out = finished
    pipeline = tiny_pipeline(group__pooled=True)
    for path in out.glob("sub-03/func/*"):
        path.unlink()
    result = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(result)["pooled"] == "failed"
    assert states(result)["group"] == "done"
    assert "at least 3 are needed" in result.failed[0].message
    assert "The pooled fit left no result" in (out / "group.html").read_text()


def test_models_that_cannot_be_are_refused_before_anything_is_written(tmp_path):
    source = write_study(tmp_path / "deep" / "er" / "input", ("01", "02", "03"))

    def refused(message, **changes):
        pipeline = tiny_pipeline(**{"group__model": "score ~ age", **changes})
        with pytest.raises(CausalIvaeError, match=message):
            run_study(source, tmp_path / "out", levels=("group",), pipeline=pipeline)
        assert not (tmp_path / "out").exists()

    refused("needs a participants.tsv, which is neither in")
    (source / "participants.tsv").write_text("participant_id\tyears\nsub-01\t31\n")
    refused("names 'age', which is no column of participants.tsv. Allowed: 'years'")
    refused("is not of the form", group__model="score ~ exit()")
    refused("make one graph of all subjects", segments__by="subjects")


def test_subjects_pooled_are_one_fit_of_the_group(tmp_path):
    source = write_study(tmp_path / "input", ("01", "02", "03"))
    pipeline = tiny_pipeline(segments__by="subjects", unmixing__methods=["tcl"])
    result = run_study(source, tmp_path / "out", levels=("group",), pipeline=pipeline)
    assert states(result)["group"] == "done"
    out = tmp_path / "out"
    about = json.loads(file_of(out, "group", "timeseries.json").read_text())
    assert about["Segments"] == ["sub-01", "sub-02", "sub-03"]
    assert len(read_table(file_of(out, "group", "edges.tsv", "tcl"))) == 3
    assert (read_table(file_of(out, "group", "diagnostics.tsv", "tcl"))["segments"] == 3).all()
    assert (out / "group.html").is_file()
    again = run_study(source, out, levels=("group",), pipeline=pipeline)
    assert states(again)["group"] == "up to date"
    with pytest.raises(SettingsError, match="run the level group alone"):
        run_study(source, out, levels=("participant", "group"), pipeline=pipeline)


def test_too_few_subjects_to_pool_are_refused_before_anything_is_written(tmp_path):
    source = write_study(tmp_path / "input", ("01", "02"))
    pipeline = tiny_pipeline(segments__by="subjects")
    with pytest.raises(InputError, match="at least 3 are needed"):
        run_study(source, tmp_path / "out", levels=("group",), pipeline=pipeline)
    assert not (tmp_path / "out").exists()
