"""Fit both directions of every pair as structural flows of the mechanism that trials choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.seeding import child_seed
from causal_ivae.settings import StructuralSettings
from causal_ivae.unmixing.models.draws import member_keys
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.models.structural_flow import StackedStructuralFlow
from causal_ivae.unmixing.standard_form import normal_scores, signs
from causal_ivae.unmixing.training.ensemble import fit_stack
from causal_ivae.unmixing.training.stacks import Fit, Progress, in_stacks, no_volumes, part_of
from causal_ivae.unmixing.training.steps import by_member

DIRECTIONS = ("x->y", "y->x")
MECHANISMS = ("linear", "nonlinear")

_LITTLE = 0.02
"""A linear effect may predict worse than the best model by this much (nats per volume)."""
_COST = np.array([0.4, 1.0])
"""Relative cost of a step by the linear and the nonlinear mechanism, for reporting progress."""


@dataclass(frozen=True)
class Hypotheses:
    """Hold the fits of both directions of every pair, by the mechanism that trials chose.

    A direction has several fits, which started differently.  One that diverged is replaced by the
    best of its direction.

    Attributes
    ----------
    log_likelihood : ndarray, shape (pairs, 2, n_blocks), float64
        Log-likelihood of each block under ``x->y`` and ``y->x`` (nats), the mean over fits; NaN if
        all diverged.
    mechanism : ndarray, shape (pairs,), int64
        Index into `MECHANISMS`.
    shortfall : ndarray, shape (pairs,), float64
        Held-out log-likelihood of the best model minus that of this mechanism's better direction
        (nats per volume).
    disturbances : Tensor, shape (pairs, 2, fits, n_times, 2), float32, on the device
        Disturbances of x and y under each direction.
    best : ndarray, shape (pairs, 2), int64
        The fit of each direction with the highest likelihood.
    fit : Fit
        The best fits of every pair in turn, ``x->y`` before ``y->x``.
    """

    log_likelihood: NDArray[np.float64]
    mechanism: NDArray[np.int64]
    shortfall: NDArray[np.float64]
    disturbances: Tensor
    best: NDArray[np.int64]
    fit: Fit

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Return which directions did not diverge in training, shape (pairs, 2)."""
        return np.asarray(np.isfinite(self.log_likelihood).all(axis=-1))

    @property
    def better(self) -> NDArray[np.int64]:
        """Return the direction that fits better, shape (pairs,), an index into `DIRECTIONS`."""
        total = self.log_likelihood.sum(axis=-1)
        return np.asarray(np.where(np.isnan(total), -np.inf, total).argmax(axis=1))

    @classmethod
    def joined(cls, parts: Sequence["Hypotheses"]) -> "Hypotheses":
        """Join the fits of several groups of pairs."""
        return cls(
            log_likelihood=np.concatenate([part.log_likelihood for part in parts]),
            mechanism=np.concatenate([part.mechanism for part in parts]),
            shortfall=np.concatenate([part.shortfall for part in parts]),
            disturbances=torch.cat([part.disturbances for part in parts]),
            best=np.concatenate([part.best for part in parts]),
            fit=Fit.joined([part.fit for part in parts]),
        )


def fit_hypotheses(
    values: NDArray[np.float32],
    segments: NDArray[np.int64],
    blocks: NDArray[np.int64],
    pairs: NDArray[np.int64],
    *,
    settings: StructuralSettings,
    at_once: int,
    seed: int,
    key: str,
    device: torch.device,
    progress: Progress | None = None,
) -> Hypotheses:
    """Choose every pair's mechanism by short trials and fit it in both directions.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    segments : ndarray, shape (n_times,), int64, 0 to n_segments - 1
    blocks : ndarray, shape (n_times,), int64, 0 to n_blocks - 1
    pairs : ndarray, shape (n_pairs, 2), int64
    at_once : int
        Number of fits in a stack.
    key : str
        Subject label.
    progress : callable, optional

    Notes
    -----
    The linear mechanism is fitted to the values and the nonlinear one to their normal scores, whose
    log slope is added to the likelihood to make both comparable.  In the trials, each segment is
    judged by a fit that was not trained on it, normal scores included, since the richer mechanism
    would always win on its training data.  (Starting values use all volumes, and the scales of
    the disturbances in a held-out segment are those that it has, by both mechanisms alike.)  The
    trials of the chosen mechanism are then trained on all segments.  What one training reaches
    depends on where it started; the mean over these fits does so less.

    The fits of all pairs start at the same random weights, and every column is fitted with the
    sign with which it is skewed to the right.  The result of a pair therefore depends on its two
    series alone: swapping or flipping them swaps or flips the result.
    """
    columns, position = np.unique(pairs, return_inverse=True)
    sign = signs(values[:, columns])
    one_way = position.reshape(-1, 2)
    task = _Task(
        values=np.ascontiguousarray(values[:, columns] * sign, dtype=np.float32),
        members=np.stack([one_way, one_way[:, ::-1]], axis=1),
        segments=torch.as_tensor(segments, device=device),
        blocks=blocks,
        at_once=at_once,
        seed=seed,
        key=key,
    )
    everyone = np.arange(len(pairs))
    folds = min(settings.folds, int(segments.max()) + 1)
    trial = settings.model_copy(update={"steps": settings.trial_steps})
    whole = settings.model_copy(update={"steps": settings.steps_for(len(values))})
    of_trials = _COST * trial.steps
    # The trials' choices are not known yet, so that half of the pairs are assumed for each.
    tried = of_trials.sum() / (of_trials.sum() + _COST.mean() * whole.steps)
    middle = tried * _COST[0] / _COST.sum()
    trials = (
        task.fit(everyone, 0, trial, folds, part_of(progress, 0.0, middle)),
        task.fit(everyone, 1, trial, folds, part_of(progress, middle, tried)),
    )
    mechanism, shortfall = _credible(
        np.stack([part.log_likelihood.sum(axis=-1) for part in trials]), len(values)
    )
    linear, nonlinear = np.flatnonzero(mechanism == 0), np.flatnonzero(mechanism == 1)
    first, second = _COST * (len(linear), len(nonlinear))
    turn = tried + (1.0 - tried) * first / (first + second)
    parts = [
        task.fit(which, kind, whole, folds, part_of(progress, start, stop), trials[kind].stacks)
        for which, kind, start, stop in ((linear, 0, tried, turn), (nonlinear, 1, turn, 1.0))
        if len(which)
    ]
    place = np.argsort(np.concatenate([linear, nonlinear]))
    return Hypotheses(
        log_likelihood=np.concatenate([part.log_likelihood for part in parts])[place],
        mechanism=mechanism,
        shortfall=shortfall,
        disturbances=torch.cat([part.disturbances for part in parts])[place]
        * torch.as_tensor(sign[one_way], device=device)[:, None, None, None],
        best=np.concatenate([part.best for part in parts])[place],
        fit=Fit.joined([part.fit for part in parts]).of(
            (2 * place[:, None] + np.arange(2)).ravel()
        ),
    )


def _credible(
    total: NDArray[np.float64], n_times: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose every pair's mechanism, and return by how much it falls short of the best model.

    Parameters
    ----------
    total : ndarray, shape (mechanisms, pairs, 2), float64
        Log-likelihood of the held-out volumes.

    Notes
    -----
    If segments carry no information, increasing triangular maps fit any pair of regions in both
    directions (the Knothe-Rosenblatt rearrangement).  A better fit of the nonlinear mechanism
    therefore does not make its direction more reliable.  The linear mechanism is chosen if it falls
    short of the best fit by little and its two directions differ more.
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
class _Judged:
    """Hold the fits of some pairs by one mechanism, as in `Hypotheses`, and their models."""

    log_likelihood: NDArray[np.float64]
    disturbances: Tensor
    best: NDArray[np.int64]
    fit: Fit
    stacks: tuple[StackedStructuralFlow, ...]


@dataclass(frozen=True)
class _Seen:
    """Hold the data that the fits of one mechanism see.

    ``values`` (n_times, folds * columns) has the columns of every fold in turn, ``log_slope``
    (n_times, columns) the slopes of the fold that judges a volume.
    """

    values: Tensor
    log_slope: NDArray[np.float32]
    folds: int


@dataclass(frozen=True)
class _Task:
    """Hold the values, shape (n_times, columns), and what all fits have in common.

    ``members`` (pairs, 2, 2) holds the columns of cause and effect under either direction.
    """

    values: NDArray[np.float32]
    members: NDArray[np.int64]
    segments: Tensor
    blocks: NDArray[np.int64]
    at_once: int
    seed: int
    key: str

    def fit(
        self,
        pairs: NDArray[np.int64],
        mechanism: int,
        settings: StructuralSettings,
        folds: int,
        progress: Progress | None,
        trials: tuple[StackedStructuralFlow, ...] = (),
    ) -> _Judged:
        """Fit one mechanism to both directions of some pairs, in stacks of bounded size.

        Each fold is left out of one fit and judged by it, unless trials of all pairs are given:
        these are trained further, on all folds, and their mean judges.
        """
        seen = self._seen(mechanism, 1 if trials else folds)
        parts = in_stacks(
            len(pairs),
            max(1, self.at_once // (2 * folds)),
            lambda some, told: self._stack(
                pairs[some], mechanism, settings, folds, seen, told, trials
            ),
            progress,
        )
        return _Judged(
            np.concatenate([part.log_likelihood for part in parts]),
            torch.cat([part.disturbances for part in parts]),
            np.concatenate([part.best for part in parts]),
            Fit.joined([part.fit for part in parts]),
            tuple(stack for part in parts for stack in part.stacks),
        )

    def _seen(self, mechanism: int, folds: int) -> "_Seen":
        """Return the data that the fits of a mechanism see: the values, or their normal scores."""
        held = self.segments.numpy(force=True) % folds
        if mechanism == 0:
            of_folds = [(self.values, np.zeros_like(self.values))] * folds
        elif folds == 1:
            of_folds = [normal_scores(self.values)]
        else:
            of_folds = [normal_scores(self.values, held != fold) for fold in range(folds)]
        values, log_slope = (np.concatenate(part, axis=1) for part in zip(*of_folds, strict=True))
        by_fold = log_slope.reshape(len(held), folds, -1)
        return _Seen(
            torch.as_tensor(values, device=self.segments.device),
            by_fold[np.arange(len(held)), held],
            folds,
        )

    def _stack(
        self,
        pairs: NDArray[np.int64],
        mechanism: int,
        settings: StructuralSettings,
        folds: int,
        seen: "_Seen",
        progress: Progress | None,
        trials: tuple[StackedStructuralFlow, ...],
    ) -> _Judged:
        """Fit one stack of trials, or train the members of earlier trials further."""
        data, u = seen.values, self.segments
        n_segments, n_pairs = int(u.max()) + 1, len(pairs)
        seeds = [
            child_seed(self.seed, self.key, "structural", MECHANISMS[mechanism], fold)
            for fold in range(folds)
        ] * (2 * n_pairs)
        of_fold = self.values.shape[1] * (np.arange(folds) % seen.folds)[:, None]
        columns = torch.as_tensor(
            (self.members[pairs].reshape(-1, 1, 2) + of_fold).reshape(-1, 2), device=data.device
        )
        held = torch.arange(n_segments, device=data.device) % folds
        fold = torch.arange(folds, device=data.device)[:, None]
        some_held = folds > 1 and not trials
        kept = (held != fold).float().repeat(2 * n_pairs, 1) if some_held else None

        def build(seeds: list[int]) -> StackedStructuralFlow:
            keys = member_keys(seeds, data.device)
            return StackedStructuralFlow(
                keys, Auxiliary(n_segments), settings, linear=mechanism == 0
            )

        of_trials = (2 * folds * pairs[:, None] + np.arange(2 * folds)).ravel()
        model, fit = fit_stack(
            build,
            seeds,
            data,
            columns,
            u,
            settings,
            order_seed=child_seed(self.seed, self.key, "structural", "order of volumes"),
            kept=kept,
            trained=_taken(build(seeds), trials, of_trials) if trials else None,
            progress=progress,
        )
        assert isinstance(model, StackedStructuralFlow)
        objective = np.where(np.isfinite(fit.objective), fit.objective, -np.inf)
        objective = objective.reshape(n_pairs, 2, folds)
        best = objective.argmax(axis=2)
        member = np.arange(2 * n_pairs * folds).reshape(n_pairs, 2, folds)
        of_best = np.take_along_axis(member, best[..., None], axis=2)
        with torch.inference_mode():
            likelihood = model.log_likelihood(by_member(data, columns), u)
            if some_held:
                judge = held[u].expand(n_pairs, 2, 1, -1)
                likelihood = likelihood.view(n_pairs, 2, folds, -1).gather(2, judge)[:, :, 0]
                disturbances = no_volumes(fit.disturbances).view(n_pairs, 2, folds, 0, 2)
            else:
                sound = torch.as_tensor(
                    np.where(np.isfinite(objective), member, of_best), device=data.device
                )
                likelihood = likelihood[sound].mean(dim=2)
                disturbances = fit.disturbances[sound]
        # Under y -> x, the cause is y and the effect is x.
        disturbances = torch.stack([disturbances[:, 0], disturbances[:, 1].flip(-1)], dim=1)
        by_row = likelihood.double().cpu().numpy()
        by_row += seen.log_slope[:, self.members[pairs, 0]].sum(axis=2).T[:, None]
        return _Judged(
            _sum_by_block(by_row, self.blocks),
            disturbances,
            best,
            (fit.without_disturbances() if some_held else fit).of(of_best.ravel()),
            (model,),
        )


def _taken(
    into: StackedStructuralFlow,
    stacks: tuple[StackedStructuralFlow, ...],
    members: NDArray[np.int64],
) -> StackedStructuralFlow:
    """Replace all members of a stack by some of several others, which are counted in turn."""
    first = 0
    for stack in stacks:
        last = first + len(stack.keys)
        here = np.flatnonzero((members >= first) & (members < last))
        places, theirs = (
            torch.as_tensor(which, device=into.keys.device)
            for which in (here, members[here] - first)
        )
        into.put(places, stack.taken(theirs))
        first = last
    return into


def _sum_by_block(values: NDArray[Any], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum values over the volumes (the last axis) of every block."""
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
    return np.add.reduceat(values[..., order], starts, axis=-1, dtype=np.float64)
