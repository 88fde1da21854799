"""Fit structural equations and judge them on segments that they were not fitted to."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from causal_ivae.errors import FitError
from causal_ivae.seeding import child_seed
from causal_ivae.settings import EquationSettings
from causal_ivae.unmixing.models.equations import StackedEquations
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model
from causal_ivae.unmixing.training.fit_size import FitSize
from causal_ivae.unmixing.training.stacks import Progress, in_stacks, part_of
from causal_ivae.unmixing.training.steps import by_member

FOLDS = 2


@dataclass(frozen=True)
class EquationList:
    """List the equations to fit, each with a region and its causes.

    Attributes
    ----------
    region : ndarray, shape (equations,), int64
    causes : ndarray, shape (equations, n_regions), bool
        True for the causes of the region.
    names : tuple of str, length n_regions
        Region names, from which the seeds are derived.
    """

    region: NDArray[np.int64]
    causes: NDArray[np.bool_]
    names: tuple[str, ...]

    def columns(self) -> NDArray[np.int64]:
        """Return the columns of the region and of its causes, shape (equations, n_regions).

        Regions that are no causes are replaced by column `n_regions`, which holds zeros.
        """
        n_regions = len(self.names)
        places = np.where(self.causes, np.arange(n_regions), n_regions)
        others = np.arange(n_regions)[None] != self.region[:, None]
        rest = places[others].reshape(len(self.region), n_regions - 1)
        return np.column_stack([self.region, rest])

    def seed(self, equation: int, *keys: str | int) -> int:
        """Return the seed of a fit of one equation; the first key is the seed of the analysis."""
        causes = [self.names[i] for i in np.flatnonzero(self.causes[equation])]
        first, *rest = keys
        return child_seed(int(first), *rest, self.names[self.region[equation]], *causes)


@dataclass(frozen=True)
class CrossFit:
    """Hold equations that were fitted to all folds of segments but one and judged on that one.

    Attributes
    ----------
    log_likelihood : ndarray, shape (equations, restarts, n_segments), float64
        Log-likelihood of each held-out segment (nats); NaN if a fold diverged.
    objective : ndarray, shape (equations, restarts), float64
        Mean log-likelihood of the volumes used for fitting (nats per volume); NaN if a fold
        diverged.
    """

    log_likelihood: NDArray[np.float64]
    objective: NDArray[np.float64]
    _equations: EquationList
    _values: Tensor
    _segments: Tensor
    _stacks: tuple[tuple[StackedEquations, ...], ...]

    def disturbances(self, which: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return the disturbances of some equations and the slopes of the region by its causes.

        Parameters
        ----------
        which : ndarray, shape (chosen,), int64

        Returns
        -------
        n : Tensor, shape (restarts, chosen, n_times), float32
            Disturbance of every volume, by the fit that did not use its segment.
        slope : Tensor, shape (restarts, chosen, n_regions), float32
            Root mean square over volumes of dx/dc at a fixed disturbance, for each cause c.
        """
        restarts = self.objective.shape[1]
        columns = torch.as_tensor(self._equations.columns()[which], device=self._values.device)
        members = torch.as_tensor(which)[:, None] * restarts + torch.arange(restarts)
        members = members.T.flatten()
        columns = columns.repeat(restarts, 1)
        n = self._values.new_zeros(len(members), len(self._values))
        squares = self._values.new_zeros(len(members), self._values.shape[1])
        for fold, stacks in enumerate(self._stacks):
            rows = self._segments % FOLDS == fold
            sizes = [len(stack.keys) for stack in stacks]
            for stack, start in zip(stacks, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True):
                here = (members >= start) & (members < start + len(stack.keys))
                if not here.any():
                    continue
                model = stack.taken((members[here] - start).to(columns.device))
                x = by_member(self._values[rows], columns[here]).requires_grad_()
                given, log_slope = model.unmix(x)
                (gradient,) = torch.autograd.grad(given.sum(), x)
                change = gradient[..., 1:] / log_slope.exp().detach()[..., None]
                n[here.nonzero(), rows.nonzero()[:, 0]] = given.detach()
                # A product adds up in a fixed order on a GPU, where a scattered sum does not.
                places = nn.functional.one_hot(columns[here][:, 1:], squares.shape[1])
                change = (change.square().sum(1)[:, None] @ places.to(change.dtype))[:, 0]
                squares[here] = squares[here] + change
        slope = (squares[:, :-1] / len(self._values)).sqrt()
        shape = (restarts, len(which))
        return n.view(*shape, -1), slope.view(*shape, -1)


def cross_fit(
    values: NDArray[np.float32],
    segments: NDArray[np.int64],
    equations: EquationList,
    *,
    settings: EquationSettings,
    restarts: int,
    seed: int,
    key: str,
    device: torch.device,
    memory_gib: float,
    progress: Progress | None = None,
) -> CrossFit:
    """Fit every equation to every second segment and judge it on the others, in both ways.

    Parameters
    ----------
    values : ndarray, shape (n_times, n_regions), float32, z-scored
    segments : ndarray, shape (n_times,), int64, 0 to n_segments - 1
    key : str
        Subject label.
    memory_gib : float
        Memory of one stack (GiB); results do not depend on it beyond rounding.
    progress : callable, optional

    Raises
    ------
    FitError
        If every restart of an equation diverged.

    Notes
    -----
    The scale of a disturbance (and its mean, if means change) in a held-out segment is estimated
    there, which costs one or two numbers for every set of causes alike.
    """
    data = np.column_stack([values, np.zeros(len(values), dtype=np.float32)])
    x = torch.as_tensor(data, device=device)
    u = torch.as_tensor(segments, device=device)
    n_segments = int(segments.max()) + 1
    build = partial(
        make_model,
        n_features=values.shape[1],
        auxiliary=Auxiliary(segments=n_segments),
        settings=settings,
        device=device,
    )
    columns = torch.as_tensor(np.repeat(equations.columns(), restarts, axis=0), device=device)
    total = np.zeros((len(columns), n_segments))
    objective = np.zeros((FOLDS, len(columns)))
    at_once = _size(settings).members_at_once(len(values), memory_gib, device)
    folds: list[tuple[StackedEquations, ...]] = []
    for fold in range(FOLDS):
        rest = u % FOLDS != fold

        def fit(
            some: slice, told: Progress | None, fold: int = fold, rest: Tensor = rest
        ) -> StackedEquations:
            model, fitted = fit_stack(
                build,
                [
                    equations.seed(
                        member // restarts, seed, key, "equations", fold, member % restarts
                    )
                    for member in range(len(columns))[some]
                ],
                x[rest],
                columns[some],
                u[rest],
                settings,
                order_seed=child_seed(seed, key, "equations", "order of volumes", fold),
                progress=told,
            )
            assert isinstance(model, StackedEquations)
            objective[fold, some] = fitted.objective
            total[some] += _by_segment(model, x[~rest], columns[some], u[~rest], n_segments)
            return model

        told = part_of(progress, fold / FOLDS, (fold + 1) / FOLDS)
        folds.append(tuple(in_stacks(len(columns), at_once, fit, told)))
    reached = objective.mean(axis=0).reshape(-1, restarts)
    usable = np.isfinite(reached)[..., None]
    _check(usable[..., 0], equations)
    return CrossFit(
        log_likelihood=np.where(usable, total.reshape(-1, restarts, n_segments), np.nan),
        objective=reached,
        _equations=equations,
        _values=x,
        _segments=u,
        _stacks=tuple(folds),
    )


def _by_segment(
    model: StackedEquations, values: Tensor, columns: Tensor, u: Tensor, n_segments: int
) -> NDArray[np.float64]:
    """Return the log-likelihood of every segment in nats, shape (members, n_segments)."""
    with torch.inference_mode():
        x = by_member(values, columns)
        model.prior.match(model.disturbances(x, u), u)
        one_hot = nn.functional.one_hot(u, n_segments).double()
        return (model.log_likelihood(x, u).double() @ one_hot).cpu().numpy()


def _check(usable: NDArray[np.bool_], equations: EquationList) -> None:
    if not usable.any(axis=1).all():
        failed = int(np.flatnonzero(~usable.any(axis=1))[0])
        raise FitError(
            f"Every restart of the equation of '{equations.names[equations.region[failed]]}' "
            "diverged. Use a smaller learning rate or more restarts."
        )


def _size(settings: EquationSettings) -> FitSize:
    """Return the size of the fit of one equation, with its network and its slopes."""
    numbers = 2 * settings.layers * settings.hidden + 8 * settings.knots
    return FitSize(numbers, settings.hidden, settings.batch_size)
