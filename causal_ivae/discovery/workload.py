"""Forecast what estimating one graph will take, from a rehearsal of a few steps."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from causal_ivae.discovery.input_series import all_pairs, checked
from causal_ivae.discovery.methods import METHODS
from causal_ivae.discovery.pairwise import discover
from causal_ivae.discovery.screen import screen_pairs
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import IndependenceTable, hsic_table
from causal_ivae.settings import IndependenceSettings, ScreenSettings, UnmixingSettings
from causal_ivae.unmixing.training.ensemble import resolve_device

_FEW, _SOME = 10, 30
"""Two rehearsals of these numbers of steps give the time of a step by their difference."""
_SCREENED = 400
"""The share of pairs that pass the screen is estimated from this many pairs."""


@dataclass(frozen=True)
class Workload:
    """Hold the forecast of the work for one graph.

    Attributes
    ----------
    method : str
    pairs : int
        Number of pairs.
    unmixed : int
        Expected number of pairs that pass the screen.
    restarts, steps : int
        Number of fits of a pair and of steps of a fit.
    members : int
        Number of fits in a stack.
    memory_gib : float
        Memory of arrays (GiB), without the program itself.
    seconds : float
        Expected time (s).
    device : str
    """

    method: str
    pairs: int
    unmixed: int
    restarts: int
    steps: int
    members: int
    memory_gib: float
    seconds: float
    device: str

    @property
    def fits(self) -> int:
        """Return the total number of fits."""
        return self.unmixed * self.restarts

    def sentence(self) -> str:
        """Describe the forecast in one line."""
        stacks = math.ceil(self.fits / self.members)
        each = f"{stacks:,} stacks of up to {self.members:,}" if stacks > 1 else "one stack"
        screened = "" if self.unmixed == self.pairs else f"about {self.unmixed:,} of "
        return (
            f"{self.method}: {screened}{self.pairs:,} pairs x {self.restarts} fits, "
            f"{self.steps:,} steps each, in {each} on {self.device}; about "
            f"{_in_bytes(self.memory_gib)} and {in_words(self.seconds)}"
        )


def _in_bytes(gib: float) -> str:
    return f"{gib:.1f} GiB" if gib >= 1.0 else f"{max(1, round(1024 * gib))} MiB"


def in_words(seconds: float) -> str:
    """Format a duration in rounded seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def expected_workload(
    values: ArrayLike,
    segments: ArrayLike,
    *,
    method: str,
    blocks: ArrayLike | None = None,
    device: str = "auto",
    unmixing: UnmixingSettings,
    independence: IndependenceSettings,
    screen: ScreenSettings,
) -> Workload:
    """Rehearse one stack for a few steps and forecast the work for the whole graph.

    Parameters
    ----------
    values, segments, method, blocks, device, unmixing, independence, screen
        As in `causal_ivae.discover`.

    Returns
    -------
    Workload

    Raises
    ------
    InputError, SettingsError
        In the same cases as `causal_ivae.discover`.
    """
    x, _, order, names = checked(values, segments, blocks, None)
    target = resolve_device(device)
    pairs = all_pairs(len(names))
    unmixed = len(pairs)
    if screen.by != "none":
        some = pairs[np.unique(np.linspace(0, len(pairs) - 1, _SCREENED).astype(np.int64))]
        series = torch.as_tensor(x, device=target).T[..., None]

        def dependence() -> IndependenceTable:
            return hsic_table(
                series[some[:, :1]],
                series[some[:, 1:]],
                make_blocks(order, target),
                null=independence.null,
                draws=independence.draws,
                seed=0,
                memory_gib=unmixing.memory_gib,
            )

        if screen.by == "skeleton":
            # A skeleton keeps only dependent pairs, so that their number is an upper bound.
            screen = ScreenSettings(by="dependence", alpha=screen.alpha)
        kept = screen_pairs(x, order, some, screen, dependence).kept
        unmixed = max(1, round(float(kept.mean()) * len(pairs)))
    how = METHODS[method]
    model, per_pair = how.own(unmixing), how.fits_per_pair(unmixing)
    size = how.size(model)
    members = size.members_at_once(len(x), unmixing.memory_gib, target)
    at_once = how.pairs_at_once(unmixing, len(x), target)
    at_once *= size.stacks_at_once(len(x), unmixing.memory_gib, target)
    first = pairs[: min(unmixed, at_once)]
    total = model.steps_for(len(x))

    def seconds(steps: int) -> float:
        changed: dict[str, Any] = {method: model.shortened(steps, len(x))}
        began = time.perf_counter()
        discover(
            x,
            np.asarray(segments),
            method=method,
            skeleton=[(names[i], names[j]) for i, j in first],
            blocks=blocks,
            device=device,
            unmixing=unmixing.model_copy(update=changed),
            independence=independence,
        )
        if target.type == "cuda":
            torch.cuda.synchronize(target)
        return time.perf_counter() - began

    # The first rehearsal is not timed, since it loads libraries and sets them up.
    seconds(_FEW)
    few, more = seconds(_FEW), seconds(_SOME)
    step = max(more - few, 0.0) / (_SOME - _FEW)
    one_stack = max(few - _FEW * step, 0.0) + total * step
    held = len(first) * per_pair
    # The disturbances of stacks, with intermediate results, and of one fit of every pair.
    disturbances = 4 * 2 * len(x) * (4 * held + unmixed)
    return Workload(
        method=method,
        pairs=len(pairs),
        unmixed=unmixed,
        restarts=per_pair,
        steps=total,
        members=min(members, held),
        memory_gib=(held * size.n_bytes(len(x)) + disturbances) / 2**30,
        seconds=one_stack * unmixed / len(first),
        device=str(target),
    )
