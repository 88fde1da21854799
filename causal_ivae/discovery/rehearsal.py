"""Forecast what a method of pairs will take, from a rehearsal of a few training steps."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from causal_ivae.discovery.problem import Problem
from causal_ivae.discovery.screen import screen_pairs
from causal_ivae.discovery.workload import PairWorkload
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import IndependenceTable, hsic_table
from causal_ivae.settings import ScreenSettings

if TYPE_CHECKING:
    from causal_ivae.discovery.methods.pair_method import PairMethod

_FEW, _SOME = 10, 30
"""Two rehearsals of these numbers of steps give the time of a step by their difference."""
_SCREENED = 400
"""The share of pairs that pass the screen is estimated from this many pairs."""


def rehearse(method: "PairMethod[Any]", problem: Problem) -> PairWorkload:
    """Rehearse one stack for a few steps and forecast the work for the whole graph."""
    x, pairs, target, unmixing = problem.values, problem.pairs, problem.device, problem.unmixing
    unmixed = _expected_to_pass(problem)
    model, per_pair = method.own(unmixing), method.fits_per_pair(unmixing)
    size = method.size(model)
    members = size.members_at_once(len(x), unmixing.memory_gib, target)
    at_once = method.pairs_at_once(unmixing, len(x), target)
    at_once *= size.stacks_at_once(len(x), unmixing.memory_gib, target)
    first = pairs[: min(unmixed, at_once)]
    total = model.steps_for(len(x))

    def seconds(steps: int) -> float:
        changed: dict[str, Any] = {method.name: model.shortened(steps, len(x))}
        shorter = replace(
            problem,
            pairs=first,
            unmixing=unmixing.model_copy(update=changed),
            screen=ScreenSettings(),
            progress=None,
        )
        began = time.perf_counter()
        method.discover(shorter)
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
    return PairWorkload(
        method=method.name,
        memory_gib=(held * size.n_bytes(len(x)) + disturbances) / 2**30,
        seconds=one_stack * unmixed / len(first),
        device=str(target),
        pairs=len(pairs),
        unmixed=unmixed,
        restarts=per_pair,
        steps=total,
        members=min(members, held),
    )


def _expected_to_pass(problem: Problem) -> int:
    """Return the expected number of pairs that pass the screen, from a sample of them."""
    pairs, screen, independence = problem.pairs, problem.screen, problem.independence
    if screen.by == "none":
        return len(pairs)
    some = pairs[np.unique(np.linspace(0, len(pairs) - 1, _SCREENED).astype(np.int64))]
    series = torch.as_tensor(problem.values, device=problem.device).T[..., None]

    def dependence() -> IndependenceTable:
        return hsic_table(
            series[some[:, :1]],
            series[some[:, 1:]],
            make_blocks(problem.blocks, problem.device),
            null=independence.null,
            draws=independence.draws,
            seed=0,
            memory_gib=problem.unmixing.memory_gib,
        )

    if screen.by == "skeleton":
        # A skeleton keeps only dependent pairs, so that their number is an upper bound.
        screen = ScreenSettings(by="dependence", alpha=screen.alpha)
    kept = screen_pairs(problem.values, problem.blocks, some, screen, dependence).kept
    return max(1, round(float(kept.mean()) * len(pairs)))
