"""Make what only the pages of subjects and of pooled series have: findings first, and the data."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.panel_figure import Panel, method_panel, panel_figure, prior_panel
from causal_ivae.drawing.svg import Drawing
from causal_ivae.reporting.headline import headline_of
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.method_table import method_rows
from causal_ivae.reporting.no_arrow import no_arrows
from causal_ivae.reporting.origin import calibration_of, centres_of, ring_for
from causal_ivae.reporting.pair_panels import has_many_segments, pair_panels
from causal_ivae.reporting.series_figure import series_figure
from causal_ivae.reporting.series_source import from_images
from causal_ivae.reporting.solid_brain import solid_brain
from causal_ivae.reporting.summary import background_sentences
from causal_ivae.reporting.verdict import verdicts_of
from causal_ivae.reporting.volume_counts import segment_rows, volumes_of

_TYPES = {"pdf": "application/pdf", "png": "image/png"}
"""The files that the page carries; its script saves the drawing itself as SVG."""
_UNDIRECTED = "Prior (no directions)"


def findings_parts(record: Unit) -> dict[str, Any]:
    """Return what the head of the page shows: the headline, the picture, and a row per method."""
    panel = _panel(record)
    return {
        "headline": headline_of(record),
        "method_rows": method_rows(record),
        "no_arrows": no_arrows(record),
        "background": background_sentences(record),
        "verdicts": verdicts_of(record),
        "panel": panel,
        "solid": solid_brain(record, centres_of(record)),
        "downloads": [] if panel is None else _downloads(panel, record.name),
        "calibration": calibration_of(record),
    }


def data_parts(record: Unit) -> dict[str, Any]:
    """Return what the page shows of the data: series, segments, coverage, and pairs."""
    panels, left_out = pair_panels(record)
    return {
        "series": _series(record),
        "region_map": record.region_map and b64encode(record.region_map.read_bytes()).decode(),
        "anatomy": record.sidecar.get("RegionMapAnatomy"),
        "segments": segment_rows(record),
        "cleaning": list(record.sidecar.get("Cleaning", ())),
        "excluded": list(record.sidecar.get("ExcludedRuns", ())),
        "panels": panels,
        "panels_left_out": left_out,
        "many_segments": has_many_segments(record),
        "coverage": list(record.sidecar.get("Coverage", {}).items()),
    }


def _panel(record: Unit) -> Drawing | None:
    """Draw the prior and the graphs of all methods in one row."""
    if not record.methods:
        return None
    first = next(iter(record.methods.values()))
    panels: list[Panel] = []
    prior = first.sidecar.get("Prior") or {}
    if prior.get("Projections"):
        directed = bool(prior.get("Directed", True))
        ends = zip(first.edges["x"], first.edges["y"], strict=True)
        rows = {frozenset(pair): row for row, pair in enumerate(ends)}
        title = "Prior" if directed else _UNDIRECTED
        panels.append(prior_panel(title, prior["Projections"], rows, directed=directed))
    for index, (name, method) in enumerate(record.methods.items()):
        judged = {edge: verdict for edge, (verdict, _) in method.verdicts.items()}
        label = method_label(name, method.sidecar)
        panels.append(method_panel(str(index), label, method.edges, judged))
    return panel_figure(record.names, panels, ring_for(record), "fig-panel", first.inputs)


def _downloads(panel: Drawing, unit: str) -> list[tuple[str, str, str]]:
    """Return kind, name and content (as an address) of the files of the figure."""
    return [
        (
            kind,
            f"{unit}_panel.{kind}",
            f"data:{media};base64,{b64encode(panel.files[kind]).decode()}",
        )
        for kind, media in _TYPES.items()
    ]


def _series(record: Unit) -> dict[str, Any] | None:
    if record.timeseries is None or not len(record.timeseries):
        return None
    settings: Mapping[str, Any] = next(
        (m.sidecar.get("Settings", {}) for m in record.methods.values()), {}
    )
    threshold = settings.get("denoise", {}).get("fd_threshold")
    measured = record.outliers is not None and bool(
        record.outliers["framewise_displacement"].notna().any()
    )
    used = [name for name in record.names if name in record.timeseries]
    tr = record.sidecar.get("RepetitionTime")
    threshold = threshold if measured and from_images(record) else None
    coverage = record.sidecar.get("Coverage", {}) if from_images(record) else {}
    figure = series_figure(
        record.timeseries[used], record.outliers, tr, threshold, "fig-series", coverage
    )
    volumes = volumes_of(record)
    return {
        "figure": figure,
        "volumes": volumes,
        "n_kept": len(record.timeseries),
        "tr": tr,
        "measured": measured,
        "threshold": threshold,
        "kind": record.sidecar.get("SegmentKind", "segments"),
        "covered": bool(coverage),
        "sources": [str(source) for source in record.sidecar.get("Sources", ())],
    }
