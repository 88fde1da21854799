"""Decisions of structural flows over resamples of blocks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from causal_ivae import discover
from causal_ivae.discovery import resampling
from causal_ivae.discovery.pair_evidence import orient_by_evidence
from causal_ivae.discovery.probability import Evidence, vuong_statistic
from causal_ivae.discovery.resampling import BlockSums, resampled_evidence
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.outcomes import DECISIONS
from causal_ivae.settings import DecisionSettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair

PAIRS, BLOCKS = 3, 8
SIZES = np.array([100, 90, 110, 100, 5, 100, 100, 95])
TESTED = np.array([5, 0, 1, 2, 3, 6, 7])
TESTS = IndependenceTable(
    *(np.full((PAIRS, 2, 4), 0.5) for _ in range(3)), *[np.ones((PAIRS, 2, 4, 7))] * 2
)


@pytest.fixture
def sums():
    rng = np.random.default_rng(0)
    gain = rng.normal(0.2, 0.02, (PAIRS, BLOCKS)) * SIZES
    # The second pair's blocks do not agree on the direction.
    gain[1] = 0.2 * SIZES * np.where(np.arange(BLOCKS) % 2, 1.3, -1.0)
    residual = np.stack([np.zeros((PAIRS, 7)), rng.normal(0.5, 0.02, (PAIRS, 7))], axis=1)
    residual[1] = 0.5 * np.array([[0, 1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 1, 0, 1]])
    # The third pair's regions are independent.
    dependence = np.full((PAIRS, 7), 3.0)
    dependence[2] = -0.1
    return BlockSums(
        gain, SIZES, TESTED, residual, np.full((PAIRS, 2, 7), 0.01), dependence,
        np.full((PAIRS, 7), 0.1),
    )  # fmt: skip


def evidence_of(sums):
    n = SIZES.sum()
    return Evidence(
        mechanism=np.array([1, 0, 1]),
        shortfall=np.array([0.0, 0.01, 0.0]),
        gain=sums.gain.sum(axis=1) / n,
        statistic=vuong_statistic(sums.gain),
        residual=sums.residual.sum(axis=2) / n,
        residual_sd=np.sqrt(np.square(sums.residual_sd).sum(axis=2)) / n,
        dependence=sums.dependence.sum(axis=1) / n,
        dependence_p=np.array([0.001, 0.001, 0.8]),
        lagged_noise=np.array([[0.3, 1.0], [0.0, 0.0], [-1.0, 0.5]]),
        modulated_noise=np.zeros((3, 2)),
    )


def test_every_block_once_gives_the_evidence_itself(sums):
    given = evidence_of(sums)
    once = np.ones((1, BLOCKS), dtype=np.int64)
    found = resampling._evidence(
        sums, given, slice(0, PAIRS), once, once[:, TESTED].astype(float), np.array([SIZES.sum()])
    )
    for name in (
        "mechanism", "shortfall", "gain", "statistic", "residual", "residual_sd", "lagged_noise",
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(found, name), getattr(given, name), rtol=1e-9)
    np.testing.assert_allclose(found.dependence, given.dependence, rtol=1e-9)
    assert found.dependence_p[0] < 1e-6
    assert found.dependence_p[2] > 0.5


def test_a_block_that_is_drawn_often_counts_as_often(sums):
    weight = np.array([[3, 0, 1, 1, 0, 2, 0, 1]])
    of_tests = weight[:, TESTED]
    given, everything = evidence_of(sums), slice(0, PAIRS)
    found = resampling._evidence(
        sums, given, everything, weight, of_tests.astype(float), weight @ SIZES
    )
    drawn = np.repeat(np.arange(BLOCKS), weight[0])
    n = SIZES[drawn].sum()
    np.testing.assert_allclose(found.gain, sums.gain[:, drawn].sum(axis=1) / n)
    np.testing.assert_allclose(found.statistic, vuong_statistic(sums.gain[:, drawn]))
    np.testing.assert_allclose(found.residual, (of_tests * sums.residual).sum(axis=-1) / n)
    # A resample stands for other blocks of the same kind, each with an error of its own.
    error = np.sqrt((of_tests * np.square(sums.residual_sd)).sum(axis=-1)) / n
    np.testing.assert_allclose(found.residual_sd, error)
    number = (of_tests * sums.dependence).sum(axis=-1)
    number /= np.sqrt((of_tests * np.square(sums.dependence_sd)).sum(axis=-1))
    np.testing.assert_allclose(found.dependence_p, norm.sf(number), rtol=1e-6)
    # Otherwise resamples would be less sure than the series by the square root of two.
    resampled = np.concatenate(
        [part.residual_sd for _, part in resampled_evidence(sums, given, 500, seed=0)]
    ).reshape(PAIRS, -1, 2)
    np.testing.assert_allclose(resampled.mean(axis=1), given.residual_sd, rtol=0.05)


def test_a_resample_draws_the_same_blocks_of_likelihoods_and_of_tests(sums):
    # What is in proportion in every block stays so in every resample of them.
    gain = np.where(np.arange(BLOCKS) == 4, 0.0, sums.gain)
    residual = np.stack([3.0 * gain[:, TESTED], -gain[:, TESTED]], axis=1)
    given = replace(sums, gain=gain, residual=residual, dependence=2.0 * gain[:, TESTED])
    ((_, found),) = resampled_evidence(given, evidence_of(given), 500, seed=0)
    assert len(np.unique(found.gain.round(9))) > 500
    np.testing.assert_allclose(found.residual, found.gain[:, None] * [3.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(found.dependence, 2.0 * found.gain, atol=1e-12)


def test_pairs_are_resampled_alike_whatever_is_held_at_once(sums, monkeypatch):
    given = evidence_of(sums)
    ((everything, whole),) = resampled_evidence(sums, given, 500, seed=4)
    assert everything == slice(0, PAIRS)
    monkeypatch.setattr(resampling, "_AT_ONCE", 500)
    parts = list(resampled_evidence(sums, given, 500, seed=4))
    assert [some for some, _ in parts] == [slice(i, i + 1) for i in range(PAIRS)]
    joined = np.concatenate([part.gain for _, part in parts])
    np.testing.assert_allclose(joined, whole.gain, rtol=1e-12)
    _, other = next(resampled_evidence(sums, given, 500, seed=5))
    assert not np.allclose(other.gain, parts[0][1].gain)


def test_a_clear_pair_is_stable_and_one_whose_blocks_disagree_is_not(sums):
    usable = np.ones((PAIRS, 2), dtype=bool)
    found = orient_by_evidence(evidence_of(sums), sums, TESTS, usable, DecisionSettings(), seed=0)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1.0)
    forward, none = DECISIONS.index("x->y"), DECISIONS.index("none")
    assert found.shares[0, forward] > 0.99
    assert found.shares[1, forward] < 0.5
    assert found.shares[2, none] > 0.99
    few = orient_by_evidence(
        evidence_of(sums), sums, TESTS, usable, DecisionSettings(resamples=99), seed=0
    )
    assert not np.array_equal(few.shares, found.shares)
    np.testing.assert_allclose(few.shares * 99, np.round(few.shares * 99))
    usable[0, 1] = False
    lost = orient_by_evidence(evidence_of(sums), sums, TESTS, usable, DecisionSettings(), seed=0)
    assert lost.shares[0, DECISIONS.index("undecided")] == 1.0


@pytest.mark.parametrize("method", ["structural", "ivae"])
def test_the_table_tells_the_decision_of_most_resamples(method):
    pair = simulate_pair("x->y", layers=1, n_segments=15, n_per_segment=100, seed=1)
    unmixing = UnmixingSettings.model_validate(
        {"restarts": 2, "structural": {"trial_steps": 60, "steps": 200}, "ivae": {"steps": 300}}
    )
    graph = discover(pair.values, pair.segments, method=method, unmixing=unmixing, device="cpu")
    row, edge = graph.stability.iloc[0], graph.edges.iloc[0]
    shares = row[["resamples_forward", "resamples_backward", "resamples_none",
                  "resamples_undecided"]]  # fmt: skip
    assert shares.sum() == pytest.approx(1.0)
    assert edge["decision"] == "x->y"
    assert shares.idxmax() == "resamples_forward"
    if method == "structural":
        assert np.isnan(row["restarts_forward"])
    else:
        assert row["resamples_forward"] == edge["confidence"]
        assert row["restarts_forward"] == 1.0
