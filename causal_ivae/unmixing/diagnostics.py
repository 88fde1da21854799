"""Judge whether a fit is usable, by the conditions of theorem 1 and by how training went."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import hsic_table
from causal_ivae.settings import Null
from causal_ivae.settings.fit_limits import (
    ALPHA,
    MAX_CONDITION,
    MAX_RISE,
    MIN_AGREEMENT,
    MIN_KL,
    MIN_STANDARD_ERRORS,
    PLAUSIBLE_MODULATION,
)
from causal_ivae.unmixing.matching import restart_agreement
from causal_ivae.unmixing.modulation import Modulation
from causal_ivae.unmixing.training.stacks import Fit

Verdict = Literal["usable", "doubtful", "modulation not shown", "not identifiable"]


@dataclass(frozen=True)
class Diagnostics:
    """Hold what speaks for and against one fit.

    Attributes
    ----------
    n_segments, n_components, n_statistics : int
        M, n and k of theorem 1; M is 0 if u is continuous.
    rank : int
        Rank of the matrix L of theorem 1 (iv): how many singular values exceed sampling error.
    condition : float
        Condition number of L; infinite if the smallest singular value is zero.
    modulation : tuple of float, length n_components
        Standard deviation over segments of each disturbance's log scale, without sampling error.
    modulation_error : tuple of float, length n_components
        Standard error of `modulation`.
    rise : float
        Gain of the objective over the last tenth of training (nats per row).
    kl : tuple of float or None, length n_components
        KL divergence of the posterior from the prior (nats); None for a model without a posterior.
    agreement : float or None
        Mean MCC between restarts; None if fewer than two restarts are finite.
    detectable : float or None
        Modulation that all disturbances must have for the full rank to be shown in 80 % of cases,
        given the number and length of the segments; None if u is continuous.
    dependence_p : float or None
        Smallest HSIC p-value over pairs of recovered disturbances given u, times the number of
        pairs; None if it was not tested.
    retried : bool
        True if training diverged at first.
    diverged : bool
        True if every restart diverged again; the other attributes are then meaningless.

    Notes
    -----
    Theorem 1 (iv) of Khemakhem et al. 2020 requires nk + 1 segments u_0, ..., u_nk for which L =
    (lambda(u_1) - lambda(u_0), ..., lambda(u_nk) - lambda(u_0)) is invertible.  With more
    segments, such a choice exists exactly if the differences of all of them have rank nk.  For
    the condition number, every row of lambda is divided by its mean absolute value, so that it
    does not depend on units.  A learned lambda always has full rank numerically.  The rank is
    therefore that of the segments' log scales (and means), with rows and columns scaled to equal
    sampling errors: it counts the singular values, from the largest on, above the 95 % quantile of
    what sampling error alone gives to the largest one that is left (Johnstone 2001).  Scales that
    are powers of one another count as one.  A rank that is not shown may still be there:
    `detectable` says what these data would have shown.  The sampling variance of a log scale is
    that of half the logarithm of a gamma variable whose relative variance is (kurtosis - 1) / n_e,
    where n_e is the segment's length reduced for autocorrelation.
    """

    n_segments: int
    n_components: int
    n_statistics: int
    rank: int
    condition: float
    modulation: tuple[float, ...]
    modulation_error: tuple[float, ...]
    rise: float
    kl: tuple[float, ...] | None = None
    agreement: float | None = None
    detectable: float | None = None
    dependence_p: float | None = None
    retried: bool = False
    diverged: bool = False

    @property
    def segments_needed(self) -> int:
        """Return the number of segments that theorem 1 requires, nk + 1."""
        return self.n_components * self.n_statistics + 1

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Return the reasons why the disturbances are not identifiable; empty if there are none."""
        if self.diverged:
            return ()
        found = []
        needed = self.segments_needed
        if 0 < self.n_segments < needed:
            segments = "1 segment is" if self.n_segments == 1 else f"{self.n_segments} segments are"
            found.append(f"{segments} fewer than the {needed} that it takes")
        return tuple(found)

    @property
    def unshown(self) -> tuple[str, ...]:
        """Return what these segments do not show although it is needed; empty if nothing is."""
        needed = self.segments_needed - 1
        if self.diverged or self.obstacles or not self.n_segments or self.rank >= needed:
            return ()
        would = ""
        if self.detectable is not None:
            would = (
                " (series as short as these would not have shown any plausible change)"
                if self.detectable > PLAUSIBLE_MODULATION
                else " (this length would have shown log scales with a standard deviation of "
                f"{self.detectable:.2f} or more in 80 % of cases)"
            )
        return (
            f"the segments show {self.rank} of the {needed} independent changes that are needed"
            f"{would}",
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return the reasons why the fit is doubtful; empty if there are none."""
        if self.diverged:
            return ("training diverged",)
        found = []
        if self.n_segments and self.condition > MAX_CONDITION:
            found.append(f"the matrix of theorem 1 is ill-conditioned ({self.condition:.0f})")
        for i, (strength, error) in enumerate(
            zip(self.modulation, self.modulation_error, strict=True), start=1
        ):
            if strength < MIN_STANDARD_ERRORS * error:
                found.append(
                    f"disturbance {i} hardly changes with the segment "
                    f"({strength:.2f} ± {error:.2f})"
                )
        if self.kl is not None:
            collapsed = [str(i) for i, value in enumerate(self.kl, start=1) if value < MIN_KL]
            if collapsed:
                found.append(f"disturbance {' and '.join(collapsed)} collapsed to the prior")
        if self.rise > MAX_RISE:
            found.append(f"training had not converged (still rising by {self.rise:.2f} nats)")
        return tuple(found)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return remarks that do not change the verdict; empty if there are none.

        In simulations, neither a disagreement of restarts nor a small p-value predicted a lower
        MCC of the best fit: a few restarts get stuck, and with thousands of volumes a test of
        independence rejects every fit.
        """
        found = []
        if self.agreement is not None and self.agreement < MIN_AGREEMENT:
            found.append(f"the fits disagree (mean MCC {self.agreement:.2f})")
        if self.dependence_p is not None and self.dependence_p < ALPHA:
            found.append(
                f"the disturbances are still dependent given the segment "
                f"(p = {self.dependence_p:.3f})"
            )
        return tuple(found)

    @property
    def verdict(self) -> Verdict:
        """Return the verdict in one word."""
        if self.obstacles:
            return "not identifiable"
        if self.unshown:
            return "modulation not shown"
        return "doubtful" if self.doubts else "usable"

    def sentence(self) -> str:
        """Return the verdict, its reasons and the notes in words."""
        reasons = self.obstacles or self.unshown or self.doubts
        because = f" because {'; '.join(reasons)}" if reasons else ""
        note = f" Note: {'; '.join(self.notes)}." if self.notes else ""
        return f"{self.verdict.capitalize()}{because}.{note}"

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes for JSON, with None for an infinite condition number."""
        tree = asdict(self)
        if not math.isfinite(self.condition):
            tree["condition"] = None
        return tree

    @classmethod
    def from_dict(cls, tree: dict[str, Any]) -> Self:
        """Make the object from the result of `as_dict`."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in tree.items()
        }
        if values["condition"] is None:
            values["condition"] = math.inf
        return cls(**values)


def diagnose(
    fit: Fit,
    u: Tensor,
    *,
    restarts: int,
    n_statistics: int,
    dependence_p: NDArray[np.float64] | None = None,
) -> list[Diagnostics]:
    """Judge the best restart of every model in a stack.

    Parameters
    ----------
    fit : Fit
        The fit of all models; the restarts of one model follow one another.
    u : Tensor, shape (n_times,) int64 or (n_times, n_auxiliary) float32
    restarts : int
        Number of restarts of every model.
    n_statistics : int
        k of theorem 1: 1 if the variance is modulated, 2 if the mean is too.
    dependence_p : ndarray, shape (models,), optional
        Results of `residual_dependence`.

    Returns
    -------
    list of Diagnostics, one for each model
    """
    best = best_restarts(fit, restarts)
    z = fit.disturbances[torch.as_tensor(best, device=fit.disturbances.device)]
    groups = fit.disturbances.reshape(-1, restarts, *z.shape[1:])
    agreement = restart_agreement(groups) if restarts > 1 else [math.nan] * len(best)
    diverged = ~np.isfinite(fit.objective[best])
    steps = fit.curve_steps[-1]
    table = Modulation.of(fit, best, z, u, n_statistics) if u.dim() == 1 else None
    p_values: Sequence[float | None] = (
        [None] * len(best) if dependence_p is None else dependence_p.tolist()
    )
    # A single segment shows no modulation, however large.
    detectable = np.full(len(best), np.inf) if table is None else table.detectable
    return [
        Diagnostics(
            n_segments=0 if table is None else table.n_segments,
            n_components=z.shape[-1],
            n_statistics=n_statistics,
            rank=z.shape[-1] * n_statistics if table is None else int(table.rank[i]),
            condition=1.0 if table is None else float(table.condition[i]),
            modulation=() if table is None else tuple(table.strength[i].tolist()),
            modulation_error=() if table is None else tuple(table.error[i].tolist()),
            rise=0.0 if diverged[i] else float(fit.slope[member] * 0.1 * steps / 100.0),
            kl=None if fit.kl is None or diverged[i] else tuple(fit.kl[member].tolist()),
            agreement=None if math.isnan(agreement[i]) else agreement[i],
            detectable=float(detectable[i]) if np.isfinite(detectable[i]) else None,
            dependence_p=p_values[i],
            retried=bool(fit.retried[member]),
            diverged=bool(diverged[i]),
        )
        for i, member in enumerate(best)
    ]


def best_restarts(fit: Fit, restarts: int) -> NDArray[np.int64]:
    """Return for every model the stack member with the best objective, shape (models,)."""
    objective = np.where(np.isfinite(fit.objective), fit.objective, -np.inf).reshape(-1, restarts)
    return np.asarray(objective.argmax(axis=1) + restarts * np.arange(len(objective)))


def residual_dependence(
    z: Tensor,
    order: NDArray[np.int64],
    *,
    null: Null = "circular_shift",
    draws: int = 999,
    seed: int = 0,
    memory_gib: float = 2.0,
) -> NDArray[np.float64]:
    """Test whether recovered disturbances are independent of one another given u.

    Parameters
    ----------
    z : Tensor, shape (models, n_times, n_components), float32
    order : ndarray, shape (n_times,), int64
        Label of every volume's block: an unbroken stretch of volumes with the same u.
    null, draws, seed, memory_gib
        As in `causal_ivae.independence.hsic.hsic_table`.

    Returns
    -------
    ndarray, shape (models,), float64
        Smallest p-value over pairs of disturbances, times the number of pairs.
    """
    n = z.shape[-1]
    if n < 2:
        return np.ones(len(z))
    blocks = make_blocks(order, z.device)
    columns = z.nan_to_num(0.0).mT
    spread = columns.std(dim=2, keepdim=True).clamp_min(1e-12)
    columns = (columns - columns.mean(dim=2, keepdim=True)) / spread
    first, second = torch.triu_indices(n, n, 1, device=z.device)
    table = hsic_table(
        columns[:, first].flatten(0, 1)[:, None, :, None],
        columns[:, second].flatten(0, 1)[:, None, :, None],
        blocks,
        null=null,
        draws=draws,
        seed=seed,
        memory_gib=memory_gib,
    )
    p_values = table.p_value.reshape(len(z), -1)
    return np.asarray((p_values.min(axis=1) * p_values.shape[1]).clip(max=1.0))
