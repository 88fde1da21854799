import math

import pytest

from causal_ivae.drawing import wording
from causal_ivae.reporting.method_names import method_label


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0004, "<0.001"), (0.001, "0.001"), (0.0126, "0.013"), (0.0996, "0.10"), (1.0, "1.00"),
        (None, wording.MISSING), (math.nan, wording.MISSING),
    ],
)  # fmt: skip
def test_p_values(value, expected):
    assert wording.p_text(value) == expected


def test_tcl_is_named_with_the_linear_ica_after_it():
    sidecar = {"Settings": {"unmixing": {"tcl": {"ica": "score_matching"}}}}
    assert method_label("tcl", sidecar) == "TCL (score matching)"
    assert method_label("ivae", sidecar) == "iVAE"
    assert method_label("tcl", {"Settings": {"old_key": 1}}) == "TCL"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.251, "+0.25"),
        (-0.251, "\N{MINUS SIGN}0.25"),
        (-0.001, "\N{MINUS SIGN}0.001"),
        (-0.0001, "0.00"),
        (None, wording.MISSING),
    ],
)
def test_signed_numbers(value, expected):
    assert wording.signed(value) == expected


def test_other_numbers():
    assert wording.number(-1234.5) == "\N{MINUS SIGN}1.23e3"
    assert wording.number(0.7200001, 4) == "0.72"
    assert wording.percent(0.834) == "83%"
    assert [wording.percent(x) for x in (0, 0.004, 0.996, 1)] == ["0%", "<1%", ">99%", "100%"]
    assert [wording.level(x) for x in (0.994, 0.996, 1.0)] == ["0.99", ">0.99", "1.00"]
    assert wording.duration(5.25) == "5.2 s"
    assert wording.duration(300) == "5.0 min"
    assert wording.duration(9000) == "2.5 h"
    assert wording.duration(None) == wording.MISSING
    assert wording.p_phrase(0.0001) == "p < 0.001"
    assert wording.p_phrase(0.25) == "p = 0.25"
    assert wording.count(1, "pair") == "1 pair"
    assert wording.count(1200, "pair") == "1,200 pairs"
    assert wording.listed(["a", "b", "c"]) == "a, b and c"
