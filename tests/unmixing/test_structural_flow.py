import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from causal_ivae.settings import StructuralSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing import both_directions
from causal_ivae.unmixing.both_directions import fit_hypotheses
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.monotone import StackedMonotone
from causal_ivae.unmixing.models.networks import Initialiser
from causal_ivae.unmixing.models.stacked import Auxiliary, Minibatch
from causal_ivae.unmixing.models.structural_flow import StackedStructuralFlow
from causal_ivae.unmixing.standard_form import normal_scores
from causal_ivae.unmixing.training.ensemble import fit_stack
from causal_ivae.unmixing.training.steps import by_member

CPU = torch.device("cpu")
SMALL = StructuralSettings(
    trial_steps=60, steps=120, passes=0.0, hidden=8, layers=2, knots=4, folds=2, batch_size=128
)


def flow(seeds=(1, 2, 3), *, linear, segments=4, settings=SMALL):
    return StackedStructuralFlow(
        member_keys(list(seeds), CPU), Auxiliary(segments=segments), settings, linear=linear
    )


def shaken(model, by=0.3):
    """Away from the start, where much is zero or the identity."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return model


def monotone(layers):
    return shaken(StackedMonotone(Initialiser(member_keys([1, 2], CPU)), layers, 6, 4.0))


def affine(layers, rows=1, size=0.3):
    generator = torch.Generator().manual_seed(3)
    return size * torch.randn(2, 2, layers + 1, rows, generator=generator)


# A single function is linear beyond its bound; what others do before one moves that.
@pytest.mark.parametrize(("layers", "size", "bound"), [(1, 0.0, 4.0), (3, 0.3, 8.5)])
def test_monotone_functions_increase_and_know_their_slope(layers, size, bound):
    x = torch.linspace(-9.0, 9.0, 4001).repeat(2, 1).requires_grad_()
    y, log_slope = monotone(layers)(x, *affine(layers, size=size).unbind(1))
    assert (y.diff(dim=1) > 0).all()
    assert y.diff(dim=1).max() < 0.5  # no jump at a knot
    (slope,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    assert torch.allclose(slope.log(), log_slope, atol=1e-4)
    for side in (x[0] > bound, x[0] < -bound):
        tail = log_slope[:, side]
        assert torch.allclose(tail, tail[:, :1].expand_as(tail))


@pytest.mark.parametrize("rows", [1, 20])
def test_gradients_of_monotone_functions_are_those_of_small_changes(rows):
    functions = monotone(3)
    learned = {name: value.detach().double() for name, value in functions.named_parameters()}
    generator = torch.Generator().manual_seed(5)
    x = 4.0 * torch.randn(2, 20, generator=generator, dtype=torch.float64)
    inputs = [x, *affine(3, rows).double().unbind(1), *learned.values()]

    def at(x, log_scale, shift, *learning):
        named = dict(zip(learned, learning, strict=True))
        return torch.func.functional_call(functions, named, (x, log_scale, shift))

    assert torch.autograd.gradcheck(at, [value.requires_grad_() for value in inputs])


@pytest.mark.parametrize("linear", [True, False])
def test_log_determinant_is_that_of_a_triangular_jacobian(linear):
    model = shaken(flow(linear=linear))
    x = torch.randn(3, 7, 2, generator=torch.Generator().manual_seed(1), requires_grad=True)
    z, log_determinant = model.unmix(x)
    rows = [torch.autograd.grad(z[..., i].sum(), x, retain_graph=True)[0] for i in (0, 1)]
    jacobian = torch.stack(rows, dim=-2)
    assert torch.allclose(jacobian.det().log(), log_determinant, atol=1e-4)
    assert (jacobian[..., 0, 1] == 0).all()
    assert (jacobian[..., 1, 0] != 0).any()


@pytest.mark.parametrize("linear", [True, False])
def test_the_density_integrates_to_one(linear):
    model = shaken(flow(linear=linear), by=0.15)
    step = 0.1
    grid = torch.arange(-40.0, 40.0, step)
    x = torch.cartesian_prod(grid, grid).expand(3, -1, 2)
    with torch.no_grad():
        log_p = model.log_likelihood(x, torch.zeros(x.shape[1], dtype=torch.int64))
    total = log_p.double().exp().sum(1) * step**2
    assert torch.allclose(total, torch.ones(3, dtype=torch.float64), atol=0.03)


def test_weights_of_rows_count():
    values = torch.tensor([[1.0, 2.0, 9.0]])
    nothing = torch.zeros(1, 3, 2)
    batch = Minibatch(
        nothing, torch.zeros(3), torch.tensor(1.0), 3, weight=torch.tensor([[1.0, 1.0, 0.0]])
    )
    assert batch.mean(values).item() == 1.5


def data(pairs=1, **changes):
    simulated = [
        simulate_pair("x->y", n_segments=8, n_per_segment=120, seed=i, **changes)
        for i in range(pairs)
    ]
    values = np.concatenate([pair.values for pair in simulated], axis=1).astype(np.float32)
    return values, simulated[0].segments


def fitted(seeds, kept=None, values=None, trained=None, settings=SMALL):
    given, segments = data(layers=1)
    values = given if values is None else values
    return fit_stack(
        lambda some: flow(some, linear=False, segments=8),
        seeds,
        torch.as_tensor(values),
        torch.tensor([[0, 1]]).repeat(len(seeds), 1),
        torch.as_tensor(segments),
        settings,
        order_seed=0,
        kept=kept,
        trained=trained,
    )


def test_a_member_is_the_same_alone_and_in_company():
    kept = torch.ones(3, 8)
    kept[1, ::2] = 0.0
    _, together = fitted([1, 2, 3], kept)
    _, alone = fitted([2], kept[1:2])
    assert torch.equal(together.disturbances[1], alone.disturbances[0])
    assert together.objective[1] == alone.objective[0]


def test_segments_held_out_teach_nothing():
    given, segments = data(layers=1)
    spoilt = given.copy()
    held = segments % 2 == 0
    # The same start: moments stay, the direction is turned round.
    spoilt[held] = spoilt[held][:, ::-1]
    kept = torch.tensor([[0.0, 1.0] * 4])
    honest, _ = fitted([1], kept, given)
    spoilt_fit, _ = fitted([1], kept, spoilt)
    everything, _ = fitted([1], None, spoilt)
    u, x = torch.as_tensor(segments[~held]), torch.as_tensor(given[~held])[None]
    with torch.no_grad():
        reached = [m.log_likelihood(x, u).mean() for m in (honest, spoilt_fit, everything)]
    assert abs(reached[0] - reached[1]) < 0.02
    assert reached[0] - reached[2] > abs(reached[0] - reached[1]) + 0.02


def judged(values, segments, pairs, at_once=64, **changes):
    return fit_hypotheses(
        values,
        segments,
        segments,
        np.array(pairs),
        settings=SMALL.model_copy(update=changes),
        at_once=at_once,
        seed=0,
        key="",
        device=CPU,
    )


def test_the_true_direction_predicts_better():
    values, segments = data(4, layers=1)
    found = judged(values, segments, [[0, 1], [3, 2], [4, 5], [7, 6]])
    assert found.log_likelihood.shape == (4, 2, 8)
    assert found.better.tolist() == [0, 1, 0, 1]
    assert (found.mechanism == 0).all()  # the effect is linear
    assert found.usable.all()
    # Disturbances are of x and y in the order of the pair, under either direction.
    for pair, (i, j) in enumerate([[0, 1], [3, 2]]):
        way = found.better[pair]
        right = found.disturbances[pair, way, found.best[pair, way]].numpy()
        own = [abs(np.corrcoef(right[:, k], values[:, c])[0, 1]) for k, c in ((0, i), (1, j))]
        assert own[pair] > 0.9  # the cause is a function of its own disturbance


def test_the_mechanism_is_chosen_on_segments_held_out():
    shape = {"n_segments": 6, "n_per_segment": 40}
    simulated = [simulate_pair("x->y", layers=1, seed=i, **shape) for i in range(8)]
    values = np.concatenate([pair.values for pair in simulated], axis=1).astype(np.float32)
    pairs = np.arange(16).reshape(8, 2)
    given = values, simulated[0].segments, pairs
    rich = {"hidden": 32, "layers": 4, "knots": 8, "trial_steps": 600, "steps": 1, "passes": 0.0}
    # All are linear.  The richer mechanism always does better on what it was trained on.
    assert (judged(*given, folds=3, **rich).mechanism == 0).mean() > 0.5
    assert (judged(*given, folds=1, **rich).mechanism == 1).all()


def test_a_linear_effect_decides_where_it_falls_short_by_little_and_tells_more():
    nan = np.nan
    linear = [[-100.0, -110.0], [-103.0, -113.0], [-100.0, -101.0], [-100.0, nan], [-99.0, -104.0]]
    others = [[-99.0, -101.0], [-100.0, -102.0], [-99.5, -109.0], [-101.0, -102.0], [nan, -120.0]]
    # Of 100 volumes, two nats are little.
    mechanism, shortfall = both_directions._credible(np.array([linear, others]), 100)
    assert mechanism.tolist() == [0, 1, 1, 1, 1]
    np.testing.assert_allclose(shortfall, [0.01, 0.0, 0.0, 0.01, 0.21])
    assert both_directions._credible(np.array([linear, others]), 200)[0].tolist() == [0, 0, 1, 1, 1]


def observed(monkeypatch, replaced, **changes):
    """Judge one pair by `replaced(kept)` in place of likelihoods, and return what was judged.

    `replaced` makes one number of every member and segment from whether it was trained on.
    """
    n_segments = 6
    rng = np.random.default_rng(2)
    values = (rng.laplace(size=(120, 2)) ** 3).astype(np.float32)
    segments = np.repeat(np.arange(n_segments), 20)
    seen = []
    credible = both_directions._credible

    def fit(*given, kept, **options):
        model, result = fit_stack(*given, kept=kept, **options)
        members = len(result.objective)
        table = replaced(torch.ones(members, n_segments) if kept is None else kept)
        model.log_likelihood = lambda x, u: table[:, u]
        return model, result

    def spy(total, n_times):
        seen.append(total)
        return credible(total, n_times)

    monkeypatch.setattr(both_directions, "fit_stack", fit)
    monkeypatch.setattr(both_directions, "_credible", spy)
    found = judged(values, segments, [[0, 1]], trial_steps=1, steps=1, **changes)
    values = values * both_directions.signs(values)
    folds = changes.get("folds", SMALL.folds)
    held_out = np.empty(values.shape)
    for fold in range(folds):
        held = segments % folds == fold
        held_out[held] = normal_scores(values, ~held)[1][held]
    _, log_slope = normal_scores(values)
    whole = log_slope.sum(axis=1, dtype=np.float64).reshape(n_segments, -1)
    return found, seen[0], held_out.sum(), whole


@pytest.mark.parametrize("folds", [2, 3, 6])
def test_a_trial_judges_a_segment_by_the_fit_that_did_not_see_it(monkeypatch, folds):
    shares = []

    def seen(kept):
        shares.append(kept.mean(dim=1))
        return kept

    _, trials, held_out, whole = observed(monkeypatch, seen, folds=folds)
    np.testing.assert_allclose(trials[0], 0.0)
    # The marginals, too, are those of the other folds.
    np.testing.assert_allclose(trials[1], held_out, rtol=1e-5)
    assert abs(held_out - whole.sum()) > 1.0
    # Every trial leaves out its share, so each segment is left out of just one of them.
    assert all(torch.allclose(share, torch.tensor(1.0 - 1.0 / folds)) for share in shares[:2])


def test_the_slope_of_normal_scores_is_in_the_likelihood(monkeypatch):
    found, trials, held_out, log_slope = observed(monkeypatch, torch.zeros_like)
    assert np.abs(log_slope.sum(axis=1)).min() > 1.0
    np.testing.assert_allclose(trials[1] - trials[0], held_out, rtol=1e-5)
    # The linear mechanism tells the directions apart no better, so that the other one decides.
    assert found.mechanism.tolist() == [1]
    np.testing.assert_allclose(found.log_likelihood[0], [log_slope.sum(axis=1)] * 2, rtol=1e-5)


def test_fits_go_on_from_the_trials_of_their_mechanism(monkeypatch):
    values, segments = data(3)
    trials, begun = [], []

    def fit(*given, trained, **options):
        if trained is not None:
            begun.append(trained.cause.widths.detach().clone())
        model, result = fit_stack(*given, trained=trained, **options)
        if trained is None:
            trials.append(model.cause.widths.detach().clone())
        return model, result

    monkeypatch.setattr(both_directions, "fit_stack", fit)
    nonlinear = [[-9.0, -9.0], [0.0, -9.0], [-9.0, -9.0]], [[0.0, -9.0]] * 3
    chosen = both_directions._credible(np.array([nonlinear[1], nonlinear[0]]), 100)
    assert chosen[0].tolist() == [0, 1, 0]
    monkeypatch.setattr(both_directions, "_credible", lambda *_: chosen)
    # Two pairs of linear trials make a stack of their own, so that members are found across stacks.
    found = judged(values, segments, [[0, 1], [2, 3], [4, 5]], at_once=8)
    linear, nonlinear = (torch.cat(part) for part in (trials[:2], trials[2:]))
    assert torch.equal(torch.cat(begun[:1]), torch.cat([linear[:4], linear[8:]]))
    assert torch.equal(begun[1], nonlinear[4:8])
    assert found.disturbances.shape == (3, 2, 2, len(values), 2)


def test_a_training_that_goes_on_does_not_start_anew():
    model, first = fitted([1, 2])
    slow = SMALL.model_copy(update={"steps": 1, "learning_rate": 1e-7})
    _, second = fitted([1, 2], trained=model, settings=slow)
    np.testing.assert_allclose(second.objective, first.objective, atol=0.01)
    _, anew = fitted([1, 2], settings=slow)
    assert (anew.objective < first.objective - 0.05).all()


def test_the_likelihood_is_the_mean_over_fits_and_the_best_stands_in_for_one_that_diverged(
    monkeypatch,
):
    values, segments = data(1, layers=1)
    seen = {}

    def fit(*given, **options):
        model, result = fit_stack(*given, **options)
        if options["kept"] is None and seen.get("diverged"):
            result.objective[1] = np.nan
        _, _, values, columns, u, _ = given
        with torch.no_grad():
            by_row = model.log_likelihood(by_member(values, columns), u).double()
        seen["likelihood"] = by_row.mean(dim=1).reshape(2, 2).numpy()
        seen["objective"] = result.objective.reshape(2, 2)
        return model, result

    monkeypatch.setattr(both_directions, "fit_stack", fit)
    found = judged(values, segments, [[0, 1]])
    assert found.mechanism.tolist() == [0]
    each = seen["likelihood"]
    assert np.abs(np.diff(each)).max() > 1e-4
    of_values = found.log_likelihood.sum(axis=-1)[0] / len(values)
    np.testing.assert_allclose(of_values, each.mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(found.best[0], seen["objective"].argmax(axis=1))
    np.testing.assert_array_equal(found.fit.objective, seen["objective"].max(axis=1))
    seen["diverged"] = True
    instead = judged(values, segments, [[0, 1]])
    assert instead.best[0, 0] == 0
    total = instead.log_likelihood.sum(axis=-1)[0] / len(values)
    np.testing.assert_allclose(total, [each[0, 0], each[1].mean()], rtol=1e-5)
    assert torch.equal(instead.disturbances[0, 0, 1], instead.disturbances[0, 0, 0])


def test_more_volumes_take_more_steps():
    values, segments = data(1, layers=1)
    few, many = (judged(values, segments, [[0, 1]], passes=p) for p in (0.0, 32.0))
    assert (few.fit.taken == SMALL.steps).all()
    assert (many.fit.taken == 32 * len(values) / SMALL.batch_size).all()


def test_a_pair_does_not_depend_on_the_others():
    values, segments = data(2, layers=1)
    both = judged(values, segments, [[0, 1], [2, 3]])
    one = judged(values[:, 2:], segments, [[0, 1]])
    assert np.array_equal(both.log_likelihood[1], one.log_likelihood[0])


def test_normal_scores_are_normal_increasing_and_know_their_slope():
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.exponential(size=4000) ** 3, rng.laplace(size=4000)])
    scores, log_slope = normal_scores(values)
    for column in range(2):
        order = values[:, column].argsort()
        assert (np.diff(scores[order, column]) >= 0).all()
        assert kstest(scores[:, column], norm.cdf).pvalue > 0.05
    near, _ = normal_scores(np.column_stack([values[:, 1], values[:, 1] + 0.0]))
    middle = np.abs(values[:, 1]) < 2
    order = values[middle, 1].argsort()
    x, y = values[middle, 1][order], near[middle, 1][order].astype(np.float64)
    numeric = np.gradient(y[::40], x[::40])
    assert np.corrcoef(np.log(numeric), log_slope[middle, 1][order][::40])[0, 1] > 0.98


def test_normal_scores_go_on_beyond_what_they_were_fitted_to():
    values = np.random.default_rng(0).normal(size=(400, 1))
    far = np.abs(values[:, 0]) > 1.5
    scores, log_slope = normal_scores(values, ~far)
    for side in (values[:, 0] < -1.5, values[:, 0] > 1.5):
        order = values[side, 0].argsort()
        steps = np.diff(scores[side, 0][order]) / np.diff(values[side, 0][order])
        # The tails are lines, whose slope is what the likelihood counts.
        np.testing.assert_allclose(steps, np.exp(log_slope[side, 0][order][1:]), rtol=0.02)


def test_volumes_are_summed_by_block_in_any_order():
    blocks = np.array([1, 0, 2, 1, 0])
    sums = both_directions._sum_by_block(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]), blocks)
    assert sums.tolist() == [[7.0, 5.0, 3.0]]


def test_normal_scores_of_repeated_values_are_finite():
    values = np.repeat([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]], 50, axis=0)
    scores, log_slope = normal_scores(values)
    assert np.isfinite(scores).all()
    assert np.isfinite(log_slope).all()
