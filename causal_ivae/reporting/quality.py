"""Describe how the results of a group depend on subjects whose results are not usable."""

from collections import Counter

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.derivatives.units import Unit
from causal_ivae.drawing.wording import count, listed
from causal_ivae.outcomes import USABLE, is_decided
from causal_ivae.reporting.fits import UNKNOWN
from causal_ivae.reporting.method_names import method_label


def quality_sentences(record: Unit) -> list[str]:
    """Say for every method of a group whose results are not usable, and what depends on them.

    Subjects are not usable if their verdict is "doubtful" or worse.
    """
    sentences = []
    for name, method in record.methods.items():
        words = Counter(method.sidecar.get("Quality", {}).values())
        judged = sum(words.values()) - words[UNKNOWN]
        bad = judged - words[USABLE]
        if not bad:
            continue
        named = [f"{n} {word}" for word, n in words.most_common() if word not in (USABLE, UNKNOWN)]
        whose = "all" if bad == judged else f"{bad} of"
        sentences.append(
            f"{method_label(name, method.sidecar)}: the results of {whose} "
            f"{count(judged, 'subject')} are not usable ({listed(named)}). "
            f"{_dependence(method, judged - bad)}"
        )
    return sentences


def _dependence(method: CausalGraph, n_usable: int) -> str:
    """Say what becomes of the directions if only the usable subjects are combined."""
    edges = method.edges
    arrows = edges[is_decided(edges)]
    alone = edges.get("usable_decision")
    if alone is None or not (alone.fillna("") != "").any():
        if not n_usable:
            return "Every decision on this page rests on such results."
        return (
            f"The {count(n_usable, 'usable subject')} alone are too few for statistics, so that "
            "every decision on this page depends on the others."
        )
    kept = int((arrows["usable_decision"] == arrows["decision"]).sum())
    other = edges[~is_decided(edges)]
    new = int(other["usable_decision"].isin(["x->y", "y->x"]).sum())
    text = (
        f"If only the {count(n_usable, 'usable subject')} are combined, {kept} of "
        f"{count(len(arrows), 'direction')} {'stays' if kept == 1 else 'stay'}"
        if len(arrows)
        else f"There is no direction that could depend on them; the {n_usable} usable subjects"
    )
    if new:
        text += f" and {count(new, 'other pair')} {'gets' if new == 1 else 'get'} one"
    elif not len(arrows):
        text += " decide none either"
    return f"{text}."
