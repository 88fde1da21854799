"""Sum every method of a page up in one row of a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import MISSING, count, p_phrase, percent
from causal_ivae.outcomes import CONNECTED, count_arrows, leaning_of, outcomes_of
from causal_ivae.reporting.agreement import same_direction
from causal_ivae.reporting.fits import VERDICTS
from causal_ivae.reporting.headline import poor_arrows
from causal_ivae.reporting.method_names import method_label
from causal_ivae.reporting.table_rows import untested
from causal_ivae.reporting.verdict import verdict_of

_SHORT = dict(
    zip(
        VERDICTS,
        (
            "",
            "too many fits are in doubt",
            "the segments do not show that the disturbances change",
            "too few segments to tell the disturbances apart",
        ),
        strict=True,
    )
)
"""What a verdict means, in the words of the table."""


@dataclass(frozen=True)
class MethodRow:
    """Sum up one method.

    Attributes
    ----------
    name, word, why : str
        Name on pages, verdict, and what the verdict means.
    leaning : str
        Number of undecided pairs with a likelier direction, if the method has one.
    twins : str
        How many arrows would be drawn without regard to twins, beside those of a twin; empty
        without twins.
    arrows, poor, undecided, none, left_out : int
        Numbers of arrows, of those without a usable fit, and of pairs: undecided, without an edge,
        and not tested.
    prior, agreement : str
        How many arrows the prior explains, and on how many other methods agree, beside chance.
    """

    name: str
    word: str
    why: str
    twins: str
    arrows: int
    poor: int
    leaning: str
    undecided: int
    none: int
    left_out: int
    prior: str
    agreement: tuple[str, ...]


def method_rows(record: Unit) -> list[MethodRow]:
    """Return one row per method, in their order."""
    return [_row(record, name, method) for name, method in record.methods.items()]


def _row(record: Unit, name: str, method: CausalGraph) -> MethodRow:
    edges = method.edges
    verdict = verdict_of(record, name)
    left_out = (untested(method) != "").to_numpy()
    outcomes = list(outcomes_of(edges)[~left_out])
    word = verdict.word if verdict else ""
    why = _SHORT.get(word, "")
    if verdict is not None and word == VERDICTS[1] and method.diagnostics is None:
        why = verdict.reasons[0] if verdict.reasons else why
    return MethodRow(
        name=method_label(name, method.sidecar),
        word=word,
        why=why,
        twins=_twins(method),
        arrows=count_arrows(edges),
        poor=poor_arrows(method),
        leaning=f"{(leaning_of(edges) != '').sum()}" if "leaning" in edges else MISSING,
        undecided=sum(outcomes.count(one) for one in ("undecided", CONNECTED)),
        none=outcomes.count("none"),
        left_out=int(left_out.sum()),
        prior=_prior(method),
        agreement=tuple(
            said
            for other, graph in record.methods.items()
            if other != name and (said := _agreement(method, other, graph))
        ),
    )


def _twins(method: CausalGraph) -> str:
    about = method.sidecar
    if not about.get("Twins"):
        return ""
    return f"of {int(about['Claims'])}; in a twin {about['ClaimsPerTwin']:.1f}"


def _prior(method: CausalGraph) -> str:
    prior: Mapping[str, object] | None = method.sidecar.get("Prior")
    if not prior:
        return ""
    feasible = method.sidecar["Prior"].get("Feasible") or {}
    if feasible.get("Share") is None:
        return "no arrow to compare"
    return (
        f"{feasible['Count']} of {prior['Edges']} feasible; by chance "
        f"{percent(feasible.get('ChanceShare'))} ({p_phrase(feasible.get('PValue'))})"
    )


def _agreement(method: CausalGraph, other: str, graph: CausalGraph) -> str:
    """Return how often two methods agree on a direction; empty if they share no decided pair."""
    both, same = same_direction(method, graph)
    if not both:
        return ""
    label = method_label(other, graph.sidecar)
    return f"{label}: {same} of {count(both, 'pair')}; by chance {both / 2:g}"
