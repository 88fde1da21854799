"""What planted arrows show that data could decide, by judges whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from causal_ivae.discovery.network.judgement import LEANING_SLOPE, NetworkJudgement
from causal_ivae.discovery.network.power import (
    BASES,
    Power,
    PowerRow,
    calibrated_slope,
    estimate_power,
    times_needed,
)
from causal_ivae.discovery.network.twins import Twins
from causal_ivae.settings import PowerSettings

N, TIMES = 6, 400
PAIRS = np.stack(np.triu_indices(N, 1), axis=1)


def judged(forward):
    """Return a judgement with given probabilities of x -> y, of connected pairs."""
    backward = 0.95 - forward
    none = np.full(len(PAIRS), 0.05)
    arrows = np.column_stack([none, forward, backward, np.zeros(len(PAIRS))])
    sure = np.ones(len(PAIRS))
    return NetworkJudgement(PAIRS, sure, sure > 0, arrows, scaled_by_segment=False)


def power_of(judge, least=0.7, plants=12, decoys=None):
    rng = np.random.default_rng(0)
    segments, blocks = np.arange(TIMES) // 50, np.zeros(TIMES, dtype=np.int64)
    return estimate_power(
        Twins(rng.standard_normal((TIMES, N)), segments, blocks),
        segments,
        blocks,
        judge,
        lambda own, against: least,
        np.zeros((6, 2 * len(PAIRS))) if decoys is None else decoys,
        tr=2.0,
        settings=PowerSettings(plants=plants),
        seed=1,
    )


def test_a_judge_that_knows_nothing_has_half_of_the_signs_and_a_flat_slope():
    rng = np.random.default_rng(1)
    found = power_of(lambda _: judged(rng.uniform(0.03, 0.92, len(PAIRS))), plants=96)
    assert {(row.base, row.strength) for row in found.rows} == {
        (base, b) for base in ("twins", "shifted") for b in (0.3, 0.6, 0.9)
    }
    for base in BASES:
        share, low, high = found.right_sign(base)
        assert low < 0.5 < high
        assert abs(share - 0.5) < 0.17
    assert found.undecidable
    assert found.slope < 0.15
    assert all(times_needed(row) is None for row in found.rows if row.right_sign <= row.planted / 2)
    table = found.frame()
    assert (table["drawn_low"] <= table["drawn"]).all()
    assert (table["wrong"] > 0).all()


def test_a_judge_that_sees_correlations_only_by_their_sign_is_counted_as_it_answers():
    found = power_of(lambda _: judged(np.full(len(PAIRS), 0.9)))
    counts = np.array([[row.planted, row.connected, row.drawn] for row in found.rows])
    assert (counts == 12 // 2).all()
    # Half of the arrows lead from a region to an earlier one, and are then drawn the wrong way.
    wrong = sum(row.wrong for row in found.rows)
    right = sum(row.right_sign for row in found.rows)
    assert wrong + right == counts[:, 0].sum()
    assert 0 < wrong < counts[:, 0].sum()
    never = power_of(lambda _: judged(np.full(len(PAIRS), 0.9)), least=np.inf)
    assert sum(row.drawn for row in never.rows) == 0


@pytest.mark.parametrize("true", [0.0, 0.4, 1.0])
def test_the_slope_is_found_and_stays_near_the_usual_one_without_arrows(true):
    rng = np.random.default_rng(2)
    odds = rng.normal(0.0, 2.0, 3000)
    right = rng.random(3000) < 1 / (1 + np.exp(-true * odds))
    assert calibrated_slope(np.where(right, odds, -odds)) == pytest.approx(true, abs=0.08)
    assert calibrated_slope(np.empty(0)) == pytest.approx(LEANING_SLOPE, abs=1e-3)


def test_more_data_are_asked_for_where_power_is_small_and_signs_are_right():
    enough = PowerRow("twins", 0.6, 100, 100, 90, 2, 95)
    some = PowerRow("twins", 0.6, 100, 100, 40, 5, 80)
    fewer = PowerRow("twins", 0.6, 100, 100, 10, 1, 80)
    blind = PowerRow("twins", 0.6, 100, 100, 40, 20, 52)
    assert times_needed(enough) == 1.0
    assert 1.0 < times_needed(some) < times_needed(fewer)
    # Evidence of .84 on average, of which 35 % exceed 1.23, must reach 1.23 + .84 on average.
    assert times_needed(some) == pytest.approx((2.07 / 0.84) ** 2, rel=0.1)
    assert times_needed(blind) is None


def test_data_cannot_decide_if_signs_are_no_better_than_chance_without_common_sources():
    def found(right, planted, base="shifted"):
        other = "twins" if base == "shifted" else "shifted"
        rows = (PowerRow(base, 0.6, planted, planted, 0, 0, right),)
        return Power((*rows, PowerRow(other, 0.6, 100, 100, 0, 0, 90)), 0.4, 0)

    assert found(52, 100).undecidable
    assert found(20, 100).undecidable
    assert not found(80, 100).undecidable
    # Five of eight may be chance or not.
    assert not found(5, 8).undecidable
    # Where only common sources hide the direction, other data of the kind could show it.
    assert not found(52, 100, base="twins").undecidable


def test_signs_count_only_of_arrows_that_were_found_connected():
    def doubtful(_):
        sure = judged(np.full(len(PAIRS), 0.9))
        return replace(sure, adjacent=np.full(len(PAIRS), 0.4))

    # Such pairs are looked at, and are not called connected.
    assert all((row.connected, row.right_sign) == (0, 0) for row in power_of(doubtful).rows)
    # Of an arrow that was not looked for, no direction is likelier, which is no wrong sign.
    rows = tuple(PowerRow(base, 0.6, 100, 20, 0, 0, 15) for base in BASES)
    found = Power(rows, 0.4, 0)
    assert found.right_sign("shifted")[0] == 0.75
    assert not found.undecidable
    assert (found.frame()["right_sign"] == 0.75).all()
    nothing = Power(tuple(PowerRow(base, 0.6, 100, 0, 0, 0, 0) for base in BASES), 0.4, 0)
    assert np.isnan(nothing.right_sign("twins")).all()
    assert nothing.frame()["right_sign"].isna().all()
    assert not nothing.undecidable
    assert times_needed(nothing.rows[0]) is None
