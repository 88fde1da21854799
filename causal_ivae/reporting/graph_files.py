"""Write graphs in the formats of other programs: GraphML, DOT, node-link JSON and a table."""

import io
import json
from collections.abc import Mapping
from typing import Any

import networkx as nx
import pandas as pd

from causal_ivae.derivatives.digraphs import undecided_text
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.svg import Drawing
from causal_ivae.drawing.wording import count
from causal_ivae.outcomes import USABLE
from causal_ivae.reporting.verdict import verdict_of

_NUMBERS = ("score", "p_value", "q_value", "confidence")
_OTHERS = (
    "interval_level", "probability_both", "probability_adjacent", "quality", "n_subjects",
    "n_usable", "usable_decision", "prior", "prior_path",
)  # fmt: skip
"""The table has these columns only if an edge has them."""

Files = dict[tuple[str | None, str], bytes]
"""Contents of files by method (None for all methods) and suffix, for instance ``graph.dot``."""
Drawings = Mapping[tuple[str | None, str], Drawing]
"""Drawings of a page by method (None for all methods) and name."""


def unit_files(record: Unit) -> Files:
    """Return the files of every method's graph, which says what is known of its quality."""
    files: Files = {}
    for name, method in record.methods.items():
        graph = method.graph
        graph.graph |= _quality(record, name)
        if undecided := undecided_text(method.edges):
            graph.graph["undecided"] = undecided
        files |= {(name, f"graph.{kind}"): text for kind, text in graph_files(graph).items()}
    return files


def _quality(record: Unit, method: str) -> dict[str, str]:
    """Return what is known of the quality of a subject's results, or of those of a group."""
    about = record.methods[method].sidecar
    if "Subjects" in about:
        known = about.get("Quality", {})
        usable = sum(word == USABLE for word in known.values())
        return {"quality": f"{usable} of {count(len(known), 'subject')} usable"} if known else {}
    verdict = verdict_of(record, method)
    return {} if verdict is None else {"quality": verdict.word, "reasons": verdict.sentence}


def drawing_files(drawings: Drawings) -> Files:
    """Return the files of every drawing of a page, ``<name>.svg`` and so on."""
    return {
        (method, f"{name}.{kind}"): content
        for (method, name), drawing in drawings.items()
        for kind, content in drawing.files.items()
    }


def graph_files(graph: "nx.DiGraph[str]") -> dict[str, bytes]:
    """Return the content of one file per format, by suffix: graphml, dot, json, tsv.

    Notes
    -----
    The JSON is networkx's node-link format with the key ``edges``.  The table has one row per edge
    with ``source``, ``target`` and its attributes, so that it lacks regions without an edge.
    """
    graphml = io.BytesIO()
    nx.write_graphml(graph, graphml)
    linked = nx.node_link_data(graph, edges="edges")
    # networkx's own table would have its columns in the random order of a set.
    attributes = (*_NUMBERS, *_OTHERS)
    known = {name for *_, about in graph.edges(data=True) for name in about} | set(_NUMBERS)
    columns = ["source", "target", *(name for name in attributes if name in known)]
    frame = pd.DataFrame(
        [{"source": x, "target": y, **about} for x, y, about in graph.edges(data=True)],
        columns=columns,
    )
    table = frame.to_csv(sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    return {
        "graphml": graphml.getvalue(),
        "dot": _dot(graph).encode(),
        "json": (json.dumps(linked, indent=2, ensure_ascii=False) + "\n").encode(),
        "tsv": table.encode(),
    }


def _dot(graph: "nx.DiGraph[str]") -> str:
    # networkx does not quote names.
    listed = ", ".join(f"{key}={_quoted(value)}" for key, value in graph.graph.items())
    lines = ["digraph {", f"  graph [{listed}];"]
    for node, about in graph.nodes(data=True):
        shape = " [kind=input, shape=box]" if about.get("kind") == "input" else ""
        lines.append(f"  {_quoted(node)}{shape};")
    for cause, effect, about in graph.edges(data=True):
        listed = ", ".join(f"{key}={_quoted(value)}" for key, value in about.items())
        lines.append(f"  {_quoted(cause)} -> {_quoted(effect)} [{listed}];")
    return "\n".join([*lines, "}", ""])


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
