"""Describe all that is known about a pair, in the line that a page shows for its arrow."""

from collections import Counter
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing import wording
from causal_ivae.reporting import table_rows
from causal_ivae.reporting.power_text import middle_power

_FOUR = ("x and n1", "x and n2", "y and n1", "y and n2")
_PROBABLE = {
    "probability_both": "probability that each drives the other",
    "probability_adjacent": "probability of a direct connection",
}
"""Columns of the edges that only some methods have, in words."""


def edge_details(method: CausalGraph) -> list[str]:
    """Return one text per row of the edge table, in its order, with a line for every fact.

    A text holds decision, score, p and q (or the interval level), how sure it is and the path
    through the prior.  If they are known, it also holds the probability of the likelier direction
    given an arrow, the medians over restarts of the four tests' p-values, and the restarts' votes.
    """
    stability = {(row.x, row.y): row.same for row in table_rows.stability_rows(method)}
    tests = {(pair.x, pair.y): pair for pair in table_rows.pair_tests(method)}
    rows = {row.index: row for row in table_rows.edge_rows(method)}
    sure = wording.confidence_name(method.edges)
    if sure == "probability" and method.sidecar.get("Twins"):
        sure = "probability by the model alone"
    middle = middle_power(method)
    power = middle and f"power: {wording.percent(middle.right)} {middle.beside}"
    lines = []
    for index, edge in enumerate(method.edges.to_dict("records")):
        x, y, row = edge["x"], edge["y"], rows[index]
        link = {"directed": " → ", "both": " ↔ "}.get(row.decision, ", ")
        head = f"{row.first}{link}{row.second}"
        turned = row.first == y
        first, second, score = (y, x, -edge["score"]) if turned else (x, y, edge["score"])
        parts = [
            f"{head}: {row.decision}",
            f"score {wording.signed(score)}{_interval(edge, turned=turned)} (positive favours "
            f"{first} → {second})",
            *_certainty(edge),
            f"{sure} {wording.percent(edge['confidence'])}",
            *(
                f"{words} {wording.percent(edge[name])}"
                for name, words in _PROBABLE.items()
                if np.isfinite(edge.get(name, np.nan))
            ),
        ]
        if row.quality:
            parts.append(f"fit: {row.quality}")
        parts += _over_subjects(edge)
        if row.leaning:
            given = wording.percent(row.given_arrow)
            leaning = f"{row.leaning}: {given}" if row.clear else "either way is as probable"
            parts.append(f"if one drives the other, {leaning}")
        if row.why and not row.reason:
            parts.append(f"why no arrow: {row.why}")
        pair = tests.get((x, y))
        if pair is not None and pair.restarts:
            p_values = zip(*(row.p_values for row in pair.restarts), strict=True)
            known_p = [[p for p in values if not np.isnan(p)] for values in p_values]
            if all(known_p):
                four = (
                    f"{name} {wording.p_text(median(values))}"
                    for name, values in zip(_FOUR, known_p, strict=True)
                )
                parts.append(f"four tests, median p: {', '.join(four)}")
            votes = Counter(row.vote for row in pair.restarts if row.vote).most_common()
            said = ", ".join(f"{n} {vote.replace('->', ' → ')}" for vote, n in votes)
            parts.append(f"votes: {said}")
        same = stability.get((x, y))
        if same is not None:
            parts.append(f"the same in {wording.percent(same)} of resamples of segments")
        parts += [
            f"prior: {verdict}" + (f" by {path}" if path else "") for verdict, path in row.judged
        ]
        if power and not row.decided:
            parts.append(power)
        lines.append("\n".join(parts))
    return lines


def _certainty(edge: Mapping[Any, Any]) -> list[str]:
    """Return p and q of an edge in words, or its interval level if the method has no p."""
    if np.isfinite(edge.get("interval_level", np.nan)):
        return [f"interval level {edge['interval_level']:.2f}"]
    return [
        wording.p_phrase(edge[f"{letter}_value"]).replace("p", letter, 1)
        for letter in ("p", "q")
        if np.isfinite(edge[f"{letter}_value"])
    ]


def _over_subjects(edge: Mapping[Any, Any]) -> list[str]:
    """Describe how much the subjects agree on an edge of the group; empty for one subject."""
    parts = []
    if np.isfinite(edge.get("n_usable", np.nan)):
        parts.append(f"fit usable in {edge['n_usable']:.0f} of {edge['n_subjects']:.0f} subjects")
    if edge.get("usable_decision"):
        ends = {"x->y": (edge["x"], edge["y"]), "y->x": (edge["y"], edge["x"])}
        said = " → ".join(ends.get(edge["usable_decision"], (edge["usable_decision"],)))
        parts.append(f"decision of the usable subjects alone: {said}")
    if np.isfinite(edge.get("unexplained_spread", np.nan)):
        parts.append(f"spread beyond resampling {wording.percent(edge['unexplained_spread'])}")
    if np.isfinite(edge.get("leave_one_out", np.nan)):
        parts.append(
            f"same decision with one subject fewer: {wording.percent(edge['leave_one_out'])}"
        )
    if np.isfinite(edge.get("sign_without_one", np.nan)):
        parts.append(
            f"same sign with one subject fewer: {wording.percent(edge['sign_without_one'])}"
        )
    if np.isfinite(edge.get("split_half", np.nan)):
        parts.append(f"same in both halves: {wording.percent(edge['split_half'])}")
    return parts


def _interval(edge: Mapping[Any, Any], *, turned: bool) -> str:
    """Return the 95 % interval of a score in words; empty if it is not known."""
    low, high = edge.get("score_low", np.nan), edge.get("score_high", np.nan)
    if not np.isfinite([low, high]).all():
        return ""
    low, high = (-high, -low) if turned else (low, high)
    return f", 95% interval {wording.signed(low)} to {wording.signed(high)}"
