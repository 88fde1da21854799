"""Estimate the graph of all regions at once by structural equations of likely causes."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.tables import DIAGNOSTICS, TRAINING
from causal_ivae.discovery import whole_tables
from causal_ivae.discovery.exact_search import MAX_REGIONS, best_graphs, candidate_causes
from causal_ivae.discovery.input_series import checked, pairs_of
from causal_ivae.discovery.likelihood_decision import weigh
from causal_ivae.discovery.orientation import RESAMPLES
from causal_ivae.discovery.same_series import (
    first_copies,
    reasons_of_copies,
    tables_without_fits,
    undecided_edges,
)
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import IndependenceTable, hsic_table
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, EquationSettings, IndependenceSettings
from causal_ivae.unmixing.cross_fit import CrossFit, EquationList, cross_fit
from causal_ivae.unmixing.training.ensemble import resolve_device

METHOD = "equations"
MAX_EQUATIONS = 20_000

Progress = Callable[[str, float], None]


def discover_all(
    values: ArrayLike | Sequence[ArrayLike],
    segments: ArrayLike | Sequence[ArrayLike] | int,
    names: Sequence[str] | None = None,
    *,
    skeleton: Iterable[tuple[str, str]] | None = None,
    max_causes: int | None = None,
    restarts: int = 1,
    seed: int = 0,
    device: str = "auto",
    blocks: ArrayLike | Sequence[ArrayLike] | None = None,
    equations: EquationSettings | None = None,
    independence: IndependenceSettings | None = None,
    decision: DecisionSettings | None = None,
    memory_gib: float = 2.0,
    key: str = "",
    progress: Progress | None = None,
) -> CausalGraph:
    """Estimate the whole causal graph of a few regions at once.

    Parameters
    ----------
    values, segments, names, seed, device, blocks, key
        As in `causal_ivae.discover`.
    skeleton : iterable of (str, str), optional
        Pairs of names that may have an edge; default all.
    max_causes : int, optional
        Most causes of a region; default any number.
    restarts : int
        Fits from different starting weights per equation and fold.
    equations, independence, decision : settings objects, optional
        Of `decision`, ``alpha`` and ``resamples`` are used.
    memory_gib : float
        What one stack of fits may take.
    progress : callable, optional
        Called with the stage ("unmixing", "testing") and the share of all work that is done.

    Returns
    -------
    CausalGraph
        Acyclic.  ``edges`` has every pair of the skeleton: ``score`` is the share of resamples of
        segments whose graph has x -> y, less the share with y -> x.  ``equations`` has the
        evidence, and ``tests`` every region against every disturbance (``second`` is
        ``"n(<region>)"``).  ``training`` and ``diagnostics`` are empty.

    Raises
    ------
    InputError
        As `causal_ivae.discover` does, and if there are more than 12 regions.
    SettingsError
        As `causal_ivae.discover` does, and if there are too many sets of causes.
    FitError
        If every restart of an equation diverged.

    Notes
    -----
    For every region and every set of causes, the region's structural equation is fitted (see
    `causal_ivae.unmixing.models.equations.StackedEquations`) to every other segment, and judged by
    the likelihood of the segments between.  The log-likelihood of a graph is the sum of its
    equations', so the best of all acyclic graphs is found exactly (Silander and Myllymaki 2006).
    For each pair the best graph with x -> y, with y -> x and with neither are compared over
    segments by paired t tests (Vuong 1989); a direction is decided where both others are rejected.
    With the disturbances n_j of the best graph, region x_i depends on n_j if and only if j is i or
    an ancestor of i (Monti, Zhang, Hyvarinen 2019): the tests are a check of the graph.
    """
    started = time.perf_counter()
    equations = equations or EquationSettings()
    independence = independence or IndependenceSettings()
    decision = decision or DecisionSettings()
    for name, number, least in (("seed", seed, 0), ("restarts", restarts, 1)):
        if number < least:
            raise SettingsError(f"'{name}' is {number}; it must be {least} or more.")
    x, labels, order, all_names = checked(values, segments, blocks, names)
    asked = pairs_of(all_names, skeleton)
    # Of regions with the same series the first stands for all, whose pairs have no direction.
    first = first_copies(x)
    kept = np.flatnonzero(first == np.arange(len(first)))
    is_kept = np.isin(asked, kept).all(axis=1)
    reasons = reasons_of_copies(x, asked[~is_kept], all_names, first)
    left_out = undecided_edges(all_names, asked[~is_kept], reasons)
    settings = {
        "method": METHOD,
        "seed": seed,
        "key": key,
        "device": str(resolve_device(device)),
        "restarts": restarts,
        "max_causes": max_causes,
        "equations": equations.model_dump(mode="json"),
        "independence": independence.model_dump(mode="json"),
        "decision": decision.model_dump(mode="json"),
    }
    if not is_kept.any():
        return CausalGraph(
            method=METHOD,
            names=all_names,
            tables=tables_without_fits(left_out),
            settings=settings,
            seconds=time.perf_counter() - started,
        )
    x, region_names = x[:, kept], tuple(all_names[i] for i in kept)
    pairs = np.searchsorted(kept, asked[is_kept])
    chosen = _equations(region_names, pairs, max_causes)
    target = resolve_device(device)
    fit = cross_fit(
        x,
        labels,
        chosen,
        settings=equations,
        restarts=restarts,
        seed=seed,
        key=key,
        device=target,
        memory_gib=memory_gib,
        progress=None if progress is None else lambda share: progress("unmixing", 0.9 * share),
    )
    evidence = np.nanmean(fit.log_likelihood, axis=1)
    n_segments = evidence.shape[1]
    rng = generator(seed, key, METHOD, "resamples")
    resamples = decision.resamples or RESAMPLES
    weight = rng.multinomial(n_segments, np.full(n_segments, 1 / n_segments), resamples)
    graphs = best_graphs(
        chosen.region,
        chosen.causes,
        np.column_stack([evidence.sum(axis=1), evidence @ weight.T, _single(fit)]),
    )
    best = graphs[0]
    resampled = graphs[1 : 1 + resamples]
    weighed = weigh(chosen.region, chosen.causes, evidence, pairs, resampled, decision.alpha)
    which = np.array(
        [
            np.flatnonzero((chosen.region == j) & (chosen.causes == best[:, j]).all(axis=1))[0]
            for j in range(len(region_names))
        ]
    )
    tests, dependence, slope = _tests(
        fit, x, order, which, pairs, independence, memory_gib, child_seed(seed, key)
    )
    if progress is not None:
        progress("testing", 1.0)
    return CausalGraph(
        method=METHOD,
        names=all_names,
        tables={
            "edges": _with(left_out, whole_tables.edges_table(region_names, pairs, weighed)),
            "tests": whole_tables.tests_table(region_names, pairs, dependence, tests),
            "restarts": whole_tables.restarts_table(
                region_names, pairs, graphs[1 + resamples :], fit.objective[which].mean(axis=0)
            ),
            "training": TRAINING.frame(),
            "diagnostics": DIAGNOSTICS.frame(),
            "equations": whole_tables.equations_table(
                region_names, pairs, best, resampled, weighed, slope, tests, len(x)
            ),
        },
        settings=settings,
        seconds=time.perf_counter() - started,
    )


def _with(left_out: pd.DataFrame, edges: pd.DataFrame) -> pd.DataFrame:
    """Append the edges of pairs that have no direction to ask for."""
    if left_out.empty:
        return edges
    return pd.concat([edges.assign(reason=""), left_out], ignore_index=True)


def _equations(
    names: tuple[str, ...], pairs: NDArray[np.int64], max_causes: int | None
) -> EquationList:
    if len(names) > MAX_REGIONS:
        raise InputError(
            f"{len(names)} regions are more than the {MAX_REGIONS} of which all graphs can be "
            "searched: choose fewer, or use discover(), pair by pair."
        )
    if max_causes is not None and max_causes < 1:
        raise SettingsError(f"'max_causes' is {max_causes}; it must be 1 or more.")
    allowed = np.zeros((len(names), len(names)), dtype=bool)
    allowed[pairs[:, 0], pairs[:, 1]] = allowed[pairs[:, 1], pairs[:, 0]] = True
    region, causes = candidate_causes(allowed, max_causes)
    if len(region) > MAX_EQUATIONS:
        raise SettingsError(
            f"{len(names)} regions have {len(region):,} sets of causes, more than "
            f"{MAX_EQUATIONS:,}: give a skeleton, or a smaller 'max_causes'."
        )
    return EquationList(region, causes, names)


def _single(fit: CrossFit) -> NDArray[np.float64]:
    """Score every equation by each restart alone, shape (equations, restarts)."""
    total = fit.log_likelihood.sum(axis=2)
    return np.where(np.isnan(total), -np.inf, total)


def _tests(
    fit: CrossFit,
    x: NDArray[np.float32],
    order: NDArray[np.int64],
    which: NDArray[np.int64],
    pairs: NDArray[np.int64],
    settings: IndependenceSettings,
    memory_gib: float,
    seed: int,
) -> tuple[IndependenceTable, IndependenceTable, NDArray[np.float64]]:
    """Test regions against disturbances and against each other, and return slopes as well."""
    n, slope = fit.disturbances(which)
    restarts, n_regions, n_times = n.shape
    spread = n.std(dim=-1, keepdim=True).clamp_min(1e-12)
    n = (n - n.mean(dim=-1, keepdim=True)) / spread
    series = torch.as_tensor(x, device=n.device).T[..., None]
    blocks = make_blocks(order, n.device)
    test = partial(
        hsic_table,
        blocks=blocks,
        null=settings.null,
        draws=settings.draws,
        seed=seed,
        memory_gib=memory_gib,
    )
    against = test(series[None], n.reshape(1, restarts * n_regions, n_times, 1))
    each_other = test(series[pairs[:, :1]], series[pairs[:, 1:]])
    return against, each_other, slope.double().mean(dim=0).T.cpu().numpy()
