"""Fit both directions of every pair as structural flows, each judged on segments held out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.config import StructuralSettings, UnmixingSettings
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.draws import member_keys
from causal_ivae.unmixing.ensemble import Fit, fit_stack, interleaved
from causal_ivae.unmixing.marginals import normal_scores
from causal_ivae.unmixing.model import Auxiliary
from causal_ivae.unmixing.structural import StackedStructuralFlow
from causal_ivae.unmixing.training import Progress

DIRECTIONS = ("x->y", "y->x")
MECHANISMS = ("linear", "nonlinear")

_LITTLE = 0.02
"""Nats per volume by which a linear effect may predict worse than the best model."""


@dataclass(frozen=True)
class Hypotheses:
    """Both directions of every pair, by the simplest mechanism that can be believed.

    Attributes
    ----------
    log_likelihood : ndarray, shape (pairs, 2, n_blocks), float64
        Of each block's volumes, summed, nats, under ``x->y`` and ``y->x``; a segment is judged by
        the fit that was not trained on it; normal scores, starting values and the scales of
        disturbances know all volumes.  NaN where training diverged.
    mechanism : ndarray, shape (pairs,), int64
        Index into `MECHANISMS`.
    shortfall : ndarray, shape (pairs,), float64
        By how much the better direction of that mechanism predicts worse than the best of all,
        nats per volume.
    disturbances : Tensor, shape (pairs, 2, n_times, 2), float32, on the device
        Of x and y under each direction, by the fit that was not trained on the segment.
    fit : Fit
        Of that mechanism; members are ordered pair by pair, direction by direction, fold by fold.
    folds : int
    """

    log_likelihood: NDArray[np.float64]
    mechanism: NDArray[np.int64]
    shortfall: NDArray[np.float64]
    disturbances: Tensor
    fit: Fit
    folds: int

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Directions whose training did not diverge, shape (pairs, 2)."""
        return np.asarray(np.isfinite(self.log_likelihood).all(axis=-1))

    @property
    def better(self) -> NDArray[np.int64]:
        """The direction that predicts better, shape (pairs,): index into `DIRECTIONS`."""
        total = self.log_likelihood.sum(axis=-1)
        return np.asarray(np.where(np.isnan(total), -np.inf, total).argmax(axis=1))


def fit_hypotheses(
    values: NDArray[np.float32],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    settings: UnmixingSettings,
    seed: int,
    key: str,
    device: torch.device,
    progress: Progress | None = None,
) -> Hypotheses:
    """Fit a structural flow to both directions of every pair, by both mechanisms, in folds.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    segments : ndarray, shape (n_times,), int64, 0 to n_segments - 1
    blocks : ndarray, shape (n_times,), int64, 0 to n_blocks - 1
    pairs : ndarray, shape (n_pairs, 2), int64
    names, settings, seed, key, device, progress
        As in `causal_ivae.unmixing.ensemble.unmix_pairs`.

    Returns
    -------
    Hypotheses

    Notes
    -----
    The linear mechanism sees the values, the nonlinear one their normal scores, whose log slope is
    added to its likelihood, so that the two compare.  Segments are dealt to folds in turn.
    """
    own = settings.structural
    columns, position = np.unique(pairs, return_inverse=True)
    task = _Task(
        settings=own,
        members=np.stack([position.reshape(-1, 2), position.reshape(-1, 2)[:, ::-1]], axis=1),
        labels=[(names[i], names[j]) for i, j in pairs],
        segments=torch.as_tensor(segments, device=device),
        folds=min(own.folds, int(segments.max()) + 1),
        seed=seed,
        key=key,
    )
    mine = np.ascontiguousarray(values[:, columns], dtype=np.float32)
    scores, log_slope = normal_scores(mine)
    halves = (None, None) if progress is None else (_part(progress, 0.0), _part(progress, 0.5))
    judged = (
        _judge(task, torch.as_tensor(mine, device=device), linear=True, progress=halves[0]),
        _judge(task, torch.as_tensor(scores, device=device), linear=False, progress=halves[1]),
    )
    by_row = [np.zeros((len(values), *pairs.shape)), log_slope[:, position.reshape(-1, 2)]]
    by_block = np.stack(
        [
            _sum_by_block(part.log_likelihood, blocks)
            + _sum_by_block(added.sum(axis=2).T[:, None], blocks)
            for part, added in zip(judged, by_row, strict=True)
        ]
    )
    mechanism, shortfall = _credible(by_block.sum(axis=-1), len(values))

    which = mechanism[None, :, None, None]
    nonlinear = torch.as_tensor(mechanism == 1, device=device)[:, None, None, None]
    fits = [part.fit for part in judged]
    members = np.repeat(mechanism == 1, 2 * task.folds)
    return Hypotheses(
        log_likelihood=np.take_along_axis(by_block, which, axis=0)[0],
        mechanism=mechanism,
        shortfall=shortfall,
        disturbances=torch.where(nonlinear, judged[1].disturbances, judged[0].disturbances),
        fit=interleaved(fits[0], fits[1], members),
        folds=task.folds,
    )


def _credible(
    total: NDArray[np.float64], n_times: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return every pair's mechanism, and by how much it falls short of the best of all.

    Parameters
    ----------
    total : ndarray, shape (mechanisms, pairs, 2), float64
        Log-likelihood of the volumes held out.
    n_times : int

    Notes
    -----
    Increasing triangular maps fit any pair of regions in both directions where the segments tell
    nothing (the Knothe-Rosenblatt rearrangement), so that a better fit alone does not make their
    verdict the better one.  The linear mechanism decides where it falls short of the best fit by
    little, and tells the two directions further apart.
    """
    known = np.where(np.isnan(total), -np.inf, total)
    best = known.max(axis=(0, 2))
    with np.errstate(invalid="ignore"):
        short = best - known.max(axis=2)
        apart = np.abs(known[..., 0] - known[..., 1])
        linear = np.isfinite(known[0]).all(axis=1) & ~(apart[0] <= apart[1])
        linear &= short[0] < _LITTLE * n_times
    mechanism = np.where(linear, 0, 1)
    return mechanism, np.take_along_axis(short, mechanism[None], axis=0)[0] / n_times


@dataclass(frozen=True)
class _Task:
    """What both mechanisms are fitted to: members (pairs, 2, 2) hold cause and effect."""

    settings: StructuralSettings
    members: NDArray[np.int64]
    labels: list[tuple[str, str]]
    segments: Tensor
    folds: int
    seed: int
    key: str


@dataclass(frozen=True)
class _Judged:
    """As `Hypotheses`, of one mechanism; log_likelihood is (pairs, 2, n_times)."""

    log_likelihood: NDArray[np.float64]
    disturbances: Tensor
    fit: Fit


def _judge(task: _Task, data: Tensor, *, linear: bool, progress: Progress | None) -> _Judged:
    """Fit one mechanism, and put the folds' parts that were held out together."""
    folds, n_pairs = task.folds, len(task.members)
    mechanism = MECHANISMS[0 if linear else 1]
    seeds = [
        child_seed(task.seed, task.key, "structural", mechanism, *label, direction, fold)
        for label in task.labels
        for direction in DIRECTIONS
        for fold in range(folds)
    ]
    columns = torch.as_tensor(
        np.repeat(task.members.reshape(-1, 2), folds, axis=0), device=data.device
    )
    u = task.segments
    n_segments = int(u.max()) + 1
    held = torch.arange(n_segments, device=data.device) % folds
    fold = torch.arange(folds, device=data.device)[:, None]
    kept = (held != fold).float().repeat(2 * n_pairs, 1) if folds > 1 else None

    def build(seeds: list[int]) -> StackedStructuralFlow:
        keys = member_keys(seeds, data.device)
        return StackedStructuralFlow(keys, Auxiliary(n_segments), task.settings, linear=linear)

    model, fit = fit_stack(
        build,
        seeds,
        data,
        columns,
        u,
        task.settings,
        order_seed=child_seed(task.seed, task.key, "structural", "order of volumes"),
        kept=kept,
        progress=progress,
    )
    assert isinstance(model, StackedStructuralFlow)
    with torch.inference_mode():
        likelihood = model.log_likelihood(data[:, columns].transpose(0, 1), u)
        likelihood = likelihood.view(n_pairs, 2, folds, -1)
        # Of every volume, the fit that its segment was held out of.
        judge = held[u].expand(n_pairs, 2, 1, -1)
        likelihood = likelihood.gather(2, judge)[:, :, 0]
        disturbances = fit.disturbances.view(n_pairs, 2, folds, -1, 2)
        disturbances = disturbances.gather(2, judge[..., None].expand(-1, -1, -1, -1, 2))[:, :, 0]

    # Cause and effect are y and x where the arrow is turned round.
    disturbances = torch.stack([disturbances[:, 0], disturbances[:, 1].flip(-1)], dim=1)
    return _Judged(likelihood.double().cpu().numpy(), disturbances, fit)


def _sum_by_block(values: NDArray[Any], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum over the volumes (the last axis) of every block."""
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
    return np.add.reduceat(values[..., order], starts, axis=-1, dtype=np.float64)


def _part(progress: Progress, start: float) -> Progress:
    return lambda share: progress(start + 0.5 * share)
