"""Write networks in the formats of other programs: a function for each."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import savemat

from causal_ivae.derivatives.files import write_json, write_table, write_text
from causal_ivae.errors import InputError
from causal_ivae.exports.network import Network

if TYPE_CHECKING:
    import networkx as nx


def _cells(items: Sequence[Any]) -> NDArray[np.object_]:
    """Return a row of MATLAB cells."""
    cells = np.empty((1, len(items)), dtype=object)
    for position, item in enumerate(items):
        cells[0, position] = item
    return cells


def _stacked(networks: Sequence[Network]) -> tuple[list[Network], NDArray[np.float64]]:
    """Return the subjects' networks, and their matrices as (n_regions, n_regions, n_subjects)."""
    subjects = [network for network in networks if network.is_subject]
    if not subjects:
        raise InputError("This format is for statistics over subjects, and no subject has a graph.")
    if len({network.names for network in subjects}) > 1:
        raise InputError("Subjects have different regions, so that their matrices do not fit.")
    return subjects, np.stack([network.weights for network in subjects], axis=2)


def _bct(networks: Sequence[Network], folder: Path) -> None:
    """Write a .mat file for each network; BCT takes row = source, column = target, as here."""
    for network in networks:
        content: dict[str, Any] = {"W": network.weights, "names": _cells(network.names)}
        if network.coordinates is not None:
            content["xyz"] = network.coordinates
        savemat(folder / f"{network.unit}_{network.method}.mat", content)


def _nbs(networks: Sequence[Network], folder: Path) -> None:
    """Write text files for the Network-Based Statistic.

    It reads symmetric matrices, so that the value of a pair is the signed difference between the
    two directions: positive if the region with the smaller number drives the other.
    """
    subjects, stack = _stacked(networks)
    (folder / "matrices").mkdir(exist_ok=True)
    upper = np.triu(stack.transpose(2, 0, 1) - stack.transpose(2, 1, 0), k=1)
    for network, matrix in zip(subjects, upper + upper.transpose(0, 2, 1), strict=True):
        np.savetxt(folder / "matrices" / f"{network.unit}.txt", matrix, fmt="%.9g")
    write_text(folder / "nodeLabels.txt", "\n".join(subjects[0].names) + "\n")
    np.savetxt(folder / "design.txt", np.ones((len(subjects), 1)), fmt="%d")
    centres = subjects[0].coordinates
    if centres is not None:
        np.savetxt(folder / "COG.txt", centres, fmt="%.4g")


def _brainnet(networks: Sequence[Network], folder: Path) -> None:
    """Write .node and .edge files for BrainNet Viewer, which draws from row to column."""
    for network in networks:
        centres = _known_places(network)
        groups = {name: i + 1 for i, name in enumerate(dict.fromkeys(network.networks))}
        degrees = (network.weights != 0).sum(axis=0) + (network.weights != 0).sum(axis=1)
        lines = [
            "\t".join(
                (
                    *(f"{value:.4g}" for value in centres[i]),
                    str(groups[network.networks[i]] if groups else 1),
                    str(int(degrees[i])),
                    name.replace(" ", "_").replace("\t", "_"),
                )
            )
            for i, name in enumerate(network.names)
        ]
        stem = f"{network.unit}_{network.method}"
        write_text(folder / f"{stem}.node", "\n".join(lines) + "\n")
        np.savetxt(folder / f"{stem}.edge", network.weights, fmt="%.9g", delimiter="\t")


def _known_places(network: Network) -> NDArray[np.float64]:
    if network.coordinates is None or np.isnan(network.coordinates).any():
        raise InputError(
            "This format needs the places of all regions, which an atlas with places gives: run "
            "with --atlas, or add columns centre_x, centre_y, centre_z to the table of regions."
        )
    return network.coordinates


def _conn(networks: Sequence[Network], folder: Path) -> None:
    """Write files as CONN's first-level ROI-to-ROI results, with row = source."""
    subjects, _ = _stacked(networks)
    for number, network in enumerate(subjects, start=1):
        centres = network.coordinates
        places = np.full((len(network.names), 3), np.nan) if centres is None else centres
        content = {
            "Z": network.weights,
            "names": _cells(network.names),
            "names2": _cells(network.names),
            "xyz": _cells([place[None] for place in places]),
            "regressors": _cells([network.unit]),
        }
        savemat(folder / f"resultsROI_Subject{number:03d}_Condition001.mat", content)
    table = pd.DataFrame(
        {"number": range(1, len(subjects) + 1), "subject": [n.unit for n in subjects]}
    )
    write_table(folder / "subjects.tsv", table)


def _digraph(network: Network) -> "nx.DiGraph[str]":
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(method=network.method, unit=network.unit)
    for i, name in enumerate(network.names):
        about: dict[str, Any] = {"label": name}
        if network.coordinates is not None and np.isfinite(network.coordinates[i]).all():
            about |= dict(zip("xyz", map(float, network.coordinates[i]), strict=True))
        if network.networks:
            about["network"] = network.networks[i]
        graph.add_node(name, **about)
    for i, j in np.argwhere(network.weights):
        graph.add_edge(network.names[i], network.names[j], weight=float(network.weights[i, j]))
    return graph


def _graphml(networks: Sequence[Network], folder: Path) -> None:
    """Write GraphML, with places as attributes of the nodes."""
    import networkx as nx

    for network in networks:
        nx.write_graphml(_digraph(network), folder / f"{network.unit}_{network.method}.graphml")


def _gexf(networks: Sequence[Network], folder: Path) -> None:
    """Write GEXF for Gephi, with places where it draws the nodes."""
    import networkx as nx

    for network in networks:
        graph = _digraph(network)
        for _, about in graph.nodes(data=True):
            if "x" in about:
                about["viz"] = {"position": {axis: about[axis] for axis in "xyz"}}
        nx.write_gexf(graph, folder / f"{network.unit}_{network.method}.gexf")


def _cytoscape(networks: Sequence[Network], folder: Path) -> None:
    """Write Cytoscape's JSON, seen from above."""
    import networkx as nx

    for network in networks:
        content = nx.cytoscape_data(_digraph(network))
        for node in content["elements"]["nodes"]:
            about = node["data"]
            if "x" in about:
                # On a screen, y grows downwards.
                node["position"] = {"x": about["x"], "y": -about["y"]}
        content["data"] = dict(content["data"])
        write_json(
            folder / f"{network.unit}_{network.method}.cyjs", json.loads(json.dumps(content))
        )


def _dcm(networks: Sequence[Network], folder: Path) -> None:
    """Write the connections of a DCM or rDCM, whose matrices have the effect in the row."""
    for network in networks:
        n = len(network.names)
        there = (network.weights.T != 0).astype(np.float64)
        np.fill_diagonal(there, 1.0)
        model = {
            "n": float(n),
            "a": there,
            "b": np.zeros((n, n, 0)),
            "c": np.zeros((n, 0)),
            "d": np.zeros((n, n, 0)),
            "Y": {"name": _cells(network.names)},
        }
        savemat(folder / f"DCM_{network.unit}_{network.method}.mat", {"DCM": model})


FORMATS: dict[str, Callable[[Sequence[Network], Path], None]] = {
    "bct": _bct,
    "nbs": _nbs,
    "brainnet": _brainnet,
    "conn": _conn,
    "gexf": _gexf,
    "graphml": _graphml,
    "cytoscape": _cytoscape,
    "dcm": _dcm,
}
"""The function that writes each format."""


def export(networks: Sequence[Network], to: str, folder: Path) -> list[Path]:
    """Write networks in one format.

    Parameters
    ----------
    networks : sequence of Network
    to : str
        A key of `FORMATS`.
    folder : pathlib.Path
        It is made if it does not exist.

    Returns
    -------
    list of pathlib.Path
        The files in the folder.

    Raises
    ------
    InputError
        If the format needs what the networks lack.
    """
    folder.mkdir(parents=True, exist_ok=True)
    FORMATS[to](networks, folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())
