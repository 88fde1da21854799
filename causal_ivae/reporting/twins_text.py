"""Say in sentences what the network method could decide, beside twins without arrows."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing.wording import count, listed
from causal_ivae.outcomes import WHY


def twins_sentences(label: str, method: CausalGraph) -> list[str]:
    """Describe the arrows that were claimed, those of the twins, and what follows from them.

    Parameters
    ----------
    label : str
        Name of the method on pages.
    method : CausalGraph
        Where it has no twins and is not of the network method, there is nothing to say.
    """
    about = method.sidecar
    sentences = []
    if method.made_by and "NonlinearGain" in about:
        sentences = [
            f"{label}: nonlinear terms predict held-out volumes better than linear equations, by "
            f"{about['NonlinearGain']:.2f} nats per volume and region, more than the "
            f"{about['MostNonlinearGain']:g} that simulated BOLD networks reach. Structural flows "
            "decided instead."
        ]
    if "Twins" not in about:
        return sentences
    claims, twins = int(about["Claims"]), int(about["Twins"])
    if twins:
        sentences.append(_against_twins(label, claims, twins, about))
    if "why" in method.edges:
        number = method.edges["why"].value_counts()
        parts = [f"{words} ({number[why]})" for why, words in WHY.items() if why in number]
        if parts:
            sentences.append(f"{label}, why pairs have no arrow: {listed(parts)}.")
    if "ScaledBySegment" not in about:
        return sentences
    sentences.append(
        f"{label}: every segment was divided by its own standard deviations, with which the "
        "equations fit better."
        if about.get("ScaledBySegment")
        else f"{label}: each region has one scale over all segments."
    )
    return sentences


def _against_twins(label: str, claims: int, twins: int, about: Mapping[str, Any]) -> str:
    """Describe how many arrows the data and their twins claim."""
    per_twin = float(about["ClaimsPerTwin"])
    confidence = about.get("Settings", {}).get("decision", {}).get("confidence", 0.7)
    by_pair = "LeastConfidenceDrawn" in about
    passed = (
        f"{count(claims, 'arrow')} would be drawn without regard to twins"
        if by_pair
        else f"{count(claims, 'arrow')} passed a probability of {confidence:g}"
    )
    text = (
        f"{label}: {passed}. Twins of these "
        f"data, with the same covariance and spectra but without arrows, gave {per_twin:.1f} each "
        f"({twins} twins)."
    )
    least = about.get("LeastConfidenceDrawn" if by_pair else "LeastProbabilityDrawn")
    if least is not None:
        what = "confidence" if by_pair else "probability"
        return f"{text} Arrows are drawn from a {what} of {least:.2f} on."
    if claims == 0:
        return text
    if about.get("WithheldByPlantedArrows"):
        return f"{text} No arrow is drawn, since {WHY['planted']}."
    if per_twin == 0:
        share = about.get("Settings", {}).get("decision", {}).get("decoy_share", 0.05)
        return (
            f"{text} Of so few twins that does not show {count(claims, 'arrow')} to be more than "
            f"chance, so no arrow is drawn; {ceil(1 / (share * claims))} twins could."
        )
    return (
        f"{text} {claims} is not clearly above {per_twin:.1f}, so no arrow is drawn. This is the "
        "usual outcome at rest, where directions repeat, if they do, because common sources, noise "
        "levels and haemodynamic delays repeat. Directions need known inputs (a task, a "
        "stimulation), few common sources between the regions, or many subjects."
    )
