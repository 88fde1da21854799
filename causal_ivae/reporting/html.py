"""Make the self-contained pages of subjects, and what the pages about graphs share."""

import gc
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.drawing import arrows, wording
from causal_ivae.drawing.graph_figure import graph_figure
from causal_ivae.drawing.region_groups import Ring
from causal_ivae.drawing.svg import Drawing
from causal_ivae.outcomes import count_arrows, is_decided
from causal_ivae.reporting import figures, fits, summary, table_rows
from causal_ivae.reporting.brain_figure import brain_figure
from causal_ivae.reporting.circuit_figure import MOST_EDGES, circuit_figure
from causal_ivae.reporting.edge_details import edge_details
from causal_ivae.reporting.headline import poor_arrows
from causal_ivae.reporting.method_names import method_label, method_name
from causal_ivae.reporting.origin import (
    centres_of,
    methods_of,
    provenance_of,
    ring_for,
)
from causal_ivae.reporting.page_head import Navigation, head_of
from causal_ivae.reporting.references import as_bibtex
from causal_ivae.reporting.score_matrix import score_matrix, score_scale
from causal_ivae.reporting.series_source import is_simulated
from causal_ivae.reporting.subject_sections import data_parts, findings_parts
from causal_ivae.reporting.templates import render

Drawings = dict[tuple[str | None, str], Drawing]
"""Figures of a page by method (None for all methods) and name."""
_ALONE = Navigation()
_CROWDED = 30
"""A circle with more edges is hard to read."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Suspend garbage collection, which would take a quarter of the time that figures need."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@uncollected()
def subject_page(
    record: Unit, templates: Path | None = None, navigation: Navigation = _ALONE
) -> tuple[str, Drawings]:
    """Make the page of one subject, or of all subjects pooled into one series.

    Parameters
    ----------
    record : Unit
        Results, in which failed methods are absent and missing tables are None.
    templates : pathlib.Path, optional
        Folder of a user's own templates, as in `causal_ivae.reporting.templates.render`.
    navigation : Navigation
        Pages beside this one.

    Returns
    -------
    html : str
        The page, which needs no other file and no network.
    drawings : dict
        All figures of the page.
    """
    page = shared_parts(record, navigation)
    pooled = not record.name.startswith("sub-")
    page["pooled"] = pooled
    page["title"] = "All subjects pooled" if pooled else record.name
    page["kind"] = "Group report" if pooled else "Subject report"
    page |= findings_parts(record) | data_parts(record)
    return render("subject.html.jinja", page, templates), drawings_of(page)


def drawings_of(page: Mapping[str, Any]) -> Drawings:
    """Return all figures of a page."""
    found: dict[tuple[str | None, str], Drawing | None] = {
        (None, "panel"): page.get("panel"),
        (None, "series"): (page.get("series") or {}).get("figure"),
        (None, "reliability"): (page.get("calibration") or {}).get("figure"),
        (None, "share"): page.get("share"),
    }
    for method in page["methods"]:
        for name in ("graph", "circuit", "brain", "scores", "training", "power"):
            found[method["key"], name] = method[name]
    return {key: drawing for key, drawing in found.items() if drawing is not None}


def shared_parts(
    record: Unit, navigation: Navigation = _ALONE, *, n_subjects: int | None = None
) -> dict[str, Any]:
    """Return the content that all pages about graphs share."""
    names = record.names
    text, cited = methods_of(record, names, n_subjects)
    centres, ring = centres_of(record), ring_for(record)
    placed = [name for name in names if name in centres]
    return {
        "unit": record.name,
        "head": head_of(record),
        "navigation": navigation,
        "names": names,
        "simulated": is_simulated(record),
        "notes": [str(note) for note in record.sidecar.get("Notes", ())],
        "findings": summary.summary_sentences(record),
        "absent": [method_name(name) for name in summary.missing_methods(record)],
        "methods": [
            _method(index, name, method, names, centres, ring)
            for index, (name, method) in enumerate(record.methods.items())
        ],
        "legend": _legend(record),
        "scale": score_scale("fig-scale"),
        "width_of": _width_of(record),
        "has_brain": bool(placed),
        "unplaced": [name for name in names if name not in centres] if placed else [],
        "most_edges": MOST_EDGES,
        "crowded": any(count_arrows(method.edges) > _CROWDED for method in record.methods.values()),
        "prior_rows": summary.prior_rows(record.methods),
        "prior_remarks": summary.prior_remarks(record.methods),
        "methods_text": text,
        "cited": cited,
        "bibtex": b64encode(as_bibtex(cited).encode()).decode(),
        "provenance": [
            provenance_of(name, method.sidecar) for name, method in record.methods.items()
        ],
    }


def _method(
    index: int,
    name: str,
    method: CausalGraph,
    names: tuple[str, ...],
    centres: Mapping[str, Sequence[float]],
    ring: Ring | None,
) -> dict[str, Any]:
    shown = method_label(name, method.sidecar)
    judged = {edge: verdict for edge, (verdict, _) in method.verdicts.items()}
    edges = method.edges
    drawn = names, edges, judged
    prior = method.sidecar.get("Prior") or {}
    circuit = circuit_figure(
        *drawn,
        f"fig-circuit-{index}",
        shown,
        rows=prior.get("Rows", ()),
        projections=prior.get("Projections", ()),
    )
    tested = method.tested
    for row in np.flatnonzero(table_rows.untested(method) != ""):
        ends = [method.names.index(edges[end].iloc[row]) for end in ("x", "y")]
        tested[ends, ends[::-1]] = False
    scores = np.where(tested, method.matrix, np.nan)
    matrix = score_matrix(method.names, scores, method.adjacency, f"fig-scores-{index}", shown)
    training = None
    if method.training is not None and len(method.training):
        fit = "direction" if METHODS[name].fit_names else "restart"
        training = figures.training_figure(method.training, f"fig-training-{index}", shown, fit)
    alpha = method.sidecar.get("Settings", {}).get("decision", {}).get("alpha", 0.05)
    listed, left_out = table_rows.detailed(method)
    return {
        "index": index,
        "key": name,
        "name": shown,
        "graph": graph_figure(*drawn, f"fig-graph-{index}", shown, method.inputs, ring),
        "ringed": ring is not None,
        "circuit": circuit,
        "brain": brain_figure(*drawn, f"fig-brain-{index}", shown, centres),
        "confidence_name": wording.confidence_name(edges),
        "has_twins": bool(method.sidecar.get("Twins")),
        "n_directed": int(is_decided(edges).sum()),
        "has_bands": bool(prior.get("Projections")),
        "scores": matrix,
        "training": training,
        "power": (
            figures.power_figure(method.tables["power"], f"fig-power-{index}", shown)
            if "power" in method.tables
            else None
        ),
        "convergence": fits.convergence(method),
        "edges": table_rows.edge_rows(method),
        "has_interval_level": "interval_level" in method.edges,
        "details": edge_details(method),
        "details_left_out": left_out,
        "has_quality": "quality" in edges,
        "has_usable": "n_usable" in edges,
        # Where everybody is usable, the column would repeat the decision.
        "has_usable_decision": _known(edges, "usable_decision")
        and bool((edges["usable_decision"] != edges["decision"]).any()),
        "has_spread": _known(edges, "unexplained_spread"),
        "has_dependence": _known(edges, "p_dependence"),
        "n_arrows": count_arrows(edges),
        "doubtful_arrows": poor_arrows(method),
        "stability": table_rows.stability_rows(listed),
        "null_check": method.sidecar.get("NullCheck"),
        "has_prior": method.prior_check is not None,
        "tests": table_rows.pair_tests(listed),
        "has_p": bool(edges["p_value"].notna().any()),
        "has_adjacent": _known(edges, "probability_adjacent"),
        "has_leaning": _known(edges, "leaning"),
        "pairwise": isinstance(METHODS[method.estimator], PairMethod),
        "fit_names": METHODS[method.estimator].fit_names,
        "evidence": table_rows.evidence_rows(listed),
        "fits": fits.fits_sentence(method),
        "fit_reasons": fits.reason_counts(method),
        "fit_rows": fits.fit_rows(listed),
        "alpha": alpha,
    }


def _known(edges: pd.DataFrame, column: str) -> bool:
    """Check whether a column says something about any pair."""
    return column in edges and bool(edges[column].replace("", np.nan).notna().any())


def _legend(record: Unit) -> Drawing | None:
    present = set[str]()
    for method in record.methods.values():
        judged = {edge: verdict for edge, (verdict, _) in method.verdicts.items()}
        for row in arrows.edge_kinds(method.edges, judged).values():
            present |= {*row, "both"} if len(row) > 1 else set(row)
    kinds = [kind for kind in arrows.STYLES if kind in present]
    if not kinds:
        return None
    hollow = any(map(poor_arrows, record.methods.values()))
    return arrows.graph_legend(kinds, "fig-legend", _width_of(record), hollow=hollow)


def _width_of(record: Unit) -> str:
    """Return what arrows are drawn thicker for, which the methods may state differently."""
    names = (wording.confidence_name(method.edges) for method in record.methods.values())
    return " or ".join(dict.fromkeys(names))
