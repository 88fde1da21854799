"""Say in sentences what one fit of all subjects found, alone and beside the group."""

import numpy as np

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.network_tables import NETWORK
from causal_ivae.derivatives.units import Unit
from causal_ivae.discovery.methods import METHODS
from causal_ivae.drawing.wording import count, percent
from causal_ivae.outcomes import count_arrows, is_decided
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.twins_text import twins_sentences


def pooled_sentences(pooled: Unit) -> list[str]:
    """Describe the graphs of all subjects by methods whose main graph it is."""
    sentences = []
    for name, method in pooled.methods.items():
        if METHODS[name].pools:
            label = f"{method_label(name, method.sidecar)}, all subjects in one graph"
            n_arrows = count_arrows(method.edges)
            sentences += twins_sentences(label, method) or [f"{label}: {count(n_arrows, 'arrow')}."]
            sentences += _without_one_sentences(label, method)
    return sentences


def _without_one_sentences(label: str, method: CausalGraph) -> list[str]:
    """Describe how many drawn arrows depend on a single subject, by the subjects' own gains."""
    evidence = method.tables.get(NETWORK.name)
    if evidence is None or "gain_without_one" not in evidence:
        return []
    ends = ["x", "y"]
    drawn = method.edges.loc[is_decided(method.edges), ends].merge(evidence, on=ends)
    if not len(drawn):
        return []
    stays = int((np.sign(drawn["gain"]) == np.sign(drawn["gain_without_one"])).sum())
    least, most = drawn["agreement"].min(), drawn["agreement"].max()
    return [
        f"{label}: of {count(len(drawn), 'pair')} with an arrow, {stays} lean the same way whoever "
        f"is left out, and {percent(least)} to {percent(most)} of the subjects lean as all do "
        "(by the gain of the best acyclic graph, nothing fitted again)."
    ]


def beside_sentences(record: Unit, pooled: Unit) -> list[str]:
    """Describe for every method how one fit of all subjects compares with the group."""
    sentences = []
    for name, method in record.methods.items():
        if name not in pooled.methods:
            continue
        n_both, n_same = same_direction(method, pooled.methods[name])
        label = method_label(name, method.sidecar)
        if n_both == 0:
            sentences.append(
                f"{label}: there is no pair to which the group and the fit of all subjects pooled "
                "both give a direction."
            )
        else:
            sentences.append(
                f"{label}: the group and the fit of all subjects pooled both give a direction to "
                f"{count(n_both, 'pair')} and agree on {n_same}; random directions would agree on "
                f"{n_both / 2:g}."
            )
    return sentences
