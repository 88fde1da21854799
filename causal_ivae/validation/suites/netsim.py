"""Orient the true edges of the NetSim simulations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from causal_ivae.drawing.svg import FAINT, new_figure
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.provenance import fingerprint
from causal_ivae.seeding import generator
from causal_ivae.settings import DecisionSettings
from causal_ivae.validation.session import check_names
from causal_ivae.validation.suites.method_lines import colour, finish
from causal_ivae.validation.suites.network_files import read_series_and_arrows
from causal_ivae.validation.suites.ours import PAIR_METHODS
from causal_ivae.validation.suites.pair_suite import PairSuite
from causal_ivae.validation.suites.suite import SUMMARY, Tables, portions
from causal_ivae.validation.text_tables import as_block, mean_with_interval, share_with_interval

Unit = Literal["pooled windows", "pooled subjects", "subject"]
UNITS: tuple[Unit, ...] = get_args(Unit)
WINDOW = 50
"""A window has this many volumes."""
DIRECTIONS = ("x->y", "y->x")
ALL = "all"
"""This name stands for the edges of all simulations."""
_RIGHT = "share of edges right, by the sign of the score"
_OF_DECIDED = {
    "decided": "share of edges decided",
    "right_of_decided": "share right of those decided",
}

METHOD = {
    "Data": "Smith et al. 2011, 'Network modelling methods for FMRI': simulated BOLD with known "
    "directed networks; in every file ts (subjects, volumes, nodes) and net (subjects, nodes, "
    "nodes), net[s, i, j] != 0 for i -> j. Every subject keeps its scale.",
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
    """Describe some edges of a simulation that one method orients.

    Attributes
    ----------
    content : str
        Fingerprint of its file.
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
        """Return a key of the simulation, the method and the edges."""
        edges = f"edges {self.first}-{self.first + self.count - 1}"
        return f"{self.sim}, {self.unit}, {self.method}, {edges}"


@dataclass(frozen=True)
class Network:
    """Hold one simulation.

    Attributes
    ----------
    series : ndarray, shape (subjects, n_times, nodes), float64
        Around zero in every subject; the simulator's scale is kept.
    edges : ndarray, shape (subjects, nodes, nodes), bool
        Row = cause, column = effect; pairs that drive each other are left out.
    """

    series: NDArray[np.float64]
    edges: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Netsim(PairSuite[NetsimCase]):
    """Measure methods on the NetSim simulations.

    Attributes
    ----------
    data : pathlib.Path
        Folder of ``sim*.npz`` with ``ts`` and ``net``.
    sims : tuple of str
        Names of files without their ending; all if empty.
    most_sims : int or None
        At most so many of them.
    subjects : int or None
        The first so many; None for all.
    at_once : int
        Edges of a case.
    """

    name = "netsim"
    method = METHOD
    decision = DecisionSettings(assume_arrow=True)

    data: Path | None = None
    sims: tuple[str, ...] = ()
    most_sims: int | None = None
    methods: tuple[str, ...] = (*PAIR_METHODS, "hs-tanh", "hs-skew", "direct-lingam", "patel-tau")
    units: tuple[str, ...] = UNITS
    subjects: int | None = None
    at_once: int = 100

    def __post_init__(self) -> None:
        check_names("unit", self.units, UNITS)

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: one simulation, few subjects and short fits."""
        few = {"most_sims": 1, "subjects": 3, "units": UNITS[::2], "at_once": 4}
        return {**super().small(), **few}

    def settings(self) -> dict[str, Any]:
        """Return the seed, the length of windows and the number of subjects."""
        return {"seed": self.seed, "window": WINDOW, "subjects": self.subjects}

    def described(self) -> dict[str, Any]:
        """Return the simulations and the settings of all methods."""
        sims = [path.stem for path in self.files()]
        return {"data": str(_folder(self.data)), "sims": sims, **super().described()}

    def files(self) -> list[Path]:
        """Return the files of the simulations.

        Raises
        ------
        SettingsError
            If there is no such folder or simulation.
        """
        folder = _folder(self.data)
        found = {path.stem: path for path in sorted(folder.glob("*.npz"))}
        if not found:
            raise SettingsError(f"'{folder}' holds no .npz file; give the folder of NetSim's.")
        for name in self.sims:
            if name not in found:
                raise SettingsError(f"No simulation '{name}' in '{folder}'. {nearest(name, found)}")
        return [found[name] for name in self.sims or found][: self.most_sims]

    def cases(self) -> Iterator[NetsimCase]:
        """Yield the edges of every simulation by every unit and method."""
        for path in self.files():
            network, content = read_network(path, self.subjects), fingerprint(path)
            for unit in self.units:
                n_edges = len(_edges(network, unit))
                for method in self.methods:
                    for first, count in portions(n_edges, self.at_once):
                        yield NetsimCase(path.stem, content, unit, method, first, count)

    def work(self, case: NetsimCase) -> pd.DataFrame:
        """Orient the edges of a case."""
        network = read_network(_folder(self.data) / f"{case.sim}.npz", self.subjects)
        unit = case.unit
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
            [generator(self.seed, case.sim, *edge[1:].tolist()).random() < 0.5 for edge in edges]
        )
        first = np.where(turned, edges[:, 2], edges[:, 1])
        second = np.where(turned, edges[:, 1], edges[:, 2])
        series = np.stack([whole[edges[:, 0], :, first], whole[edges[:, 0], :, second]], axis=-1)
        keys = [f"{case.sim}, subject {s}, {i} and {j}" for s, i, j in edges.tolist()]
        found = self.judge(case.method, series, segments, keys)
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
        columns = [
            "sim",
            "unit",
            "method",
            "subject",
            "cause",
            "effect",
            "truth",
            "decision",
            "score",
        ]
        return rows.reindex(columns=[*columns, "confidence", "right"])

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return shares by unit, simulation and method, and over all simulations.

        ``right`` has a 95 % interval: Wilson over edges where subjects are pooled, else t over
        the subjects' own shares; ``decided`` and ``right_of_decided`` are shares of edges.
        """
        rows = rows.astype({"right": bool})
        several = len(set(rows["sim"])) > 1
        summary = []
        for unit, of_unit in rows.groupby("unit", sort=False):
            parts = [(str(sim), part) for sim, part in of_unit.groupby("sim", sort=False)]
            for sim, part in [*parts, (ALL, of_unit)] if several else parts:
                for method, own in part.groupby("method", sort=False):
                    decided = own[own["decision"].isin(DIRECTIONS)]
                    shares = own.groupby(["sim", "subject"])["right"].mean()
                    summary.append(
                        {
                            "unit": unit,
                            "sim": sim,
                            "method": method,
                            "edges": len(own),
                            **(
                                mean_with_interval("right", shares.groupby("subject").mean())
                                if unit == "subject"
                                else share_with_interval("right", own["right"].sum(), len(own))
                            ),
                            "decided": len(decided) / len(own),
                            "right_of_decided": (decided["decision"] == decided["truth"]).mean(),
                        }
                    )
        return {SUMMARY: pd.DataFrame(summary)}

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield tables with methods in rows and simulations in columns."""
        for unit, rows in tables[SUMMARY].groupby("unit", sort=False):
            # The second block would equal the first for methods that never abstain.
            abstaining = rows["method"].isin(set(rows.loc[rows["decided"] < 1.0, "method"]))
            shown = [as_block(f"{unit}: {_RIGHT}", rows, "right", "method", "sim")]
            if abstaining.any():
                shown += [
                    as_block(f"{unit}: {words}", rows[abstaining], column, "method", "sim")
                    for column, words in _OF_DECIDED.items()
                ]
            edges = rows.drop_duplicates("sim").set_index("sim")["edges"]
            counts = ", ".join(f"{sim} {count}" for sim, count in edges.items())
            yield "\n\n".join(shown) + f"\nEdges: {counts}"

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw the shares by simulation, one panel per unit."""
        summary = tables[SUMMARY]
        units = list(dict.fromkeys(summary["unit"]))
        sims = list(dict.fromkeys(summary["sim"]))
        methods = list(dict.fromkeys(summary["method"]))
        figure = new_figure(max(5.0, 1.5 + 0.6 * len(sims)), 1.7 * len(units) + 0.6)
        axes = figure.subplots(len(units), 1, squeeze=False, sharex=True)[:, 0]
        for unit, ax in zip(units, axes, strict=True):
            rows = summary[summary["unit"] == unit]
            for i, method in enumerate(methods):
                own = rows[rows["method"] == method]
                shift = 0.8 * (i - (len(methods) - 1) / 2) / len(methods)
                where = np.array([sims.index(sim) for sim in own["sim"]]) + shift
                drawn = colour(method, methods)
                ax.vlines(where, own["low"], own["high"], color=drawn, lw=1.0, alpha=0.6)
                ax.scatter(where, own["right"], s=12, color=drawn, label=method, zorder=3)
            ax.axhline(0.5, color=FAINT, lw=0.8, ls=":")
            ax.set_title(unit)
            ax.set_ylabel("edges right")
            ax.set_xlim(-0.5, len(sims) - 0.5)
            ax.set_xticks(range(len(sims)), sims)
            for place in range(1, len(sims)):
                ax.axvline(place - 0.5, color=FAINT, lw=0.4)
        finish(figure, axes)
        return figure


def _folder(data: Path | None) -> Path:
    if data is None:
        raise SettingsError("Give the folder of NetSim's .npz files with --data.")
    return data.expanduser().resolve()


def read_network(path: Path, subjects: int | None = None) -> Network:
    """Read a simulation.

    Parameters
    ----------
    path : pathlib.Path
        See `causal_ivae.validation.suites.network_files.read_series_and_arrows`.
    subjects : int, optional
        The first so many; default all.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    series, arrows = read_series_and_arrows(path)
    series, there = series[:subjects], arrows[:subjects]
    centred = series - series.mean(axis=1, keepdims=True)
    return Network(centred, there & ~there.swapaxes(1, 2))


def _edges(network: Network, unit: str) -> NDArray[np.int64]:
    """Return subject (0 if pooled), cause and effect of every edge, shape (edges, 3)."""
    if unit == "subject":
        return np.argwhere(network.edges)
    common = np.argwhere(network.edges.all(axis=0))
    return np.column_stack([np.zeros(len(common), dtype=np.int64), common])
