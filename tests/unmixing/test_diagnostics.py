"""Whether a fit can be believed: rank, verdicts, their words, and how often they are wrong."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from causal_ivae.unmixing.diagnostics import (
    Diagnostics,
    best_restarts,
    diagnose,
    residual_dependence,
)
from causal_ivae.unmixing.modulation import _moments, _sampling_variance
from causal_ivae.unmixing.training.stacks import Fit

USABLE = Diagnostics(
    n_segments=20,
    n_components=2,
    n_statistics=1,
    rank=2,
    condition=3.0,
    modulation=(0.5, 0.6),
    modulation_error=(0.1, 0.1),
    rise=0.01,
    kl=(1.0, 2.0),
    agreement=0.98,
    dependence_p=0.4,
)


def modulated(seed, models, std, mean=0.0, *, rows=100, law="gaussian"):
    """Return disturbances (models, rows, n) with the scales std ([models,] segments, n), and u."""
    rng = np.random.default_rng(seed)
    std = np.broadcast_to(std, (models, *np.shape(std)[-2:]))
    segments, n = std.shape[1:]
    u = np.repeat(np.arange(segments), rows)
    draw = rng.normal if law == "gaussian" else rng.laplace
    z = np.broadcast_to(mean, std.shape)[:, u] + std[:, u] * draw(size=(models, len(u), n))
    return z, u


def fit_of(z, u=None, *, law="gaussian", statistics=1, **changes) -> Fit:
    """Return what training would leave: with u, a prior whose parameters are the best for z."""
    members = len(z)
    modulation = None
    if u is not None:
        parts = z.reshape(members, u.max() + 1, -1, z.shape[-1])
        centre = parts.mean(axis=2) if law == "gaussian" else np.median(parts, axis=2)
        centre = centre if statistics == 2 else np.zeros_like(centre)
        rest = parts - centre[:, :, None]
        scale = np.sqrt((rest**2).mean(2)) if law == "gaussian" else np.abs(rest).mean(2)
        modulation = np.stack([np.log(scale), centre], axis=-1)
    fit = Fit(
        disturbances=torch.as_tensor(z, dtype=torch.float32),
        objective=np.arange(members, dtype=float),
        slope=np.zeros(members),
        curve_steps=np.array([500, 1000]),
        curves=np.zeros((members, 2)),
        taken=np.full(members, 1000),
        retried=np.zeros(members, dtype=bool),
        modulation=modulation,
    )
    return replace(fit, **changes)


def judged(fit, u, restarts=1, n_statistics=1, **further) -> list[Diagnostics]:
    return diagnose(
        fit, torch.as_tensor(u), restarts=restarts, n_statistics=n_statistics, **further
    )


def scales(seed, segments=20, n=2, models=1):
    return np.random.default_rng(seed).uniform(0.5, 3.0, (models, segments, n))


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("law", ["gaussian", "laplace"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_sources_that_change_each_on_its_own_are_usable(learned, law, n):
    z, u = modulated(1, 10, scales(2, n=n, models=10), law=law)
    for found in judged(fit_of(z, u if learned else None, law=law), u):
        assert found.rank == n
        assert found.n_segments == 20
        assert found.segments_needed == n + 1
        assert found.condition < 20
        assert found.verdict == "usable"
        assert found.sentence() == "Usable."
        assert found.obstacles == found.doubts == ()


def test_units_have_no_part_in_rank_and_condition():
    z, u = modulated(1, 3, scales(2, models=3))
    for one, other in zip(
        judged(fit_of(z, u), u), judged(fit_of(z * [1e-3, 1e4], u), u), strict=True
    ):
        assert one.rank == other.rank
        assert one.condition == pytest.approx(other.condition)
        assert one.modulation == pytest.approx(other.modulation, rel=1e-4)


def test_modulation_is_the_spread_of_the_log_scale():
    log_std = np.linspace(-1.0, 1.0, 20)[:, None] * [1.0, 0.3]
    rng = np.random.default_rng(0)
    std = np.exp(np.stack([rng.permutation(log_std) for _ in range(50)]))
    z, u = modulated(3, 50, std, rows=60)
    found = judged(fit_of(z, u), u)
    strength = np.array([one.modulation for one in found])
    error = np.array([one.modulation_error for one in found])
    expected = log_std.std(axis=0, ddof=1)
    np.testing.assert_allclose(strength.mean(axis=0), expected, rtol=0.05)
    assert (strength > 2 * error).all()


def test_sources_that_change_in_proportion_are_not_identifiable():
    std = scales(2, models=10)[..., :1] * [1.0, 4.0]
    for found in judged(fit_of(*modulated(1, 10, std)), modulated(1, 10, std)[1]):
        assert found.rank == 1
        assert found.verdict == "modulation not shown"
        assert found.sentence() == (
            "Modulation not shown because the segments show 1 of the 2 independent changes that "
            "are needed (this length would have shown log scales with a standard deviation of "
            f"{found.detectable:.2f} or more in 80 % of cases)."
        )
        assert found.condition > 3


def test_scales_that_are_powers_of_one_another_count_as_one():
    one = scales(2, models=10)[..., :1]
    z, u = modulated(1, 10, np.concatenate([one, one**2], axis=-1), rows=300)
    assert np.mean([found.rank for found in judged(fit_of(z, u), u)]) < 1.5


def test_three_sources_of_which_two_change_together():
    std = scales(2, n=3, models=10)
    std[..., 2] = 2.0 * std[..., 0]
    z, u = modulated(1, 10, std, rows=200)
    assert [found.rank for found in judged(fit_of(z, u), u)] == [2] * 10


def test_means_count_where_they_are_modulated_too():
    rng = np.random.default_rng(0)
    mean = rng.uniform(-5.0, 5.0, (10, 20, 2))
    flat = np.ones((20, 2))
    for std, centre, rank in (
        (scales(2, models=10), mean, 4),
        (flat, mean, 2),
        (scales(2, models=10), 0.0, 2),
        (flat, 0.0, 0),
    ):
        z, u = modulated(1, 10, std, centre, rows=200)
        found = judged(fit_of(z, u, statistics=2), u, n_statistics=2)
        ranks = [one.rank for one in found]
        assert np.median(ranks) == rank
        assert (np.abs(np.array(ranks) - rank) <= 1).all()
        assert all((one.verdict == "modulation not shown") == (one.rank < 4) for one in found)
        assert found[0].segments_needed == 5


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("law", ["gaussian", "laplace"])
@pytest.mark.parametrize(("segments", "rows"), [(20, 50), (40, 100), (8, 40)])
def test_how_often_too_much_rank_is_found(learned, law, segments, rows):
    models = 200
    given = {"rows": rows, "law": law}
    flat, u = modulated(5, models, np.ones((segments, 2)), **given)
    together, _ = modulated(6, models, scales(2, segments, 1, models) * [1.0, 3.0], **given)
    one_flat = scales(3, segments, 2, models)
    one_flat[..., 1] = 1.0
    one_flat, _ = modulated(7, models, one_flat, **given)
    # The second value has an edge of its own, so that 5 % pass it where only the first is real.
    for z, most in ((flat, 0.02), (together, 0.11), (one_flat, 0.11)):
        found = judged(fit_of(z, u if learned else None, law=law), u)
        assert np.mean([one.rank == 2 for one in found]) <= most
    said = [one.verdict for one in judged(fit_of(flat, u if learned else None, law=law), u)]
    assert said.count("modulation not shown") >= 0.98 * models
    # And what is there is found.
    apart, _ = modulated(8, models, scales(4, segments, 2, models), **given)
    found = judged(fit_of(apart, u if learned else None, law=law), u)
    least = 0.95 if segments * rows >= 1000 else 0.6
    assert np.mean([one.rank == 2 for one in found]) >= least


def test_autocorrelation_makes_no_rank():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(100, 20 * 60, 2))
    z = np.empty_like(noise)
    z[:, 0] = noise[:, 0]
    for t in range(1, z.shape[1]):
        z[:, t] = 0.8 * z[:, t - 1] + 0.6 * noise[:, t]
    u = np.repeat(np.arange(20), 60)
    assert np.mean([found.rank == 2 for found in judged(fit_of(z, u), u)]) <= 0.03
    # Told to be independent, the same rows would show much.
    shuffled = rng.permuted(z.reshape(100, 20, 60, 2), axis=2).reshape(z.shape)
    found = judged(fit_of(shuffled, u), u)
    assert np.mean([one.rank > 0 for one in found]) > 0.3


def test_too_few_segments_are_counted():
    z, u = modulated(1, 1, scales(2, segments=2), rows=300)
    [found] = judged(fit_of(z, u), u)
    assert found.verdict == "not identifiable"
    assert found.obstacles == ("2 segments are fewer than the 3 that it takes",)
    assert found.condition > 1e6
    [enough] = judged(
        fit_of(*modulated(1, 1, scales(2, segments=3), rows=3000)), np.repeat([0, 1, 2], 3000)
    )
    assert enough.obstacles == ()


def test_a_continuous_u_is_not_judged_by_segments():
    z, _ = modulated(1, 1, scales(2))
    u = np.random.default_rng(0).normal(size=(len(z[0]), 2)).astype(np.float32)
    [found] = judged(fit_of(z), u)
    assert found.n_segments == 0
    assert found.modulation == ()
    assert found.verdict == "usable"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"condition": 250.0}, "the matrix of theorem 1 is ill-conditioned (250)"),
        ({"modulation": (0.5, 0.1)}, "disturbance 2 hardly changes with the segment (0.10 ± 0.10)"),
        ({"kl": (0.01, 1.0)}, "disturbance 1 collapsed to the prior"),
        ({"kl": (0.01, 0.0)}, "disturbance 1 and 2 collapsed to the prior"),
        ({"rise": 0.3}, "training had not converged (still rising by 0.30 nats)"),
        ({"diverged": True}, "training diverged"),
    ],
)
def test_doubts_in_words(change, words):
    assert USABLE.verdict == "usable"
    doubtful = replace(USABLE, **change)
    assert doubtful.verdict == "doubtful"
    assert doubtful.doubts == (words,)
    assert doubtful.sentence() == f"Doubtful because {words}."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"agreement": 0.7}, "the fits disagree (mean MCC 0.70)"),
        (
            {"dependence_p": 0.01},
            "the disturbances are still dependent given the segment (p = 0.010)",
        ),
    ],
)
def test_notes_are_said_and_leave_the_verdict_alone(change, words):
    noted = replace(USABLE, **change)
    assert noted.verdict == "usable"
    assert noted.sentence() == f"Usable. Note: {words}."
    assert USABLE.sentence() == "Usable."


def test_obstacles_come_before_doubts():
    both = replace(USABLE, rank=1, rise=0.3, condition=250.0)
    assert both.verdict == "modulation not shown"
    assert both.sentence().count(";") == 0
    few = replace(both, n_segments=2)
    assert (few.verdict, few.unshown) == ("not identifiable", ())
    assert len(both.doubts) == 2
    assert replace(both, rank=2).sentence().count(";") == 1
    assert replace(USABLE, kl=None, agreement=None, dependence_p=None).verdict == "usable"


@pytest.mark.parametrize(
    "given",
    [
        USABLE,
        replace(USABLE, condition=math.inf, kl=None, agreement=None, retried=True),
        replace(USABLE, n_segments=0, modulation=(), modulation_error=(), diverged=True),
    ],
)
def test_json_round_trip(given):
    text = json.dumps(given.as_dict(), allow_nan=False)
    assert Diagnostics.from_dict(json.loads(text)) == given
    assert Diagnostics.from_dict(json.loads(text)) != replace(given, rank=1)


def test_the_best_restart_is_judged():
    z, u = modulated(1, 6, scales(2, models=6))
    objective = np.array([3.0, np.nan, 1.0, 1.0, 2.0, np.nan])
    fit = fit_of(
        z,
        u,
        objective=objective,
        slope=np.arange(6) / 10.0,
        kl=np.arange(12).reshape(6, 2) + 1.0,
        retried=np.array([True, False, False, False, False, False]),
    )
    np.testing.assert_array_equal(best_restarts(fit, 3), [0, 4])
    first, second = judged(fit, u, restarts=3, dependence_p=np.array([0.2, 0.01]))
    assert first.kl == (1.0, 2.0)
    assert second.kl == (9.0, 10.0)
    assert (first.retried, second.retried) == (True, False)
    # A tenth of 1000 steps, at 0.4 nats per 100.
    assert (first.rise, second.rise) == (0.0, pytest.approx(0.4))
    assert (first.dependence_p, second.dependence_p) == (0.2, 0.01)
    alone = judged(fit_of(z[[0, 4]], u), u)
    assert (first.modulation, second.modulation) == tuple(one.modulation for one in alone)
    assert "the fits disagree" in first.sentence()
    assert all(one.agreement is None for one in alone)


def test_restarts_that_agree():
    z, u = modulated(1, 1, scales(2))
    near = z + 0.05 * np.random.default_rng(0).normal(size=(4, *z.shape[1:]))
    [found] = judged(fit_of(near, u), u, restarts=4)
    assert found.agreement > 0.99
    assert found.verdict == "usable"


def test_a_model_that_diverged_spoils_no_other_and_says_so():
    z, u = modulated(1, 4, scales(2, models=4))
    z[:2] = np.nan
    spoiled = fit_of(z, u)
    objective = np.array([np.nan, np.nan, 1.0, 2.0])
    kl = np.where(np.isnan(objective)[:, None], np.nan, 1.0).repeat(2, axis=1)
    slope = np.where(np.isnan(objective), np.nan, 0.0)
    spoiled = replace(spoiled, objective=objective, kl=kl, slope=slope)
    lost, found = judged(spoiled, u, restarts=2)
    assert lost.diverged
    assert lost.verdict == "doubtful"
    assert lost.sentence() == "Doubtful because training diverged."
    json.dumps(lost.as_dict(), allow_nan=False)
    sound = fit_of(z[2:], u, objective=objective[2:], kl=kl[2:], slope=slope[2:])
    assert [found] == judged(sound, u, restarts=2)
    one_left = replace(spoiled, objective=np.array([np.nan, 0.0, 1.0, 2.0]))
    assert judged(one_left, u, restarts=2)[0].agreement is None


def test_dependence_between_disturbances_given_the_segment():
    rng = np.random.default_rng(0)
    u = np.repeat(np.arange(6), 50)
    apart = rng.laplace(size=(300, 3))
    together = apart.copy()
    together[:, 2] = 0.8 * together[:, 0] ** 2 + 0.3 * together[:, 2]
    z = torch.as_tensor(np.stack([apart, together]), dtype=torch.float32)
    p_values = residual_dependence(z, u, draws=199, seed=1)
    assert p_values[0] > 0.05
    assert p_values[1] < 0.05
    # Three pairs, each of them at least 1 / 200.
    assert p_values[1] == pytest.approx(3 / 200)
    # Dependence that the segment explains is none.
    scaled = torch.as_tensor(apart * np.exp(u / 3.0)[:, None], dtype=torch.float32)[None]
    assert residual_dependence(scaled, u, draws=199, seed=1)[0] > 0.05
    one = residual_dependence(z[..., :1], u)
    np.testing.assert_array_equal(one, [1.0, 1.0])


@pytest.mark.parametrize("deviation", [None, 0.15])
def test_modulation_that_is_not_shown_is_told_with_what_would_have_been(deviation):
    rng = np.random.default_rng(3)
    noise = rng.laplace(size=(200, 14 * 83, 2))
    z, u = np.empty_like(noise), np.repeat(np.arange(14), 83)
    z[:, 0] = noise[:, 0]
    for t in range(1, z.shape[1]):
        z[:, t] = 0.6 * z[:, t - 1] + noise[:, t]
    said = judged(fit_of(z), u)
    would = float(np.median([one.detectable for one in said]))
    assert 0.2 < would < 0.3
    change = rng.normal(0.0, deviation or would, (200, 14, 2))
    found = judged(fit_of(z * np.exp(change)[:, u]), u)
    shown = np.mean([one.verdict != "modulation not shown" for one in found])
    # Modulation of .15 is there, but mostly too weak for this length.
    assert (0.72 <= shown <= 0.88) if deviation is None else (0.15 <= shown <= 0.4)
    assert not any(one.verdict == "not identifiable" for one in found)


@pytest.mark.parametrize(("rho", "rows"), [(0.6, 60), (0.8, 40)])
def test_means_of_autocorrelated_segments_vary_as_much_as_is_expected(rho, rows):
    segments = 2000
    noise = np.random.default_rng(5).normal(size=segments * rows)
    z = torch.as_tensor(lfilter([1.0], [1.0, -rho], noise))[None, :, None]
    u = torch.arange(segments).repeat_interleave(rows)
    counts = torch.bincount(u)
    means, variances = _moments(z, u, counts)
    _, expected = _sampling_variance(z, u, counts, means, variances)
    found = float((means / z.std()).var())
    assert found == pytest.approx((1.0 + rho) / (1.0 - rho) / rows, rel=0.2)
    # The expected one is in units of the variance within segments, which is smaller.
    assert expected.mean() == pytest.approx(float(means.var() / variances.mean()), rel=0.1)
