"""Compare our and published methods on the edges of simulated networks of six regions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from itertools import product, starmap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from causal_ivae.discovery import discover, discover_all
from causal_ivae.drawing.svg import new_figure
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import (
    DecisionSettings,
    EquationSettings,
    IndependenceSettings,
    ScreenSettings,
    UnmixingSettings,
)
from causal_ivae.simulate.known_graphs import SimulatedSeries, random_graph, simulate_network
from causal_ivae.validation.suites.graph_scores import score_graph
from causal_ivae.validation.suites.method_lines import finish, form
from causal_ivae.validation.suites.ours import quick_settings
from causal_ivae.validation.suites.suite import SUMMARY, MethodSuite, Tables
from causal_ivae.validation.text_tables import as_block, mean_with_interval

Graphs = dict[str, NDArray[np.bool_]]
"""A method returns adjacency matrices by the names under which they are scored."""
REGIONS = 6
DENSITY = 0.5
ALPHA = 0.05
"""The PC algorithm tests at this level."""
_LEAST_WEIGHT = 0.05
_SCORES = ("precision", "recall", "f1", "skeleton_f1", "orientation_accuracy", "hamming")
_MEANS = ["precision", "recall", "skeleton_f1", "orientation_accuracy", "hamming", "edges"]
_CELL = ["layers", "segments", "method"]
_BLOCKS = {
    "f1": "F1 of directed edges, mean over graphs",
    "orientation_accuracy": "share of the pairs adjacent in both graphs that point the right way",
    "skeleton_f1": "F1 of adjacent pairs",
}

PACKAGES: Mapping[str, str | None] = {
    "pairwise": None,
    "whole-set": None,
    "direct-lingam": "lingam",
    "pc": None,
    "random": None,
}
"""All methods, and the package that each needs."""

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
class ManyCase:
    """Describe one network that one method estimates.

    Attributes
    ----------
    graph : int
        Its number in the cell.
    """

    layers: int
    segments: int
    graph: int
    method: str

    @property
    def key(self) -> str:
        """Return a key of the network and the method."""
        return f"{self.network}, {self.method}"

    @property
    def network(self) -> str:
        """Return a key of the network, from which its seed is derived."""
        return f"{self.layers} layers, {self.segments} segments, graph {self.graph}"


@dataclass(frozen=True, kw_only=True)
class Networks(MethodSuite[ManyCase]):
    """Measure methods on simulated networks.

    Attributes
    ----------
    graphs : int
        In every cell.
    unmixing, equations, independence : settings
        Of our methods.
    """

    name = "many"
    method = METHOD
    packages = PACKAGES
    cells = ("layers", "segments", "graphs", "methods")

    layers: tuple[int, ...] = (1, 2, 3, 4, 5)
    segments: tuple[int, ...] = (8, 16, 32)
    graphs: int = 20
    methods: tuple[str, ...] = tuple(PACKAGES)
    n_per_segment: int = 512
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)
    equations: EquationSettings = field(default_factory=EquationSettings)
    independence: IndependenceSettings = field(default_factory=IndependenceSettings)

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: two networks and short fits."""
        return {
            "layers": (1,),
            "segments": (6,),
            "graphs": 2,
            "n_per_segment": 64,
            "unmixing": quick_settings(),
            "equations": EquationSettings(steps=20),
            "independence": IndependenceSettings(draws=99),
        }

    def settings(self) -> dict[str, Any]:
        """Return the seed and the length of segments."""
        return {"seed": self.seed, "n_per_segment": self.n_per_segment}

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return every setting that the edges of a method depend on."""
        shared = {
            "independence": self.independence.model_dump(mode="json"),
            "decision": DecisionSettings().model_dump(mode="json"),
        }
        unmixing = self.unmixing.model_dump(mode="json", exclude={"memory_gib", "methods"})
        screen = ScreenSettings(by="skeleton").model_dump(mode="json")
        settings: dict[str, dict[str, Any]] = {
            "pairwise": {"unmixing": unmixing, "screen": screen, **shared},
            "whole-set": {"equations": self.equations.model_dump(mode="json"), **shared},
            "direct-lingam": {"least_weight": _LEAST_WEIGHT},
            "pc": {"alpha": ALPHA},
        }
        return settings.get(method, {})

    def cases(self) -> Iterator[ManyCase]:
        """Return every network with every method."""
        return starmap(
            ManyCase, product(self.layers, self.segments, range(self.graphs), self.methods)
        )

    def work(self, case: ManyCase) -> list[dict[str, Any]]:
        """Simulate a network, estimate it, and score it against the true graph."""
        own = child_seed(self.seed, "many", case.network)
        series = simulate_network(
            random_graph(REGIONS, DENSITY, seed=own),
            n_segments=case.segments,
            n_per_segment=self.n_per_segment,
            layers=case.layers,
            seed=own,
        )
        rows = []
        for name, adjacency in ESTIMATORS[case.method](series, self, case.network).items():
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

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return means over graphs by layers, segments and method; F1 with a 95 % t interval."""
        summary = []
        for cell, own in rows.groupby(_CELL, sort=False):
            # F1 is undefined for a graph without edges that is estimated without edges.
            f1 = own["f1"].astype(float).fillna(1.0)
            summary.append(
                {
                    **dict(zip(_CELL, cell, strict=True)),
                    "graphs": len(f1),
                    **mean_with_interval("f1", f1),
                    **own[_MEANS].astype(float).mean(),
                }
            )
        return {SUMMARY: pd.DataFrame(summary)}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield tables with methods in rows and layers in columns."""
        for segments, rows in tables[SUMMARY].groupby("segments", sort=False):
            shown = [
                as_block(
                    f"{segments} segments: {words}", rows, column, "method", "layers", "{} layers"
                )
                for column, words in _BLOCKS.items()
            ]
            graphs = rows.drop_duplicates("layers").set_index("layers")["graphs"]
            counts = ", ".join(f"{n} of {k} layers" for k, n in graphs.items())
            yield "\n\n".join(shown) + f"\nGraphs: {counts}"

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw F1 by layers, one panel per number of segments."""
        summary = tables[SUMMARY]
        panels = list(dict.fromkeys(summary["segments"]))
        methods = list(dict.fromkeys(summary["method"]))
        figure = new_figure(max(4.0, 1.0 + 2.0 * len(panels)), 3.0)
        axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for segments, ax in zip(panels, axes, strict=True):
            rows = summary[summary["segments"] == segments]
            for method in methods:
                own = rows[rows["method"] == method].sort_values("layers")
                drawn = form(method, methods)
                ends = own["low"], own["high"]
                ax.vlines(own["layers"], *ends, color=drawn["color"], lw=0.8, alpha=0.5)
                ax.plot(own["layers"], own["f1"], **drawn, ms=3.5, lw=1.0)
            ax.set_title(f"{segments} segments")
            ax.set_xlabel("layers")
            ax.set_xticks(sorted(set(rows["layers"])))
        axes[0].set_ylabel("F1 of directed edges")
        finish(figure, axes)
        return figure


def _pairwise(series: SimulatedSeries, suite: Networks, key: str) -> Graphs:
    result = discover(
        series.values,
        series.segments,
        seed=suite.seed,
        unmixing=suite.unmixing,
        independence=suite.independence,
        screen=ScreenSettings(by="skeleton"),
        key=key,
    )
    return {"pairwise": result.adjacency, "pairwise (sign)": result.matrix > 0}


def _whole_set(series: SimulatedSeries, suite: Networks, key: str) -> Graphs:
    result = discover_all(
        series.values,
        series.segments,
        seed=suite.seed,
        equations=suite.equations,
        independence=suite.independence,
        key=key,
    )
    assert result.equations is not None
    table = result.equations.pivot_table(index="cause", columns="effect", values="direct")
    best = table.reindex(index=result.names, columns=result.names).fillna(0).to_numpy() > 0
    return {"whole-set": result.adjacency, "whole-set (best)": best}


def _direct_lingam(series: SimulatedSeries, *_: object) -> Graphs:
    model = import_module("lingam").DirectLiNGAM(random_state=0)
    model.fit(series.values)
    return {"direct-lingam": np.abs(model.adjacency_matrix_.T) > _LEAST_WEIGHT}


def _pc(series: SimulatedSeries, *_: object) -> Graphs:
    pc = import_module("causallearn.search.ConstraintBased.PC").pc
    graph = pc(series.values, ALPHA, "fisherz", show_progress=False).G.graph
    # graph[i, j] = -1 is a tail at i: i -> j, or i - j where there are two.
    return {"pc": (graph == -1) & (graph.T != 0)}


def _random(series: SimulatedSeries, suite: Networks, key: str) -> Graphs:
    rng = generator(suite.seed, "many", key, "random")
    places = np.stack(np.triu_indices(REGIONS, 1), axis=1)
    edges = np.zeros((REGIONS, REGIONS), dtype=bool)
    edges[tuple(rng.permutation(places)[: int(series.adjacency.sum())].T)] = True
    order = rng.permutation(REGIONS)
    return {"random": edges[np.ix_(order, order)]}


ESTIMATORS: Mapping[str, Callable[[SimulatedSeries, Networks, str], Graphs]] = {
    "pairwise": _pairwise,
    "whole-set": _whole_set,
    "direct-lingam": _direct_lingam,
    "pc": _pc,
    "random": _random,
}
