"""What tests look for in an SVG figure."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd

SVG = "{http://www.w3.org/2000/svg}"


def edge_table(rows):
    """Return an edge table of rows (x, y, decision, score, confidence)."""
    table = pd.DataFrame(rows, columns=["x", "y", "decision", "score", "confidence"])
    directed = table["decision"].isin(["x->y", "y->x"])
    forward = table["decision"] == "x->y"
    table["cause"] = np.where(directed, np.where(forward, table["x"], table["y"]), "")
    table["effect"] = np.where(directed, np.where(forward, table["y"], table["x"]), "")
    return table


def drawn(figure, *arguments, **options):
    """Return the SVG element that a figure function draws; None where it draws nothing."""
    drawing = figure(*arguments, **options)
    return drawing and drawing.svg


def texts(svg):
    return [node.text for node in ET.fromstring(svg).iter(f"{SVG}text")]


def heads(svg, color):
    """Return the arrow heads, as arrays of corners in drawing coordinates."""
    found = []
    for path in ET.fromstring(svg).iter(f"{SVG}path"):
        shape = path.get("d") or ""
        if path.get("fill") == color and "Z" in shape:
            numbers = [float(v) for v in re.findall(r"-?[\d.]+", shape)]
            found.append(np.array(numbers).reshape(-1, 2))
    return found


def part(svg, identifier):
    """Return the points of the path with an identifier."""
    for path in ET.fromstring(svg).iter(f"{SVG}path"):
        if path.get("id") == identifier:
            shape = path.get("d")
            return np.array([float(v) for v in re.findall(r"-?[\d.]+", shape)]).reshape(-1, 2)
    raise AssertionError(identifier)


def label_position(svg, name):
    for node in ET.fromstring(svg).iter(f"{SVG}text"):
        if node.text == name:
            return np.array([float(node.get("x")), float(node.get("y"))])
    raise AssertionError(name)


def size(svg):
    return [float(v) for v in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()]
