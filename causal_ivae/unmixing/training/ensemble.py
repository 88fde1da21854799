"""Train every pair x restart of a subject as one stack, and return their disturbances."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.settings import (
    EquationSettings,
    FlowSettings,
    IVAESettings,
    Method,
    ModelSettings,
    StructuralSettings,
    TCLSettings,
    UnmixingSettings,
    VAESettings,
)
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.equations import StackedEquations
from causal_ivae.unmixing.models.flow import StackedFlow
from causal_ivae.unmixing.models.ivae import StackedIVAE
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.models.tcl import StackedTCL
from causal_ivae.unmixing.training.loop import Progress, Watch, train
from causal_ivae.unmixing.training.threads import torch_threads

_ARRAYS_PER_SPLINE = 14
"""Arrays of a number per row that an increasing function of the structural flow leaves, beside one
for each of its pieces."""
_IN_CACHE = 2**19
"""Activations of one layer of a stack, on a CPU: with more than its caches hold, a step of wide
networks takes a third longer."""
_MOST_ON_CPU = 64
"""Members of a stack on a CPU; more are not faster."""


@dataclass(frozen=True)
class Fit:
    """What training one stack left behind.

    Attributes
    ----------
    disturbances : Tensor, shape (members, n_times, n_components), float32, on the device
    objective : ndarray, shape (members,), float64
        ELBO (iVAE, nats per volume) or log-probability of the segment (TCL, nats per volume)
        on all volumes at the end; NaN where training diverged.
    slope : ndarray, shape (members,), float64
        Of the objective over the last tenth of training, per 100 steps.
    curve_steps : ndarray, shape (points,), int64
    curves : ndarray, shape (members, points), float64
        Mean objective on the minibatches up to each of `curve_steps`.
    taken : ndarray, shape (members,), int64
        Steps that each member learned for, of the training that counts.
    retried : ndarray, shape (members,), bool
        Training diverged, and was done again from a fresh seed at half the rate.
    modulation : ndarray or None, shape (members, n_segments, n_components, 2), float64
        Log scale and mean of p(z|u) in every segment; None where a model has none.
    kl : ndarray or None, shape (members, n_components), float64
        KL(q(z_i|x,u) || p(z_i|u)), mean over volumes, nats; None where a model has none.
    """

    disturbances: Tensor
    objective: NDArray[np.float64]
    slope: NDArray[np.float64]
    curve_steps: NDArray[np.int64]
    curves: NDArray[np.float64]
    taken: NDArray[np.int64]
    retried: NDArray[np.bool_]
    modulation: NDArray[np.float64] | None = None
    kl: NDArray[np.float64] | None = None

    def of(self, members: NDArray[np.int64]) -> "Fit":
        """Return the fits of some members, in the order given."""
        return replace(
            self,
            disturbances=self.disturbances[
                torch.as_tensor(members, device=self.disturbances.device)
            ],
            objective=self.objective[members],
            slope=self.slope[members],
            curves=self.curves[members],
            taken=self.taken[members],
            retried=self.retried[members],
            modulation=None if self.modulation is None else self.modulation[members],
            kl=None if self.kl is None else self.kl[members],
        )


def resolve_device(device: str) -> torch.device:
    """Return the device for ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.

    Raises
    ------
    SettingsError
        If the name is none of these, or the machine has no such GPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if match is None:
        raise SettingsError(
            f"Unknown device '{device}'. Allowed: 'auto', 'cpu', 'cuda' or 'cuda:N'."
        )
    if device != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise SettingsError(
            f"The device '{device}' is not there: torch sees {torch.cuda.device_count()} GPU(s). "
            "Use 'auto' or 'cpu', or install a CUDA build of torch."
        )
    return torch.device(device)


def make_model(
    seeds: list[int],
    *,
    n_features: int,
    auxiliary: Auxiliary,
    settings: ModelSettings,
    device: torch.device,
    n_components: int | None = None,
) -> StackedModel:
    """Build the stack of the model that the settings are of, one member for each seed.

    Parameters
    ----------
    seeds : list of int
    n_features : int
    auxiliary : Auxiliary
        What u is; the VAE does not see it.
    settings : settings of a model
    device : torch.device
    n_components : int, optional
        Of all but TCL and equations; default as many as features.
    """
    keys = member_keys(seeds, device)
    if isinstance(settings, EquationSettings):
        return StackedEquations(keys, n_features, auxiliary, settings)
    if isinstance(settings, TCLSettings):
        return StackedTCL(keys, n_features, auxiliary, settings)
    if isinstance(settings, StructuralSettings):
        raise TypeError(
            "A structural flow has an arrow: causal_ivae.unmixing.hypotheses builds it."
        )
    if isinstance(settings, FlowSettings):
        return StackedFlow(keys, n_features, n_components or n_features, auxiliary, settings)
    seen = Auxiliary() if isinstance(settings, VAESettings) else auxiliary
    return StackedIVAE(keys, n_features, n_components or n_features, seen, settings)


@torch_threads(1)
def fit_stack(
    build: Callable[[list[int]], StackedModel],
    seeds: list[int],
    values: Tensor,
    columns: Tensor,
    u: Tensor,
    settings: ModelSettings,
    *,
    order_seed: int,
    kept: Tensor | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> tuple[StackedModel, Fit]:
    """Build a stack and maximise the objective of every member.

    A member whose training diverged is trained once more, from a fresh seed at half the rate.
    Each operation uses one thread meanwhile.

    Parameters
    ----------
    build : callable
        From a list of seeds to a stack with a member for each.
    seeds : list of int
    values : Tensor, shape (n_times, n_columns), float32
        On the device; the columns of all members.
    columns : Tensor, shape (members, n_features), int64
        Columns that each member sees.
    u : Tensor, shape (n_times,) int64 or (n_times, n_auxiliary) float32
    settings : settings of a model
    order_seed : int
        Seed of the order of volumes, which all members share, so that a member's result does
        not depend on the others in its stack.
    kept : Tensor, optional, shape (members, n_segments), float32
        1 for the segments that a member is trained on, 0 for those held out; default all.  For
        models that can do without a segment: the structural flow.
    progress : callable, optional
        Called with the share of steps done.
    watch : callable, optional
        Called with the step and the model at every point of the training curve.

    Returns
    -------
    model : StackedModel
    fit : Fit
    """
    model = build(seeds)
    optimise = partial(train, values=values, u=u, order_seed=order_seed)
    steps, curves, final, taken = optimise(
        model, columns, settings, kept=kept, progress=progress, watch=watch
    )
    failed = np.isnan(final)
    if failed.any():
        which = np.flatnonzero(failed)
        again = build([child_seed(seeds[i], "again") for i in which])
        slower = settings.model_copy(update={"learning_rate": 0.5 * settings.learning_rate})
        chosen = torch.as_tensor(which, device=columns.device)
        counted = None if kept is None else kept[chosen]
        _, *renewed = optimise(again, columns[chosen], slower, kept=counted)
        curves[which], final[which], taken[which] = renewed
        model.put(chosen, again)
    with torch.inference_mode():
        x = values[:, columns].transpose(0, 1)
        model.finish(x, u)
        fit = Fit(
            disturbances=model.disturbances(x, u),
            objective=final,
            slope=_last_slope(steps, curves),
            curve_steps=steps,
            curves=curves,
            taken=taken,
            retried=failed,
            modulation=_modulation(model),
            kl=model.kl_per_component(x, u).double().cpu().numpy()
            if isinstance(model, StackedIVAE)
            else None,
        )
    return model, fit


def _modulation(model: StackedModel) -> NDArray[np.float64] | None:
    prior = getattr(model, "prior", None)
    if not isinstance(prior, StackedPrior) or prior.log_scale is None:
        return None
    mean = torch.zeros_like(prior.log_scale) if prior.mean is None else prior.mean
    return torch.stack((prior.log_scale, mean), dim=-1).double().cpu().numpy()


def unmix_pairs(
    values: NDArray[np.float32],
    segments: NDArray[np.int64],
    pairs: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    method: Method,
    settings: UnmixingSettings,
    seed: int,
    key: str,
    device: torch.device,
    progress: Progress | None = None,
) -> Fit:
    """Unmix the disturbances of every pair, with restarts, in as few stacks as memory allows.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    segments : ndarray, shape (n_times,), int64, 0 to n_segments - 1
    pairs : ndarray, shape (n_pairs, 2), int64
    names : tuple of str, length n_regions
        Enter the seeds: a member's seed is keyed by (subject, method, pair, restart).
    method : {"ivae", "tcl"}
    settings : UnmixingSettings
    seed : int
    key : str
        Subject label.
    device : torch.device
    progress : callable, optional

    Returns
    -------
    Fit
        Members are ordered pair by pair, restarts within.
    """
    model_settings: IVAESettings | TCLSettings = getattr(settings, method)
    restarts = settings.restarts
    seeds = [
        child_seed(seed, key, method, names[i], names[j], restart)
        for i, j in pairs
        for restart in range(restarts)
    ]
    columns = torch.as_tensor(np.repeat(pairs, restarts, axis=0), device=device)
    data = torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32), device=device)
    u = torch.as_tensor(segments, device=device)
    build = partial(
        make_model,
        n_features=2,
        auxiliary=Auxiliary(segments=int(segments.max()) + 1),
        settings=model_settings,
        device=device,
    )
    chunk = members_at_once(len(values), method, settings, device)
    fits = []
    for start in range(0, len(seeds), chunk):
        stop = min(start + chunk, len(seeds))
        report = None
        if progress is not None:
            done, share = start / len(seeds), (stop - start) / len(seeds)
            report = _within(progress, done, share)
        _, fit = fit_stack(
            build,
            seeds[start:stop],
            data,
            columns[start:stop],
            u,
            model_settings,
            order_seed=child_seed(seed, key, method, "order of volumes"),
            progress=report,
        )
        fits.append(fit)
    return joined(fits)


def joined(fits: Sequence[Fit]) -> Fit:
    """Return the fits of several stacks as one, the members of the first before the others."""

    def join(name: str) -> Any:
        parts = [getattr(fit, name) for fit in fits]
        return None if parts[0] is None else np.concatenate(parts)

    return replace(
        fits[0],
        disturbances=torch.cat([fit.disturbances for fit in fits]),
        objective=join("objective"),
        slope=join("slope"),
        curves=join("curves"),
        taken=join("taken"),
        retried=join("retried"),
        modulation=join("modulation"),
        kl=join("kl"),
    )


def _within(progress: Progress, done: float, share: float) -> Progress:
    return lambda fraction: progress(done + share * fraction)


def pairs_at_once(
    n_times: int, method: Method, settings: UnmixingSettings, device: torch.device
) -> int:
    """Return how many pairs are unmixed before they are tested and let go: those of one stack.

    Parameters
    ----------
    n_times, method, settings, device
        As in `members_at_once`.
    """
    members = members_at_once(n_times, method, settings, device)
    return max(1, members // settings.fits_per_pair(method))


def stacks_at_once(
    n_times: int, method: Method, settings: UnmixingSettings, device: torch.device
) -> int:
    """Return how many stacks are trained at the same time: on a CPU one for each of its cores.

    Parameters
    ----------
    n_times, method, settings, device
        As in `members_at_once`; together they stay within the memory of the settings.
    """
    if device.type != "cpu":
        return 1
    members = members_at_once(n_times, method, settings, device)
    stack = members * bytes_per_member(n_times, method, settings)
    return max(1, min(torch.get_num_threads(), int(settings.memory_gib * 2**30 / stack)))


def members_at_once(
    n_times: int, method: Method, settings: UnmixingSettings, device: torch.device
) -> int:
    """Return how many fits make a stack.

    Parameters
    ----------
    n_times : int
    method : {"structural", "ivae", "tcl"}
    settings : UnmixingSettings
    device : torch.device
    """
    chunk = max(1, int(settings.memory_gib * 2**30 / bytes_per_member(n_times, method, settings)))
    if device.type != "cpu":
        return chunk
    model: IVAESettings | TCLSettings = getattr(settings, method)
    in_cache = max(1, _IN_CACHE // (_width(model) * min(model.batch_size, n_times)))
    return min(chunk, in_cache, _MOST_ON_CPU)


def bytes_per_member(n_times: int, method: Method, settings: UnmixingSettings) -> int:
    """Return what one fit of a stack takes at most: activations of all rows, or of a step."""
    if method == "structural":
        flow = settings.structural
        splines = (_ARRAYS_PER_SPLINE + flow.knots) * (flow.layers + 1)
        numbers = 3 * flow.hidden + splines
        return 4 * numbers * max(n_times, 2 * flow.batch_size)
    model: IVAESettings | TCLSettings = getattr(settings, method)
    width = _width(model) * (1 if isinstance(model, TCLSettings) else 2)
    return 4 * 6 * model.layers * width * max(n_times, 2 * model.batch_size)


def _width(model: IVAESettings | TCLSettings) -> int:
    """Return the columns of the widest layer."""
    return model.hidden * (model.maxout if isinstance(model, TCLSettings) else 1)


def _last_slope(steps: NDArray[np.int64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    last = steps > 0.9 * steps[-1]
    if last.sum() < 2:
        return np.zeros(len(curves))
    centred = steps[last] - steps[last].mean()
    # A product of matrices would round by the number of members.
    return np.asarray(100.0 * (curves[:, last] * centred).sum(axis=1) / (centred @ centred))
