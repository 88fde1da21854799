"""Describe the findings in sentences that claim no more than the numbers do."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS
from causal_ivae.drawing.wording import count, listed, p_phrase, percent
from causal_ivae.outcomes import CONNECTED, DIRECTIONS, outcomes_of
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.fits import fits_sentence
from causal_ivae.reporting.group_rows import tested_terms
from causal_ivae.reporting.inputs_text import inputs_sentences
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.power_text import planted_sentences
from causal_ivae.reporting.table_rows import IMPOSSIBLE, SCREENED, untested
from causal_ivae.reporting.twins_text import twins_sentences

_CYCLES_NAMED = 3


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
    sentences = [_findings(name, method) for name, method in record.methods.items()]
    sentences += background_sentences(record)
    sentences += [
        f"Fits of {method_label(name, method.sidecar)}: {fits}."
        for name, method in record.methods.items()
        if (fits := fits_sentence(method))
    ]
    sentences += agreement_sentences(record)
    for name, method in record.methods.items():
        prior = method.sidecar.get("Prior")
        if prior:
            sentences.append(_prior_sentence(method_label(name, method.sidecar), prior))
    return sentences


def background_sentences(record: Unit) -> list[str]:
    """Describe what explains the findings: inputs, twins, power, assumptions and cycles."""
    sentences = []
    for name, method in record.methods.items():
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
    return sentences + [
        sentence
        for name, method in record.methods.items()
        for sentence in cycle_sentences(method_label(name, method.sidecar), method)
    ]


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
        if not of:
            continue
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
    compared = {name: m.sidecar["Prior"] for name, m in methods.items() if m.sidecar.get("Prior")}
    bare = [method_label(n, methods[n].sidecar) for n, one in compared.items() if not one["Edges"]]
    if bare:
        remarks.append(f"No arrow to compare by {listed(bare)}.")
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
    shares: dict[str, float] = {}
    for prior in (method.sidecar.get("Prior") or {} for method in methods.values()):
        chance = (prior.get("Feasible") or {}).get("ChanceShare")
        if chance is not None:
            shares[prior["Name"]] = max(chance, shares.get(prior["Name"], 0.0))
    remarks += [
        f"The prior '{name}' is dense: up to {percent(share)} of random edges on the tested pairs "
        "would be feasible, so that feasibility alone says little."
        for name, share in shares.items()
        if share >= 0.5
    ]
    return list(dict.fromkeys(remarks))


def model_counts(method: CausalGraph) -> list[tuple[str, int]]:
    """Return of every tested term of the model over subjects how many scores depend on it."""
    table = method.model
    if table is None:
        return []
    alpha = method.sidecar.get("Settings", {}).get("group", {}).get("alpha", 0.05)
    return [
        (str(term), int((rows["q_value"] <= alpha).sum()))
        for term, rows in table[tested_terms(table)].groupby("term", sort=False)
    ]


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


def cycle_sentences(label: str, method: CausalGraph) -> list[str]:
    """Describe the cycles that the directions of a method close, and what follows from them."""
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
