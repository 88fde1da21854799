"""One rule on missing regions holds for all subjects of a run."""

from causal_ivae.batch.analysis import Outcome
from causal_ivae.batch.loading import Loaded, common_regions


def loaded(regions, missing=()):
    return Loaded(Outcome("sub-x", "done"), tuple(regions), tuple(missing))


def test_dropped_region_is_dropped_for_every_subject():
    known = {"sub-01": loaded("ABC"), "sub-02": loaded("ABC", "B"), "sub-03": loaded("CAB")}
    regions, lacking = common_regions(known, "drop")
    assert lacking == {}
    assert regions == {"sub-01": ("A", "C"), "sub-02": ("A", "C"), "sub-03": ("C", "A")}


def test_subject_that_lacks_a_region_of_the_others_stops():
    known = {"sub-01": loaded("ABC"), "sub-02": loaded("AC"), "sub-03": loaded("ABC")}
    regions, lacking = common_regions(known, "fail")
    assert lacking == {"sub-02": ("B",)}
    assert regions["sub-01"] == ("A", "B", "C")
