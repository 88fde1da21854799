"""What methods are given of a subject, what they give back, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.discovery.orientation import Orientation
from causal_ivae.discovery.probability import Evidence
from causal_ivae.errors import FitError
from causal_ivae.independence.hsic import IndependenceTable
from causal_ivae.settings import DecisionSettings, IndependenceSettings, UnmixingSettings
from causal_ivae.unmixing.diagnostics import Diagnostics
from causal_ivae.unmixing.training.stacks import Fit, FitSize


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
    unmixing: UnmixingSettings
    independence: IndependenceSettings
    decision: DecisionSettings
    seed: int
    key: str
    test: Callable[[Tensor, Tensor], IndependenceTable]
    tested_blocks: NDArray[np.int64]

    def members_at_once(self, size: FitSize) -> int:
        """Return how many fits of a size make a stack."""
        return size.members_at_once(len(self.values), self.unmixing.memory_gib, self.series.device)


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


def by_pair(disturbances: Tensor, pairs: int) -> Tensor:
    """Return disturbances (members, n_times, 2), z-scored, as (pairs, fits x 2, n_times, 1)."""
    series = disturbances.nan_to_num(0.0).mT.reshape(pairs, -1, disturbances.shape[1], 1)
    spread = series.std(dim=2, keepdim=True).clamp_min(1e-12)
    return (series - series.mean(dim=2, keepdim=True)) / spread


def of_fit(recovered: Tensor, members: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the disturbances (pairs, 2, n_times) of one fit of every pair, from `by_pair`."""
    by_member = recovered.view(-1, 2, recovered.shape[2])
    return by_member[torch.as_tensor(members, device=recovered.device)].cpu().numpy()


def check_converged(
    usable: NDArray[np.bool_],
    pairs: NDArray[np.int64],
    subject: Subject,
    method: str,
    remedy: str = "",
) -> None:
    """Raise a `FitError` where every fit of a pair diverged.

    Parameters
    ----------
    usable : ndarray, shape (pairs, fits), bool
    pairs : ndarray, shape (pairs, 2), int64
    subject : Subject
    method : str
        Named in the message.
    remedy : str
        What may help beside a smaller learning rate, such as " or more restarts".
    """
    lost = np.flatnonzero(~usable.any(axis=1))
    if len(lost):
        x, y = (subject.names[i] for i in pairs[lost[0]])
        raise FitError(
            f"Every fit of {method} diverged for the pair '{x}', '{y}'. Use a smaller "
            f"learning rate{remedy}."
        )
