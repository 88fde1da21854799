"""Train every pair x restart of a subject as one stack, and return their disturbances."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.config import IVAESettings, Method, TCLSettings, UnmixingSettings
from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.draws import member_keys
from causal_ivae.unmixing.ivae import StackedIVAE
from causal_ivae.unmixing.tcl import StackedTCL

CURVE_POINTS = 50
_EVALUATION_STREAM = 1 << 22

Progress = Callable[[float], None]


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
    """

    disturbances: Tensor
    objective: NDArray[np.float64]
    slope: NDArray[np.float64]
    curve_steps: NDArray[np.int64]
    curves: NDArray[np.float64]


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
    n_segments: int,
    settings: IVAESettings | TCLSettings,
    device: torch.device,
) -> StackedIVAE | StackedTCL:
    """Build the stack of the method that the settings are of, one member for each seed."""
    keys = member_keys(seeds, device)
    if isinstance(settings, TCLSettings):
        return StackedTCL(keys, n_features, n_segments, settings)
    return StackedIVAE(keys, n_features, n_features, n_segments, settings)


def train(
    model: StackedIVAE | StackedTCL,
    values: Tensor,
    columns: Tensor,
    segments: Tensor,
    settings: IVAESettings | TCLSettings,
    *,
    order_seed: int,
    progress: Progress | None = None,
) -> Fit:
    """Maximise the objective of every member with Adam and a cosine schedule.

    Parameters
    ----------
    model : StackedIVAE or StackedTCL
    values : Tensor, shape (n_times, n_regions), float32
        On the model's device.
    columns : Tensor, shape (members, n_features), int64
        Regions that each member sees.
    segments : Tensor, shape (n_times,), int64
    settings : IVAESettings or TCLSettings
    order_seed : int
        Seed of the order of volumes, which all members share, so that a member's result does
        not depend on the others in its stack.
    progress : callable, optional
        Called with the share of steps done.

    Returns
    -------
    Fit
    """
    device = values.device
    n_times = len(values)
    members = len(columns)
    batch = min(settings.batch_size, n_times)
    # Not the fused kernel: the last few weights of an array take another path through it, so a
    # member's rounding would depend on the size of its stack.
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay if isinstance(settings, TCLSettings) else 0.0,
        foreach=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=settings.steps, eta_min=0.01 * settings.learning_rate
    )
    warmup = settings.warmup * settings.steps if isinstance(settings, IVAESettings) else 0.0
    shuffle = torch.Generator().manual_seed(order_seed)
    curve_steps = np.unique(
        np.linspace(0, settings.steps, CURVE_POINTS + 1).round().astype(np.int64)[1:]
    )
    curves = torch.zeros(members, len(curve_steps), device=device)
    running = torch.zeros(members, device=device)
    counted, point = 0, 0
    rows = torch.empty(0, dtype=torch.int64)
    for step in range(settings.steps):
        if len(rows) < batch:
            rows = torch.cat((rows, torch.randperm(n_times, generator=shuffle)))
        picked, rows = rows[:batch].to(device), rows[batch:]
        x = values[picked[None, :, None], columns[:, None, :]]
        u = segments[picked]
        if isinstance(model, StackedTCL):
            objective = model.log_likelihood(x, u)
            loss = -objective
        else:
            reconstruction, kl = model.elbo_terms(x, u, step)
            objective = reconstruction - kl
            loss = min(1.0, (step + 1) / warmup if warmup else 1.0) * kl - reconstruction
        optimizer.zero_grad()
        torch.autograd.backward(loss.sum())
        optimizer.step()
        schedule.step()
        running += objective.detach()
        counted += 1
        if step + 1 == curve_steps[point]:
            curves[:, point] = running / counted
            running.zero_()
            counted, point = 0, point + 1
            if progress is not None:
                progress((step + 1) / settings.steps)
    with torch.inference_mode():
        x = values[:, columns].transpose(0, 1)
        if isinstance(model, StackedTCL):
            final = model.log_likelihood(x, segments)
            model.fit_ica(x)
        else:
            reconstruction, kl = model.elbo_terms(x, segments, _EVALUATION_STREAM)
            final = reconstruction - kl
        recovered = model.disturbances(x, segments)
    recorded = curves.double().cpu().numpy()
    return Fit(
        disturbances=recovered,
        objective=final.double().cpu().numpy(),
        slope=_last_slope(curve_steps, recorded),
        curve_steps=curve_steps,
        curves=recorded,
    )


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
    chunk = _chunk_members(len(values), model_settings, settings.memory_gib, device)
    fits = []
    for start in range(0, len(seeds), chunk):
        stop = min(start + chunk, len(seeds))
        model = make_model(
            seeds[start:stop],
            n_features=2,
            n_segments=int(segments.max()) + 1,
            settings=model_settings,
            device=device,
        )
        report = None
        if progress is not None:
            done, share = start / len(seeds), (stop - start) / len(seeds)
            report = _within(progress, done, share)
        fits.append(
            train(
                model,
                data,
                columns[start:stop],
                u,
                model_settings,
                order_seed=child_seed(seed, key, method, "order of volumes"),
                progress=report,
            )
        )
    return Fit(
        disturbances=torch.cat([fit.disturbances for fit in fits]),
        objective=np.concatenate([fit.objective for fit in fits]),
        slope=np.concatenate([fit.slope for fit in fits]),
        curve_steps=fits[0].curve_steps,
        curves=np.concatenate([fit.curves for fit in fits]),
    )


def _within(progress: Progress, done: float, share: float) -> Progress:
    return lambda fraction: progress(done + share * fraction)


def _chunk_members(
    n_times: int, settings: IVAESettings | TCLSettings, memory_gib: float, device: torch.device
) -> int:
    width = settings.hidden * (settings.maxout if isinstance(settings, TCLSettings) else 2)
    floats = 6 * settings.layers * width * max(n_times, 2 * settings.batch_size)
    chunk = max(1, int(memory_gib * 2**30 / (4 * floats)))
    # On a CPU a stack whose activations stay in cache is faster than a larger one.
    return min(chunk, 64) if device.type == "cpu" else chunk


def _last_slope(steps: NDArray[np.int64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    last = steps > 0.9 * steps[-1]
    if last.sum() < 2:
        return np.zeros(len(curves))
    centred = steps[last] - steps[last].mean()
    return np.asarray(100.0 * (curves[:, last] @ centred) / (centred @ centred))
