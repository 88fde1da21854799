"""Define what methods receive about a subject, what they return, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.discovery.orientation import Orientation
from causal_ivae.discovery.probability import Evidence
from causal_ivae.discovery.problem import Problem
from causal_ivae.errors import FitError
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.unmixing.diagnostics import Diagnostics
from causal_ivae.unmixing.training.fit_size import FitSize
from causal_ivae.unmixing.training.stacks import Fit


@dataclass(frozen=True, kw_only=True)
class Subject(Problem):
    """Hold the problem of one subject with what its pairs have in common.

    Attributes
    ----------
    series : Tensor, shape (n_regions, n_times, 1), float32
        The values on the device.
    test : callable
        Function that tests every first series (pairs, a, n_times, 1) of a pair against every second
        series (pairs, b, n_times, 1).
    tested_blocks : ndarray, shape (n_tested,), int64
        Labels in `blocks` of the blocks that are tested.
    connected : float
        Estimated share of the pairs that are connected, if a screen chose them, else 1.
    """

    series: Tensor
    test: Callable[[Tensor, Tensor], IndependenceTable]
    tested_blocks: NDArray[np.int64]
    connected: float

    def members_at_once(self, size: FitSize) -> int:
        """Return the number of fits of a given size in a stack."""
        return size.members_at_once(len(self.values), self.unmixing.memory_gib, self.series.device)


@dataclass(frozen=True)
class Estimate:
    """Hold the results of all pairs.

    Attributes
    ----------
    fit : Fit
        The fits of every pair (restarts or the two directions) in turn, without disturbances.
    tests : IndependenceTable, shape (pairs, 2, 2 * fits)
        Tests of regions against disturbances.
    usable : ndarray, shape (pairs, fits), bool
        True for fits that did not diverge.
    diagnostics : list of Diagnostics, length pairs
    disturbances : ndarray, shape (pairs, 2, n_times), float32
        Z-scored disturbances of the fits that the diagnostics judge.
    evidence : Evidence or None
        Evidence for both directions; None for a method without it.
    """

    fit: Fit
    tests: IndependenceTable
    usable: NDArray[np.bool_]
    orientation: Orientation
    diagnostics: list[Diagnostics]
    disturbances: NDArray[np.float32]
    evidence: Evidence | None = None


def by_pair(disturbances: Tensor, pairs: int) -> Tensor:
    """Z-score disturbances (members, n_times, 2) and sort them as (pairs, fits x 2, n_times, 1)."""
    series = disturbances.nan_to_num(0.0).mT.reshape(pairs, -1, disturbances.shape[1], 1)
    spread = series.std(dim=2, keepdim=True).clamp_min(1e-12)
    return (series - series.mean(dim=2, keepdim=True)) / spread


def of_fit(recovered: Tensor, members: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the disturbances (pairs, 2, n_times) of one fit per pair, from those of `by_pair`."""
    by_member = recovered.view(-1, 2, recovered.shape[2])
    return by_member[torch.as_tensor(members, device=recovered.device)].cpu().numpy()


def check_converged(
    usable: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    subject: Subject,
    method: str,
    remedy: str = "",
) -> None:
    """Raise a `FitError` if all fits of a pair diverged.

    Parameters
    ----------
    usable : ndarray, shape (pairs, fits), bool
    pairs : ndarray, shape (pairs, 2), int64
    method : str
        Name of the method for the message.
    remedy : str
        Further advice after a smaller learning rate, for instance " or more restarts".
    """
    lost = np.flatnonzero(~usable.any(axis=1))
    if len(lost):
        x, y = (subject.names[i] for i in pairs[lost[0]])
        raise FitError(
            f"Every fit of {method} diverged for the pair '{x}', '{y}'. Use a smaller "
            f"learning rate{remedy}."
        )
