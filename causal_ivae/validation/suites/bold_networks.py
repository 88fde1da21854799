"""Estimate directed graphs of simulated BOLD networks without telling methods anything of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from causal_ivae.discovery import discover
from causal_ivae.discovery.network.judgement import LEAST_ADJACENT
from causal_ivae.drawing.svg import new_figure
from causal_ivae.errors import SettingsError
from causal_ivae.seeding import child_seed, generator
from causal_ivae.settings import DecisionSettings, NetworkSettings, PowerSettings, UnmixingSettings
from causal_ivae.simulate.bold_networks import BoldDesign, draw_bold_design, simulate_bold_network
from causal_ivae.validation.suites.calibration_error import reliability
from causal_ivae.validation.suites.method_lines import finish, form
from causal_ivae.validation.suites.network_files import (
    content_of_network,
    network_files,
    read_network,
)
from causal_ivae.validation.suites.network_rivals import NETWORK_RIVALS, Claimed, claims_of
from causal_ivae.validation.suites.suite import SUMMARY, MethodSuite, Tables
from causal_ivae.validation.text_tables import as_block, as_text, share_with_interval

OURS = ("network", "network-no-twins")
OWN = "own"
"""Name of the networks of `causal_ivae.simulate.bold_networks`, with seeds of their own."""
PACKAGES: Mapping[str, str | None] = {
    **dict.fromkeys(OURS),
    **{name: rival.package for name, rival in NETWORK_RIVALS.items()},
}
"""All methods, and the package that each needs."""
_FEWEST_SEGMENTS, _VOLUMES_PER_WINDOW = 3, 25
"""Fewer subjects than this number of segments are each divided into windows of this length."""
_LEAST_ADJACENT = 0.5
COMMON = "common_cause"

METHOD = {
    "Networks": "Those of --data: .npz files with ts (subjects, volumes, nodes) and net (subjects, "
    "nodes, nodes), net[s, i, j] != 0 for i -> j, an arrow being true if more than half of the "
    "subjects have it; or folders with truth.tsv (nodes x nodes) and one .tsv a subject. "
    f"'{OWN}': simulated here, with seeds that the calibration does not use.",
    "Claims": "Nothing is given; the order of nodes is drawn at random. 'network' draws what "
    "passes its twins and the arrows that it plants, 'network-no-twins' all arrows with a "
    "probability of .7 or more. A pair with two arrows counts as two claims.",
    COMMON: "Of the own networks' pairs with a common cause that is not measured and no arrow, "
    f"which pass for connected (by ours: with {LEAST_ADJACENT:g}), how many have an arrow.",
    "Precision, recall": "Of directed arrows, summed over the draws of subjects; of adjacent "
    "pairs, whatever the direction. An edge that a method leaves without direction is no claim.",
}


@dataclass(frozen=True)
class NetworkCase:
    """Describe some subjects of a network that one method judges.

    Attributes
    ----------
    network : str
        Name of the file or folder, or the number of an own network.
    content : str
        Fingerprint of the data.
    draw : int
        Which random choice of subjects.
    """

    network: str
    content: str
    subjects: int
    draw: int
    method: str

    @property
    def key(self) -> str:
        """Return a key of the network, the subjects and the method."""
        return f"{self.network}, {self.subjects} subjects, draw {self.draw}, {self.method}"


@dataclass(frozen=True, kw_only=True)
class BoldNetworks(MethodSuite[NetworkCase]):
    """Measure methods on BOLD networks.

    Attributes
    ----------
    data : tuple of pathlib.Path
        Folders of networks.
    networks : tuple of str
        Names in these folders; all if empty.
    own : int
        Number of own networks.
    subjects : tuple of int
        Numbers of subjects; more than there are stand for all.
    draws : int
        Random choices of subjects, where they are fewer than all.
    tr : float
        Repetition time (s) of the networks in the folders; the own ones have one each.
    """

    name = "networks"
    method = METHOD
    packages = PACKAGES

    data: tuple[Path, ...] = ()
    networks: tuple[str, ...] = ()
    own: int = 20
    subjects: tuple[int, ...] = (1, 5, 10, 50)
    draws: int = 3
    methods: tuple[str, ...] = (*OURS, *NETWORK_RIVALS)
    unmixing: UnmixingSettings = field(default_factory=UnmixingSettings)
    power: PowerSettings = field(default_factory=PowerSettings)
    tr: float = 2.0

    @classmethod
    def small(cls) -> dict[str, Any]:
        """Return the options of a quick run: few networks and subjects, and the fast methods."""
        return {
            "own": 2, "subjects": (5,), "draws": 1,
            "methods": (*OURS, "partial-tanh", "partial-tanh-floor", "pc"),
            "power": PowerSettings(plants=2),
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Return the seed."""
        return {"seed": self.seed}

    def settings_of(self, method: str) -> dict[str, Any]:
        """Return every setting that the claims of a method depend on."""
        if method in NETWORK_RIVALS:
            return {"citation": NETWORK_RIVALS[method].citation}
        power = self._power(method)
        return {
            "network": self._unmixing(method).network.model_dump(mode="json"),
            "decision": DecisionSettings().model_dump(mode="json"),
            **({} if power is None else {"power": power.model_dump(mode="json"), "tr": self.tr}),
        }

    def described(self) -> dict[str, Any]:
        """Return the folders and the settings of all methods."""
        return {"data": [str(folder) for folder in self.data], **super().described()}

    def sources(self) -> dict[str, str]:
        """Return where the published methods come from."""
        return {n: NETWORK_RIVALS[n].citation for n in self.methods if n in NETWORK_RIVALS}

    def cases(self) -> Iterator[NetworkCase]:
        """Yield every network with every number of subjects, every draw and method."""
        for name, content, size, regions in self._sources():
            for wanted in dict.fromkeys(min(size, number) for number in self.subjects):
                for draw in range(self.draws if wanted < size else 1):
                    for method in self.methods:
                        most = _most_regions(method)
                        if most is None or regions <= most:
                            yield NetworkCase(name, content, wanted, draw, method)

    def work(self, case: NetworkCase) -> pd.DataFrame:
        """Judge the network of a case; one row per ordered pair of regions."""
        series, truth, shared = self._read(case.network)
        rng = generator(self.seed, "subjects and nodes", case.network, case.subjects, case.draw)
        chosen = np.sort(rng.permutation(len(series))[: case.subjects])
        nodes = rng.permutation(series.shape[2])
        order = np.ix_(nodes, nodes)
        series, truth, shared = series[chosen][:, :, nodes], truth[order], shared[order]
        claimed = self._claims(case, series)
        cause, effect = np.nonzero(~np.eye(len(truth), dtype=bool))
        probability, skeleton = claimed.probability, claimed.skeleton
        return pd.DataFrame(
            {
                "network": case.network,
                "subjects": case.subjects,
                "draw": case.draw,
                "method": case.method,
                "cause": nodes[cause],
                "effect": nodes[effect],
                "true": truth[cause, effect],
                "claimed": claimed.arrows[cause, effect],
                "true_pair": (truth | truth.T)[cause, effect],
                "adjacent": claimed.adjacent[cause, effect],
                COMMON: shared[cause, effect] & ~(truth | truth.T)[cause, effect],
                "skeleton": (claimed.adjacent if skeleton is None else skeleton)[cause, effect],
                "joined": (claimed.arrows | claimed.arrows.T)[cause, effect],
                "probability": None if probability is None else probability[cause, effect],
            }
        )

    def tables(self, rows: pd.DataFrame) -> Tables:
        """Return counts, precision, recall and F1 by network, and over all of them."""
        rows = rows.astype(dict.fromkeys(("true", "claimed", "true_pair", "adjacent"), bool))
        rows = rows.assign(group=rows["network"].where(~rows["network"].str.startswith(OWN), OWN))
        parts = [(name, part) for name, part in rows.groupby("group", sort=False)]
        if len(parts) > 1:
            parts.append(("all", rows))
        summary = [
            {"network": name, "subjects": subjects, "method": method, **_scores(own)}
            for name, part in parts
            for (subjects, method), own in part.groupby(["subjects", "method"], sort=False)
        ]
        known = rows[rows["method"] == OURS[1]]
        return {
            SUMMARY: pd.DataFrame(summary),
            COMMON: _common_causes(rows),
            "reliability": reliability(known["probability"].astype(float), known["true"]),
        }

    def blocks(self, tables: Tables) -> Iterator[str]:
        """Yield tables with methods in rows and networks in columns, by number of subjects."""
        for subjects, rows in tables[SUMMARY].groupby("subjects"):
            for column in ("precision", "recall", "f1", "adjacency_f1"):
                title = f"{subjects} subjects: {column.replace('_', ' ')}"
                yield as_block(title, rows, column, "method", "network")
        if len(tables[COMMON]):
            yield f"pairs with a common cause that is not measured:\n{as_text(tables[COMMON])}"

    def draw(self, _: pd.DataFrame, tables: Tables) -> Figure:
        """Draw precision against recall of directed arrows, one panel per number of subjects."""
        summary = tables[SUMMARY]
        last = summary["network"].iloc[-1]
        summary = summary[summary["network"] == last]
        numbers = sorted(set(summary["subjects"]))
        methods = list(dict.fromkeys(summary["method"]))
        figure = new_figure(2.2 * len(numbers) + 1.0, 3.0)
        axes = figure.subplots(1, len(numbers), squeeze=False, sharey=True)[0]
        for subjects, ax in zip(numbers, axes, strict=True):
            for method in methods:
                own = summary[(summary["subjects"] == subjects) & (summary["method"] == method)]
                ax.scatter(own["recall"], own["precision"], s=24, **form(method, methods))
            ax.set_title(f"{subjects} subject{'s' * (subjects != 1)}")
            ax.set_xlabel("recall")
            ax.set_xlim(-0.03, 1.03)
            ax.set_ylim(-0.03, 1.03)
        axes[0].set_ylabel("precision")
        finish(figure, axes)
        return figure

    def _unmixing(self, method: str) -> UnmixingSettings:
        """Return the settings of one of our methods."""
        if method == OURS[0]:
            return self.unmixing
        return self.unmixing.model_copy(update={"network": NetworkSettings(twins=0)})

    def _power(self, method: str) -> PowerSettings | None:
        """Return how arrows are planted, against which claims are set as they are in a run."""
        return self.power if method == OURS[0] else None

    def _claims(self, case: NetworkCase, series: NDArray[np.float64]) -> Claimed:
        """Return what the method of a case claims."""
        if case.method in NETWORK_RIVALS:
            return claims_of(case.method, series)
        subjects, times, regions = series.shape
        blocks = np.repeat(np.arange(subjects), times)
        segments = blocks
        if subjects < _FEWEST_SEGMENTS:
            windows = max(_FEWEST_SEGMENTS, times // _VOLUMES_PER_WINDOW)
            segments = np.arange(len(blocks)) * subjects * windows // len(blocks)
        graph = discover(
            series.reshape(-1, regions),
            segments,
            blocks=blocks,
            method="network",
            seed=child_seed(self.seed, case.network, case.draw),
            unmixing=self._unmixing(case.method),
            power=self._power(case.method),
            tr=self._design(case.network).tr if _is_own(case.network) else self.tr,
        )
        x, y = np.triu_indices(regions, 1)
        edges = graph.edges
        probability, adjacent = np.zeros((2, regions, regions))
        both = edges.get("probability_both", 0.0)
        probability[x, y] = edges["probability_forward"] + both
        probability[y, x] = edges["probability_backward"] + both
        near = edges.get("probability_adjacent", 1.0 - edges["probability_none"])
        adjacent[x, y] = adjacent[y, x] = near
        arrows = graph.adjacency
        connected = (adjacent >= _LEAST_ADJACENT) | arrows | arrows.T
        return Claimed(arrows, connected, probability, adjacent >= LEAST_ADJACENT)

    def _sources(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield name, fingerprint, number of subjects and of regions of every network."""
        found = {path.stem: path for folder in self.data for path in network_files(folder)}
        for name in self.networks:
            if name not in found:
                raise SettingsError(f"No network '{name}' in the folders given with --data.")
        for name in self.networks or found:
            series, _ = read_network(found[name])
            yield name, content_of_network(found[name]), len(series), series.shape[2]
        for number in range(self.own):
            design = draw_bold_design(self._seed(number))
            yield f"{OWN} {number}", "", design.n_subjects, len(design.adjacency)

    def _read(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the series (subjects, n_times, regions), the arrows, and pairs with hidden causes.

        Of given networks the last are not known, and taken for none.
        """
        if _is_own(name):
            design = self._design(name)
            shared = np.zeros_like(design.adjacency)
            for driven in design.hidden:
                shared[np.ix_(driven, driven)] = True
            return (
                simulate_bold_network(design, seed=self._seed(_number(name))).values,
                design.adjacency,
                shared,
            )
        found = {path.stem: path for folder in self.data for path in network_files(folder)}
        series, truth = read_network(found[name])
        return series, truth, np.zeros_like(truth)

    def _design(self, name: str) -> BoldDesign:
        return draw_bold_design(self._seed(_number(name)))

    def _seed(self, number: int) -> int:
        return child_seed(self.seed, "benchmark of networks", number)


def _is_own(name: str) -> bool:
    return name.startswith(f"{OWN} ")


def _number(name: str) -> int:
    return int(name.removeprefix(f"{OWN} "))


def _common_causes(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the arrows between regions with a common cause that is not measured, by method."""
    once = (rows["cause"] < rows["effect"]) & rows[COMMON].astype(bool)
    passed = rows[once & rows["skeleton"].astype(bool)]
    return pd.DataFrame(
        {
            "subjects": subjects,
            "method": method,
            "pairs": len(own),
            **share_with_interval("arrow", int(own["joined"].astype(bool).sum()), len(own)),
        }
        for (subjects, method), own in passed.groupby(["subjects", "method"], sort=False)
    )


def _most_regions(method: str) -> int | None:
    return NETWORK_RIVALS[method].most_regions if method in NETWORK_RIVALS else None


def _scores(rows: pd.DataFrame) -> Mapping[str, float | int]:
    """Return counts, precision, recall and F1 of arrows, and of adjacent pairs."""
    claimed, true = int(rows["claimed"].sum()), int(rows["true"].sum())
    right = int((rows["claimed"] & rows["true"]).sum())
    adjacent, pairs = int(rows["adjacent"].sum()), int(rows["true_pair"].sum())
    near = int((rows["adjacent"] & rows["true_pair"]).sum())
    return {
        "true": true,
        "claimed": claimed,
        "right": right,
        "precision": right / claimed if claimed else float("nan"),
        "recall": right / true if true else float("nan"),
        "f1": 2 * right / max(claimed + true, 1),
        "adjacency_precision": near / adjacent if adjacent else float("nan"),
        "adjacency_recall": near / pairs if pairs else float("nan"),
        "adjacency_f1": 2 * near / max(adjacent + pairs, 1),
    }
