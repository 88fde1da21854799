"""Schedules of single members, and stacks that shrink."""

from functools import partial

import numpy as np
import pytest
import torch

from causal_ivae.settings import FlowSettings, IVAESettings, TCLSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.training import schedule as schedules
from causal_ivae.unmixing.training.adam import PackedAdam
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.unmixing.training.schedule import Schedule

CPU = torch.device("cpu")
PATIENT = [
    IVAESettings(steps=400, hidden=8, batch_size=32, patience=0.1),
    TCLSettings(steps=400, hidden=8, batch_size=32, patience=0.1),
    FlowSettings(steps=200, layers=3, batch_size=32, patience=0.1),
]
every_model = pytest.mark.parametrize("settings", PATIENT, ids=["iVAE", "TCL", "flow"])


@pytest.fixture(scope="module")
def data():
    pairs = [simulate_pair("x->y", n_segments=6, n_per_segment=40, seed=k) for k in (1, 2)]
    values = np.hstack([(p.values - p.values.mean(0)) / p.values.std(0) for p in pairs])
    return torch.as_tensor(values, dtype=torch.float32), torch.as_tensor(pairs[0].segments)


def fit(settings, data, seeds, pairs, **options):
    values, u = data
    build = partial(
        make_model, n_features=2, auxiliary=Auxiliary(segments=6), settings=settings, device=CPU
    )
    columns = torch.tensor([[2 * k, 2 * k + 1] for k in pairs])
    return fit_stack(build, seeds, values, columns, u, settings, order_seed=3, **options)


@pytest.fixture
def counted(monkeypatch):
    """Members of the stack at every step."""
    sizes = []

    def step(self, loss, *args):
        sizes.append(len(loss))
        return original(self, loss, *args)

    original = PackedAdam.step
    monkeypatch.setattr(PackedAdam, "step", step)
    return sizes


@every_model
def test_members_that_are_done_leave_the_stack(settings, data, counted, monkeypatch):
    monkeypatch.setattr(schedules, "_GAIN", 0.1)
    _, fitted = fit(settings, data, list(range(8)), [0, 1] * 4)
    assert counted[0] == 8
    assert fitted.taken.sum() <= sum(counted) < 8 * settings.steps
    last = len(counted)
    assert fitted.taken.max() <= last < fitted.taken.max() + settings.steps / 4
    assert sorted(counted, reverse=True) == counted


@every_model
def test_a_member_is_the_same_alone_and_in_a_stack_that_shrinks(settings, data, counted):
    seeds, pairs = list(range(10, 18)), [0, 1] * 4
    _, together = fit(settings, data, seeds, pairs)
    shrunk = len(set(counted)) > 1
    for i in (0, 5):
        _, alone = fit(settings, data, seeds[i : i + 1], pairs[i : i + 1])
        assert torch.equal(alone.disturbances[0], together.disturbances[i])
        assert alone.objective[0] == together.objective[i]
        assert alone.taken[0] == together.taken[i]
        np.testing.assert_array_equal(alone.curves[0], together.curves[i])
    assert shrunk or not isinstance(settings, IVAESettings)


@every_model
def test_without_patience_nobody_leaves(settings, data, counted):
    _, fitted = fit(settings.model_copy(update={"patience": 0.0}), data, [1, 2], [0, 1])
    assert counted == [2] * settings.steps
    assert fitted.taken.tolist() == [settings.steps] * 2


def test_ending_early_costs_little(data):
    patient = IVAESettings(steps=600, batch_size=64, patience=0.15)
    whole = patient.model_copy(update={"patience": 0.0})
    seeds, pairs = list(range(4)), [0, 1] * 2
    early, full = (fit(settings, data, seeds, pairs)[1].objective for settings in (patient, whole))
    assert np.median(early) > np.median(full) - 0.1


def test_a_schedule_holds_falls_and_ends():
    settings = IVAESettings(steps=100, patience=0.1, learning_rate=0.5)
    schedule = Schedule(settings, 2, CPU)
    for step in range(0, 60, 2):
        # The first gains all the time, the second never after the start.
        schedule.note(step, torch.tensor([float(step), 0.0]))
    assert schedule.done(29).tolist() == [False, False]
    assert schedule.done(30).tolist() == [False, True]
    assert schedule.taken_by().tolist() == [100.0, 30.0]
    shares = torch.stack([schedule.share(step) for step in range(100)])
    assert (schedule.rates == 0.5).all()
    assert (shares[:81, 0] == 1).all()  # falls in time for the last step
    assert (shares[:11, 1] == 1).all()
    assert (shares[30:, 1] == 0).all()
    falling = shares[10:30, 1]
    assert (falling.diff() < 0).all()
    assert 0.01 < falling[-1] < 0.03


def test_a_stack_is_made_smaller_only_once_a_quarter_of_it_is_done():
    settings = IVAESettings(steps=100, patience=0.1)
    schedule = Schedule(settings, 8, CPU)
    for step in range(0, 60, 2):
        # The last but one stops to gain at step 10, the last never gains after the start.
        late = float(min(step, 10))
        schedule.note(step, torch.tensor([*[float(step)] * 6, late, 0.0]))
    assert schedule.done(31).sum() == 1
    assert schedule.worth_keeping(31) is None
    assert schedule.done(45).sum() == 2
    assert schedule.worth_keeping(45).tolist() == [0, 1, 2, 3, 4, 5]


def test_to_be_as_good_again_as_once_before_is_no_gain():
    settings = IVAESettings(steps=100, patience=0.1)
    schedule = Schedule(settings, 2, CPU)
    for step in range(0, 60, 2):
        # The first falls and rises again, never above where it began; the second by a hair.
        up = step % 4 == 0
        schedule.note(step, torch.tensor([1.0 if up else 0.0, 1e-4 * step]))
    assert schedule.taken_by().tolist() == [30.0, 30.0]


def test_a_share_of_the_rate_is_that_rate(data):
    values, u = data
    moved = []
    for rate, share in ((0.01, None), (0.02, torch.tensor([0.5, 0.5])), (0.02, torch.zeros(2))):
        model = make_model(
            [1, 2],
            n_features=2,
            auxiliary=Auxiliary(segments=6),
            settings=TCLSettings(hidden=4),
            device=CPU,
        )
        optimizer = PackedAdam(model)
        before = [p.detach().clone() for p in model.parameters()]
        for _ in range(2):
            optimizer.step(
                -model.evaluate(values[:, [[0, 1], [2, 3]]].transpose(0, 1), u), rate, share
            )
        moved.append([p.detach() - b for p, b in zip(model.parameters(), before, strict=True)])
    for whole, half, none in zip(*moved, strict=True):
        # Two steps at half of twice the rate see nearly the same gradients.
        torch.testing.assert_close(whole, half, rtol=1e-3, atol=1e-6)
        assert not none.any()


def test_members_are_taken_out_and_put_back():
    build = partial(
        make_model, n_features=2, auxiliary=Auxiliary(segments=3), settings=TCLSettings(hidden=4)
    )
    model: StackedModel = build([1, 2, 3], device=CPU)
    some = model.taken(torch.tensor([2, 0]))
    expected = build([3, 1], device=CPU)
    for ours, theirs in zip(some.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(some.keys, expected.keys)
    with torch.no_grad():
        next(some.parameters()).zero_()
    assert next(model.parameters()).any(-1).all()  # nothing is shared
    model.put(torch.tensor([2, 0]), some)
    first = next(model.parameters())
    assert not first[[0, 2]].any()
    assert first[1].any()
