"""Directed edges of simulated networks of six regions: ours and published methods."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_ivae.discovery import discover, discover_all
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import (
    DecisionSettings,
    EquationSettings,
    IndependenceSettings,
    ScreenSettings,
    UnmixingSettings,
)
from causal_ivae.simulate.structural import SimulatedSeries, random_graph, simulate_network
from causal_ivae.validation.suites.cases import Say, run_cases
from causal_ivae.validation.suites.graph_scores import score_graph
from causal_ivae.validation.suites.many_summary import as_blocks, draw_many, summarise
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.report import Session, write_report

REGIONS = 6
DENSITY = 0.5
ALPHA = 0.05
"""Level of the PC algorithm."""
_LEAST_WEIGHT = 0.05
_SCORES = ("precision", "recall", "f1", "skeleton_f1", "orientation_accuracy", "hamming")

METHOD = {
    "Networks": f"Random acyclic graphs of {REGIONS} regions, half of the possible edges; every "
    "region is a network of leaky ReLU layers of its causes and its own Laplace disturbance, whose "
    "variances change from segment to segment (after Monti, Zhang, Hyvarinen 2019).",
    "F1": "Of directed edges: an edge that is missing, extra or turned counts against a method, "
    "and so does a pair on which it abstains.",
    "orientation_accuracy": "Share with the true direction, of the pairs that are adjacent in both "
    "the true and the estimated graph and have one direction in both.",
    "pairwise": "PC skeleton with our conditional test, then each adjacent pair by itself "
    "(causal_ivae.discover); '(sign)': all adjacent pairs, by the sign of their score.",
    "whole-set": "All regions at once (causal_ivae.discover_all); '(best)': the best graph itself, "
    "without abstention.",
    "direct-lingam": "Shimizu et al. 2011; lingam. Weights of less than "
    f"{_LEAST_WEIGHT:g} (in standard deviations) are no edge.",
    "pc": f"PC algorithm, Fisher's z at {ALPHA:g}, causal-learn; an edge without a direction "
    "counts as both.",
    "random": "Chance: a random acyclic graph with as many edges as the true one.",
}


@dataclass(frozen=True)
class Cells:
    """Which networks, and by which methods.

    Attributes
    ----------
    layers, segments : tuple of int
    graphs : int
        In every cell.
    methods : tuple of str
    """

    layers: tuple[int, ...] = (1, 2, 3, 4, 5)
    segments: tuple[int, ...] = (8, 16, 32)
    graphs: int = 20
    methods: tuple[str, ...] = ("pairwise", "whole-set", "direct-lingam", "pc", "random")


@dataclass(frozen=True)
class Effort:
    """How much is done where no option says it."""

    cells: Cells = field(default_factory=Cells)
    n_per_segment: int = 512
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)
    equations: EquationSettings = field(default_factory=EquationSettings)
    independence: IndependenceSettings = field(default_factory=IndependenceSettings)


def _quick() -> Effort:
    return Effort(
        Cells(layers=(1,), segments=(6,), graphs=2),
        n_per_segment=64,
        unmixing=quick_settings(),
        equations=EquationSettings(steps=20),
        independence=IndependenceSettings(draws=99),
    )


@dataclass(frozen=True)
class ManyCase:
    """One network, by one method.

    Attributes
    ----------
    layers, segments : int
    graph : int
        Its number in the cell.
    method : str
    """

    layers: int
    segments: int
    graph: int
    method: str

    @property
    def key(self) -> str:
        """The network and the method."""
        return f"{self.network}, {self.method}"

    @property
    def network(self) -> str:
        """What the network is; its seed is made of it."""
        return f"{self.layers} layers, {self.segments} segments, graph {self.graph}"


@dataclass(frozen=True)
class _Task:
    """What a method sees of a case, and what it may use."""

    series: SimulatedSeries
    effort: Effort
    seed: int
    key: str


def benchmark_many(
    output: Path,
    *,
    quick: bool = False,
    seed: int = 0,
    nprocs: int | None = None,
    command: str = "",
    say: Say = lambda _: None,
    layers: Sequence[int] | None = None,
    segments: Sequence[int] | None = None,
    graphs: int | None = None,
    methods: Sequence[str] | None = None,
) -> list[Path]:
    """Estimate simulated networks by our methods and by published ones.

    Parameters
    ----------
    output : pathlib.Path
        Folder; see `causal_ivae.validation.suites.report.write_report`.
    quick : bool
        Two networks and short fits, to see that it works.
    seed : int
    nprocs : int, optional
        Processes; default one per core.
    command : str
        The command line, for the record.
    say : callable
        Told every case that is done.
    layers, segments, graphs, methods
        Fields of `Cells` in place of the default.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    SettingsError
        If a method is unknown, or the package of one that was asked for is not installed.
    """
    session = Session()
    effort = _quick() if quick else Effort()
    given = {
        "layers": layers and tuple(layers),
        "segments": segments and tuple(segments),
        "graphs": graphs,
        "methods": _chosen(methods, say),
    }
    cells = replace(effort.cells, **{k: v for k, v in given.items() if v})  # type: ignore[arg-type]
    own = {name: _settings_of(name, effort) for name in cells.methods}
    settings = {"seed": seed, "n_per_segment": effort.n_per_segment}
    table = run_cases(
        "many",
        list(_cases(cells)),
        partial(_judge, seed=seed, effort=effort),
        output,
        settings=settings,
        own_settings=lambda case: own[case.method],
        nprocs=nprocs,
        say=say,
    )
    summary = summarise(table)
    return write_report(
        "many",
        output,
        table=table,
        summary=summary,
        text=as_blocks(summary),
        figure=draw_many(summary),
        settings={**settings, "cells": asdict(cells), "methods": own},
        method=METHOD,
        session=session,
        seed=seed,
        quick=quick,
        command=command,
    )


def _chosen(asked: Sequence[str] | None, say: Say) -> tuple[str, ...]:
    for name in asked or ():
        if name not in ESTIMATORS:
            raise SettingsError(f"Unknown method '{name}'. {nearest(name, ESTIMATORS)}")
    names = tuple(dict.fromkeys(asked or ESTIMATORS))
    if "direct-lingam" in names and find_spec("lingam") is None:
        message = "'direct-lingam' needs the package 'lingam', which is not installed"
        if asked:
            raise SettingsError(
                f"{message}; install causal-ivae[benchmark], or choose other --methods."
            )
        say(f"{message}, and is left out.")
        names = tuple(name for name in names if name != "direct-lingam")
    return names


def _cases(cells: Cells) -> Iterator[ManyCase]:
    for layers in cells.layers:
        for segments in cells.segments:
            for graph in range(cells.graphs):
                for method in cells.methods:
                    yield ManyCase(layers, segments, graph, method)


def _judge(case: ManyCase, *, seed: int, effort: Effort) -> list[dict[str, Any]]:
    own = child_seed(seed, "many", case.network)
    series = simulate_network(
        random_graph(REGIONS, DENSITY, seed=own),
        n_segments=case.segments,
        n_per_segment=effort.n_per_segment,
        layers=case.layers,
        seed=own,
    )
    found = ESTIMATORS[case.method](_Task(series, effort, seed, case.network))
    rows = []
    for name, adjacency in found.items():
        scores = asdict(score_graph(series.adjacency, adjacency))
        rows.append(
            {
                **asdict(case),
                "method": name,
                "true_edges": int(series.adjacency.sum()),
                "edges": int(adjacency.sum()),
                **{score: scores[score] for score in _SCORES},
            }
        )
    return rows


def _pairwise(task: _Task) -> dict[str, NDArray[np.bool_]]:
    result = discover(
        task.series.values,
        task.series.segments,
        seed=task.seed,
        unmixing=task.effort.unmixing,
        independence=task.effort.independence,
        screen=ScreenSettings(by="skeleton"),
        key=task.key,
    )
    return {"pairwise": result.adjacency, "pairwise (sign)": result.matrix > 0}


def _whole_set(task: _Task) -> dict[str, NDArray[np.bool_]]:
    result = discover_all(
        task.series.values,
        task.series.segments,
        seed=task.seed,
        equations=task.effort.equations,
        independence=task.effort.independence,
        key=task.key,
    )
    assert result.equations is not None
    table = result.equations.pivot_table(index="cause", columns="effect", values="direct")
    best = table.reindex(index=result.names, columns=result.names).fillna(0).to_numpy() > 0
    return {"whole-set": result.adjacency, "whole-set (best)": best}


def _direct_lingam(task: _Task) -> dict[str, NDArray[np.bool_]]:
    model = import_module("lingam").DirectLiNGAM(random_state=0)
    model.fit(task.series.values)
    return {"direct-lingam": np.abs(model.adjacency_matrix_.T) > _LEAST_WEIGHT}


def _pc(task: _Task) -> dict[str, NDArray[np.bool_]]:
    pc = import_module("causallearn.search.ConstraintBased.PC").pc
    graph = pc(task.series.values, ALPHA, "fisherz", show_progress=False).G.graph
    # graph[i, j] = -1 is a tail at i: i -> j, or i - j where there are two.
    return {"pc": (graph == -1) & (graph.T != 0)}


def _random(task: _Task) -> dict[str, NDArray[np.bool_]]:
    rng = generator(task.seed, "many", task.key, "random")
    places = np.stack(np.triu_indices(REGIONS, 1), axis=1)
    edges = np.zeros((REGIONS, REGIONS), dtype=bool)
    edges[tuple(rng.permutation(places)[: int(task.series.adjacency.sum())].T)] = True
    order = rng.permutation(REGIONS)
    return {"random": edges[np.ix_(order, order)]}


ESTIMATORS: Mapping[str, Callable[[_Task], dict[str, NDArray[np.bool_]]]] = {
    "pairwise": _pairwise,
    "whole-set": _whole_set,
    "direct-lingam": _direct_lingam,
    "pc": _pc,
    "random": _random,
}


def _settings_of(method: str, effort: Effort) -> dict[str, Any]:
    """Return every setting that the edges of a method depend on."""
    shared = {
        "independence": effort.independence.model_dump(mode="json"),
        "decision": DecisionSettings().model_dump(mode="json"),
    }
    unmixing = effort.unmixing.model_dump(mode="json", exclude={"memory_gib", "methods"})
    screen = ScreenSettings(by="skeleton").model_dump(mode="json")
    settings: dict[str, dict[str, Any]] = {
        "pairwise": {"unmixing": unmixing, "screen": screen, **shared},
        "whole-set": {"equations": effort.equations.model_dump(mode="json"), **shared},
        "direct-lingam": {"least_weight": _LEAST_WEIGHT},
        "pc": {"alpha": ALPHA},
    }
    return settings.get(method, {})
