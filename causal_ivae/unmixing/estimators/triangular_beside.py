"""Train a start from a triangular map beside the ordinary starts of a fit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.models.stacked import StackedModel
from causal_ivae.unmixing.models.triangular import TriangularMap
from causal_ivae.unmixing.training.stacks import Fit
from causal_ivae.unmixing.training.starts import Starts
from causal_ivae.unmixing.training.steps import by_member
from causal_ivae.unmixing.triangular_start import fit_triangular

_TRIAL = 300
"""Steps of all starts together, after which it is known whether the data are triangular."""
_FITS = 0.1
"""They are if no start is better than the map alone by more than this (nats per row)."""
_SHARE, _SLOWER = 0.1, 0.25
"""The triangular start then has this share of the steps and of the learning rate, by itself."""


def train_beside_triangular(starts: Starts) -> tuple[StackedModel, Fit, TriangularMap | None]:
    """Train the ordinary starts and one from a triangular map.

    Parameters
    ----------
    starts : Starts
        The ordinary starts alone; the values have two columns.

    Returns
    -------
    model : StackedModel
        The last member works on the mapped columns.
    fit : Fit
        The objectives are those of rows that the map was not fitted to.
    map : TriangularMap or None
        None if an ordinary start has the best objective.

    Notes
    -----
    The likelihood of a map that fits the data is hardly raised by any training, and that of another
    one is raised soon.  All starts are therefore trained for some steps first.  If none is clearly
    better than the map alone, the data are triangular, and small steps from the map end the fit if
    they make it the best.  Otherwise all starts are trained for all steps.
    """
    values, columns, settings = starts.values, starts.columns, starts.settings
    found = fit_triangular(values[None], starts.u)
    # The mapped columns are further ones, from which one more fit starts.
    every = torch.cat((columns, columns[:1] + values.shape[1]))
    beside = torch.cat((values, found.map(values[None])[0][0]), dim=1)
    seeds = [*starts.seeds, child_seed(starts.seeds[0], "triangular")]
    all_starts = replace(starts, seeds=seeds, values=beside, columns=every)
    rows = found.held_out

    def trained(some: Starts, *, trial: bool = False) -> tuple[StackedModel, Fit]:
        """Train starts of which the triangular one is the last."""
        stack, fit = some.trained(again=not trial)
        with torch.inference_mode():
            value = stack.evaluate(by_member(beside[rows], some.columns), some.u[rows]).double()
            value[-1] += found.map(values[None, rows])[1].mean()
        # Short training by large steps may end below its start and still be worth comparing.
        usable = np.isfinite(value.cpu().numpy()) if trial else np.isfinite(fit.objective)
        objective = np.where(usable, value.cpu().numpy(), np.nan)
        return stack, replace(fit, objective=objective)

    steps = min(settings.steps, _TRIAL)
    tried = settings.shortened(steps, len(values))
    stack, fit = trained(replace(all_starts, settings=tried), trial=steps < settings.steps)
    if steps < settings.steps:
        fits = not np.fmax.reduce(fit.objective) > float(found.log_likelihood.max()) + _FITS
        if fits:
            stack, fit = _ended_alone(all_starts, trained, stack, fit)
        if not (fits and _last_leads(fit)):
            stack, fit = trained(all_starts)
    return stack, fit, found.map if _last_leads(fit) else None


def _last_leads(fit: Fit) -> bool:
    best = np.nan_to_num(fit.objective, nan=-np.inf)
    return bool(np.isfinite(best[-1]) and best.argmax() == len(best) - 1)


def _ended_alone(
    starts: Starts,
    trained: Callable[[Starts], tuple[StackedModel, Fit]],
    stack: StackedModel,
    fit: Fit,
) -> tuple[StackedModel, Fit]:
    """Train the last start anew with small steps, and put it into the stack if that is better."""
    settings = starts.settings.shortened(
        max(1, round(_SHARE * starts.settings.steps)), len(starts.values)
    )
    slower = settings.model_copy(update={"learning_rate": _SLOWER * settings.learning_rate})
    last = replace(starts, seeds=starts.seeds[-1:], columns=starts.columns[-1:], settings=slower)
    model, ended = trained(last)
    if not ended.objective[0] > np.nan_to_num(fit.objective[-1], nan=-np.inf):
        return stack, fit
    member = len(starts.seeds) - 1
    stack.put(torch.tensor([member], device=starts.columns.device), model)
    return stack, fit.continued(ended, member)
