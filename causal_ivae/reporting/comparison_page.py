"""Make the page that compares the methods: their graphs, pair by pair, and by subject."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from causal_ivae.derivatives.names import GROUP
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import count
from causal_ivae.outcomes import DIRECTIONS, USABLE, is_decided, outcomes_of
from causal_ivae.reporting import group_summary, html
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.method_table import method_rows
from causal_ivae.reporting.page_head import Navigation
from causal_ivae.reporting.recorded import readable
from causal_ivae.reporting.subject_summary import SubjectSummary
from causal_ivae.reporting.templates import render

_OUTCOMES = (
    "opposite directions", "both directions or one", "same direction", "one direction",
    "no direction",
)  # fmt: skip
"""How the methods compare on a pair, in the order of the page; the last two by one or no method."""


@dataclass(frozen=True)
class PairRow:
    """Hold the decisions of all methods for one pair, and how they compare."""

    x: str
    y: str
    decisions: tuple[str, ...]
    outcome: str


def render_compare(
    record: Unit, subjects: Mapping[str, SubjectSummary], templates: Path | None = None
) -> str:
    """Make the page that compares the methods.

    Parameters
    ----------
    record : Unit
        The group, or one subject, whose graphs are drawn.
    subjects : mapping of str to SubjectSummary
        The subjects, by unit, in which agreement is counted.
    templates : pathlib.Path, optional
        As in `causal_ivae.reporting.html.subject_page`.
    """
    record = readable(record)
    page = html.shared_parts(record, Navigation(group=record.name == GROUP))
    page["kind"], page["title"] = "Comparison of methods", "Methods compared"
    page["of"] = "the group" if record.name == GROUP else record.name
    page["pairs"] = pair_rows(record)
    page["verdict"], page["advice"] = _words_on_all(page["pairs"])
    of_group = record.name == GROUP
    page["of_group"] = of_group
    page["method_rows"] = (group_summary.method_rows if of_group else method_rows)(record)
    labels = {name: method_label(name, m.sidecar) for name, m in record.methods.items()}
    page["couples"] = [(labels[a], labels[b]) for a, b in combinations(labels, 2)]
    page["agreement"] = [
        (labels[a], labels[b], *same_direction(record.methods[a], record.methods[b]))
        for a, b in combinations(labels, 2)
    ]
    page["subject_rows"] = [
        (
            unit,
            quote(f"{unit}.html"),
            subject.quality,
            [subject.agreement(a, b) for a, b in combinations(labels, 2)],
        )
        for unit, subject in subjects.items()
    ]
    return render("compare.html.jinja", page, templates)


def _words_on_all(rows: Sequence[PairRow]) -> tuple[str, str]:
    """Say in one sentence how the methods compare, and in one what to make of it."""
    by = Counter(row.outcome for row in rows)
    opposite, mixed, same, single, _ = (by[outcome] for outcome in _OUTCOMES)
    shared = opposite + mixed + same
    if not shared:
        alone = f", and {single} by one alone" if single else ""
        return (
            f"No pair has a direction by two methods{alone}.",
            "A direction by one method only is no agreement: say which method it is from."
            if single
            else "There is no direction to agree on.",
        )
    return (
        f"Of {count(shared, 'pair')} with a direction by two methods or more, {same} have the same "
        f"one, {opposite} opposite ones" + (f", {mixed} one or both." if mixed else "."),
        "Half would agree by chance, and methods that share an assumption share its errors.",
    )


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
