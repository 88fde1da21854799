"""Time the steps of training in a stack and in a plain loop over one pair."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from statistics import median

import torch
from torch import Tensor

from causal_ivae.discovery.methods.ivae import IVAEMethod
from causal_ivae.seeding import child_seed
from causal_ivae.settings import IVAESettings, UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.validation.speed.effort import Effort, TrainingCase
from causal_ivae.validation.speed.measurement import Baseline, Clock, Measurement, Setting, in_turns
from causal_ivae.validation.speed.plain_loop import PlainIVAE, plain_loader, train_plain

METHOD = (
    "A stack of models of one pair (2 columns, 40 segments of 64 volumes, 3 layers), as many as "
    "the program puts in one, is fitted at two step counts; the difference in time over the "
    "difference in steps and the number of models is the time of a model-step, so that the start "
    "and the final evaluation are left out. The "
    "plain loop trains one model: a network each for posterior, decoder and prior, the segment as "
    "a one-hot vector, minibatches from a data loader, Adam. GFLOP/s counts the products of "
    "matrices, two operations per multiply-add, forward and backward three times the forward; the "
    "stack looks segments up where the plain loop multiplies by one-hot vectors. Its baseline is "
    "the best of all turns of torch.bmm of (members, batch, 96) and (members, 96, 96)."
)

GROUP = "training"
PLAIN = "plain loop"
STEP = "ms per model-step"
_PEAK = "batched product"
_FEATURES, _SEGMENTS, _PER_SEGMENT, _LAYERS = 2, 40, 64, 3
_SQUARE = 96
_PRODUCTS = 20


def measure_training(effort: Effort, clock: Clock) -> list[Measurement]:
    """Time steps of the stack and of the plain loop in turns.

    Returns
    -------
    list of Measurement
        For each case the time of a model-step (ms), model-steps per second, and GFLOP/s.
    """
    pair = simulate_pair(n_segments=_SEGMENTS, n_per_segment=_PER_SEGMENT)
    values = torch.as_tensor(pair.values.copy(), dtype=torch.float32, device=clock.device)
    segments = torch.as_tensor(pair.segments, device=clock.device)
    return [
        measurement
        for case in effort.training
        for measurement in _case(case, effort, clock, values, segments)
    ]


def _case(
    case: TrainingCase, effort: Effort, clock: Clock, values: Tensor, segments: Tensor
) -> list[Measurement]:
    settings = _settings(case)
    members = min(
        effort.members,
        IVAEMethod()
        .size(settings)
        .members_at_once(len(values), UnmixingSettings().memory_gib, clock.device),
    )
    plain = PlainIVAE(_FEATURES, _SEGMENTS, hidden=case.plain_hidden, device=clock.device)
    measures = {
        "stack": _stack_step(case, members, clock, values, segments),
        PLAIN: _plain_step(plain, case, clock, values, segments),
        _PEAK: _product(members, case.batch, clock),
    }
    for warm_up in measures.values():
        warm_up()
    taken = in_turns(measures, effort.training_turns)
    peak = Baseline(_PEAK, max(taken[_PEAK]))
    plain_rate = median(1e3 / ms for ms in taken[PLAIN])
    inner = [case.hidden] * (_LAYERS - 1)
    networks = ((_FEATURES, *inner, 2 * _FEATURES), (_FEATURES, *inner, _FEATURES))
    stack = Setting(members=members, hidden=case.hidden, batch=case.batch)
    single = Setting(members=1, hidden=case.plain_hidden, batch=case.batch)
    found = []
    for name, key, setting, sizes in (
        (f"stack of {members}", "stack", stack, networks),
        (PLAIN, PLAIN, single, plain.sizes),
    ):
        times = taken[key]
        per_second = tuple(1e3 / ms for ms in times)
        rates = tuple(_operations(sizes, case.batch) / ms / 1e6 for ms in times)
        slow, slow_rate = Baseline(PLAIN, median(taken[PLAIN])), Baseline(PLAIN, plain_rate)
        found += [
            Measurement(GROUP, name, setting, times, STEP, slow),
            Measurement(GROUP, name, setting, per_second, "model-steps/s", slow_rate),
            Measurement(GROUP, name, setting, rates, "GFLOP/s", peak),
        ]
    everywhere = Setting(members=members, batch=case.batch)
    found.append(Measurement(GROUP, _PEAK, everywhere, taken[_PEAK], "GFLOP/s", peak))
    return found


def _settings(case: TrainingCase) -> IVAESettings:
    """Return the published form of iVAE, which a plain loop has too."""
    return IVAESettings(
        posterior="diagonal", hidden=case.hidden, layers=_LAYERS, batch_size=case.batch
    )


def _stack_step(
    case: TrainingCase, members: int, clock: Clock, values: Tensor, segments: Tensor
) -> Callable[[], float]:
    """Return a function that measures the time of a model-step of the stack (ms)."""
    seeds = [child_seed(0, "benchmark speed", i) for i in range(members)]
    columns = torch.arange(_FEATURES, device=clock.device).repeat(members, 1)

    def fit(steps: int) -> None:
        settings = _settings(case).model_copy(update={"steps": steps})
        build = partial(
            make_model,
            n_features=_FEATURES,
            auxiliary=Auxiliary(segments=_SEGMENTS),
            settings=settings,
            device=clock.device,
        )
        fit_stack(build, seeds, values, columns, segments, settings, order_seed=0)

    def measure() -> float:
        few, many = (clock.seconds(partial(fit, steps)) for steps in (case.few, case.many))
        return 1e3 * (many - few) / (case.many - case.few) / members

    return measure


def _plain_step(
    plain: PlainIVAE, case: TrainingCase, clock: Clock, values: Tensor, segments: Tensor
) -> Callable[[], float]:
    """Return a function that measures the time of a step of the plain loop (ms)."""
    order = torch.Generator().manual_seed(0)
    loader = plain_loader(values.cpu(), segments.cpu(), batch=case.batch, generator=order)
    train = partial(train_plain, plain, loader, case.plain_steps, clock.device)
    return lambda: 1e3 * clock.seconds(train) / case.plain_steps


def _product(members: int, batch: int, clock: Clock) -> Callable[[], float]:
    """Return a function that measures the rate of batched matrix products (GFLOP/s)."""
    draws = torch.Generator().manual_seed(0)
    left = torch.randn(members, batch, _SQUARE, generator=draws).to(clock.device)
    right = torch.randn(members, _SQUARE, _SQUARE, generator=draws).to(clock.device)
    operations = 2 * _PRODUCTS * members * batch * _SQUARE**2

    def multiply() -> None:
        for _ in range(_PRODUCTS):
            torch.bmm(left, right)

    return lambda: operations / clock.seconds(multiply) / 1e9


def _operations(networks: Iterable[tuple[int, ...]], batch: int) -> int:
    """Count the operations of the products of one step, forward and backward."""
    forward = sum(a * b for sizes in networks for a, b in pairwise(sizes))
    return 2 * 3 * forward * batch
