"""What pages say about planted arrows follows from how many leaned the right way."""

from types import SimpleNamespace

import numpy as np
import pytest

from causal_ivae.discovery.network.power import STRENGTHS, Power, PowerRow
from causal_ivae.reporting.power_text import planted_sentences


def said(
    twins: tuple[int, int],
    shifted: tuple[int, int],
    planted: int = 100,
    connected: int | None = None,
) -> str:
    """Say what came of arrows: of each kind how many were drawn, all rightly, and right signs."""
    rows = tuple(
        PowerRow(
            base, strength, planted, planted if connected is None else connected, drawn, 0, right
        )
        for base, (drawn, right) in {"twins": twins, "shifted": shifted}.items()
        for strength in STRENGTHS
    )
    power = Power(rows, 0.4, 0)
    right = {base: power.right_sign(base) for base in ("twins", "shifted")}
    about = {
        "Volumes": 1200,
        "Seed": 11,
        "Windows": 20,
        "LagOne": 0.6,
        "RightSign": {
            base: {
                name: None if np.isnan(value) else value
                for name, value in zip(("Share", "Low", "High"), found, strict=True)
            }
            for base, found in right.items()
        },
        "CannotDecide": power.undecidable,
    }
    method = SimpleNamespace(sidecar={"Power": about}, tables={"power": power.frame()})
    return " ".join(planted_sentences("Network", method))


def test_both_kinds_of_series_have_their_shares():
    text = said((10, 60), (70, 90))
    assert (
        "arrow of strength .3 / .6 / .9 would be drawn in 10 / 10 / 10 % beside common sources as "
        "in these data and in 70 / 70 / 70 % between regions that share nothing else"
    ) in text
    assert "60% (95% interval 53% to 67%) beside" in text
    assert "cannot decide" not in text


@pytest.mark.parametrize(
    ("twins", "shifted", "words"),
    [
        ((10, 50), (10, 50), "cannot decide directions"),
        ((90, 95), (90, 95), "beside common sources as in these data, these data suffice"),
        ((10, 50), (90, 95), "between regions that share nothing else, these data suffice"),
        ((10, 50), (50, 90), "share nothing else, about"),
    ],
)
def test_what_is_advised(twins, shifted, words):
    assert words in said(twins, shifted)


def test_few_planted_arrows_are_said_to_be_too_few():
    assert "too few to tell" in said((0, 3), (0, 3), planted=4)


def test_nothing_is_said_of_signs_where_nothing_was_found_connected():
    assert "none of the strong planted arrows was found" in said((0, 0), (0, 0), connected=0)
