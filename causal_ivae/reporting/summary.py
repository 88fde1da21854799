"""Describe the findings in sentences that claim no more than the numbers do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS
from causal_ivae.drawing.wording import count, listed, p_phrase, percent, signed
from causal_ivae.group import unanimous_pairs_needed
from causal_ivae.group.sign_flips import smallest_p
from causal_ivae.outcomes import (
    CONNECTED,
    DIRECTIONS,
    is_decided,
    outcomes_of,
)
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.fits import fits_sentence
from causal_ivae.reporting.inputs_text import inputs_sentences
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.power_text import planted_sentences
from causal_ivae.reporting.table_rows import IMPOSSIBLE, SCREENED, untested
from causal_ivae.reporting.twins_text import twins_sentences
from causal_ivae.settings import GroupSettings

_FEW_SUBJECTS = 10
_CYCLES_NAMED = 3
_OF_TESTS = ("alpha", "draws", "min_score")
"""Settings of the group that decide how unanimous subjects must be."""


@dataclass(frozen=True)
class PriorRow:
    """Hold one row of the comparison with the prior."""

    method: str
    what: str
    count: int
    of: int
    share: float | None
    chance: float | None
    p_value: float | None


def summary_sentences(record: Unit) -> list[str]:
    """Describe the findings and fits of all methods, and their agreement with the prior."""
    sentences = []
    for name, method in record.methods.items():
        sentences.append(_findings(name, method))
        label = method_label(name, method.sidecar)
        sentences += inputs_sentences(label, method)
        sentences += twins_sentences(label, method) + planted_sentences(label, method)
    sentences += [
        f"{method_label(name, method.sidecar)} took for granted that one region of every pair "
        "drives the other, and only estimated which one does."
        for name, method in record.methods.items()
        if "assume_arrow" in METHODS[method.estimator].decision
        and _decision(method).get("assume_arrow")
    ]
    sentences += [
        f"Fits of {method_label(name, method.sidecar)}: {fits}."
        for name, method in record.methods.items()
        if (fits := fits_sentence(method))
    ]
    sentences += [
        sentence
        for name, method in record.methods.items()
        for sentence in _cycle_sentences(method_label(name, method.sidecar), method)
    ]
    sentences += agreement_sentences(record)
    for name, method in record.methods.items():
        prior = method.sidecar.get("Prior")
        if prior:
            sentences.append(_prior_sentence(method_label(name, method.sidecar), prior))
    return sentences


def agreement_sentences(record: Unit) -> list[str]:
    """Describe how often the directions of every two methods agree, and how often by chance."""
    sentences = []
    for (one, first), (other, second) in combinations(record.methods.items(), 2):
        n_both, n_same = same_direction(first, second)
        labels = (method_label(one, first.sidecar), method_label(other, second.sidecar))
        names = f"{labels[0]} and {labels[1]}"
        if n_both == 0:
            sentences.append(f"There is no pair to which both {names} give a direction.")
            continue
        sentences.append(
            f"{names} both give a direction to {count(n_both, 'pair')} and agree on {n_same} of "
            f"{'it' if n_both == 1 else 'them'}; directions drawn at random would agree on "
            f"{n_both / 2:g} on average."
        )
    return sentences


def missing_methods(record: Unit) -> list[str]:
    """Return the methods that the settings request but that have no result."""
    wanted: list[str] = []
    for method in record.methods.values():
        asked = method.sidecar.get("Settings", {}).get("unmixing", {}).get("methods", ())
        wanted += [name for name in asked if name not in wanted]
    return [name for name in wanted if name not in record.methods]


def prior_rows(methods: Mapping[str, CausalGraph]) -> list[PriorRow]:
    """Return the rows of the comparison with the prior; none without a prior."""
    rows = []
    for name, method in methods.items():
        prior = method.sidecar.get("Prior")
        if not prior:
            continue
        label = method_label(name, method.sidecar)
        of = int(prior["Edges"])
        for key, what in (("Direct", "direct projection"), ("Feasible", "direct or indirect")):
            part = prior.get(key) or {}
            rows.append(
                PriorRow(
                    label, what, int(part.get("Count") or 0), of,
                    part.get("Share"), part.get("ChanceShare"), part.get("PValue"),
                )
            )  # fmt: skip
        turned = prior.get("Orientation")
        if turned and turned.get("Edges"):
            n, same = int(turned["Edges"]), int(turned["Count"])
            rows.append(
                PriorRow(
                    label, "direction as in the prior, where it has only one", same, n,
                    same / n, 0.5, turned.get("PValue"),
                )
            )  # fmt: skip
    return rows


def prior_remarks(methods: Mapping[str, CausalGraph]) -> list[str]:
    """Describe the limits of the comparison: undirected priors, unknown regions, edges left out."""
    remarks: list[str] = []
    for name, method in methods.items():
        prior = method.sidecar.get("Prior")
        if not prior:
            continue
        if not prior.get("Directed", True):
            remarks.append(
                f"The prior '{prior['Name']}' has no directions: both directions of a connected "
                "pair count as feasible, so that it neither supports nor contradicts a direction."
            )
        unknown = [str(region) for region in prior.get("Unknown", ())]
        if unknown:
            verb = "is" if len(unknown) == 1 else "are"
            remarks.append(f"Not in the prior '{prior['Name']}': {listed(unknown)} {verb} unknown.")
        left_out = int(prior.get("EdgesLeftOut") or 0)
        if left_out:
            remarks.append(
                f"{method_label(name, method.sidecar)}: {count(left_out, 'edge')} left out of all "
                "counts, because the prior does not cover the pair."
            )
        chance = (prior.get("Feasible") or {}).get("ChanceShare")
        if chance is not None and chance >= 0.5:
            remarks.append(
                f"The prior '{prior['Name']}' is dense: {percent(chance)} of random edges on the "
                "tested pairs would be feasible, so that feasibility alone says little."
            )
    return list(dict.fromkeys(remarks))


def status_sentence(subjects: Sequence[Mapping[str, Any]]) -> str:
    """Describe how many subjects are finished, up to date, without results or failed."""
    states = [str(subject["state"]) for subject in subjects]
    words = {
        "done": "finished", "up to date": "up to date", "excluded": "excluded",
        "skipped": "without results", "failed": "failed",
    }  # fmt: skip
    known = [f"{states.count(s)} {word}" for s, word in words.items() if s in states]
    return f"{count(len(states), 'subject')}: {listed(known)}." if known else "No subjects."


def power_sentences(record: Unit) -> list[str]:
    """Describe how many subjects are combined, and how unanimous they must be for a direction.

    Notes
    -----
    `causal_ivae.group.unanimous_pairs_needed` explains the number of pairs.
    """
    alike: dict[tuple[int, int, GroupSettings], list[str]] = {}
    for name, method in record.methods.items():
        if "n_subjects" not in method.edges or not len(method.edges):
            continue
        size = int(method.edges["n_subjects"].max())
        tested = int(method.edges["q_value"].notna().sum())
        settings = _group_settings(method)
        label = method_label(name, method.sidecar)
        alike.setdefault((size, tested, settings), []).append(label)
    sentences = []
    for (n, tested, settings), members in alike.items():
        graphs = "graph combines" if len(members) == 1 else "graphs combine"
        text = f"The group's {listed(members)} {graphs} {count(n, 'subject')}"
        needed = unanimous_pairs_needed(n, tested, settings)
        if not tested:
            text += "; no pair is dependent, so that none was tested for direction"
        elif n <= _FEW_SUBJECTS or needed is None or needed > 1:
            least = smallest_p(n, settings.draws)
            text += f"; with this number, no p-value can be below {least:.2g}"
            text += _unanimity(n, tested, needed, settings)
        sentences.append(text + ".")
    return sentences


def _unanimity(n_subjects: int, tested: int, needed: int | None, settings: GroupSettings) -> str:
    """Describe how many pairs must be unanimous before any of them gets a direction."""
    if needed is None:
        return f", and a direction needs q ≤ {settings.alpha:g}, so that no pair can have one"
    limits = f"q ≤ {settings.alpha:g} and a mean score of {settings.min_score:g} or more"
    if needed == 1:
        return (
            f", and a direction needs a pair in which all {n_subjects} subjects favour it, or more "
            f"pairs in which nearly all do ({count(tested, 'pair')} tested for direction; "
            f"{limits})"
        )
    return (
        f", and a direction needs at least {needed} of the {tested} pairs tested for direction in "
        f"which all {n_subjects} subjects favour the same one, or more pairs in which nearly all "
        f"do ({limits})"
    )


def reproducibility_sentences(record: Unit) -> list[str]:
    """Describe how much the group's graphs depend on single subjects."""
    sentences = []
    for name, method in record.methods.items():
        edges = method.edges
        if "leave_one_out" not in edges or edges["leave_one_out"].isna().all():
            continue
        label = method_label(name, method.sidecar)
        if is_decided(edges).any():
            sentences.append(_one_fewer(label, method))
        halves = method.sidecar.get("SplitHalf")
        if halves:
            text = (
                f"{label}: two random halves of the subjects favour the same direction for "
                f"{percent(halves['SameDirection'])} of the pairs (50% by chance"
            )
            correlation = halves.get("Correlation")
            if correlation:
                text += (
                    f"), and their scores correlate by {signed(correlation['Median'])} (95% of "
                    f"{halves['Splits']} splits: {signed(correlation['Low'])} to "
                    f"{signed(correlation['High'])}"
                )
            sentences.append(text + ").")
    return sentences


def _one_fewer(label: str, method: CausalGraph) -> str:
    """Describe how many directions are lost, and how many turn, with one subject fewer."""
    edges = method.edges[is_decided(method.edges)]
    held = int((edges["leave_one_out"] == 1).sum())
    text = (
        f"{label}: of {count(len(edges), 'direction')}, {held:,} would also be decided without any "
        "one of the subjects"
    )
    least = smallest_p(int(edges["n_subjects"].max()) - 1, _group_settings(method).draws)
    if held < len(edges) and least > 0.01:
        text += (
            f" (with one subject fewer no p-value can be below {least:.2g}, so that decisions get "
            "lost whoever is left out)"
        )
    if "sign_without_one" in edges:
        turned = int((edges["sign_without_one"] < 1).sum())
        text += f"; the sign of {turned:,} depends on a single subject"
    return text + "."


def _group_settings(method: CausalGraph) -> GroupSettings:
    """Return the recorded settings of the statistics over subjects, or else the defaults."""
    recorded = method.sidecar.get("Settings", {}).get("group", {})
    return GroupSettings().model_copy(
        update={key: recorded[key] for key in _OF_TESTS if key in recorded}
    )


def model_sentences(record: Unit) -> list[str]:
    """Describe for every term of the model over subjects how many scores depend on it."""
    sentences = []
    for name, method in record.methods.items():
        about, table = method.sidecar.get("Model"), method.model
        if not about or table is None:
            continue
        alpha = method.sidecar.get("Settings", {}).get("group", {}).get("alpha", 0.05)
        table = table[table["term"] != "Intercept"]
        found = [
            f"{term} in {int((rows['q_value'] <= alpha).sum())}"
            for term, rows in table.groupby("term", sort=False)
            if rows["p_value"].notna().any()
        ]
        n_pairs = len(method.edges)
        sentences.append(
            f"{method_label(name, method.sidecar)}, {about['Formula']} over "
            f"{count(len(about['Subjects']), 'subject')}: of {count(n_pairs, 'pair')}, the score "
            f"depends on {listed(found)} (q ≤ {alpha:g})."
            if found
            else f"{method_label(name, method.sidecar)}, {about['Formula']}: no term to test."
        )
    return sentences


def _findings(name: str, method: CausalGraph) -> str:
    edges, label = method.edges, method_label(name, method.sidecar)
    left_out = untested(method)
    edges = edges[left_out == ""]
    # Decisions of the group use q, so that it is not counted separately.
    of_group = "n_subjects" in edges
    alpha = None if of_group else _decision(method).get("alpha", 0.05)
    outcomes = list(outcomes_of(edges))
    n_none, n_both, n_open, n_connected = (
        outcomes.count(one) for one in ("none", "both", "undecided", CONNECTED)
    )
    n_directed = sum(outcomes.count(one) for one in DIRECTIONS)
    parts = [f"{n_directed:,} {'has' if n_directed == 1 else 'have'} a direction"]
    if n_directed == 0:
        parts = ["none has a direction"]
    if n_directed and alpha is not None:
        q_value = edges.loc[edges["decision"].isin(DIRECTIONS), "q_value"]
        # Twins, and not p-values, are behind the q-values of a method without p-values.
        if q_value.notna().any() and edges["p_value"].notna().any():
            parts[0] += f" ({int((q_value <= alpha).sum()):,} of them with q ≤ {alpha:g})"
    if n_both:
        parts.append(f"{n_both:,} {'has' if n_both == 1 else 'have'} arrows both ways")
    if n_none:
        parts.append(f"{n_none:,} {'shows' if n_none == 1 else 'show'} no edge")
    if n_connected:
        verb = "is" if n_connected == 1 else "are"
        parts.append(f"{n_connected:,} {verb} connected in an unknown direction")
    if n_open:
        parts.append(f"{n_open:,} {'is' if n_open == 1 else 'are'} undecided")
    text = f"{label} tested {count(len(edges), 'pair')} of regions: {listed(parts)}."
    if n := int((left_out == SCREENED).sum()):
        verb = "was" if n == 1 else "were"
        text += f" Another {count(n, 'pair')} {verb} left out by the screen and given no edge."
    if n := int((left_out == IMPOSSIBLE).sum()):
        verb = "was" if n == 1 else "were"
        text += f" Another {count(n, 'pair')} {verb} not tested, for the reason in the table."
    return text


def _decision(method: CausalGraph) -> Mapping[str, Any]:
    """Return the settings of the decision; empty if they were not recorded."""
    found: Mapping[str, Any] = method.sidecar.get("Settings", {}).get("decision", {})
    return found


def _cycle_sentences(label: str, method: CausalGraph) -> list[str]:
    cycles = method.sidecar.get("Cycles") or []
    if not cycles:
        return []
    shown = [" > ".join([*cycle["Regions"], cycle["Regions"][0]]) for cycle in cycles]
    if len(cycles) > _CYCLES_NAMED:
        shown[_CYCLES_NAMED:] = [f"{len(cycles) - _CYCLES_NAMED} more"]
    number = count(len(cycles), "cycle")
    if cycles[0]["Broken"]:
        return [
            f"Directions of {label} closed {number} ({listed(shown)}); the least confident edge of "
            "each was left undecided."
        ]
    if METHODS[method.estimator].cyclic:
        return [f"Directions of {label} close {number} ({listed(shown)}), which its model allows."]
    return [
        f"Directions of {label} close {number} ({listed(shown)}): the method assumes none, so that "
        "at least one edge of each is wrong."
    ]


def _prior_sentence(label: str, prior: Mapping[str, Any]) -> str:
    feasible = prior.get("Feasible") or {}
    if feasible.get("Share") is None:
        return f"The prior '{prior['Name']}' covers no edge of {label}."
    of = int(prior["Edges"])
    direct = (prior.get("Direct") or {}).get("Count", 0)
    return (
        f"Of {count(of, 'edge')} of {label} that the prior '{prior['Name']}' covers, it explains "
        f"{feasible['Count']} ({direct} directly): {percent(feasible['Share'])}, where random "
        f"edges would reach {percent(feasible.get('ChanceShare'))} "
        f"({p_phrase(feasible.get('PValue'))})."
    )
