"""Say in sentences which regions known inputs reach, directly or through others."""

import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing.wording import listed
from causal_ivae.outcomes import arrows_of

_NAMED = 8


def inputs_sentences(label: str, method: CausalGraph) -> list[str]:
    """Describe what every known input reaches; empty without inputs.

    Parameters
    ----------
    label : str
        Name of the method on pages.
    """
    table = method.tables.get("inputs")
    if table is None:
        return []
    edges, sentences = method.edges, []
    for name in method.inputs:
        arrows = arrows_of(edges)
        direct = arrows.loc[arrows["cause"] == name, "effect"].tolist()
        rows = edges[(edges["x"] == name) | (edges["y"] == name)]
        through = _regions(rows[rows["why"] == "through"], name)
        unclear = _regions(rows[rows["why"] == "reached"], name)
        parts = [f"drives {_named(direct)} directly" if direct else "drives no region directly"]
        if through:
            parts.append(f"reaches {_named(through)} only through other regions")
        if unclear:
            parts.append(
                f"reaches {_named(unclear)}, and whether directly or through others is not known"
            )
        form = (
            "convolved with a haemodynamic response here"
            if method.sidecar["Inputs"][name].get("Convolved")
            else "as it was given"
        )
        sentences.append(
            f"{label}: the known input {name} ({form}) {listed(parts)}. No arrow can lead into it."
        )
    return sentences


def _regions(rows: pd.DataFrame, name: str) -> list[str]:
    return [x if y == name else y for x, y in zip(rows["x"], rows["y"], strict=True)]


def _named(regions: list[str]) -> str:
    shown = regions[:_NAMED]
    left = len(regions) - len(shown)
    return listed([*shown, f"{left} more"] if left else shown)
