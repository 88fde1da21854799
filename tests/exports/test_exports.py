"""Every format is read back as the program that it is for reads it."""

import json

import networkx as nx
import numpy as np
import pytest
import scipy.io

from causal_ivae.commands.export import _FORMATS
from causal_ivae.errors import InputError
from causal_ivae.exports import FORMATS, Network, export

NAMES = ("Hip L", "ERC", "PHC")
# One arrow from the first to the third, one from the third to the second.
WEIGHTS = np.array([[0, 0, 0.8], [0, 0, 0], [0, 0.3, 0]])
CENTRES = np.array([[-20.0, -30, -10], [-22, -8, -30], [24, -30, -16]])


@pytest.fixture
def networks():
    def made(unit, weights):
        return Network(unit, "network", NAMES, weights, CENTRES, ("a", "b", "a"))

    return [made("sub-01", WEIGHTS), made("sub-02", 2 * WEIGHTS), made("group", WEIGHTS)]


def test_the_command_offers_every_format():
    assert set(_FORMATS) == set(FORMATS)


def test_bct(networks, tmp_path):
    export(networks, "bct", tmp_path)
    content = scipy.io.loadmat(tmp_path / "sub-02_network.mat")
    np.testing.assert_array_equal(content["W"], 2 * WEIGHTS)
    np.testing.assert_array_equal(content["xyz"], CENTRES)
    assert [str(cell[0]) for cell in content["names"][0]] == list(NAMES)


def test_nbs(networks, tmp_path):
    export(networks, "nbs", tmp_path)
    assert sorted(f.name for f in (tmp_path / "matrices").iterdir()) == ["sub-01.txt", "sub-02.txt"]
    matrix = np.loadtxt(tmp_path / "matrices" / "sub-01.txt")
    np.testing.assert_array_equal(matrix, matrix.T)
    # Positive: the region with the smaller number drives the other.
    assert (matrix[0, 2], matrix[1, 2], matrix[0, 1]) == (0.8, -0.3, 0)
    assert np.loadtxt(tmp_path / "design.txt").tolist() == [1, 1]
    assert (tmp_path / "nodeLabels.txt").read_text().splitlines() == list(NAMES)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "COG.txt"), CENTRES)


def test_brainnet(networks, tmp_path):
    export(networks, "brainnet", tmp_path)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "sub-01_network.edge"), WEIGHTS)
    rows = [line.split() for line in (tmp_path / "group_network.node").read_text().splitlines()]
    assert [row[-1] for row in rows] == ["Hip_L", "ERC", "PHC"]
    assert [float(v) for v in rows[1][:3]] == CENTRES[1].tolist()
    assert [row[3] for row in rows] == ["1", "2", "1"]
    assert [row[4] for row in rows] == ["1", "1", "2"]


def test_conn(networks, tmp_path):
    export(networks, "conn", tmp_path)
    content = scipy.io.loadmat(tmp_path / "resultsROI_Subject002_Condition001.mat")
    np.testing.assert_array_equal(content["Z"], 2 * WEIGHTS)
    np.testing.assert_array_equal(content["xyz"][0, 2].ravel(), CENTRES[2])
    assert [str(cell[0]) for cell in content["names2"][0]] == list(NAMES)


@pytest.mark.parametrize("to", ["gexf", "graphml", "cytoscape"])
def test_graphs(networks, tmp_path, to):
    export(networks, to, tmp_path)
    if to == "cytoscape":
        content = json.loads((tmp_path / "sub-01_network.cyjs").read_text())
        graph = nx.cytoscape_graph(content)
        assert content["elements"]["nodes"][0]["position"] == {"x": -20, "y": 30}
    else:
        read = nx.read_gexf if to == "gexf" else nx.read_graphml
        graph = read(tmp_path / f"sub-01_network.{to}")
    edges = {(a, b): about["weight"] for a, b, about in graph.edges(data=True)}
    assert edges == {("Hip L", "PHC"): 0.8, ("PHC", "ERC"): 0.3}
    assert graph.is_directed()
    node = graph.nodes["ERC"]
    place = node["viz"]["position"] if to == "gexf" else node
    assert [float(place[axis]) for axis in "xyz"] == CENTRES[1].tolist()
    assert node["network"] == "b"


def test_dcm_has_the_effect_in_the_row(networks, tmp_path):
    export(networks, "dcm", tmp_path)
    model = scipy.io.loadmat(tmp_path / "DCM_group_network.mat", simplify_cells=True)["DCM"]
    assert model["a"].tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]
    assert list(model["Y"]["name"]) == list(NAMES)


def test_what_a_format_needs_is_said(networks, tmp_path):
    nowhere = Network("sub-01", "network", NAMES, WEIGHTS)
    with pytest.raises(InputError, match="needs the places of all regions"):
        export([nowhere], "brainnet", tmp_path)
    with pytest.raises(InputError, match="no subject has a graph"):
        export(networks[2:], "nbs", tmp_path)
