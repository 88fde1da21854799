"""Training in stacks: every pair and restart, seeds, divergence, what is reported on the way."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.settings import (
    ElboWeights,
    FlowSettings,
    GeneralIVAESettings,
    IVAESettings,
    TCLSettings,
    TrainingSettings,
)
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.training import loop as training
from causal_ivae.unmixing.training.ensemble import (
    fit_stack,
    make_model,
    resolve_device,
    unmix_pairs,
)

CPU = torch.device("cpu")
MODELS = {
    "ivae": IVAESettings(steps=20),
    "flow": FlowSettings(layers=2, steps=20),
    "tcl": TCLSettings(steps=20),
}
# A structural flow has an arrow: test_structural_flow.py.
RESTARTED = ("ivae", "tcl")
every_method = pytest.mark.parametrize("method", RESTARTED)
every_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())


def short(method: str, **changes: object) -> TrainingSettings:
    return MODELS[method].model_copy(update={"steps": 20} | changes)


def unmix(method, values, segments, pairs, settings=None, key="01", seed=0, at_once=64, **further):
    return unmix_pairs(
        values,
        segments,
        np.array(pairs),
        build=partial(make_model, n_features=2),
        settings=settings or short(method),
        restarts=2,
        at_once=at_once,
        keys=(seed, key, method),
        device=CPU,
        **further,
    )


@pytest.fixture(scope="module")
def data():
    pair = simulate_pair(n_segments=5, n_per_segment=61)
    extra = np.random.default_rng(0).normal(size=(305, 1))
    return np.hstack([pair.values, extra]).astype(np.float32), pair.segments


@pytest.mark.parametrize(("passes", "steps"), [(0.0, 6), (1.0, 6), (3.0, 15)])
def test_pairs_of_many_volumes_take_more_steps(data, passes, steps):
    own = IVAESettings(steps=6, passes=passes, batch_size=64)
    assert list(unmix("ivae", *data, [[0, 1]], own).taken) == [steps] * 2


def train(settings, values, segments, columns, seeds, build=None, **further):
    """Train one member for each row of columns."""
    return fit_stack(
        build or builder(settings),
        seeds,
        torch.as_tensor(values),
        torch.as_tensor(columns),
        torch.as_tensor(segments),
        settings,
        order_seed=5,
        **further,
    )


def builder(settings, n_segments=5):
    return partial(
        make_model,
        n_features=2,
        auxiliary=Auxiliary(segments=n_segments),
        settings=settings,
        device=CPU,
    )


@every_method
def test_shapes(method, data):
    values, segments = data
    fit = unmix(method, values, segments, [(0, 1), (0, 2)])
    assert fit.disturbances.shape == (4, 305, 2)
    assert fit.objective.shape == fit.slope.shape == fit.retried.shape == (4,)
    assert fit.curves.shape == (4, len(fit.curve_steps))
    assert fit.curve_steps[-1] == 20
    assert torch.isfinite(fit.disturbances).all()
    assert not fit.retried.any()
    if method == "ivae":
        assert fit.modulation.shape == (4, 5, 2, 2)
        assert fit.kl.shape == (4, 2)


@every_method
def test_a_pair_is_the_same_whatever_shares_its_stack(method, data):
    values, segments = data
    together = unmix(method, values, segments, [(0, 1), (0, 2), (1, 2)])
    alone = unmix(method, values[:, 1:], segments, [(0, 1)])
    assert torch.equal(together.disturbances[4:], alone.disturbances)
    pairs = [(0, 1), (0, 2), (1, 2)]
    in_chunks = unmix(method, values, segments, pairs, at_once=1)
    assert torch.equal(together.disturbances, in_chunks.disturbances)
    np.testing.assert_array_equal(together.objective, in_chunks.objective)
    for name in ("slope", "curves", "taken", "retried", "kl", "modulation"):
        np.testing.assert_array_equal(getattr(together, name), getattr(in_chunks, name))


def test_a_member_that_was_trained_once_more_keeps_that_it_was_retried(data):
    values, segments = data
    fit = unmix("ivae", values, segments, [(0, 1)])
    retried = replace(fit, retried=np.array([True, False]))
    first = unmix("ivae", values, segments, [(0, 1)], at_once=1)
    more = retried.continued(replace(first, retried=np.array([False, False])), 0)
    assert more.retried.tolist() == [True, False]
    assert more.taken.tolist() == [2 * fit.taken[0], fit.taken[1]]


def test_wide_networks_make_small_stacks_on_a_cpu():
    def members(hidden, batch, device=CPU):
        size = METHODS["ivae"].size(
            IVAESettings(posterior="diagonal", hidden=hidden, batch_size=batch)
        )
        return size.members_at_once(1200, 2.0, device)

    sizes = [members(*of) for of in ((32, 128), (100, 256), (1000, 256), (1000, 10**6))]
    assert sizes[0] == 64
    assert 10 <= sizes[1] <= 25
    assert sizes[2] == 2
    assert sizes[3] == 1


def test_stacks_on_a_gpu_grow_with_what_is_free_there(monkeypatch):
    size = METHODS["ivae"].size(IVAESettings())

    def members(free_gib, memory_gib=2.0):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free_gib * 2**30, 0))
        return size.members_at_once(1200, memory_gib, torch.device("cuda"))

    assert members(1) == members(4) > 64
    assert members(80) == pytest.approx(20 * members(4), rel=0.01)
    assert members(4, memory_gib=8.0) == pytest.approx(4 * members(4), rel=0.01)


@every_method
def test_seed_subject_and_restart_each_matter(method, data):
    values, segments = data
    base = unmix(method, values, segments, [(0, 1)])
    again = unmix(method, values, segments, [(0, 1)])
    assert torch.equal(base.disturbances, again.disturbances)
    assert not torch.equal(base.disturbances[0], base.disturbances[1])
    for other in ({"seed": 1}, {"key": "02"}):
        changed = unmix(method, values, segments, [(0, 1)], **other)
        assert not torch.equal(base.disturbances, changed.disturbances)


@every_method
def test_progress_runs_from_nothing_to_one(method, data):
    values, segments = data
    said, pairs = [], [(0, 1), (0, 2)]
    unmix(method, values, segments, pairs, at_once=2, progress=said.append)
    assert said == sorted(said)
    assert 0 < said[0] < 0.1
    assert said[-1] == pytest.approx(1.0)
    assert any(share == pytest.approx(0.5) for share in said)


@pytest.mark.parametrize("steps", [1, 3, 25, 40, 120])
def test_the_curve_reaches_every_point(data, steps):
    values, segments = data
    x, u = torch.as_tensor(values[None, :, :2]), torch.as_tensor(segments)
    seen = []

    def watch(step, model):
        seen.append((step, float(model.evaluate(x, u)[0])))

    settings = TCLSettings(steps=steps, batch_size=32, hidden=4, layers=2)
    _, fit = train(settings, values, segments, [[0, 1]], [1], watch=watch)
    assert [step for step, _ in seen] == fit.curve_steps.tolist()
    assert fit.curve_steps[0] >= 1
    assert fit.curve_steps[-1] == steps
    assert len(fit.curve_steps) == min(steps, training.CURVE_POINTS)
    assert (fit.curves < 0.0).all()
    assert seen[-1][1] == pytest.approx(fit.objective[0], abs=1e-6)


@every_model
def test_a_member_whose_data_are_not_finite_spoils_no_other(settings, data):
    values, segments = data
    spoiled = values.copy()
    spoiled[0, 2] = np.inf
    _, fit = train(settings, spoiled, segments, [[0, 1], [0, 2], [1, 0]], [1, 2, 3])
    _, sound = train(settings, values[:, :2], segments, [[0, 1], [1, 0]], [1, 3])
    assert fit.retried.tolist() == [False, True, False]
    assert np.isnan(fit.objective).tolist() == [False, True, False]
    assert torch.equal(fit.disturbances[[0, 2]], sound.disturbances)
    np.testing.assert_array_equal(fit.objective[[0, 2]], sound.objective)
    np.testing.assert_array_equal(fit.curves[[0, 2]], sound.curves)


def test_pairs_that_diverged_are_reported(data):
    values, segments = data
    values = values.copy()
    values[7, 2] = np.nan
    for method in RESTARTED:
        fit = unmix(method, values, segments, [(0, 1), (0, 2)])
        assert fit.retried.tolist() == [False, False, True, True]
        assert np.isnan(fit.objective).tolist() == [False, False, True, True]


@every_model
def test_a_member_that_diverges_once_is_trained_again_at_half_the_rate(settings, data):
    values, segments = data
    sound = builder(settings)

    def build(seeds):
        model = sound(seeds)
        with torch.no_grad():
            for member in np.flatnonzero(np.array(seeds) == 12):
                next(model.parameters())[member] = torch.nan
        return model

    columns = [[0, 1], [0, 2], [1, 2]]
    model, fit = train(settings, values, segments, columns, [11, 12, 13], build)
    whole_model, whole = train(settings, values, segments, columns, [11, 12, 13])
    assert fit.retried.tolist() == [False, True, False]
    assert whole.retried.tolist() == [False, False, False]
    assert np.isfinite(fit.objective).all()
    assert torch.isfinite(fit.disturbances).all()
    assert torch.equal(fit.disturbances[[0, 2]], whole.disturbances[[0, 2]])
    np.testing.assert_array_equal(fit.objective[[0, 2]], whole.objective[[0, 2]])

    slower = settings.model_copy(update={"learning_rate": 0.5 * settings.learning_rate})
    fresh = child_seed(12, "again")
    lone_model, lone = train(slower, values, segments, columns[1:2], [fresh])
    assert torch.equal(fit.disturbances[1:2], lone.disturbances)
    np.testing.assert_array_equal(fit.objective[1:2], lone.objective)
    np.testing.assert_array_equal(fit.curves[1:2], lone.curves)
    assert torch.equal(model.keys[1:2], lone_model.keys)
    assert torch.equal(model.keys[[0, 2]], whole_model.keys[[0, 2]])
    for name, value in lone_model.state_dict().items():
        assert torch.equal(model.state_dict()[name][1:2], value), name


class Cliff(StackedModel):
    """A place on a hill of height -(place - 0.05)^2; beyond the member's cliff there is nothing.

    The first step of Adam is as long as the rate, whatever the slope.
    """

    def __init__(self, seeds: list[int], cliff: dict[int, float], uphill: float = 1.0) -> None:
        super().__init__()
        self.keys = member_keys(seeds, CPU)
        self.n_components = 1
        self.uphill = uphill
        self.place = nn.Parameter(torch.zeros(len(seeds), 1))
        self.register_buffer("cliff", torch.tensor([[cliff.get(s, 0.08)] for s in seeds]))

    def objective(self, batch):
        value = self.evaluate(batch.x, batch.u)
        return value, -self.uphill * value

    def evaluate(self, x, u):
        height = -(self.place - 0.05).square()
        return torch.where(self.place < self.cliff, height, torch.nan)[:, 0]

    def disturbances(self, x, u):
        return x[..., :1] * self.place[:, :, None]


def climb(rate, data, seeds=(1, 2, 3), cliff=None, again=True, **changes):
    values, segments = data
    cliff = {1: 1.0, 3: 1.0} if cliff is None else cliff
    settings = TCLSettings(steps=1, learning_rate=rate, weight_decay=0.0)
    return train(
        settings,
        values,
        segments,
        [[0, 1]] * len(seeds),
        list(seeds),
        lambda seeds: Cliff(seeds, cliff, **changes),
        again=again,
    )


def test_the_second_attempt_is_at_half_the_rate_and_there_is_no_third(data):
    model, fit = climb(0.1, data)
    assert fit.retried.tolist() == [False, True, False]
    np.testing.assert_allclose(model.place.detach()[:, 0], [0.1, 0.05, 0.1], rtol=1e-3)
    np.testing.assert_allclose(fit.objective, [-0.0025, 0.0, -0.0025], atol=1e-5)
    model, fit = climb(0.2, data)
    assert fit.retried.tolist() == [False, True, False]
    assert np.isnan(fit.objective).tolist() == [False, True, False]
    np.testing.assert_allclose(model.place.detach()[1, 0], 0.1, rtol=1e-3)
    model, fit = climb(0.1, data, again=False)
    assert not fit.retried.any()
    assert np.isnan(fit.objective).tolist() == [False, True, False]
    np.testing.assert_allclose(model.place.detach()[:, 0], 0.1, rtol=1e-3)


def test_a_member_that_ends_far_below_its_start_has_diverged(data):
    cliff = dict.fromkeys([1, 2, 3], 10.0)
    _, fit = climb(1.0, data, cliff=cliff)
    assert fit.retried.all()
    _, fit = climb(0.2, data, cliff=cliff)
    assert not fit.retried.any()


@pytest.mark.parametrize(
    "settings",
    [
        FlowSettings(prior="gaussian", layers=2, steps=30),
        TCLSettings(steps=30),
        TCLSettings(steps=2),
        IVAESettings(steps=2),
    ],
)
def test_segments_that_say_nothing_are_no_divergence(settings):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(400, 2)).astype(np.float32)
    segments = np.repeat(np.arange(5), 80)
    _, fit = train(settings, values, segments, [[0, 1]] * 8, list(range(8)))
    assert not fit.retried.any()


def test_an_elbo_that_falls_under_other_weights_is_no_divergence(data):
    values, segments = data
    weights = ElboWeights(mutual_information=0.0, total_correlation=0.0, dimension_wise_kl=0.0)
    settings = GeneralIVAESettings(
        likelihood="bernoulli", posterior="diagonal", steps=120, weights=weights, learning_rate=0.01
    )
    binary = (values > 0).astype(np.float32)
    _, fit = train(settings, binary, segments, [[0, 1]], [1])
    assert not fit.retried.any()
    x, u = torch.as_tensor(binary[None, :, :2]), torch.as_tensor(segments)
    with torch.no_grad():
        start = builder(settings)([1]).evaluate(x, u)
    assert fit.objective[0] < start[0] - 1.0
    lost = binary.copy()
    lost[0, 0] = np.nan
    _, fit = train(settings, lost, segments, [[0, 1], [1, 2]], [1, 2])
    assert fit.retried.tolist() == [True, False]
    assert np.isnan(fit.objective).tolist() == [True, False]


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "CPU"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(SettingsError, match=f"'{device}'"):
        resolve_device(device)
    assert resolve_device("cpu") == CPU
