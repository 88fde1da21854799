"""The causal graph that one method estimates, with all the evidence behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.declaration import Table
from causal_ivae.derivatives.files import (
    read_array,
    read_json,
    write_array,
    write_json,
    write_table,
)
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.stored_tables import (
    StoredTables,
    remove_table,
    table_names,
    write_described,
)
from causal_ivae.derivatives.tables import (
    DIAGNOSTICS,
    EQUATIONS,
    EVIDENCE,
    MODEL,
    PRIOR_CHECK,
    RESTARTS,
    SCREEN,
    STABILITY,
    TESTS,
    TRAINING,
    sidecar_of,
)
from causal_ivae.derivatives.vouching import FILES

if TYPE_CHECKING:
    from causallearn.graph.GeneralGraph import GeneralGraph
    from matplotlib.figure import Figure

_MATRIX = (
    "Signed direction score of every ordered pair of regions. Row = cause, column = effect: a "
    "positive value in row i, column j favours 'region i drives region j', and the value in row "
    "j, column i is its negative. No header; rows and columns in the order of _nodeindices.tsv. "
    "File names follow the draft of BIDS extension proposal 17 (BEP017)."
)
_DISTURBANCES = (
    "Recovered disturbances, z-scored, half precision, shape (pairs, 2, volumes): one row per "
    "unmixed pair in the order of _diagnostics.tsv, of the fit that it judges; by structural flows "
    "of x and y, else n1 and n2. Volumes are the rows of _timeseries.tsv that are in a segment. "
    "Read it with numpy.load."
)
_NUMBERS = ("score", "p_value", "q_value", "confidence")


@dataclass(frozen=True)
class Cycle:
    """Directed edges that lead back to where they begin.

    Attributes
    ----------
    regions : tuple of str
        In the order of the edges; the last drives the first.
    cause, effect : str
        The cycle's edge of least confidence.
    """

    regions: tuple[str, ...]
    cause: str
    effect: str


class _Evidence:
    """A declared table as an attribute of a graph; None where the analysis makes none."""

    def __init__(self, table: Table) -> None:
        self._name = table.name
        self.__doc__ = table.about

    def __get__(self, graph: "CausalGraph", owner: type["CausalGraph"]) -> pd.DataFrame | None:
        return graph.tables.get(self._name)


@dataclass(frozen=True, eq=False)
class CausalGraph:
    """The causal graph of one subject, or of a group, by one method.

    `causal_ivae.discover` returns it, `write` stores it as files, and `read` and
    `causal_ivae.load_results` give it back from them.

    Attributes
    ----------
    method : str
        ``"structural"``, ``"ivae"`` or ``"tcl"``, or ``"equations"`` of all regions at once.
    names : tuple of str, length n_regions
    tables : mapping of str to pandas.DataFrame
        All tables, by the last part of their files' names.  Their columns are declared in
        `causal_ivae.derivatives.tables`, and the page "Columns of the tables" of the documentation
        lists them.
    settings : dict
        Everything that determines the numbers, seed included; of results that a run wrote, the
        whole pipeline.
    seconds : float
        Wall time, s.
    cycles : tuple of Cycle
        Directed edges that lead back to where they begin; where the settings ask for an acyclic
        graph, the edge that each names was dropped.
    disturbances : ndarray or None, shape (n_unmixed, 2, n_times), float32
        One row per unmixed pair, in the order of `diagnostics`: what the fit that they are about
        recovered, z-scored; by "structural" the disturbances of x and y under the direction that
        fits better, else n1 and n2.  None where all regions were analysed at once, and of groups.
        In files they are half precision, and read when they are used.
    sidecar : dict
        What else was written about the result: ``SettingsHash``, ``Seed``, ``Versions``,
        ``Command``, ``InputFingerprints``, ``Device``, ``Simulated`` (bool), ``Calibration`` (of
        the probabilities, see `causal_ivae.discovery.probability.calibration_entry`), ``Space`` and
        ``Coordinates`` (name to x, y, z in mm) where an atlas says where regions are, ``NullCheck``
        (``SurrogatePairs``, ``Rejected``, ``Alpha`` and Wilson ``Interval``), of groups
        ``SplitHalf`` (``Splits``, ``SameDirection``, ``Correlation``) and ``Model`` (``Formula``,
        ``Subjects``, ``LeftOut``: unit to reason) and, where a prior was given, ``Prior``:
        ``Name``, ``Directed``, ``Edges``, and per verdict ("Direct", "Feasible") ``Count``,
        ``Share``, ``ChanceShare``, ``PValue``.  Empty until the result is written.
    tests, restarts, training, diagnostics : pandas.DataFrame or None
        Every independence test; every fit; the training curves; whether fits can be believed.
    evidence : pandas.DataFrame or None
        What probabilities come from; None for a method other than "structural".
    stability : pandas.DataFrame or None
        How often resamples and restarts lead to each decision; None where all regions were
        analysed at once.
    screen : pandas.DataFrame or None
        What a cheap test said of every pair; None where all pairs were unmixed.
    equations : pandas.DataFrame or None
        Evidence for every ordered pair; None but where all regions were analysed at once.
    prior_check : pandas.DataFrame or None
        Whether the anatomical prior explains the decided edges; None without a prior.
    model : pandas.DataFrame or None
        What the scores of a group's subjects go with; None unless it was asked for.
    """

    method: str
    names: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cycles: tuple[Cycle, ...] = ()
    disturbances: NDArray[np.floating] | None = None
    sidecar: Mapping[str, Any] = field(default_factory=dict)

    tests = _Evidence(TESTS)
    restarts = _Evidence(RESTARTS)
    training = _Evidence(TRAINING)
    diagnostics = _Evidence(DIAGNOSTICS)
    evidence = _Evidence(EVIDENCE)
    stability = _Evidence(STABILITY)
    screen = _Evidence(SCREEN)
    equations = _Evidence(EQUATIONS)
    prior_check = _Evidence(PRIOR_CHECK)
    model = _Evidence(MODEL)

    @property
    def edges(self) -> pd.DataFrame:
        """One row per pair, in the order given: decision, cause, effect, score, p, confidence."""
        return self.tables["edges"]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Signed direction scores, shape (n_regions, n_regions): row = cause, column = effect.

        ``matrix[i, j] > 0`` favours i -> j and ``matrix[j, i]`` is its negative.  It is 0 on the
        diagonal and where a pair was not tested, as in the file ``_relmat.dense.tsv``; `tested`
        tells these from a score of 0.
        """
        scores = np.zeros((len(self.names), len(self.names)))
        rows, columns = self._places("x"), self._places("y")
        scores[rows, columns] = self.edges["score"]
        scores[columns, rows] = -self.edges["score"]
        return scores

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Whether each pair was tested, shape (n_regions, n_regions), symmetric."""
        tested = np.zeros((len(self.names), len(self.names)), dtype=bool)
        rows, columns = self._places("x"), self._places("y")
        tested[rows, columns] = tested[columns, rows] = True
        return tested

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """Decided edges, shape (n_regions, n_regions): ``adjacency[i, j]`` is i -> j."""
        decided = (self.edges["cause"] != "").to_numpy()
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        matrix[self._places("cause", decided), self._places("effect", decided)] = True
        return matrix

    @property
    def verdicts(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Verdict and path of every edge that the prior speaks of, by (cause, effect)."""
        if self.prior_check is None:
            return {}
        columns = ("cause", "effect", "verdict", "path")
        rows = zip(*(self.prior_check[name] for name in columns), strict=True)
        return {(cause, effect): (said, path) for cause, effect, said, path in rows if said}

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """The decided edges, from cause to effect; regions without an edge are nodes too.

        Edges have those of ``score`` (positive favours the direction of the edge), ``p_value``,
        ``q_value`` and ``confidence`` that are known, and ``prior`` (verdict) and ``prior_path``
        where the prior speaks of the edge.
        """
        graph: nx.DiGraph[str] = nx.DiGraph(method=self.method)
        graph.add_nodes_from(self.names)
        verdicts = self.verdicts
        for edge in self.edges[self.edges["cause"] != ""].to_dict("records"):
            ends = edge["cause"], edge["effect"]
            known: dict[str, Any] = {
                name: float(edge[name]) for name in _NUMBERS if pd.notna(edge[name])
            }
            if "score" in known and edge["cause"] == edge["y"]:
                known["score"] = -known["score"]
            if ends in verdicts:
                known |= dict(zip(("prior", "prior_path"), verdicts[ends], strict=True))
            graph.add_edge(*ends, **known)
        return graph

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `edges`, indexed by ``x`` and ``y``."""
        return self.edges.set_index(["x", "y"])

    def to_networkx(self, *, undecided: bool = False) -> "nx.DiGraph[str]":
        """Return `graph`, with the pairs left undecided on request.

        Parameters
        ----------
        undecided : bool, default False
            Add both directions of every undecided pair, with ``decision="undecided"``.
        """
        graph = self.graph
        nx.set_edge_attributes(graph, dict.fromkeys(graph.edges, "directed"), "decision")
        if undecided:
            left = self.edges[self.edges["decision"] == "undecided"]
            for x, y in zip(left["x"], left["y"], strict=True):
                graph.add_edge(x, y, decision="undecided")
                graph.add_edge(y, x, decision="undecided")
        return graph

    def to_causal_learn(self) -> "GeneralGraph":
        """Return the graph as one of causal-learn's, for its measures and searches.

        Returns
        -------
        causallearn.graph.GeneralGraph.GeneralGraph
            A node per region; ``x --> y`` for a decided direction, ``x --- y`` for a pair that is
            dependent but undecided, nothing for "none".
        """
        from causallearn.graph.Edge import Edge
        from causallearn.graph.Endpoint import Endpoint
        from causallearn.graph.GeneralGraph import GeneralGraph
        from causallearn.graph.GraphNode import GraphNode

        nodes = {name: GraphNode(name) for name in self.names}
        graph = GeneralGraph(list(nodes.values()))
        for edge in self.edges[self.edges["decision"] != "none"].to_dict("records"):
            if edge["cause"]:
                graph.add_directed_edge(nodes[edge["cause"]], nodes[edge["effect"]])
            else:
                graph.add_edge(
                    Edge(nodes[edge["x"]], nodes[edge["y"]], Endpoint.TAIL, Endpoint.TAIL)
                )
        return graph

    def plot(self) -> "Figure":
        """Draw the graph: regions on a circle, an arrow from cause to effect.

        Returns
        -------
        matplotlib.figure.Figure
            Not one of pyplot's; notebooks show it, ``figure.savefig(path)`` saves it.
        """
        # Matplotlib takes long to import, and most results are never drawn.
        from causal_ivae.drawing.notebook import plot

        return plot(self.method, self.names, self.edges)

    def _repr_html_(self) -> str:
        from causal_ivae.drawing.notebook import to_html

        return to_html(self.method, self.names, self.edges)

    def write(self, paths: UnitPaths) -> None:
        """Write everything about the graph, and last the sidecar ``_edges.json``.

        Parameters
        ----------
        paths : UnitPaths
            Where to; such as ``UnitPaths(Path("results"), "sub-01")``.  Tables of an earlier
            analysis by the same method that this one does not make are removed.
        """
        vouches = paths.file("edges.json", self.method)
        # An old sidecar must not vouch for new tables if writing stops half way.
        vouches.unlink(missing_ok=True)
        files: dict[str, Any] = {}
        for name in table_names(by_method=True):
            if name not in self.tables:
                remove_table(paths, name, self.method)
            elif name != "edges":
                files |= write_described(paths, name, self.tables[name], self.method)
        nodes = pd.DataFrame({"index": range(len(self.names)), "name": list(self.names)})
        files |= write_described(paths, "nodeindices", nodes)

        def place(suffix: str) -> Path:
            return paths.file(suffix, self.method)

        array, about = place("disturbances.npy"), place("disturbances.json")
        if self.disturbances is None:
            about.unlink(missing_ok=True)
            array.unlink(missing_ok=True)
        else:
            files[array.name] = write_array(array, self.disturbances.astype(np.float16))
            files[about.name] = write_json(about, {"Description": _DISTURBANCES})
        edges, dense, described = (
            place("edges.tsv"),
            place("relmat.dense.tsv"),
            place("relmat.json"),
        )
        files[edges.name] = write_table(edges, self.edges)
        files[dense.name] = write_table(dense, pd.DataFrame(self.matrix), header=False)
        measure = {"Description": _MATRIX, "Measure": f"direction score of {self.method}"}
        files[described.name] = write_json(described, measure)
        write_json(vouches, self._about() | {FILES: files})

    def _about(self) -> dict[str, Any]:
        """Return the content of the sidecar but for the list of files."""
        broken = bool(self.settings.get("decision", {}).get("acyclic"))
        known = {
            "Method": self.method,
            "Settings": self.settings,
            "Regions": list(self.names),
            "Seconds": self.seconds,
            "Cycles": [
                {"Regions": list(c.regions), "Cause": c.cause, "Effect": c.effect, "Broken": broken}
                for c in self.cycles
            ],
        }
        columns = sidecar_of("edges", self.edges.columns)
        # An earlier sidecar may hold other values of what the fields say.
        return {**known, **self.sidecar, **known, **columns}

    @classmethod
    def read(cls, paths: UnitPaths, method: str, *, of_cohort: bool = False) -> Self:
        """Read back what `write` wrote; a table is read when it is asked for.

        Parameters
        ----------
        paths : UnitPaths
        method : str
        of_cohort : bool
            Read only what the pages of a cohort need: the ends of arrows, the verdicts on fits and
            the restarts that diverged.

        Raises
        ------
        FileNotFoundError
            If the unit has no graph by this method.
        """
        about = read_json(paths.file("edges.json", method))
        cycles = (
            Cycle(tuple(cycle["Regions"]), cycle["Cause"], cycle["Effect"])
            for cycle in about.get("Cycles", ())
        )
        return cls(
            method=method,
            names=tuple(about["Regions"]),
            tables=StoredTables(paths, method, of_cohort=of_cohort),
            settings=about.get("Settings", {}),
            seconds=about.get("Seconds", np.nan),
            cycles=tuple(cycles),
            disturbances=None if of_cohort else read_array(paths.file("disturbances.npy", method)),
            sidecar=about,
        )

    def _places(self, column: str, rows: NDArray[np.bool_] | slice = slice(None)) -> list[int]:
        """Return the positions in `names` of the regions in a column of the edges."""
        position = {name: index for index, name in enumerate(self.names)}
        return [position[name] for name in self.edges.loc[rows, column]]
