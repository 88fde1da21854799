"""Compare the time of fits that are trained as one stack with that of the same fits one by one."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from causal_ivae.derivatives.files import write_json
from causal_ivae.provenance import versions
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.models.stacked import Auxiliary
from causal_ivae.unmixing.training.ensemble import fit_stack, make_model, resolve_device
from causal_ivae.validation.paper.experiments import FLOW, FULL, recipes
from causal_ivae.validation.paper.mixtures import simulate_mixture
from causal_ivae.validation.report import Say
from causal_ivae.validation.session import folder_to_write

_DATA_SETS, _RESTARTS = 5, 5


def benchmark_stack(
    output: Path,
    *,
    steps: int = 1000,
    n_per_segment: int = 1000,
    device: str = "auto",
    say: Say = lambda _: None,
) -> Path:
    """Time the fits of figure 2a as one stack, and one by one.

    Five data sets (n = d = 5, M = 40) by five restarts of the flow estimator, at the same steps
    and batch size; the two are timed in turns, a fifth of the single fits after a fifth of the
    repetitions of the stack.

    Parameters
    ----------
    output : pathlib.Path
        Folder; gets ``benchmark_stack.json``.
    steps : int
        Of every fit.
    n_per_segment : int
        L.
    say : callable
        Told the times.

    Returns
    -------
    pathlib.Path
        The JSON file.
    """
    target = resolve_device(device)
    settings = recipes(FULL)[FLOW].settings.model_copy(update={"steps": steps})
    mixtures = [
        simulate_mixture(n_per_segment=n_per_segment, n_test_per_segment=2, seed=i)
        for i in range(_DATA_SETS)
    ]
    observed = [mixture.train.observations for mixture in mixtures]
    scaled = np.hstack([(x - x.mean(axis=0)) / x.std(axis=0) for x in observed])
    values = torch.as_tensor(scaled.astype(np.float32), device=target)
    u = torch.as_tensor(mixtures[0].train.segments, device=target)
    d = observed[0].shape[1]
    columns = torch.arange(_DATA_SETS * d, device=target).reshape(_DATA_SETS, d)
    columns = columns.repeat_interleave(_RESTARTS, 0)
    seeds = [child_seed(0, "benchmark", i) for i in range(len(columns))]
    build = partial(
        make_model,
        n_features=d,
        auxiliary=Auxiliary(segments=len(mixtures[0].std)),
        settings=settings,
        device=target,
    )

    def seconds(members: slice) -> float:
        started = time.perf_counter()
        fit_stack(build, seeds[members], values, columns[members], u, settings, order_seed=0)
        if target.type == "cuda":
            torch.cuda.synchronize(target)
        return time.perf_counter() - started

    stack, single = [], []
    for turn in range(_DATA_SETS):
        stack.append(seconds(slice(None)))
        first = turn * _RESTARTS
        single.append(sum(seconds(slice(i, i + 1)) for i in range(first, first + _RESTARTS)))
        say(
            f"one stack of {len(seeds)}: {stack[-1]:.1f} s; {_RESTARTS} of the single fits: "
            f"{single[-1]:.1f} s"
        )
    one_by_one, at_once = sum(single), float(np.median(stack))
    say(
        f"{len(seeds)} fits one by one: {one_by_one:.1f} s; as one stack: {at_once:.1f} s; "
        f"ratio {one_by_one / at_once:.1f}"
    )
    path = folder_to_write(output) / "benchmark_stack.json"
    write_json(
        path,
        {
            "OneByOneSeconds": round(one_by_one, 2),
            "StackSeconds": [round(value, 2) for value in stack],
            "Ratio": round(one_by_one / at_once, 2),
            "Fits": len(seeds),
            "Steps": steps,
            "BatchSize": settings.batch_size,
            "Device": str(target),
            "Threads": torch.get_num_threads(),
            "Settings": settings.model_dump(mode="json"),
            "Software": versions(),
        },
    )
    return path
