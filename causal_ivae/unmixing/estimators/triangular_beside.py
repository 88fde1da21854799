"""Train a start from a triangular map beside the ordinary starts of a fit."""

from dataclasses import replace

import numpy as np
import torch

from causal_ivae.seeding import child_seed
from causal_ivae.settings import TrainingSettings
from causal_ivae.unmixing.models.stacked import StackedModel
from causal_ivae.unmixing.models.triangular import TriangularMap
from causal_ivae.unmixing.training.stacks import Fit
from causal_ivae.unmixing.training.starts import Starts
from causal_ivae.unmixing.training.steps import by_member
from causal_ivae.unmixing.triangular_start import fit_triangular

_SHARE, _LEAST = 0.2, 300
"""The trial has this share of the steps, and at least so many unless all are fewer."""
_FITS = 0.05
"""A triangular map fits as it is if the trial raises its likelihood by less (nats per row)."""


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
    All starts are trained for a part of the steps first.  If the triangular one leads and has
    gained nearly nothing, the data are triangular, and that part is enough.  Otherwise all of them
    are trained for all steps.
    """
    values, columns, settings = starts.values, starts.columns, starts.settings
    found = fit_triangular(values[None], starts.u)
    # The mapped columns are further ones, from which one more fit starts.
    every = torch.cat((columns, columns[:1] + values.shape[1]))
    beside = torch.cat((values, found.map(values[None])[0][0]), dim=1)
    seeds = [*starts.seeds, child_seed(starts.seeds[0], "triangular")]
    all_starts = replace(starts, seeds=seeds, values=beside, columns=every)
    rows = found.held_out

    def trained(own: TrainingSettings) -> tuple[StackedModel, Fit, bool]:
        stack, fit = replace(all_starts, settings=own).trained()
        with torch.inference_mode():
            value = stack.evaluate(by_member(beside[rows], every), starts.u[rows]).double()
            value[-1] += found.map(values[None, rows])[1].mean()
        objective = np.where(np.isfinite(fit.objective), value.cpu().numpy(), np.nan)
        leads = np.nanargmax(np.append(objective, -np.inf)) == len(columns)
        return stack, replace(fit, objective=objective), bool(leads)

    steps = min(settings.steps, max(_LEAST, round(_SHARE * settings.steps)))
    stack, fit, leads = trained(settings.shortened(steps, len(values)))
    gain = float(fit.objective[-1]) - float(found.log_likelihood.max())
    if steps < settings.steps and not (leads and gain < _FITS):
        stack, fit, leads = trained(settings)
    return stack, fit, found.map if leads else None
