"""Train invertible iVAEs by the likelihood without noise first, and the best one by its bound."""

from dataclasses import replace

import numpy as np
import torch

from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.models.invertible_ivae import StackedInvertibleIVAE
from causal_ivae.unmixing.training.stacks import Fit
from causal_ivae.unmixing.training.starts import Starts
from causal_ivae.unmixing.training.steps import by_member

_BY_BOUND = 0.2
"""Share of the steps that maximise the bound."""
_SLOWER = 0.1
"""They begin at this share of the learning rate, since they begin near their end."""


def train_in_two_stages(starts: Starts) -> tuple[StackedInvertibleIVAE, Fit]:
    """Train all starts by the likelihood, and then the best of them by the bound.

    Parameters
    ----------
    starts : Starts
        They build invertible iVAEs.

    Returns
    -------
    model : StackedInvertibleIVAE
    fit : Fit
        The objectives of all members are their bounds.  If further steps did not raise that of the
        best one, it stays as it was.

    Notes
    -----
    The likelihood is what the bound tends to as the noise vanishes, and a step of it takes half the
    time.
    """

    def noiseless(some: list[int]) -> StackedInvertibleIVAE:
        model = starts.build(some)
        assert isinstance(model, StackedInvertibleIVAE)
        model.noiseless = True
        return model

    settings = starts.settings
    by_bound = max(1, round(_BY_BOUND * settings.steps))
    first = settings.shortened(max(1, settings.steps - by_bound), len(starts.values))
    last = settings.model_copy(
        update={"steps": by_bound, "learning_rate": _SLOWER * settings.learning_rate}
    )
    stack, fit = replace(starts, build=noiseless, settings=first).trained()
    assert isinstance(stack, StackedInvertibleIVAE)
    stack.noiseless = False
    with torch.inference_mode():
        rows = by_member(starts.values, starts.columns)
        bound = stack.evaluate(rows, starts.u).double().cpu().numpy()
    fit = replace(fit, objective=np.where(np.isfinite(fit.objective), bound, np.nan))
    if not np.isfinite(fit.objective).any():
        return stack, fit
    best = int(np.nanargmax(fit.objective))
    which = torch.tensor([best], device=starts.columns.device)
    one = stack.taken(which)
    one.first_noise = one.final_noise
    further = replace(
        starts,
        seeds=[starts.seeds[best]],
        columns=starts.columns[which],
        settings=last,
        order_seed=child_seed(starts.order_seed, "by bound"),
    )
    ended_at, ended = further.trained(one)
    if ended.retried[0] or not ended.objective[0] > fit.objective[best]:
        return stack, fit
    stack.put(which, ended_at)
    return stack, fit.continued(ended, best)
