"""Say in one line what was found in a subject, in one what to do with it, and in four numbers."""

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import MISSING, count, is_missing, p_phrase, percent
from causal_ivae.outcomes import (
    LEAST_LEANING,
    USABLE,
    arrows_of,
    count_arrows,
    leaning_of,
    rests_on_poor_fit,
)
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.power_text import MOST_TIMES, middle_power
from causal_ivae.reporting.verdict import verdict_of

_INPUTS = "a known input (a task, a stimulation) or a shorter repetition time may tell directions"


@dataclass(frozen=True)
class Number:
    """Hold one of the four numbers: its value, what it is, and what belongs beside it."""

    value: str
    what: str
    beside: str


@dataclass(frozen=True)
class Headline:
    """Hold what a reader sees first.

    Attributes
    ----------
    word : str
        Verdict on the first method's results as a badge, or "undecided" if nothing speaks against
        them but there is no arrow.
    finding, advice : str
        One sentence each.
    numbers : tuple of Number
        Arrows, leaning pairs, power and agreement with anatomy, of the first method.
    """

    word: str
    finding: str
    advice: str
    numbers: tuple[Number, ...]


def headline_of(record: Unit) -> Headline | None:
    """Return what a reader sees first; None if no method left a result.

    The first method speaks for the subject, as in the table of all subjects.
    """
    if not record.methods:
        return None
    name, method = next(iter(record.methods.items()))
    verdict = verdict_of(record, name)
    finding, advice = _words(method_label(name, method.sidecar), method)
    arrows = count_arrows(method.edges)
    reasons = verdict.reasons if verdict is not None else ()
    if reasons and arrows and not poor_arrows(method):
        # The first reason without its numbers in brackets and examples is short enough.
        reason = re.sub(r" \([^)]*\)", "", reasons[0].partition(": ")[0])
        advice = f"Be careful: {reason}."
    word = verdict.word if verdict else ""
    if word == USABLE and not arrows:
        # Data without a fault of their own may still leave everything open.
        word = "undecided"
    return Headline(word, finding, advice, _numbers(method))


def poor_arrows(method: CausalGraph) -> int:
    """Return how many arrows rest on a fit that was judged and is not usable."""
    poor = pd.Series(rests_on_poor_fit(method.edges), index=method.edges.index)
    return int(poor.loc[arrows_of(method.edges)["row"]].sum())


def _words(label: str, method: CausalGraph) -> tuple[str, str]:
    """Return the finding and the advice of one method."""
    arrows, pairs = count_arrows(method.edges), count(len(method.edges), "pair")
    if not arrows:
        return _without_arrow(label, pairs, method)
    poor = poor_arrows(method)
    found = f"{label} finds {count(arrows, 'arrow')} among {pairs} of regions"
    if poor == arrows:
        return (
            f"{found}, {'none of them' if arrows > 1 else 'but not'} by a usable fit.",
            "Do not use these directions: the segments and fits below say what is missing.",
        )
    if poor:
        return (
            f"{found}, {count(arrows - poor, 'of them', 'of them')} by usable fits.",
            "Use the filled arrows only, each with its probability or stability.",
        )
    if method.sidecar.get("Twins") == 0:
        return (
            f"{found}.",
            "Be careful: they were not set against series without any arrow, which may show as "
            "many; run again with twins.",
        )
    return (
        f"{found}.",
        "Report each arrow with its probability or stability, and whether another method agrees.",
    )


def _without_arrow(label: str, pairs: str, method: CausalGraph) -> tuple[str, str]:
    """Return finding and advice where nothing is drawn."""
    about = method.sidecar
    power, claims = about.get("Power") or {}, int(about.get("Claims") or 0)
    found = f"{label} finds no arrow among {pairs} of regions"
    if power.get("CannotDecide"):
        return (
            f"{found}: these data cannot decide directions.",
            f"Report the pairs as undecided; {_INPUTS}.",
        )
    more = _more_data(method)
    if about.get("Twins") and claims:
        return (
            f"{found}: series without any arrow look alike.",
            f"Report the pairs as undecided; {more or _INPUTS}.",
        )
    middle = middle_power(method)
    if middle is not None:
        return (
            f"{found}.",
            f"No arrow is no proof of absence: one of strength {middle.strength:g} would be found "
            f"in {percent(middle.right)} of cases" + (f"; {more}." if more else "."),
        )
    return f"{found}.", "No arrow is no proof of absence: the table below says why for each pair."


def _more_data(method: CausalGraph) -> str:
    """Return how much more data would help; empty if that is not known or too much."""
    middle = middle_power(method)
    if middle is None or not 1.0 < middle.times_needed <= MOST_TIMES:
        return ""
    return (
        f"about {middle.times_needed:.1f} times the data would show 80% of arrows of strength "
        f"{middle.strength:g}"
    )


def _numbers(method: CausalGraph) -> tuple[Number, ...]:
    edges = method.edges
    leaning = int((leaning_of(edges) != "").sum())
    middle = middle_power(method)
    return (
        Number(
            f"{count_arrows(edges):,}", "arrows", f"among {count(len(edges), 'pair')} of regions"
        ),
        Number(
            f"{leaning:,}" if "leaning" in edges else MISSING,
            "leaning pairs",
            f"undecided, but {percent(LEAST_LEANING)} or more one way"
            if "leaning" in edges
            else "not estimated by this method",
        ),
        Number(MISSING, "power", "not estimated")
        if middle is None
        else Number(percent(middle.right), "power", middle.beside),
        _anatomy(method.sidecar.get("Prior")),
    )


def _anatomy(prior: Any) -> Number:
    what = "agreement with anatomy"
    if not prior:
        return Number(MISSING, what, "no prior was given")
    feasible = prior.get("Feasible") or {}
    chance = feasible.get("ChanceShare")
    if feasible.get("Share") is None:
        known = "" if is_missing(chance) else f"; by chance {percent(chance)}"
        return Number(MISSING, what, f"no arrow to compare{known}")
    beside = (
        f"{feasible['Count']} of {prior['Edges']} arrows; by chance {percent(chance)} "
        f"({p_phrase(feasible.get('PValue'))})"
    )
    return Number(percent(feasible["Share"]), what, beside)
