"""Which subjects and regions are in a fit of all subjects."""

import pytest
from tiny_study import tiny_pipeline

from causal_ivae.batch.analysis import Analysis, Outcome
from causal_ivae.batch.cohort import Combining, poolable
from causal_ivae.derivatives.files import write_json
from causal_ivae.derivatives.names import UnitPaths


@pytest.fixture
def analysis(tmp_path):
    found = {"sub-01": ("ABCD", ""), "sub-02": ("DCBA", "C"), "sub-03": ("ABC", "")}
    for unit, (regions, missing) in found.items():
        about = {"Entities": {}, "Regions": list(regions), "MissingRegions": list(missing)}
        write_json(UnitPaths(tmp_path, unit).file("timeseries.json"), about)
    return Analysis(source=tmp_path, output=tmp_path, levels=("group",), pipeline=tiny_pipeline())


def test_subjects_are_pooled_over_the_regions_that_each_of_them_has(analysis):
    both = poolable(Combining(analysis, ("sub-01", "sub-02", "sub-04")))
    # In the order of the first; the second has no C that could be measured.
    assert both == (["sub-01", "sub-02"], ("A", "B", "D"))
    assert poolable(Combining(analysis, ("sub-02", "sub-03")))[1] == ("B", "A")


def test_a_subject_that_failed_is_not_pooled(analysis):
    ended = {"sub-02": Outcome("sub-02", "failed"), "sub-03": Outcome("sub-03", "up to date")}
    piece = Combining(analysis, ("sub-01", "sub-02", "sub-03"), ended)
    assert poolable(piece) == (["sub-01", "sub-03"], ("A", "B", "C"))
