"""Unmix pairs, test them and orient them, a stack of fits at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.discovery.chunks import Chunk, Chunks
from causal_ivae.discovery.orientation import Orientation, orient
from causal_ivae.discovery.probability import Evidence
from causal_ivae.discovery.resampling import BlockSums
from causal_ivae.discovery.structural import (
    diagnose_better,
    gather_evidence,
    orient_by_evidence,
)
from causal_ivae.errors import FitError
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.seeding import child_seed
from causal_ivae.settings import DecisionSettings, IndependenceSettings, Method, UnmixingSettings
from causal_ivae.unmixing.diagnostics import (
    Diagnostics,
    best_restarts,
    diagnose,
    residual_dependence,
)
from causal_ivae.unmixing.hypotheses import Hypotheses, fit_hypotheses
from causal_ivae.unmixing.training.ensemble import Fit, joined, unmix_pairs


@dataclass(frozen=True)
class Subject:
    """What the pairs of one subject have in common.

    Attributes
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    series : Tensor, shape (n_regions, n_times, 1), float32
        The same on the device.
    segments, blocks : ndarray, shape (n_times,), int64
    names : tuple of str, length n_regions
    method : Method
    unmixing, independence, decision : settings objects
    seed : int
    key : str
        Subject label.
    test : callable
        From first series (pairs, a, n_times, 1) and second series (pairs, b, n_times, 1) to the
        tests of every first against every second.
    tested_blocks : ndarray, shape (n_tested,), int64
        Label in `blocks` of every block of those tests.
    """

    values: NDArray[np.float32]
    series: Tensor
    segments: NDArray[np.int64]
    blocks: NDArray[np.int64]
    names: tuple[str, ...]
    method: Method
    unmixing: UnmixingSettings
    independence: IndependenceSettings
    decision: DecisionSettings
    seed: int
    key: str
    test: Callable[[Tensor, Tensor], IndependenceTable]
    tested_blocks: NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """What was found of all pairs.

    Attributes
    ----------
    fit : Fit
        Members are pairs x fits, without their disturbances: restarts, or the two directions.
    tests : IndependenceTable, shape (pairs, 2, 2 * fits)
        Regions against disturbances.
    usable : ndarray, shape (pairs, fits), bool
        Fits that did not diverge.
    orientation : Orientation
    diagnostics : list of Diagnostics, length pairs
    disturbances : ndarray, shape (pairs, 2, n_times), float32
        Of the fit that the diagnostics are about, z-scored.
    evidence : Evidence or None
        For either direction; None for a method that gives none.
    """

    fit: Fit
    tests: IndependenceTable
    usable: NDArray[np.bool_]
    orientation: Orientation
    diagnostics: list[Diagnostics]
    disturbances: NDArray[np.float32]
    evidence: Evidence | None = None


def estimate_by_restarts(
    subject: Subject, chunks: Chunks, dependence: IndependenceTable
) -> Estimate:
    """Orient pairs by iVAE or TCL from several starts.

    Parameters
    ----------
    subject : Subject
    chunks : Chunks
        Positions of the two regions of every pair.
    dependence : IndependenceTable, shape (pairs, 1, 1)
        The two regions of every pair.

    Raises
    ------
    FitError
        If every restart of a pair diverged.
    """
    parts = chunks.map(partial(_unmix, subject))
    fit = joined([part.fit for part in parts])
    table = tables_joined([part.tests for part in parts])
    usable = np.isfinite(fit.objective).reshape(len(dependence.statistic), -1)
    seed = child_seed(subject.seed, subject.key, subject.method)
    orientation = orient(dependence, table, usable, subject.decision, seed)
    return Estimate(
        fit,
        table,
        usable,
        orientation,
        [one for part in parts for one in part.diagnostics],
        np.concatenate([part.shown for part in parts]),
    )


@dataclass(frozen=True)
class _Unmixed:
    """Some pairs by iVAE or TCL, as in `Estimate`."""

    fit: Fit
    tests: IndependenceTable
    diagnostics: list[Diagnostics]
    shown: NDArray[np.float32]


def _unmix(subject: Subject, some: NDArray[np.int64], chunk: Chunk) -> _Unmixed:
    fit = unmix_pairs(
        subject.values,
        subject.segments,
        some,
        subject.names,
        method=subject.method,
        settings=subject.unmixing,
        seed=subject.seed,
        key=subject.key,
        device=subject.series.device,
        progress=chunk.training,
    )
    _check_converged(np.isfinite(fit.objective).reshape(len(some), -1), some, subject)
    chunk.testing()
    recovered = _by_pair(fit.disturbances, len(some))
    return _Unmixed(
        _without_disturbances(fit),
        subject.test(subject.series[some], recovered),
        _diagnostics(subject, fit),
        _of_fit(recovered, best_restarts(fit, subject.unmixing.restarts)),
    )


def estimate_directions(
    subject: Subject, chunks: Chunks, dependence: IndependenceTable
) -> Estimate:
    """Orient pairs by structural flows fitted under either direction.

    Parameters
    ----------
    subject, chunks, dependence
        As in `estimate_by_restarts`.

    Raises
    ------
    FitError
        If the fits of both directions of a pair diverged.
    """
    parts = chunks.map(partial(_fit_directions, subject))
    fitted = [part.hypotheses for part in parts]
    hypotheses = Hypotheses(
        log_likelihood=np.concatenate([part.log_likelihood for part in fitted]),
        mechanism=np.concatenate([part.mechanism for part in fitted]),
        shortfall=np.concatenate([part.shortfall for part in fitted]),
        disturbances=torch.cat([part.disturbances for part in fitted]),
        fit=joined([part.fit for part in fitted]),
    )
    table, usable = tables_joined([part.tests for part in parts]), hypotheses.usable
    residual = tables_joined([part.residual for part in parts])
    evidence = gather_evidence(hypotheses, residual, dependence, len(subject.values))
    sums = BlockSums.of(
        np.nan_to_num(hypotheses.log_likelihood[:, 0] - hypotheses.log_likelihood[:, 1]),
        np.bincount(subject.blocks),
        subject.tested_blocks,
        residual,
        dependence,
    )
    seed = child_seed(subject.seed, subject.key, subject.method)
    return Estimate(
        hypotheses.fit,
        table,
        usable,
        orient_by_evidence(evidence, sums, table, usable, subject.decision, seed),
        [one for part in parts for one in part.diagnostics],
        np.concatenate([part.shown for part in parts]),
        evidence,
    )


@dataclass(frozen=True)
class _Directions:
    """Some pairs by structural flows.

    As in `Estimate`; ``residual`` (pairs, 2, 1) tests the two disturbances of either direction.
    """

    hypotheses: Hypotheses
    tests: IndependenceTable
    residual: IndependenceTable
    diagnostics: list[Diagnostics]
    shown: NDArray[np.float32]


def _fit_directions(subject: Subject, some: NDArray[np.int64], chunk: Chunk) -> _Directions:
    both = subject.unmixing.structural.modulates == "mean_variance"
    part = fit_hypotheses(
        subject.values,
        subject.segments,
        subject.blocks,
        some,
        subject.names,
        settings=subject.unmixing,
        seed=subject.seed,
        key=subject.key,
        device=subject.series.device,
        progress=chunk.training,
    )
    _check_converged(part.usable, some, subject)
    chunk.testing()
    recovered = _by_pair(part.disturbances.flatten(0, 1), len(some))
    each = recovered.reshape(2 * len(some), 2, -1, 1)
    residual = _of_pairs(subject.test(each[:, :1], each[:, 1:]), len(some))
    return _Directions(
        replace(part, disturbances=_emptied(part.disturbances), fit=_by_direction(part)),
        subject.test(subject.series[some], recovered),
        residual,
        diagnose_better(part, residual, subject.segments, 2 if both else 1),
        _of_fit(recovered, 2 * np.arange(len(some)) + part.better),
    )


def tables_joined(parts: Sequence[IndependenceTable]) -> IndependenceTable:
    """Return the tests of several chunks of pairs as one table."""
    names = [field.name for field in fields(IndependenceTable)]
    return IndependenceTable(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


def _of_pairs(table: IndependenceTable, pairs: int) -> IndependenceTable:
    """Return the tests (pairs x 2, 1, 1) as (pairs, 2, 1)."""
    names = [field.name for field in fields(IndependenceTable)]
    arrays = (getattr(table, name) for name in names)
    return IndependenceTable(*(array.reshape(pairs, 2, 1, *array.shape[3:]) for array in arrays))


def _by_direction(part: Hypotheses) -> Fit:
    """Return what has the size of tables; the objective counts in the slope of normal scores."""
    n_times = part.disturbances.shape[2]
    return replace(
        _without_disturbances(part.fit),
        objective=part.log_likelihood.sum(axis=2).ravel() / n_times,
    )


def _without_disturbances(fit: Fit) -> Fit:
    """Return only what has the size of tables."""
    return replace(fit, disturbances=_emptied(fit.disturbances))


def _emptied(disturbances: Tensor) -> Tensor:
    """Return disturbances (..., time, 2) of no volumes."""
    # A slice would keep all of them in memory.
    return disturbances.new_empty((*disturbances.shape[:-2], 0, disturbances.shape[-1]))


def _by_pair(disturbances: Tensor, pairs: int) -> Tensor:
    """Scale disturbances (members, time, 2) to (pairs, fit and component, time, 1)."""
    series = disturbances.nan_to_num(0.0).mT.reshape(pairs, -1, disturbances.shape[1], 1)
    spread = series.std(dim=2, keepdim=True).clamp_min(1e-12)
    return (series - series.mean(dim=2, keepdim=True)) / spread


def _of_fit(recovered: Tensor, members: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the disturbances (pairs, 2, time) of one member of every pair, from `_by_pair`."""
    by_member = recovered.view(-1, 2, recovered.shape[2])
    return by_member[torch.as_tensor(members, device=recovered.device)].cpu().numpy()


def _check_converged(usable: NDArray[np.bool_], pairs: NDArray[np.int64], subject: Subject) -> None:
    if not usable.any(axis=1).all():
        x, y = (subject.names[i] for i in pairs[np.flatnonzero(~usable.any(axis=1))[0]])
        more = "" if subject.method == "structural" else " or more restarts"
        raise FitError(
            f"Every fit of {subject.method} diverged for the pair '{x}', '{y}'. Use a smaller "
            f"learning rate{more}."
        )


def _diagnostics(subject: Subject, fit: Fit) -> list[Diagnostics]:
    """Judge the best restart of every pair."""
    device = fit.disturbances.device
    restarts = subject.unmixing.restarts
    best = torch.as_tensor(best_restarts(fit, restarts), device=device)
    dependence_p = residual_dependence(
        fit.disturbances[best],
        subject.blocks,
        null=subject.independence.null,
        draws=subject.independence.draws,
        seed=child_seed(subject.seed, subject.key),
        memory_gib=subject.unmixing.memory_gib,
    )
    both = subject.method == "ivae" and subject.unmixing.ivae.modulates == "mean_variance"
    return diagnose(
        fit,
        torch.as_tensor(subject.segments, device=device),
        restarts=restarts,
        n_statistics=2 if both else 1,
        dependence_p=dependence_p,
    )
