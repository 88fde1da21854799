"""Train the fits of all pairs and restarts as stacks, and return their disturbances."""

import re
from collections.abc import Callable
from functools import partial

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
    StructuralSettings,
    TCLSettings,
    TrainingSettings,
    VAESettings,
)
from causal_ivae.unmixing.models.binary_ivae import StackedBinaryIVAE
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.equations import StackedEquations
from causal_ivae.unmixing.models.flow import StackedFlow
from causal_ivae.unmixing.models.invertible_ivae import StackedInvertibleIVAE
from causal_ivae.unmixing.models.ivae import StackedIVAE
from causal_ivae.unmixing.models.priors import StackedPrior
from causal_ivae.unmixing.models.stacked import Auxiliary, StackedModel
from causal_ivae.unmixing.models.structural_flow import StackedStructuralFlow
from causal_ivae.unmixing.models.tcl import StackedTCL
from causal_ivae.unmixing.models.variational import StackedVariational
from causal_ivae.unmixing.standard_form import in_standard_order, signs
from causal_ivae.unmixing.training.loop import Watch, train
from causal_ivae.unmixing.training.stacks import Fit, Progress, in_stacks
from causal_ivae.unmixing.training.steps import by_member
from causal_ivae.unmixing.training.threads import torch_threads


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
            f"The device '{device}' does not exist: torch sees {torch.cuda.device_count()} GPU(s). "
            "Use 'auto' or 'cpu', or install a CUDA build of torch."
        )
    return torch.device(device)


def make_model(
    seeds: list[int],
    *,
    n_features: int,
    auxiliary: Auxiliary,
    settings: TrainingSettings,
    device: torch.device,
    n_components: int | None = None,
) -> StackedModel:
    """Build a stack of the model to which the settings belong, with one member for each seed.

    Parameters
    ----------
    auxiliary : Auxiliary
        Description of u, which the VAE does not use.
    n_components : int, optional
        Number of components of iVAE, the VAE and the flow; by default as many as features.

    Raises
    ------
    TypeError
        If the settings belong to no model that is known here.
    """
    keys = member_keys(seeds, device)
    if isinstance(settings, EquationSettings):
        return StackedEquations(keys, n_features, auxiliary, settings)
    if isinstance(settings, TCLSettings):
        return StackedTCL(keys, n_features, auxiliary, settings)
    if isinstance(settings, StructuralSettings):
        return StackedStructuralFlow(keys, auxiliary, settings)
    components = n_components or n_features
    if isinstance(settings, FlowSettings):
        return StackedFlow(keys, n_features, components, auxiliary, settings)
    if isinstance(settings, VAESettings):
        return StackedIVAE(keys, n_features, components, Auxiliary(), settings)
    if isinstance(settings, IVAESettings) and settings.invertible:
        return StackedInvertibleIVAE(keys, n_features, components, auxiliary, settings)
    if isinstance(settings, IVAESettings) and settings.binary and settings.posterior == "full":
        return StackedBinaryIVAE(keys, n_features, components, auxiliary, settings)
    if isinstance(settings, IVAESettings):
        return StackedIVAE(keys, n_features, components, auxiliary, settings)
    raise TypeError(f"No model has settings of the kind {type(settings).__name__}.")


@torch_threads(1)
def fit_stack(
    build: Callable[[list[int]], StackedModel],
    seeds: list[int],
    values: Tensor,
    columns: Tensor,
    u: Tensor,
    settings: TrainingSettings,
    *,
    order_seed: int,
    kept: Tensor | None = None,
    trained: StackedModel | None = None,
    again: bool = True,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> tuple[StackedModel, Fit]:
    """Build a stack and maximise the objective of every member.

    A member whose training diverged is trained once more, from another seed at half the learning
    rate.  Every operation uses one thread.

    Parameters
    ----------
    build : callable
        Function that makes a stack with a member for each of a list of seeds.
    values : Tensor, shape (n_times, n_columns), float32
        The columns of all members, on the device.
    columns : Tensor, shape (members, n_features), int64
        Columns that each member is trained on.
    u : Tensor, shape (n_times,) int64 or (n_times, n_auxiliary) float32
    order_seed : int
        Seed of the order of volumes.  All members share it, so that a member's result does not
        depend on the others in its stack.
    kept : Tensor, optional, shape (members, n_segments), float32
        1 for the segments that a member is trained on, 0 for held-out ones; by default all are
        used.  Only the objective leaves segments out: starting
        values know all volumes.
    trained : StackedModel, optional
        The members after an earlier training, which goes on; by default they start anew.
    again : bool
        False to leave members whose training diverged as they are.
    progress : callable, optional
        Called with the share of the steps that are done.
    watch : callable, optional
        Called with the step and the model at every point of the training curve.

    Returns
    -------
    model : StackedModel
    fit : Fit
    """
    model = trained or build(seeds)
    optimise = partial(train, values=values, u=u, order_seed=order_seed)
    steps, curves, final, taken = optimise(
        model, columns, settings, kept=kept, anew=trained is None, progress=progress, watch=watch
    )
    failed = np.isnan(final) & again
    if failed.any():
        which = np.flatnonzero(failed)
        anew = build([child_seed(seeds[i], "again") for i in which])
        slower = settings.model_copy(update={"learning_rate": 0.5 * settings.learning_rate})
        chosen = torch.as_tensor(which, device=columns.device)
        counted = None if kept is None else kept[chosen]
        _, *renewed = optimise(anew, columns[chosen], slower, kept=counted)
        curves[which], final[which], taken[which] = renewed
        model.put(chosen, anew)
    with torch.inference_mode():
        x = by_member(values, columns)
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
            if isinstance(model, StackedVariational | StackedInvertibleIVAE)
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
    *,
    build: Callable[..., StackedModel],
    settings: TrainingSettings,
    restarts: int,
    at_once: int,
    keys: tuple[int | str, ...],
    device: torch.device,
    progress: Progress | None = None,
) -> Fit:
    """Unmix the disturbances of every pair with restarts, in stacks of limited size.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    segments : ndarray, shape (n_times,), int64, 0 to n_segments - 1
    pairs : ndarray, shape (n_pairs, 2), int64
    build : callable
        Function that makes a stack of models of two columns from seeds, ``auxiliary``, ``settings``
        and ``device``, as `make_model` does.
    restarts : int
        Number of fits of a pair.
    at_once : int
        Number of fits in a stack.
    keys : tuple of int and str
        The seed of the analysis, then for instance subject and method, which distinguish these
        seeds from those of other fits.
    progress : callable, optional

    Returns
    -------
    Fit
        The restarts of every pair in turn.

    Notes
    -----
    Restart r of all pairs starts at the same weights, with each column skewed to the right and the
    less skewed one first.  The fits of a pair therefore depend on its two series alone.
    """
    first, *rest = keys
    settings = settings.model_copy(update={"steps": settings.steps_for(len(values))})
    seeds = [child_seed(int(first), *rest, restart) for restart in range(restarts)] * len(pairs)
    ordered = in_standard_order(values, pairs)
    columns = torch.as_tensor(np.repeat(ordered, restarts, axis=0), device=device)
    data = torch.as_tensor(np.ascontiguousarray(values * signs(values)), device=device)
    u = torch.as_tensor(segments, device=device)
    auxiliary = Auxiliary(segments=int(segments.max()) + 1)
    build_stack = partial(build, auxiliary=auxiliary, settings=settings, device=device)

    def fit(some: slice, told: Progress | None) -> Fit:
        order_seed = child_seed(int(first), *rest, "order of volumes")
        return fit_stack(
            build_stack,
            seeds[some],
            data,
            columns[some],
            u,
            settings,
            order_seed=order_seed,
            progress=told,
        )[1]

    return Fit.joined(in_stacks(len(seeds), at_once, fit, progress))


def _last_slope(steps: NDArray[np.int64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    last = steps > 0.9 * steps[-1]
    if last.sum() < 2:
        return np.zeros(len(curves))
    centred = steps[last] - steps[last].mean()
    # The rounding of a matrix product would depend on the number of members.
    return np.asarray(100.0 * (curves[:, last] * centred).sum(axis=1) / (centred @ centred))
