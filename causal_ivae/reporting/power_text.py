"""Say in sentences what planted arrows show that the data could decide."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing.wording import count, percent

_MOST_TIMES = 100
"""Advice for more than so many times the data would be no advice."""


def planted_sentences(label: str, method: CausalGraph) -> list[str]:
    """Describe the power of the data, and what would be needed where it is small.

    Parameters
    ----------
    label : str
        Name of the method on pages.
    method : CausalGraph
        A result of the network method; without planted arrows there is nothing to say.
    """
    about, table = method.sidecar.get("Power"), method.tables.get("power")
    if not about or table is None:
        return []
    twins = table[table["series"] == "twins"]
    drawn = twins["drawn"].sum()
    wrong = f"{percent(twins['wrong'].sum() / drawn)} of those drawn" if drawn else "none"
    strengths = " / ".join(f"{value:g}".removeprefix("0") for value in twins["strength"])
    shares = " / ".join(f"{100 * value:.0f}" for value in twins["drawn"])
    text = (
        f"{label}, power: with these data ({count(about['Volumes'], 'volume')}, "
        f"{count(about['Windows'], 'segment')}, lag-one correlation {about['LagOne']:.2f}) an "
        f"arrow of strength {strengths} between regions with common sources like these would be "
        f"drawn in {shares} %, pointing the wrong way in {wrong} "
        f"({int(twins['planted'].iloc[0])} planted arrows of each strength)."
    )
    sign = about["RightSign"]
    interval = f"95% interval {percent(sign['Low'])} to {percent(sign['High'])}"
    shown = f"{percent(sign['Share'])} ({interval})"
    if about["CannotDecide"]:
        return [
            text,
            f"{label}: these data cannot decide directions. Of strong arrows planted into them "
            f"through haemodynamic responses, {shown} lean the right way, no better than chance, "
            "so that more data of this kind are not known to help. Less smoothing and filtering in "
            "time, shorter repetition times, or a known input (a task, a stimulation) may.",
        ]
    if sign["Low"] <= 0.5:
        return [
            text,
            f"{label}: of strong planted arrows {shown} lean the right way; these are too few to "
            "tell whether directions can be decided (power.plants).",
        ]
    advice = _advice(twins, about)
    return [text, f"{label}: of strong planted arrows {shown} lean the right way. {advice}"]


def _advice(twins: pd.DataFrame, about: Mapping[str, Any]) -> str:
    """Return what would be needed to draw most arrows of the middle strength."""
    row = twins.iloc[len(twins) // 2]
    times = float(row["times_needed"])
    aim = f"To draw 80% of arrows of {row['strength']:g} the right way"
    if times <= 1:
        return f"{aim}, these data suffice."
    if not np.isfinite(times) or times > _MOST_TIMES:
        return f"{aim}, more data of this kind are not known to help."
    return (
        f"{aim}, about {times:.1f} times the data would be needed: "
        f"{_round(times * about['Volumes']):,} volumes in {_round(times * about['Windows']):,} "
        f"such segments, or {times:.1f} times the subjects in one pooled network. This is "
        "extrapolated from the shares above, as if evidence grew with the root of the number of "
        "volumes."
    )


def _round(value: float) -> int:
    """Return a number with two significant digits."""
    return int(float(f"{value:.2g}"))
