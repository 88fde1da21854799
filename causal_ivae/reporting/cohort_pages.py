"""Make the pages over a whole output folder: the index of subjects and the methods compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing import wording
from causal_ivae.outcomes import DIRECTIONS, count_arrows, is_decided, outcomes_of
from causal_ivae.reporting import html, summary, table_rows
from causal_ivae.reporting.fits import UNKNOWN, USABLE, VERDICTS
from causal_ivae.reporting.method_names import method_label, method_name
from causal_ivae.reporting.quality import quality_sentences
from causal_ivae.reporting.templates import render
from causal_ivae.reporting.verdict import verdicts_of
from causal_ivae.reporting.volume_counts import Volumes, volumes_of

_OUTCOMES = (
    "opposite directions", "both directions or one", "same direction", "one direction",
    "no direction",
)  # fmt: skip
"""How the methods compare on a pair, in the order of the page; the last two by one or no method."""


@dataclass(frozen=True)
class IndexRow:
    """Hold the row of one subject in the index; `link` is its page's file name, if it has one."""

    unit: str
    link: str | None
    state: str
    message: str
    quality: str
    sentence: str
    volumes: Volumes | None
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
    table = record.outliers
    motion = None
    if table is not None and table["framewise_displacement"].notna().any():
        motion = float(table["framewise_displacement"].mean())
    return IndexRow(
        unit=record.name,
        link=quote(f"{record.name}.html") if record.methods else None,
        state=state,
        message=message,
        quality=_quality(record),
        sentence=verdicts[0].sentence if verdicts else "",
        volumes=volumes_of(record),
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
    page["agreement"] = [
        *quality_sentences(record),
        *(verdict.sentence for verdict in verdicts_of(record) if record.name != "group"),
        *summary.agreement_sentences(record),
    ]
    labels = {name: method_label(name, m.sidecar) for name, m in record.methods.items()}
    page["couples"] = [(labels[a], labels[b]) for a, b in combinations(labels, 2)]
    page["subject_rows"] = [
        (unit, quote(f"{unit}.html"), _quality(subject), _agreements(subject, tuple(labels)))
        for unit, subject in subjects.items()
    ]
    return render("compare.html.jinja", page, templates)


def pair_rows(record: Unit) -> list[PairRow]:
    """Return one row per pair: first those with opposite directions, then those that agree."""
    decided: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for method in record.methods.values():
        edges = method.edges
        pairs = zip(edges["x"], edges["y"], strict=True)
        for pair, outcome, doubt in zip(pairs, outcomes_of(edges), _doubts(edges), strict=True):
            decided.setdefault(pair, []).append((str(outcome), doubt))
    rows = [
        PairRow(
            x,
            y,
            tuple(_words(x, y, outcome) + doubt for outcome, doubt in found),
            _outcome([outcome for outcome, _ in found]),
        )
        for (x, y), found in decided.items()
        if len(found) == len(record.methods)
    ]
    return sorted(rows, key=lambda row: _OUTCOMES.index(row.outcome))


def _doubts(edges: pd.DataFrame) -> list[str]:
    """Return for every pair with an arrow what is known against its fit, in words."""
    doubts = pd.Series("", index=edges.index)
    if "n_usable" in edges:
        known = edges["n_usable"].notna() & (edges["n_usable"] < edges["n_subjects"])
        for row in edges.index[known]:
            usable, of = edges.loc[row, ["n_usable", "n_subjects"]].astype(int)
            doubts[row] = f" ({usable} of {of} fits usable)"
    elif "quality" in edges:
        bad = ~edges["quality"].isin(["", USABLE])
        doubts[bad] = " (fit " + edges["quality"][bad] + ")"
    return list(doubts.where(is_decided(edges), ""))


def _outcome(decisions: Sequence[str]) -> str:
    directed = [decision for decision in decisions if decision in (*DIRECTIONS, "both")]
    if set(DIRECTIONS) <= set(directed):
        return _OUTCOMES[0]
    if len(set(directed)) > 1:
        return _OUTCOMES[1]
    if len(directed) > 1:
        return _OUTCOMES[2]
    return _OUTCOMES[3] if directed else _OUTCOMES[4]


def _words(x: str, y: str, outcome: str) -> str:
    arrows = {"x->y": f"{x} → {y}", "y->x": f"{y} → {x}", "both": f"{x} ↔ {y}"}
    return arrows.get(outcome, outcome)


def _quality(record: Unit) -> str:
    """Return the verdict of the first method that has one."""
    verdicts = verdicts_of(record)
    return verdicts[0].word if verdicts else UNKNOWN


def _directions(record: Unit, method: str) -> int | None:
    if method not in record.methods:
        return None
    return count_arrows(record.methods[method].edges)


def _agreements(record: Unit, names: Sequence[str]) -> list[tuple[int, int] | None]:
    return [
        table_rows.same_direction(record.methods[a], record.methods[b])
        if a in record.methods and b in record.methods
        else None
        for a, b in combinations(names, 2)
    ]
