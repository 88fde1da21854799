"""Define the causal graph that one method estimates, with all its evidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.derivatives.declaration import Table
from causal_ivae.derivatives.digraphs import digraph, with_decisions
from causal_ivae.derivatives.files import (
    read_array,
    read_json,
    write_array,
    write_json,
    write_table,
)
from causal_ivae.derivatives.names import UnitPaths
from causal_ivae.derivatives.nodes import DISTURBANCES, MATRIX, node_table
from causal_ivae.derivatives.stored_tables import (
    StoredTables,
    remove_table,
    sidecar_of,
    table_names,
    write_described,
)
from causal_ivae.derivatives.tables import (
    DIAGNOSTICS,
    EQUATIONS,
    EVIDENCE,
    PRIOR_CHECK,
    RESTARTS,
    SCREEN,
    STABILITY,
    TESTS,
    TRAINING,
)
from causal_ivae.derivatives.unit_tables import MODEL
from causal_ivae.derivatives.vouching import FILES
from causal_ivae.outcomes import arrows_of, count_arrows

if TYPE_CHECKING:
    import networkx as nx
    from causallearn.graph.GeneralGraph import GeneralGraph
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cycle:
    """Describe a cycle of directed edges.

    Attributes
    ----------
    regions : tuple of str
        Regions in the order of the edges; the last drives the first.
    cause, effect : str
        Ends of the cycle's edge with the lowest confidence.
    """

    regions: tuple[str, ...]
    cause: str
    effect: str


class _Evidence:
    """Give a declared table as an attribute of a graph; None if the analysis makes none."""

    def __init__(self, table: Table) -> None:
        self._name = table.name
        self.__doc__ = table.about

    def __get__(self, graph: "CausalGraph", owner: type["CausalGraph"]) -> pd.DataFrame | None:
        return graph.tables.get(self._name)


@dataclass(frozen=True, eq=False, repr=False)
class CausalGraph:
    """Hold the causal graph of one subject or of a group by one method.

    `causal_ivae.discover` returns it, `write` stores it in files, and `read` and
    `causal_ivae.load_results` read it from them.

    Attributes
    ----------
    method : str
        ``"network"``, ``"structural"``, ``"ivae"`` or ``"tcl"``, or ``"equations"``.
    names : tuple of str, length n_regions
        Region names.
    tables : mapping of str to pandas.DataFrame
        All tables, by the last part of their files' names.  Their columns are declared in
        `causal_ivae.derivatives.tables`, and the page "Columns of the tables" of the documentation
        lists them.
    settings : dict
        All settings that determine the numbers, with the seed; the whole pipeline for results of a
        run.
    seconds : float
        Wall time (s).
    cycles : tuple of Cycle
        Cycles of directed edges.  If the settings request an acyclic graph, the edge that each
        names was dropped.
    disturbances : ndarray or None, shape (n_unmixed, 2, n_times), float32
        Z-scored disturbances of every unmixed pair, from the fit that `diagnostics` judges and in
        its order.  By "structural" they belong to x and y under the better direction; otherwise
        they are n1 and n2.  None for groups and for analyses of all regions at once.  In files they
        have half precision, and are read when they are used.
    made_by : str
        Name of the method that estimated the tables, if `method` handed the work over to it;
        otherwise empty.
    sidecar : dict
        What else was recorded about the result: ``SettingsHash``, ``Seed``, ``Versions``,
        ``Command``, ``InputFingerprints``, ``Device``, ``Simulated`` (bool), ``Calibration`` (of
        the probabilities, from `causal_ivae.discovery.probability.calibration_entry`), ``Space``
        and ``Coordinates`` (x, y, z in mm by region) if the atlas has them, and ``NullCheck``
        (``SurrogatePairs``, ``Rejected``, ``Alpha`` and Wilson ``Interval``).  Groups have
        ``SplitHalf`` (``Splits``, ``SameDirection``, ``Correlation``) and ``Model`` (``Formula``,
        ``Subjects``, ``LeftOut``: reasons by unit).  With a prior there is ``Prior`` (``Name``,
        ``Directed``, ``Edges``, and for "Direct" and "Feasible" ``Count``, ``Share``,
        ``ChanceShare``, ``PValue``).  Empty until the result is written.
    tests, restarts, training, diagnostics : pandas.DataFrame or None
        All independence tests; all fits; the training curves; the verdicts on fits.
    evidence : pandas.DataFrame or None
        Evidence behind the probabilities; None for methods other than "structural".
    stability : pandas.DataFrame or None
        How often resamples and restarts lead to each decision; None without fits of pairs.
    screen : pandas.DataFrame or None
        Results of the screen for every pair; None if all pairs were unmixed.
    equations : pandas.DataFrame or None
        Evidence for every ordered pair, in analyses of all regions at once; otherwise None.
    prior_check : pandas.DataFrame or None
        Comparison of the decided edges with the anatomical prior; None without a prior.
    model : pandas.DataFrame or None
        Model of the scores of a group's subjects; None unless it was requested.
    """

    method: str
    names: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cycles: tuple[Cycle, ...] = ()
    disturbances: NDArray[np.floating] | None = None
    made_by: str = ""
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

    def __repr__(self) -> str:
        found = f"{len(self.edges)} pairs, {count_arrows(self.edges)} directions"
        return f"<CausalGraph by {self.method}: {len(self.names)} regions, {found}>"

    @property
    def estimator(self) -> str:
        """Return the name of the method that estimated the tables, which mostly is `method`."""
        return self.made_by or self.method

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the known inputs, into which no arrow leads."""
        named = self.sidecar.get("Inputs") or self.settings.get("exogenous", ())
        return tuple(name for name in named if name in self.names)

    @property
    def edges(self) -> pd.DataFrame:
        """Return the table of edges, one row per pair with decision, cause, effect and score."""
        return self.tables["edges"]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Return the signed direction scores, (n_regions, n_regions): row = cause, column = effect.

        ``matrix[i, j] > 0`` favours i -> j, and ``matrix[j, i]`` is its negative.  The diagonal and
        pairs that were not tested are 0, as in the file ``_relmat.dense.tsv``; `tested`
        distinguishes these from a score of 0.
        """
        scores = np.zeros((len(self.names), len(self.names)))
        rows, columns = self._places(self.edges["x"]), self._places(self.edges["y"])
        scores[rows, columns] = self.edges["score"]
        scores[columns, rows] = -self.edges["score"]
        return scores

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Return which pairs were tested, shape (n_regions, n_regions), symmetric."""
        tested = np.zeros((len(self.names), len(self.names)), dtype=bool)
        rows, columns = self._places(self.edges["x"]), self._places(self.edges["y"])
        tested[rows, columns] = tested[columns, rows] = True
        return tested

    @property
    def adjacency(self) -> NDArray[np.bool_]:
        """Return the decided edges, shape (n_regions, n_regions): ``adjacency[i, j]`` is i -> j."""
        arrows = arrows_of(self.edges)
        matrix = np.zeros((len(self.names), len(self.names)), dtype=bool)
        matrix[self._places(arrows["cause"]), self._places(arrows["effect"])] = True
        return matrix

    @property
    def verdicts(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return verdict and path of every edge that the prior covers, by (cause, effect)."""
        if self.prior_check is None:
            return {}
        columns = ("cause", "effect", "verdict", "path")
        rows = zip(*(self.prior_check[name] for name in columns), strict=True)
        return {(cause, effect): (said, path) for cause, effect, said, path in rows if said}

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """Return the decided edges from cause to effect, with all regions as nodes.

        Edges have the attributes ``score`` (positive favours the direction of the edge),
        ``p_value``, ``q_value``, ``interval_level``, ``confidence``, ``probability_both`` and
        ``probability_adjacent`` if they are known, and ``prior`` (the verdict) and ``prior_path``
        if the prior covers the edge.  Known inputs are nodes with ``kind="input"``.
        ``quality`` is the verdict on the pair's fit; edges of a
        group have ``n_subjects``, ``n_usable`` and ``usable_decision`` instead.  A pair with the
        decision "both" has two edges.
        """
        return digraph(self.method, self.names, self.edges, self.verdicts, self.inputs)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `edges` with ``x`` and ``y`` as the index."""
        return self.edges.set_index(["x", "y"])

    def to_networkx(self, *, undecided: bool = False) -> "nx.DiGraph[str]":
        """Return `graph`, optionally with undecided pairs.

        Parameters
        ----------
        undecided : bool, default False
            True to add both directions of every undecided pair with ``decision="undecided"``, or
            "connected, direction unknown" if the pair is probably connected directly.

        Notes
        -----
        Undecided pairs have ``probability_adjacent``, ``why``, and for each direction
        ``probability_if_arrow``, if they are known.  Other edges have ``decision="directed"``, or
        "both" if each region drives the other.
        """
        return with_decisions(self.graph, self.edges, undecided=undecided)

    def to_causal_learn(self) -> "GeneralGraph":
        """Return the graph as a graph of causal-learn, for its measures and searches.

        Returns
        -------
        causallearn.graph.GeneralGraph.GeneralGraph
            A graph with a node per region, ``x --> y`` for a decided direction, ``x <-> y`` for a
            pair with the decision "both" (a graph of causal-learn cannot hold two arrows of a
            pair), ``x --- y`` for an undecided pair and no edge for "none".
        """
        # causal-learn takes long to import, and most results are never converted.
        from causal_ivae.derivatives.digraphs import general_graph

        return general_graph(self.names, self.edges)

    def plot(self) -> "Figure":
        """Draw the graph with regions on a circle and arrows from cause to effect.

        Returns
        -------
        matplotlib.figure.Figure
            A figure without pyplot; notebooks show it, and ``figure.savefig(path)`` saves it.
        """
        # Matplotlib takes long to import, and most results are never drawn.
        from causal_ivae.drawing.notebook import plot

        return plot(self.method, self.names, self.edges)

    def _repr_html_(self) -> str:
        from causal_ivae.drawing.notebook import to_html

        return to_html(self.method, self.names, self.edges)

    def write(self, paths: UnitPaths) -> None:
        """Write everything about the graph, with the sidecar ``_edges.json`` last.

        Parameters
        ----------
        paths : UnitPaths
            Paths of the unit, for instance ``UnitPaths(Path("results"), "sub-01")``.  Tables of an
            earlier analysis by the same method that this one does not make are removed.
        """
        vouches = paths.file("edges.json", self.method)
        # An old sidecar must not vouch for new tables if writing is interrupted.
        vouches.unlink(missing_ok=True)
        files: dict[str, Any] = {}
        for name in table_names(by_method=True):
            if name not in self.tables:
                remove_table(paths, name, self.method)
            elif name != "edges":
                files |= write_described(paths, name, self.tables[name], self.method)
        nodes = node_table(self.names, self.sidecar)
        files |= write_described(paths, "nodeindices", nodes, only_changed=True)

        def place(suffix: str) -> Path:
            return paths.file(suffix, self.method)

        array, about = place("disturbances.npy"), place("disturbances.json")
        if self.disturbances is None:
            about.unlink(missing_ok=True)
            array.unlink(missing_ok=True)
        else:
            files[array.name] = write_array(array, self.disturbances.astype(np.float16))
            files[about.name] = write_json(about, {"Description": DISTURBANCES})
        edges, dense, described = map(place, ("edges.tsv", "relmat.dense.tsv", "relmat.json"))
        files[edges.name] = write_table(edges, self.edges)
        files[dense.name] = write_table(dense, pd.DataFrame(self.matrix), header=False)
        measure = {
            "Description": MATRIX,
            "Measure": f"direction score of {self.method}",
            "RelationshipMeasure": "direction score",
            "Directed": True,
            "Weighted": True,
            "ValidDiagonal": False,
            "StorageFormat": "Full",
            "NodeFiles": [paths.file("nodeindices.tsv").name],
        }
        files[described.name] = write_json(described, measure)
        write_json(vouches, self._about() | {FILES: files})

    def _about(self) -> dict[str, Any]:
        """Return the content of the sidecar without the list of files."""
        broken = bool(self.settings.get("decision", {}).get("acyclic"))
        known = {
            "Method": self.method,
            **({"MadeBy": self.made_by} if self.made_by else {}),
            "Settings": self.settings,
            "Regions": list(self.names),
            "Seconds": self.seconds,
            "Cycles": [
                {"Regions": list(c.regions), "Cause": c.cause, "Effect": c.effect, "Broken": broken}
                for c in self.cycles
            ],
        }
        columns = sidecar_of("edges", self.edges.columns)
        # The fields take precedence over values in an earlier sidecar.
        return {**known, **self.sidecar, **known, **columns}

    @classmethod
    def read(cls, paths: UnitPaths, method: str, *, of_cohort: bool = False) -> Self:
        """Read a graph that `write` wrote; its tables are read when they are used.

        Parameters
        ----------
        paths : UnitPaths
        method : str
        of_cohort : bool
            True to read only what the pages of a cohort need: the ends of arrows, the verdicts on
            fits and the restarts that diverged.

        Raises
        ------
        FileNotFoundError
            If the unit has no graph by this method.
        """
        about = read_json(paths.file("edges.json", method))
        return cls.of_sidecar(paths, method, about, of_cohort=of_cohort)

    @classmethod
    def of_sidecar(
        cls,
        paths: UnitPaths,
        method: str,
        about: Mapping[str, Any],
        *,
        of_cohort: bool = False,
        disturbances: bool = True,
    ) -> Self:
        """Make the graph that `read` reads from its sidecar; disturbances can be left out."""
        wanted, found = disturbances and not of_cohort, about.get("Cycles", ())
        return cls(
            method=method,
            names=tuple(about["Regions"]),
            tables=StoredTables(paths, method, of_cohort=of_cohort),
            settings=about.get("Settings", {}),
            seconds=about.get("Seconds", np.nan),
            cycles=tuple(
                Cycle(tuple(one["Regions"]), one["Cause"], one["Effect"]) for one in found
            ),
            disturbances=read_array(paths.file("disturbances.npy", method)) if wanted else None,
            made_by=about.get("MadeBy", ""),
            sidecar=about,
        )

    def _places(self, regions: Iterable[str]) -> list[int]:
        """Return the positions of regions in `names`."""
        position = {name: index for index, name in enumerate(self.names)}
        return [position[name] for name in regions]
