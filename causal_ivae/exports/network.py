"""Make the weighted, directed network of every subject and of the group from an output folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_ivae.derivatives import CausalGraph, StudyResults, load_results
from causal_ivae.errors import InputError, SettingsError, nearest

Weights = Literal["decided", "probability", "score"]
WEIGHTS: tuple[Weights, ...] = ("decided", "probability", "score")


@dataclass(frozen=True, eq=False)
class Network:
    """Hold one network.

    Attributes
    ----------
    unit : str
        ``"sub-<label>"``, ``"group"`` or ``"pooled"``.
    method : str
    names : tuple of str, length n_regions
    weights : ndarray, shape (n_regions, n_regions), float64
        Row = cause, column = effect; 0 where there is no edge, and on the diagonal.
    coordinates : ndarray, shape (n_regions, 3), or None
        Centres of the regions (mm); NaN where one is not known.
    networks : tuple of str
        Network that the atlas counts every region to; empty if it does not say.
    """

    unit: str
    method: str
    names: tuple[str, ...]
    weights: NDArray[np.float64]
    coordinates: NDArray[np.float64] | None = None
    networks: tuple[str, ...] = ()

    @property
    def is_subject(self) -> bool:
        """Check whether it is the network of one subject."""
        return self.unit.startswith("sub-")


def networks_of(
    output: Path, method: str | None = None, weights: Weights = "decided"
) -> list[Network]:
    """Read the networks of all subjects, of the group and of the pooled fit.

    Parameters
    ----------
    output : pathlib.Path
        Output folder of ``causal-ivae run``.
    method : str or None
        Default: the first that was run.
    weights : {"decided", "probability", "score"}
        The score of decided edges, 0 elsewhere; the probability of every direction; or the signed
        score of every pair.

    Raises
    ------
    InputError
        If the folder holds no results, or the method gives no probabilities.
    SettingsError
        If the method was not run.
    """
    results = load_results(output)
    units = [(f"sub-{label}", unit) for label, unit in results.subjects.items()]
    units += [(n, u) for n, u in (("group", results.group), ("pooled", results.pooled)) if u]
    there = list(dict.fromkeys(name for _, unit in units for name in unit.methods))
    chosen = method or there[0]
    if chosen not in there:
        raise SettingsError(f"'{output}' has no results of '{chosen}'. {nearest(chosen, there)}")
    centres, networks = _places(results)
    found = []
    for name, unit in units:
        if chosen not in unit.methods:
            continue
        graph = unit.methods[chosen]
        if weights == "probability" and not _has_probabilities(graph):
            # Statistics over subjects have none, and need none where subjects do.
            if name.startswith("sub-"):
                raise InputError(
                    f"'{chosen}' gives no probabilities for {name}; use --weights score."
                )
            continue
        nowhere = [np.nan] * 3
        found.append(
            Network(
                name,
                chosen,
                graph.names,
                _weights(graph, weights),
                np.array([centres.get(r, nowhere) for r in graph.names]) if centres else None,
                tuple(networks.get(r, "") for r in graph.names) if networks else (),
            )
        )
    return found


def _has_probabilities(graph: CausalGraph) -> bool:
    column = "probability_forward"
    return column in graph.edges and bool(graph.edges[column].notna().any())


def _weights(graph: CausalGraph, weights: Weights) -> NDArray[np.float64]:
    if weights == "score":
        return graph.matrix
    if weights == "decided":
        matrix: NDArray[np.float64] = np.abs(graph.matrix) * graph.adjacency
        return matrix
    place = {name: i for i, name in enumerate(graph.names)}
    made = np.zeros((len(place), len(place)))
    edges = graph.edges
    for x, y, forward, backward in zip(
        edges["x"], edges["y"], edges["probability_forward"], edges["probability_backward"],
        strict=True,
    ):  # fmt: skip
        made[place[x], place[y]], made[place[y], place[x]] = np.nan_to_num([forward, backward])
    return made


def _places(results: StudyResults) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return where the regions are, and their networks, as any subject says."""
    centres: dict[str, list[float]] = {}
    networks: dict[str, str] = {}
    for unit in results.subjects.values():
        centres |= unit.sidecar.get("Coordinates", {})
        networks |= unit.sidecar.get("Networks", {})
    return centres, networks
