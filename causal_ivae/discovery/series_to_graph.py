"""Check region time series, let a method decide on the pairs, and look for cycles."""

import time
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.discovery.chunks import Progress
from causal_ivae.discovery.cycles import find_cycles, without_cycles
from causal_ivae.discovery.input_series import all_pairs, checked, inputs_of, pairs_of
from causal_ivae.discovery.methods import AUTO, METHODS
from causal_ivae.discovery.problem import Problem
from causal_ivae.discovery.workload import Workload
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.settings import (
    DecisionSettings,
    IndependenceSettings,
    PowerSettings,
    ScreenSettings,
    UnmixingSettings,
)
from causal_ivae.unmixing.training.ensemble import resolve_device


def discover(
    values: ArrayLike | Sequence[ArrayLike],
    segments: ArrayLike | Sequence[ArrayLike] | int,
    names: Sequence[str] | None = None,
    *,
    method: str = "auto",
    skeleton: Iterable[tuple[str, str]] | None = None,
    exogenous: Sequence[str] = (),
    restarts: int | None = None,
    acyclic: bool | None = None,
    seed: int = 0,
    device: str = "auto",
    blocks: ArrayLike | Sequence[ArrayLike] | None = None,
    unmixing: UnmixingSettings | None = None,
    independence: IndependenceSettings | None = None,
    decision: DecisionSettings | None = None,
    screen: ScreenSettings | None = None,
    power: PowerSettings | None = None,
    tr: float = 2.0,
    key: str = "",
    progress: Progress | None = None,
) -> CausalGraph:
    """Estimate which region drives which from region time series.

    Parameters
    ----------
    values : array_like or DataFrame, shape (n_times, n_regions), or a list of them
        Of any unit; scaled here.  What nilearn's maskers return can be given as it is: an
        array, a table (after ``masker.set_output(transform="pandas")``), or a list with one of
        them for each run, which are cut by themselves and never glued.  Every run gets mean 0
        and, for regions with a baseline in all runs, the unit percent signal change; each region
        is then divided by its standard deviation over all runs.  Do not z-score runs before: what
        differs between them is evidence.
    segments : array_like of int, shape (n_times,), or a list of them, or int
        The auxiliary variable u.  At least three distinct values; equal values in two runs are
        the same segment.  An int cuts every run into windows of that many volumes.
    names : sequence of str, length n_regions, optional
        Default: the columns of a table, else ``"x1"``, ``"x2"``, ...
    method : str
        "network", "structural", "ivae", "tcl" or one that was registered
        (`causal_ivae.discovery.methods`).  "auto" is "network", which judges all regions at once
        and hands over to "structural" for two regions and where linear equations do not suffice.
    skeleton : iterable of (str, str), optional
        Pairs of names to orient; default all.
    exogenous : sequence of str, optional
        Names of columns that are known inputs, such as the blocks of a task or a stimulation,
        convolved with a haemodynamic response or not.  No arrow leads into them; the method
        "network" tells which regions they reach, directly or through others (table ``inputs``).
        Other methods leave them out.
    restarts : int, optional
        Fits from different starting weights per pair, of iVAE and TCL; default 8.
    acyclic : bool, optional
        Leave the edge of least confidence of every cycle undecided; default as `decision` says,
        False.  Cycles are reported in either case.
    seed : int
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    blocks : array_like of int, shape (n_times,), or a list of them, optional
        Stretches of volumes without a gap, within which time shifts are made; split where the run
        or `segments` changes.  Default: maximal stretches of equal `segments`.  Needed where
        volumes were censored.
    unmixing, independence, decision : settings objects, optional
        See `causal_ivae.settings`.
    screen : ScreenSettings, optional
        Pairs that a cheap test leaves out are not unmixed: their decision is "none", their score
        0.  Default: none are left out.
    power : PowerSettings, optional
        With it, as in `causal-ivae run`, the method "network" plants arrows into the data to
        estimate which it could decide (table ``power``), calibrates ``probability_leaning`` by
        them, and draws none where they lean the wrong way as often as the right one.  Default:
        none are planted.
    tr : float
        Repetition time (s), which only the power needs.
    key : str
        Subject label; enters the seeds.
    progress : callable, optional
        Called with the stage ("unmixing", "testing" for methods of pairs) and the share of all work
        that is done.

    Returns
    -------
    CausalGraph

    Raises
    ------
    InputError
        If the shapes disagree, a value is not finite, a region is constant or named twice, every
        segment was divided by its own standard deviation before, or there are fewer than two
        regions, three segments or 8 volumes in the longest block.
    SettingsError
        If the method or a name in `skeleton` is unknown, `seed` or `restarts` is out of range, or
        the device is not there.
    FitError
        If every fit of a pair diverged.

    Notes
    -----
    For each pair the latent disturbances n1, n2 are unmixed given the segment: by the structural
    equations of either direction (`causal_ivae.unmixing.models.structural_flow`), by iVAE
    (Khemakhem et al. 2020) or by TCL (Hyvarinen and Morioka 2016).  Both regions are tested against
    both disturbances by HSIC conditional on blocks, and the pair is oriented as in
    `causal_ivae.discovery.pair_evidence.orient_by_evidence` or
    `causal_ivae.discovery.orientation.orient`.

    Nothing is changed in the calling process.  The same seed gives the same results but for the
    last digits of MKL's products; with the environment variable ``MKL_CBWR=AVX2,STRICT``, set
    before torch computes anything, they are equal to the last bit.
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
    inputs = inputs_of(region_names, exogenous)
    pairs = pairs_of(region_names, skeleton)
    # Nothing is asked about two inputs, and only the network method asks what inputs reach.
    of_inputs = np.isin(pairs, inputs).sum(axis=1)
    pairs = pairs[of_inputs <= int(METHODS[chosen].takes_inputs)]
    problem = Problem(
        values=x,
        segments=labels,
        blocks=order,
        names=region_names,
        pairs=pairs,
        exogenous=inputs,
        unmixing=unmixing,
        independence=independence,
        decision=decision,
        screen=screen or ScreenSettings(),
        seed=seed,
        key=key,
        device=resolve_device(device),
        progress=progress,
        tr=tr,
        power=power,
    )
    found = METHODS[chosen].discover(problem)
    edges = found.tables["edges"]
    cycles = find_cycles(edges)
    if decision.acyclic:
        edges = without_cycles(edges, cycles)
    return CausalGraph(
        method=chosen,
        names=region_names,
        tables={**found.tables, "edges": edges},
        cycles=cycles,
        disturbances=found.disturbances,
        made_by=found.made_by,
        sidecar=found.about,
        settings={
            "method": chosen,
            "seed": seed,
            "key": key,
            "device": str(problem.device),
            "unmixing": unmixing.model_dump(mode="json"),
            "screen": problem.screen.model_dump(mode="json"),
            "independence": independence.model_dump(mode="json"),
            "decision": decision.model_dump(mode="json"),
            **({} if power is None else {"power": power.model_dump(mode="json")}),
        },
        seconds=time.perf_counter() - started,
    )


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
    power: PowerSettings | None = None,
) -> Workload | None:
    """Forecast the work for the graph of all pairs.

    Parameters
    ----------
    values, segments, method, blocks, device, unmixing, independence, screen, power
        As in `discover`.

    Returns
    -------
    Workload or None
        None if the method is too fast for a forecast.

    Raises
    ------
    InputError, SettingsError
        In the same cases as `discover`.
    """
    x, labels, order, names = checked(values, segments, blocks, None)
    problem = Problem(
        values=x,
        segments=labels,
        blocks=order,
        names=names,
        pairs=all_pairs(len(names)),
        unmixing=unmixing,
        independence=independence,
        decision=DecisionSettings(),
        screen=screen,
        seed=0,
        key="",
        device=resolve_device(device),
        power=power,
    )
    return METHODS[method].workload(problem)
