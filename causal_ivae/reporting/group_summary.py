"""Sum a group up for the top of its page: how many subjects, what was found, what to do next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS
from causal_ivae.drawing.wording import MISSING, count, listed, number, percent
from causal_ivae.group import unanimous_pairs_needed
from causal_ivae.group.sign_flips import smallest_p
from causal_ivae.outcomes import LEAST_LEANING, USABLE, arrows_of, count_arrows, is_decided
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.fits import UNKNOWN, VERDICTS
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.power_text import middle_power
from causal_ivae.settings import GroupSettings

_NAMED = 3
"""The verdict names at most this many arrows."""
_OF_TESTS = ("alpha", "draws", "min_score")
"""Settings of the group that decide how unanimous subjects must be."""
_STATES = {"failed": "failed", "skipped": "without results", "excluded": "excluded"}


@dataclass(frozen=True)
class Main:
    """Hold the graph that stands for the group, and whether it is one graph of all subjects."""

    name: str
    label: str
    graph: CausalGraph
    pooled: bool


@dataclass(frozen=True)
class Number:
    """Hold one of the numbers beside the picture, and what it counts."""

    value: str
    words: str


@dataclass(frozen=True)
class MethodRow:
    """Hold what one method found in the group, with its cells as they are shown.

    ``alone`` is about the usable subjects alone, ``needed`` the number of pairs on which all
    subjects must agree before any of them gets a direction, ``unchanged`` the directions that no
    single subject undoes, ``pooled`` the agreement with one fit of all subjects.
    """

    name: str
    how: str
    usable: str
    arrows: int
    alone: str
    leaning: str
    needed: str
    halves: str
    unchanged: str
    pooled: str
    prior: str


def main_graph(record: Unit, pooled: Unit | None) -> Main | None:
    """Return the graph of all subjects by a method that pools them, or else the first method's."""
    for unit in (pooled, record):
        for name, graph in (unit.methods if unit is not None else {}).items():
            if unit is record or METHODS[name].pools:
                return Main(name, method_label(name, graph.sidecar), graph, unit is not record)
    return None


def count_sentence(rows: Sequence[Mapping[str, Any]], judged_by: str) -> str:
    """Say how many subjects there are, how many are usable, and what became of the others.

    Parameters
    ----------
    rows : sequence of mapping
        ``state`` and ``quality`` of every subject.
    judged_by : str
        Name on pages of the method whose verdicts they are.
    """
    if not rows:
        return "No subjects."
    words = Counter(str(row.get("quality") or UNKNOWN) for row in rows)
    states = Counter(str(row["state"]) for row in rows)
    others = [f"{words[word]} {word}" for word in VERDICTS[1:] if words[word]]
    others += [f"{states[state]} {word}" for state, word in _STATES.items() if states[state]]
    text = count(len(rows), "subject")
    if sum(words[word] for word in VERDICTS):
        text += f", {words[USABLE] or 'none'} of them usable by {judged_by}"
    else:
        text += "; whether their results are usable is not known"
    return f"{text}: {listed(others)}." if others else f"{text}."


def verdict_line(main: Main | None) -> str:
    """Say in one line what the main graph of the group shows."""
    if main is None:
        return "No method left a result for the group."
    arrows = arrows_of(main.graph.edges)
    where = "in one graph of all subjects" if main.pooled else "over subjects"
    if len(arrows):
        named = [f"{row.cause} → {row.effect}" for row in arrows.head(_NAMED).itertuples()]
        more = [f"{len(arrows) - _NAMED} more"] if len(arrows) > _NAMED else []
        return f"{count(len(arrows), 'arrow')} {where}: {listed([*named, *more])}."
    about = main.graph.sidecar
    if "ClaimsPerTwin" in about and about.get("Twins"):
        return (
            f"No direction {where}: {count(int(about['Claims']), 'arrow')} could be drawn, but "
            f"{about['ClaimsPerTwin']:.1f} also in copies of the data without any arrow."
        )
    return f"No pair of regions has a direction {where}."


def advice_line(record: Unit, main: Main | None, rows: Sequence[Mapping[str, Any]]) -> str:
    """Give one piece of advice, the first that applies."""
    if main is None:
        return "The files in the log folder give the reason."
    n_arrows = count_arrows(main.graph.edges)
    power = main.graph.sidecar.get("Power") or {}
    words = Counter(str(row.get("quality") or UNKNOWN) for row in rows)
    judged = sum(words[word] for word in VERDICTS)
    if judged and not words[USABLE]:
        if n_arrows:
            return "Do not use these directions: nobody's results are usable. The badges say why."
        return "This is no proof of absence: nobody's results are usable. The badges say why."
    if not main.pooled and _cannot_decide(record, main.name):
        return "Add subjects: in a group of this size no pair can have a direction."
    if n_arrows and words[USABLE] < judged:
        return (
            "Report what also holds for the usable subjects alone (table below), and say how many "
            "subjects are not usable."
        )
    if n_arrows:
        return "Report each arrow with the share of subjects that agree and its interval."
    if power.get("CannotDecide"):
        return (
            "More data of this kind are not known to help; a known input (a task, a stimulation) "
            "or a shorter repetition time may."
        )
    return "Report that no direction was found, with the arrows that these data would have shown."


def numbers(main: Main) -> list[Number]:
    """Return the numbers of arrows, of leaning pairs, of the power and of the anatomy."""
    edges, about = main.graph.edges, main.graph.sidecar
    found = [Number(f"{count_arrows(edges):,}", f"arrows of {count(len(edges), 'pair')}")]
    if "leaning" in edges:
        found.append(
            Number(
                f"{_leaning(edges):,}",
                f"undecided pairs of which one direction has {LEAST_LEANING:.0%} or more, if one "
                "region drives the other",
            )
        )
    middle = middle_power(main.graph)
    if middle is not None:
        found.append(Number(percent(middle.right), f"power: {middle.beside}"))
    prior = about.get("Prior")
    if prior:
        feasible = prior.get("Feasible") or {}
        of = int(prior["Edges"])
        chance = feasible.get("ChanceShare")
        found.append(
            Number(
                f"{int(feasible.get('Count') or 0)} of {of}" if of else MISSING,
                "arrows that anatomy explains"
                + (f" (pairs at random: {percent(chance)})" if chance is not None else "")
                if of
                else "no arrow that anatomy could explain",
            )
        )
    return found


def method_rows(record: Unit, pooled: Unit | None = None) -> list[MethodRow]:
    """Return one row per method, first the graphs of all subjects by methods that make one."""
    rows = []
    together = {} if pooled is None else pooled.methods
    for name, graph in together.items():
        if METHODS[name].pools:
            members = record.methods[name].sidecar if name in record.methods else {}
            rows.append(
                MethodRow(
                    method_label(name, graph.sidecar),
                    "all subjects in one graph",
                    _usable(members),
                    count_arrows(graph.edges),
                    MISSING,
                    _leaning_cell(graph.edges),
                    MISSING,
                    MISSING,
                    _steady(graph),
                    MISSING,
                    _prior(graph),
                )
            )
    for name, graph in record.methods.items():
        halves = graph.sidecar.get("SplitHalf") or {}
        rows.append(
            MethodRow(
                method_label(name, graph.sidecar),
                "statistics over subjects",
                _usable(graph.sidecar),
                count_arrows(graph.edges),
                _alone(graph),
                _leaning_cell(graph.edges),
                _needed(graph),
                percent(halves.get("SameDirection")),
                _steady(graph),
                _same(graph, together.get(name)),
                _prior(graph),
            )
        )
    return rows


def unanimity_sentence(record: Unit) -> str:
    """Say in words how unanimous a group of this size must be; empty without statistics."""
    graphs = [g for g in record.methods.values() if "n_subjects" in g.edges and len(g.edges)]
    if not graphs:
        return ""
    size = max(int(graph.edges["n_subjects"].max()) for graph in graphs)
    settings = group_settings(graphs[0])
    least = smallest_p(size, settings.draws)
    text = (
        f"With {count(size, 'subject')}, no p-value over subjects can be below {number(least, 2)}"
    )
    if least > settings.alpha:
        return (
            f"{text}, and a direction needs q ≤ {settings.alpha:g}: in a group of this size no "
            "pair can have one."
        )
    return (
        f"{text}. A direction needs q ≤ {settings.alpha:g} over all pairs tested and a mean score "
        f"of {settings.min_score:g} or more, and so as many pairs as the table says on which all "
        f"{size} subjects favour the same direction, or more pairs on which nearly all do."
    )


def group_settings(method: CausalGraph) -> GroupSettings:
    """Return the recorded settings of the statistics over subjects, or else the defaults."""
    recorded = method.sidecar.get("Settings", {}).get("group", {})
    return GroupSettings().model_copy(
        update={key: recorded[key] for key in _OF_TESTS if key in recorded}
    )


def _cannot_decide(record: Unit, name: str) -> bool:
    """Check whether the group is too small for any direction by a method."""
    graph = record.methods[name]
    if "n_subjects" not in graph.edges or not len(graph.edges):
        return False
    size, tested = _size(graph)
    return bool(tested) and unanimous_pairs_needed(size, tested, group_settings(graph)) is None


def _size(graph: CausalGraph) -> tuple[int, int]:
    """Return the number of subjects, and of pairs tested for direction."""
    return int(graph.edges["n_subjects"].max()), int(graph.edges["q_value"].notna().sum())


def _usable(about: Mapping[str, Any]) -> str:
    words = Counter(about.get("Quality", {}).values())
    judged = sum(words.values()) - words[UNKNOWN]
    return f"{words[USABLE]} of {judged}" if judged else MISSING


def _alone(graph: CausalGraph) -> str:
    """Say how many arrows the usable subjects alone give, and how many of all stay."""
    words = Counter(graph.sidecar.get("Quality", {}).values())
    judged = sum(words.values()) - words[UNKNOWN]
    if judged and words[USABLE] == judged:
        return "the same"
    alone = graph.edges.get("usable_decision")
    if alone is None or not (alone.fillna("") != "").any():
        return "too few" if judged else MISSING
    n_alone = int(is_decided(graph.edges.assign(decision=alone)).sum())
    arrows = graph.edges[is_decided(graph.edges)]
    stay = int((arrows["usable_decision"] == arrows["decision"]).sum())
    return f"{n_alone} ({stay} of {len(arrows)} stay)" if len(arrows) else f"{n_alone}"


def _leaning(edges: pd.DataFrame) -> int:
    leans = (edges["decision"] == "undecided") & (edges["leaning"].fillna("") != "")
    return int((leans & (edges["probability_leaning"] >= LEAST_LEANING)).sum())


def _leaning_cell(edges: pd.DataFrame) -> str:
    return f"{_leaning(edges)}" if "leaning" in edges else MISSING


def _needed(graph: CausalGraph) -> str:
    if "n_subjects" not in graph.edges or not len(graph.edges):
        return MISSING
    size, tested = _size(graph)
    if not tested:
        return "none tested"
    needed = unanimous_pairs_needed(size, tested, group_settings(graph))
    return "no number is enough" if needed is None else f"{needed} of {tested}"


def _steady(graph: CausalGraph) -> str:
    """Say how many directions stay whoever is left out."""
    arrows = graph.edges[is_decided(graph.edges)]
    if "leave_one_out" in arrows and len(arrows):
        return f"{int((arrows['leave_one_out'] == 1).sum())} of {len(arrows)}"
    evidence = graph.tables.get("network")
    if evidence is None or "gain_without_one" not in evidence or not len(arrows):
        return MISSING
    drawn = arrows[["x", "y"]].merge(evidence, on=["x", "y"])
    same = np.sign(drawn["gain"]) == np.sign(drawn["gain_without_one"])
    return f"{int(same.sum())} of {len(drawn)}"


def _same(graph: CausalGraph, other: CausalGraph | None) -> str:
    if other is None:
        return MISSING
    both, same = same_direction(graph, other)
    return f"{same} of {both}" if both else "none in common"


def _prior(graph: CausalGraph) -> str:
    prior = graph.sidecar.get("Prior")
    if not prior:
        return MISSING
    feasible = prior.get("Feasible") or {}
    if feasible.get("Share") is None:
        return "no arrow covered"
    return (
        f"{int(feasible['Count'])} of {int(prior['Edges'])} (at random "
        f"{percent(feasible.get('ChanceShare'))})"
    )
