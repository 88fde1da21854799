"""Causal discovery over region pairs: unmix, test, decide."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from causal_ivae.config import (
    METHODS,
    DecisionSettings,
    IndependenceSettings,
    Method,
    ScreenSettings,
    UnmixingSettings,
)
from causal_ivae.discovery import tables
from causal_ivae.discovery.checks import checked, pairs_of
from causal_ivae.discovery.cycles import find_cycles, without_cycles
from causal_ivae.discovery.graph import CausalGraph
from causal_ivae.discovery.orientation import orient
from causal_ivae.discovery.screen import screen_pairs
from causal_ivae.discovery.skeleton import skeleton_of
from causal_ivae.errors import FitError, SettingsError, nearest
from causal_ivae.independence.blocks import make_blocks
from causal_ivae.independence.hsic import IndependenceTable, hsic_table
from causal_ivae.seeding import child_seed
from causal_ivae.unmixing.diagnostics import (
    Diagnostics,
    best_restarts,
    diagnose,
    residual_dependence,
)
from causal_ivae.unmixing.ensemble import (
    Fit,
    joined,
    pairs_at_once,
    resolve_device,
    unmix_pairs,
)

AUTO: Method = "ivae"
"""What ``method="auto"`` stands for."""

_TRAINING_SHARE = 0.93
"""Of the time of a chunk of pairs, until one has been timed."""

Progress = Callable[[str, float], None]


def discover(
    values: ArrayLike,
    segments: ArrayLike,
    names: Sequence[str] | None = None,
    *,
    method: Literal["auto"] | Method = "auto",
    skeleton: Iterable[tuple[str, str]] | None = None,
    restarts: int | None = None,
    acyclic: bool | None = None,
    seed: int = 0,
    device: str = "auto",
    blocks: ArrayLike | None = None,
    unmixing: UnmixingSettings | None = None,
    independence: IndependenceSettings | None = None,
    decision: DecisionSettings | None = None,
    screen: ScreenSettings | None = None,
    key: str = "",
    progress: Progress | None = None,
) -> CausalGraph:
    """Estimate which region drives which from region time series.

    Parameters
    ----------
    values : array_like, shape (n_times, n_regions)
        Of any unit; z-scored here.
    segments : array_like of int, shape (n_times,)
        The auxiliary variable u.  At least three distinct values.
    names : sequence of str, length n_regions, optional
        Default ``"x1"``, ``"x2"``, ...
    method : {"auto", "ivae", "tcl"}
        "auto" is the best measured.
    skeleton : iterable of (str, str), optional
        Pairs of names to orient; default all.
    restarts : int, optional
        Fits from different starting weights per pair; default 8.
    acyclic : bool, optional
        Leave the edge of least confidence of every cycle undecided; default as `decision` says,
        False.  Cycles are reported in either case.
    seed : int
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    blocks : array_like of int, shape (n_times,), optional
        Stretches of volumes without a gap, within which time shifts are made; split where
        `segments` changes.  Default: maximal stretches of equal `segments`.
    unmixing, independence, decision : settings objects, optional
        See `causal_ivae.config`.
    screen : ScreenSettings, optional
        Pairs that a cheap test leaves out are not unmixed: their decision is "none", their score
        0.  Default: none are left out.
    key : str
        Subject label; enters the seeds.
    progress : callable, optional
        Called with the stage ("unmixing", "testing") and the share of all work that is done.

    Returns
    -------
    CausalGraph

    Raises
    ------
    InputError
        If the shapes disagree, a value is not finite, a region is constant or named twice, or
        there are fewer than two regions, three segments or 8 volumes in the longest block.
    SettingsError
        If the method or a name in `skeleton` is unknown, `seed` or `restarts` is out of range, or
        the device is not there.
    FitError
        If every restart of a pair diverged.

    Notes
    -----
    For each pair the latent disturbances n1, n2 are unmixed given the segment (Khemakhem et al.
    2020; or Hyvarinen and Morioka 2016), then both regions are tested against both disturbances
    by HSIC conditional on blocks, and the pair is oriented as in
    `causal_ivae.discovery.orientation.orient`.
    """
    started = time.perf_counter()
    unmixing = unmixing or UnmixingSettings()
    if seed < 0:
        raise SettingsError(f"'seed' is {seed}; it must be 0 or more.")
    if restarts is not None:
        if restarts < 1:
            raise SettingsError(f"'restarts' is {restarts}; it must be 1 or more.")
        unmixing = UnmixingSettings.model_validate(unmixing.model_dump() | {"restarts": restarts})
    independence = independence or IndependenceSettings()
    decision = decision or DecisionSettings()
    if acyclic is not None:
        decision = decision.model_copy(update={"acyclic": acyclic})
    chosen = AUTO if method == "auto" else method
    if chosen not in METHODS:
        raise SettingsError(f"Unknown method '{method}'. {nearest(str(method), METHODS)}")
    x, labels, order, region_names = checked(values, segments, blocks, names)
    pairs = pairs_of(region_names, skeleton)
    target = resolve_device(device)
    test = partial(
        hsic_table,
        blocks=make_blocks(order, target),
        null=independence.null,
        draws=independence.draws,
        seed=child_seed(seed, key),
        memory_gib=unmixing.memory_gib,
    )
    series = torch.as_tensor(x, device=target).T[..., None]
    at_once = pairs_at_once(len(x), chosen, unmixing, target)
    dependence = _tables_joined(
        [test(series[some[:, :1]], series[some[:, 1:]]) for some in _chunks(pairs, at_once)]
    )
    screen = screen or ScreenSettings()
    screened = screen_pairs(
        x,
        order,
        pairs,
        screen,
        lambda: dependence,
        lambda: skeleton_of(
            x,
            order,
            screen,
            independence,
            seed=child_seed(seed, key),
            device=target,
            memory_gib=unmixing.memory_gib,
        ),
    )
    kept = pairs[screened.kept]
    judge = partial(
        _diagnostics, labels, order, method=chosen, unmixing=unmixing, independence=independence
    )
    clock = _Clock(len(kept), progress)
    fits: list[Fit] = []
    tables_of_tests: list[IndependenceTable] = []
    judged: list[Diagnostics] = []
    for some in _chunks(kept, at_once):
        fit = unmix_pairs(
            x,
            labels,
            some,
            region_names,
            method=chosen,
            settings=unmixing,
            seed=seed,
            key=key,
            device=target,
            progress=clock.training(len(some)),
        )
        _check_converged(fit, some, chosen, region_names)
        clock.testing()
        tables_of_tests.append(test(series[some], _standard(fit.disturbances, len(some))))
        judged += judge(fit, seed=child_seed(seed, key))
        # Only what has the size of tables is kept of every pair.
        fits.append(replace(fit, disturbances=fit.disturbances[:, :0]))
        clock.done(len(some))
    fit, tests = joined(fits), _tables_joined(tables_of_tests)
    usable = np.isfinite(fit.objective).reshape(len(kept), -1)
    orientation = orient(
        dependence.of(screened.kept), tests, usable, decision, child_seed(seed, key, chosen)
    )
    edges = tables.edges_table(region_names, pairs, orientation, screened)
    cycles = find_cycles(edges)
    return CausalGraph(
        method=chosen,
        names=region_names,
        edges=without_cycles(edges, cycles) if decision.acyclic else edges,
        tests=tables.tests_table(region_names, pairs, dependence, kept, tests, usable),
        restarts=tables.restarts_table(region_names, kept, orientation, fit),
        training=tables.training_table(region_names, kept, fit),
        diagnostics=tables.diagnostics_table(region_names, kept, judged),
        screen=tables.screen_table(region_names, pairs, screened),
        cycles=cycles,
        settings={
            "method": chosen,
            "seed": seed,
            "key": key,
            "device": str(target),
            "unmixing": unmixing.model_dump(mode="json"),
            "screen": screen.model_dump(mode="json"),
            "independence": independence.model_dump(mode="json"),
            "decision": decision.model_dump(mode="json"),
        },
        seconds=time.perf_counter() - started,
    )


def _chunks(pairs: NDArray[np.int64], at_once: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(pairs), at_once):
        yield pairs[start : start + at_once]


def _tables_joined(parts: list[IndependenceTable]) -> IndependenceTable:
    names = [field.name for field in fields(IndependenceTable)]
    return IndependenceTable(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
    )


def _standard(disturbances: Tensor, pairs: int) -> Tensor:
    """Scale disturbances (members, time, 2) to (pairs, restart and component, time, 1)."""
    series = disturbances.nan_to_num(0.0).mT.reshape(pairs, -1, disturbances.shape[1], 1)
    spread = series.std(dim=2, keepdim=True).clamp_min(1e-12)
    return (series - series.mean(dim=2, keepdim=True)) / spread


def _check_converged(
    fit: Fit, pairs: NDArray[np.int64], method: Method, names: tuple[str, ...]
) -> None:
    usable = np.isfinite(fit.objective).reshape(len(pairs), -1)
    if not usable.any(axis=1).all():
        failed = pairs[np.flatnonzero(~usable.any(axis=1))[0]]
        raise FitError(
            f"Every restart of {method} diverged for the pair '{names[failed[0]]}', "
            f"'{names[failed[1]]}'. Use a smaller learning rate or more restarts."
        )


class _Clock:
    """Turns what is done of training and testing into a share of the whole time.

    How the time of a chunk is split between the two is taken from the chunk before.
    """

    def __init__(self, pairs: int, progress: Progress | None) -> None:
        self._pairs, self._progress = pairs, progress
        self._finished = 0
        self._training_share = _TRAINING_SHARE
        self._started = self._trained = time.perf_counter()

    def training(self, pairs: int) -> Callable[[float], None]:
        """Begin a chunk; what is returned takes the share of its training that is done."""
        self._started = time.perf_counter()

        def tell(share: float) -> None:
            part = pairs * self._training_share * share
            self._tell("unmixing", (self._finished + part) / self._pairs)

        return tell

    def testing(self) -> None:
        """Begin to test what was trained."""
        self._trained = time.perf_counter()

    def done(self, pairs: int) -> None:
        """End a chunk."""
        whole = time.perf_counter() - self._started
        self._training_share = (self._trained - self._started) / max(whole, 1e-9)
        self._finished += pairs
        self._tell("testing", self._finished / self._pairs)

    def _tell(self, stage: str, share: float) -> None:
        if self._progress is not None:
            self._progress(stage, share)


def _diagnostics(
    labels: NDArray[np.int64],
    order: NDArray[np.int64],
    fit: Fit,
    *,
    method: Method,
    unmixing: UnmixingSettings,
    independence: IndependenceSettings,
    seed: int,
) -> list[Diagnostics]:
    """Judge the best restart of every pair."""
    device = fit.disturbances.device
    best = torch.as_tensor(best_restarts(fit, unmixing.restarts), device=device)
    dependence_p = residual_dependence(
        fit.disturbances[best],
        order,
        null=independence.null,
        draws=independence.draws,
        seed=seed,
        memory_gib=unmixing.memory_gib,
    )
    both = method == "ivae" and unmixing.ivae.modulates == "mean_variance"
    return diagnose(
        fit,
        torch.as_tensor(labels, device=device),
        restarts=unmixing.restarts,
        n_statistics=2 if both else 1,
        dependence_p=dependence_p,
    )
