"""Parts that files of another version recorded otherwise are left out, with a line that says so."""

from dataclasses import replace

import pytest
from fake_records import SIX, group_record, statuses, subject_record
from page_parser import Page
from rendering import render_group, render_subject
from test_headline import with_power

from causal_ivae.reporting.recorded import lacking, readable

FLAT = {"Share": 0.6, "Low": 0.5, "High": 0.7}


def with_part(record, part, value):
    """Return a record whose first method has recorded something else."""
    name, method = next(iter(record.methods.items()))
    method = replace(method, sidecar={**method.sidecar, part: value})
    return replace(record, methods={**record.methods, name: method})


@pytest.mark.parametrize(
    ("part", "value", "lacks"),
    [
        # One version had no shares for each kind of series.
        (
            "Power",
            {"Volumes": 9, "Windows": 3, "LagOne": 0.1, "RightSign": FLAT},
            "RightSign.twins",
        ),
        ("Power", 3, "Volumes"),
        ("Calibration", {"Bins": []}, "Designs"),
        ("NullCheck", {"Rejected": 3}, "Interval"),
        ("Prior", {"Name": "x"}, "Edges"),
        ("Twins", 6, "Claims"),
    ],
)
def test_an_older_sidecar_costs_its_part_and_not_the_page(part, value, lacks):
    record = with_part(with_power(subject_record(SIX, ("structural",))), part, value)
    (missing,) = lacking(record.methods["structural"].sidecar).values()
    assert any(key.startswith(lacks) for key in missing)
    kept = readable(record)
    assert part not in kept.methods["structural"].sidecar
    page = Page(render_subject(kept))
    assert f"'{part}' (without" in page.flat
    assert "--overwrite always" in page.flat
    # What needs that part is gone, and the rest is there.
    assert ("What could these data decide?" in page.flat) == (part != "Power")
    assert "finds" in page.flat


def test_results_without_twins_lack_nothing():
    record = with_part(subject_record(SIX, ("structural",)), "Twins", 0)
    assert lacking(record.methods["structural"].sidecar) == {}


def test_a_table_without_its_columns_is_left_out_too():
    record = with_power(subject_record(SIX, ("structural",)))
    method = record.methods["structural"]
    old = method.tables["power"].drop(columns=["right_sign", "times_needed"])
    method = replace(method, tables={**method.tables, "power": old})
    kept = readable(replace(record, methods={"structural": method}))
    assert "power" not in kept.methods["structural"].tables
    assert "Power" not in kept.methods["structural"].sidecar
    assert "'power' (without right_sign, times_needed)" in Page(render_subject(kept)).flat


def test_results_of_this_version_are_left_as_they_are():
    record = with_power(subject_record(SIX, ("structural", "ivae")))
    assert readable(record) is record


def test_the_curve_of_the_power_is_on_the_page_of_the_group():
    group = group_record(SIX, ("structural",))
    assert "What could these data decide?" not in render_group(group, statuses())
    html = render_group(with_power(group), statuses())
    page = Page(html)
    assert page.flat.count("What could these data decide?") == 1
    assert 'id="fig-power"' in html
    assert "regions that share nothing, strength 0.6: 40 percent drawn, 10 percent" in html
