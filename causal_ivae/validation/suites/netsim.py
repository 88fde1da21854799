"""True edges of the NetSim simulations, oriented given that they are there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, cast, get_args
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.provenance import fingerprint
from causal_ivae.seeding import generator
from causal_ivae.settings import DecisionSettings, UnmixingSettings
from causal_ivae.validation.suites.cases import Say, run_cases
from causal_ivae.validation.suites.methods import choose, citations, judge, remarks, settings_of
from causal_ivae.validation.suites.netsim_summary import as_blocks, draw_netsim, summarise
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.report import Session, write_report

Unit = Literal["pooled windows", "pooled subjects", "subject"]
UNITS: tuple[Unit, ...] = get_args(Unit)
DEFAULT_METHODS = (*METHODS, "hs-tanh", "hs-skew", "direct-lingam", "patel-tau")
WINDOW = 50
"""Volumes of a window."""
DECISION = DecisionSettings(assume_arrow=True)

METHOD = {
    "Data": "Smith et al. 2011, 'Network modelling methods for FMRI': simulated BOLD with known "
    "directed networks; in every file ts (subjects, volumes, nodes) and net (subjects, nodes, "
    "nodes), net[s, i, j] != 0 for i -> j. Every subject is z-scored.",
    "Edges": "Those of the true network, without the pairs that drive each other; which node comes "
    "first is drawn at random. Pooled over subjects, those that all subjects have.",
    "Units": "'pooled windows': all subjects in one fit, u is the subject and the window of "
    f"{WINDOW} volumes; 'pooled subjects': the same with u = subject; 'subject': every subject by "
    "itself, u is the window, and intervals are over subjects (t).",
    "Right": "The edge is given, so the sign of the score counts; 'decided' is the share for which "
    "the method claims a direction, 'right_of_decided' the share of these that is right. "
    "'structural' is told that there is an arrow (decision.assume_arrow).",
}


@dataclass(frozen=True)
class NetsimCase:
    """Some edges of a simulation, by one method.

    Attributes
    ----------
    sim : str
    content : str
        Fingerprint of its file.
    unit : str
    method : str
    first, count : int
        Edges; of all subjects one after the other where the unit is the subject.
    """

    sim: str
    content: str
    unit: str
    method: str
    first: int
    count: int

    @property
    def key(self) -> str:
        """The simulation, the method and the edges."""
        edges = f"edges {self.first}-{self.first + self.count - 1}"
        return f"{self.sim}, {self.unit}, {self.method}, {edges}"


@dataclass(frozen=True)
class Effort:
    """How much is done where no option says it."""

    sims: int | None = None
    subjects: int | None = None
    units: tuple[Unit, ...] = UNITS
    at_once: int = 100
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)


@dataclass(frozen=True)
class Network:
    """One simulation.

    Attributes
    ----------
    series : ndarray, shape (subjects, n_times, nodes), float64
        z-scored per subject and node.
    edges : ndarray, shape (subjects, nodes, nodes), bool
        Row = cause, column = effect; pairs that drive each other are left out.
    """

    series: NDArray[np.float64]
    edges: NDArray[np.bool_]


def benchmark_netsim(
    output: Path,
    *,
    data: Path | None,
    quick: bool = False,
    seed: int = 0,
    nprocs: int | None = None,
    command: str = "",
    say: Say = lambda _: None,
    sims: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
    subjects: int | None = None,
) -> list[Path]:
    """Orient the true edges of NetSim simulations by our methods and by published ones.

    Parameters
    ----------
    output : pathlib.Path
        Folder; see `causal_ivae.validation.suites.report.write_report`.
    data : pathlib.Path
        Folder of ``sim*.npz`` with ``ts`` and ``net``.
    quick : bool
        One simulation, few subjects and short fits, to see that it works.
    seed : int
    nprocs : int, optional
        Processes; default one per core.
    command : str
        The command line, for the record.
    say : callable
        Told every case that is done.
    sims : sequence of str, optional
        Names of files without their ending; default all.
    methods : sequence of str, optional
        Default ours, the pairwise measures, DirectLiNGAM and Patel's tau.
    units : sequence of str, optional
        "pooled windows", "pooled subjects", "subject"; default all.
    subjects : int, optional
        The first so many; default all.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If there is no such folder, simulation, method or unit.
    InputError
        If a file is not a simulation.
    """
    session = Session()
    effort = Effort(1, 3, UNITS[::2], 4, quick_settings()) if quick else Effort()
    chosen = choose(methods, DEFAULT_METHODS, say)
    for name in units or ():
        if name not in UNITS:
            raise SettingsError(f"Unknown unit '{name}'. {nearest(name, UNITS)}")
    files = _files(data, sims)[: effort.sims]
    limit = subjects or effort.subjects
    settings = {"seed": seed, "window": WINDOW, "subjects": limit}
    own = {name: settings_of(name, effort.unmixing, DECISION) for name in chosen}
    cases = []
    for path in files:
        network = read_network(path, limit)
        for unit in tuple(cast("Sequence[Unit]", units or effort.units)):
            n_edges = len(_edges(network, unit))
            for method in chosen:
                for first in range(0, n_edges, effort.at_once):
                    count = min(effort.at_once, n_edges - first)
                    cases.append(
                        NetsimCase(path.stem, fingerprint(path), unit, method, first, count)
                    )
    table = run_cases(
        "netsim",
        cases,
        partial(_judge, folder=files[0].parent, limit=limit, seed=seed, unmixing=effort.unmixing),
        output,
        settings=settings,
        own_settings=lambda case: own[case.method],
        nprocs=nprocs,
        say=say,
    )
    summary = summarise(table)
    return write_report(
        "netsim",
        output,
        table=table,
        summary=summary,
        text=as_blocks(summary),
        figure=draw_netsim(summary),
        settings={
            **settings,
            "data": str(files[0].parent),
            "sims": [path.stem for path in files],
            "methods": own,
        },
        method={**METHOD, **citations(chosen)},
        session=session,
        seed=seed,
        quick=quick,
        command=command,
        remarks=remarks(chosen),
    )


def _files(data: Path | None, sims: Sequence[str] | None) -> list[Path]:
    if data is None:
        raise SettingsError("Give the folder of NetSim's .npz files with --data.")
    folder = data.expanduser().resolve()
    found = {path.stem: path for path in sorted(folder.glob("*.npz"))}
    if not found:
        raise SettingsError(f"'{folder}' holds no .npz file; give the folder of NetSim's.")
    for name in sims or ():
        if name not in found:
            raise SettingsError(f"No simulation '{name}' in '{folder}'. {nearest(name, found)}")
    return [found[name] for name in sims or found]


def read_network(path: Path, subjects: int | None = None) -> Network:
    """Read a simulation.

    Parameters
    ----------
    path : pathlib.Path
        With ``ts``, shape (subjects, n_times, nodes), and ``net``, shape (subjects, nodes, nodes).
    subjects : int, optional
        The first so many; default all.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            ts, net = content["ts"][:subjects].astype(np.float64), content["net"][:subjects]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"'{path}' is not a NetSim file with 'ts' and 'net': {error}.") from error
    if ts.ndim != 3 or net.shape != (len(ts), ts.shape[2], ts.shape[2]):
        raise InputError(
            f"'{path}': ts has shape {ts.shape} and net {net.shape}; expected (subjects, volumes, "
            "nodes) and (subjects, nodes, nodes)."
        )
    there = (net != 0) & ~np.eye(ts.shape[2], dtype=bool)
    standard = (ts - ts.mean(axis=1, keepdims=True)) / ts.std(axis=1, keepdims=True)
    return Network(standard, there & ~there.swapaxes(1, 2))


def _edges(network: Network, unit: Unit) -> NDArray[np.int64]:
    """Return subject (0 if pooled), cause and effect of every edge, shape (edges, 3)."""
    if unit == "subject":
        return np.argwhere(network.edges)
    common = np.argwhere(network.edges.all(axis=0))
    return np.column_stack([np.zeros(len(common), dtype=np.int64), common])


def _judge(
    case: NetsimCase, *, folder: Path, limit: int | None, seed: int, unmixing: UnmixingSettings
) -> pd.DataFrame:
    network = read_network(folder / f"{case.sim}.npz", limit)
    unit = cast("Unit", case.unit)
    edges = _edges(network, unit)[case.first : case.first + case.count]
    n_subjects, n_times, nodes = network.series.shape
    window = np.arange(n_times) // WINDOW
    if unit == "subject":
        segments = window
        whole = network.series
    else:
        subject = np.repeat(np.arange(n_subjects), n_times)
        windows = np.tile(window, n_subjects) + subject * (window.max() + 1)
        segments = subject if unit == "pooled subjects" else windows
        whole = network.series.reshape(1, -1, nodes)
    # NetSim's causes mostly have the lower number: columns in that order would reward a method
    # that always says x -> y.
    turned = np.array(
        [generator(seed, case.sim, *edge[1:].tolist()).random() < 0.5 for edge in edges]
    )
    first = np.where(turned, edges[:, 2], edges[:, 1])
    second = np.where(turned, edges[:, 1], edges[:, 2])
    series = np.stack([whole[edges[:, 0], :, first], whole[edges[:, 0], :, second]], axis=-1)
    found = judge(
        series,
        segments,
        method=case.method,
        keys=[f"{case.sim}, subject {s}, {i} and {j}" for s, i, j in edges.tolist()],
        seed=seed,
        unmixing=unmixing,
        decision=DECISION,
    )
    place = found["pair"].to_numpy(dtype=np.int64)
    sign = np.select([found["score"] > 0, found["score"] < 0], ["x->y", "y->x"], "")
    truth = np.where(turned, "y->x", "x->y")[place]
    subject, cause, effect = edges[place].T
    rows = found.assign(
        sim=case.sim,
        unit=unit,
        subject=subject if unit == "subject" else None,
        cause=cause,
        effect=effect,
        truth=truth,
        right=sign == truth,
    )
    columns = ["sim", "unit", "method", "subject", "cause", "effect", "truth", "decision", "score"]
    return rows.reindex(columns=[*columns, "confidence", "right"])
