"""Make the page of the group from its result files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.names import POOLED
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing import wording
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.svg import Drawing
from causal_ivae.outcomes import USABLE
from causal_ivae.reporting import figures, group_rows, group_summary, html, summary
from causal_ivae.reporting.contrast_figure import contrast_figure
from causal_ivae.reporting.fits import UNKNOWN, VERDICTS
from causal_ivae.reporting.forest import Forest, SubjectScores, forest_of
from causal_ivae.reporting.group_summary import Main
from causal_ivae.reporting.inputs_text import inputs_sentences
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.origin import most_subjects, ring_for
from causal_ivae.reporting.page_head import Navigation
from causal_ivae.reporting.templates import render
from causal_ivae.reporting.twins_text import twins_sentences

_WITH_PAGE = ("done", "up to date", "excluded")
"""Subjects in these states have a page of their own."""
_MODEL_ROWS = 200
"""A table of the model over subjects has at most this many rows."""
_MOST_BADGES = 60
"""The top of the page names at most this many subjects, first those that are not usable."""


@html.uncollected()
def group_page(
    record: Unit,
    subjects: Sequence[Mapping[str, Any]],
    templates: Path | None = None,
    *,
    pooled: Unit | None = None,
    scores: Mapping[str, SubjectScores] = MappingProxyType({}),
) -> tuple[str, html.Drawings]:
    """Make the page of the group.

    Parameters
    ----------
    record : Unit
        Results of the group, whose edges have the columns of `causal_ivae.group`.
    subjects : sequence of mappings
        ``label`` (with or without ``sub-``), ``state`` ("done", "up to date", "failed" or
        "skipped", which has no results), ``seconds``, ``message`` and ``quality`` of every subject.
    templates : pathlib.Path, optional
        As in `causal_ivae.reporting.html.subject_page`.
    pooled : Unit, optional
        Results of one fit of all subjects, for comparison.
    scores : mapping of str to SubjectScores
        Scores of the subjects by method, for the forest of a pair.

    Returns
    -------
    html : str
        The page, which needs no other file and no network, but links to the subjects' pages.
    drawings : dict
        As in `causal_ivae.reporting.html.subject_page`.
    """
    page = html.shared_parts(record, Navigation(group=True), n_subjects=most_subjects(record))
    main = group_summary.main_graph(record, pooled)
    page |= {
        "title": "Group",
        "kind": "Group report",
        "count_line": group_summary.count_sentence(subjects, _first_judge(record)),
        "verdict_line": group_summary.verdict_line(main),
        "advice_line": group_summary.advice_line(record, main, subjects),
        "numbers": [] if main is None else group_summary.numbers(main),
        "main": None if main is None else _picture(main, record),
        "power": None if main is None else _power(main),
        "method_rows": group_summary.method_rows(record, pooled),
        "unanimity": group_summary.unanimity_sentence(record),
        "remarks": _remarks(record),
        "comparable": len(record.methods) > 1,
    }
    page["subjects"] = [_subject(subject) for subject in subjects]
    shown = sorted(page["subjects"], key=lambda s: _worst_first(s["quality"]))
    page["badges"] = sorted(shown[:_MOST_BADGES], key=lambda s: s["unit"])
    page["beside"] = None if pooled is None else _beside(record, pooled)
    page["models"] = [
        _model(name, method) for name, method in record.methods.items() if method.model is not None
    ]
    for method in page["methods"]:
        known = scores.get(method["key"])
        graph = record.methods[method["key"]]
        method["forest"] = (
            Forest("", {}) if known is None else forest_of(graph, known, len(record.methods))
        )
    shares = {
        method_label(name, method.sidecar): method.edges
        for name, method in record.methods.items()
        if "share_low" in method.edges and len(method.edges)
    }
    page["share"] = figures.share_figure(shares, "fig-share") if shares else None
    drawings = html.drawings_of(page)
    if page["power"] is not None:
        drawings[None, "power"] = page["power"]
    for model in page["models"]:
        if model["figure"] is not None:
            drawings[model["key"], "model"] = model["figure"]
    return render("group.html.jinja", page, templates), drawings


def _picture(main: Main, record: Unit) -> dict[str, Any]:
    """Return the drawing at the top."""
    graph = main.graph
    judged = {edge: verdict for edge, (verdict, _) in graph.verdicts.items()}
    drawn = graph.names, graph.edges, judged, "fig-main", main.label
    return {
        "label": main.label,
        "pooled": main.pooled,
        "figure": graph_figure(*drawn, graph.inputs, ring_for(record)),
        "judged": bool(judged),
        "inputs": graph.inputs,
    }


def _power(main: Main) -> Drawing | None:
    """Draw what planted arrows show that the main graph could decide; None if it is not known."""
    table = main.graph.tables.get("power")
    if table is None or not main.graph.sidecar.get("Power"):
        return None
    return figures.power_figure(table, "fig-power", main.label)


def _remarks(record: Unit) -> list[str]:
    """Return what the table at the top has no column for: cycles, known inputs, assumptions."""
    sentences = []
    for name, method in record.methods.items():
        label = method_label(name, method.sidecar)
        sentences += summary.cycle_sentences(label, method) + inputs_sentences(label, method)
    return sentences


def _beside(record: Unit, pooled: Unit) -> dict[str, Any]:
    """Return what the page says of one fit of all subjects."""
    labels = {name: method_label(name, graph.sidecar) for name, graph in pooled.methods.items()}
    return {
        "sentences": [
            sentence
            for name, graph in pooled.methods.items()
            for sentence in twins_sentences(labels[name], graph)
        ],
        "link": f"{POOLED}.html",
        "methods": [
            (
                method_label(name, method.sidecar),
                group_rows.beside_rows(method, other),
                wording.confidence_name(other.edges),
            )
            for name, method in record.methods.items()
            if (other := pooled.methods.get(name)) is not None
        ],
    }


def _model(name: str, method: CausalGraph) -> dict[str, Any]:
    about = method.sidecar.get("Model", {})
    assert method.model is not None
    reasons: dict[str, list[str]] = {}
    for unit, reason in about.get("LeftOut", {}).items():
        reasons.setdefault(reason, []).append(unit)
    label = method_label(name, method.sidecar)
    alpha = group_summary.group_settings(method).alpha
    return {
        "key": name,
        "name": label,
        "formula": about.get("Formula", ""),
        "n_subjects": len(about.get("Subjects", ())),
        "left_out": reasons,
        "untested": about.get("Untested", {}),
        "alpha": alpha,
        "found": summary.model_counts(method),
        "figure": contrast_figure(method.model, alpha, f"fig-model-{name}", label),
        "rows": group_rows.model_rows(method, _MODEL_ROWS),
        "n_rows": int(group_rows.tested_terms(method.model).sum()),
    }


def _first_judge(record: Unit) -> str:
    """Return the name of the first method that has a verdict on a subject."""
    for name, method in record.methods.items():
        if set(method.sidecar.get("Quality", {}).values()) - {UNKNOWN}:
            return method_label(name, method.sidecar)
    return ""


def _worst_first(quality: str) -> int:
    """Return the place of a verdict in a list that begins with the worst."""
    order = (*reversed(VERDICTS[1:]), UNKNOWN, "", USABLE)
    return order.index(quality) if quality in order else 0


def _subject(subject: Mapping[str, Any]) -> dict[str, Any]:
    unit = f"sub-{str(subject['label']).removeprefix('sub-')}"
    message = subject.get("message")
    return {
        "unit": unit,
        "state": str(subject["state"]),
        "quality": str(subject.get("quality") or ""),
        "seconds": subject.get("seconds"),
        "message": "" if wording.is_missing(message) else str(message),
        # A subject that failed or has no results may have no page.
        "link": quote(f"{unit}.html") if subject["state"] in _WITH_PAGE else None,
    }
