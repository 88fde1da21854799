"""Make the pages over a whole output folder: the index of subjects and the methods compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing import wording
from causal_ivae.reporting import html, summary, tables
from causal_ivae.reporting.fits import VERDICTS
from causal_ivae.reporting.method_names import method_label, method_name
from causal_ivae.reporting.templates import render
from causal_ivae.reporting.verdict import verdicts_of

UNKNOWN = "not known"
"""This word stands for the verdict on a subject without results."""


@dataclass(frozen=True)
class IndexRow:
    """Hold the row of one subject in the index; `link` is its page's file name, if it has one."""

    unit: str
    link: str | None
    state: str
    message: str
    quality: str
    sentence: str
    kept: int | None
    acquired: int | None
    motion: float | None
    directions: tuple[int | None, ...]


@dataclass(frozen=True)
class PairRow:
    """Hold the decisions of all methods for one pair, and how they compare."""

    x: str
    y: str
    decisions: tuple[str, ...]
    outcome: str


def index_row(record: Unit, state: str, message: str, methods: Sequence[str]) -> IndexRow:
    """Make a subject's row of the index, in which the first method's verdict stands for all.

    Parameters
    ----------
    record : Unit
        The subject's results; it has no methods if there are none.
    state : str
        State of the subject in the latest run that included it.
    message : str
        Message of that run.
    methods : sequence of str
        Methods that have a column in the index.
    """
    verdicts = verdicts_of(record)
    volumes = record.outliers
    motion = None
    if volumes is not None and volumes["framewise_displacement"].notna().any():
        motion = float(volumes["framewise_displacement"].mean())
    return IndexRow(
        unit=record.name,
        link=quote(f"{record.name}.html") if record.methods else None,
        state=state,
        message=message,
        quality=verdicts[0].word if verdicts else UNKNOWN,
        sentence=verdicts[0].sentence if verdicts else "",
        kept=None if volumes is None else int(volumes["kept"].sum()),
        acquired=None if volumes is None else len(volumes),
        motion=motion,
        directions=tuple(_directions(record, method) for method in methods),
    )


def render_index(
    rows: Sequence[IndexRow],
    methods: Sequence[str],
    pages: Sequence[tuple[str, str]],
    templates: Path | None = None,
) -> str:
    """Make the page that lists all subjects.

    Parameters
    ----------
    rows : sequence of IndexRow
    methods : sequence of str
        As in `index_row`.
    pages : sequence of (str, str)
        File name and link text of the other pages.
    templates : pathlib.Path, optional
        As in `causal_ivae.reporting.html.subject_page`.
    """
    states = sorted({row.state for row in rows})
    qualities = [word for word in (*VERDICTS, UNKNOWN) if any(row.quality == word for row in rows)]
    counts = [f"{sum(row.quality == word for row in rows)} {word}" for word in qualities]
    return render(
        "index.html.jinja",
        {
            "unit": "all subjects",
            "kind": "Cohort",
            "title": "All subjects",
            "simulated": False,
            "rows": rows,
            "states": states,
            "qualities": qualities,
            "pages": pages,
            "methods": [method_name(method) for method in methods],
            "counted": f"{wording.count(len(rows), 'subject')}: {wording.listed(counts)}.",
        },
        templates,
    )


def render_compare(
    record: Unit, subjects: Mapping[str, Unit], templates: Path | None = None
) -> str:
    """Make the page that compares the methods.

    Parameters
    ----------
    record : Unit
        The group, or one subject, whose graphs are drawn.
    subjects : mapping of str to Unit
        The subjects, by unit, in which agreement is counted.
    templates : pathlib.Path, optional
        As in `causal_ivae.reporting.html.subject_page`.
    """
    page = html.shared_parts(record)
    page["kind"], page["title"] = "Comparison of methods", "Methods compared"
    page["of"] = "the group" if record.name == "group" else record.name
    page["pairs"] = pair_rows(record)
    page["agreement"] = summary.agreement_sentences(record)
    labels = {name: method_label(name, m.sidecar) for name, m in record.methods.items()}
    page["couples"] = [(labels[a], labels[b]) for a, b in combinations(labels, 2)]
    page["subject_rows"] = [
        (unit, quote(f"{unit}.html"), _agreements(subject, tuple(labels)))
        for unit, subject in subjects.items()
    ]
    return render("compare.html.jinja", page, templates)


def pair_rows(record: Unit) -> list[PairRow]:
    """Return one row per pair: first those with opposite directions, then those that agree."""
    decided: dict[tuple[str, str], list[str]] = {}
    for method in record.methods.values():
        edges = method.edges
        for edge in edges.to_dict("records"):
            decided.setdefault((edge["x"], edge["y"]), []).append(str(edge["decision"]))
    rows = [
        PairRow(x, y, tuple(_words(x, y, decision) for decision in found), _outcome(found))
        for (x, y), found in decided.items()
        if len(found) == len(record.methods)
    ]
    order = ("opposite directions", "same direction", "one direction", "no direction")
    return sorted(rows, key=lambda row: order.index(row.outcome))


def _outcome(decisions: Sequence[str]) -> str:
    directed = [decision for decision in decisions if "->" in decision]
    if len(set(directed)) > 1:
        return "opposite directions"
    if len(directed) > 1:
        return "same direction"
    return "one direction" if directed else "no direction"


def _words(x: str, y: str, decision: str) -> str:
    return {"x->y": f"{x} → {y}", "y->x": f"{y} → {x}"}.get(decision, decision)


def _directions(record: Unit, method: str) -> int | None:
    if method not in record.methods:
        return None
    return int((record.methods[method].edges["cause"] != "").sum())


def _agreements(record: Unit, names: Sequence[str]) -> list[tuple[int, int] | None]:
    return [
        tables.same_direction(record.methods[a], record.methods[b])
        if a in record.methods and b in record.methods
        else None
        for a, b in combinations(names, 2)
    ]
