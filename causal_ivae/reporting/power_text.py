"""Say in sentences what planted arrows show that the data could decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causal_ivae.derivatives.causal_graph import CausalGraph
from causal_ivae.drawing.wording import count, percent

_WHERE = {
    "twins": "beside common sources as in these data",
    "shifted": "between regions that share nothing else",
}
"""What planted arrows stand beside, by kind of series."""
MOST_TIMES = 100
"""Advice for more than so many times the data would be no advice."""


@dataclass(frozen=True)
class MiddlePower:
    """Hold what became of planted arrows of the middle strength, among common sources.

    Attributes
    ----------
    strength : float
        Share of the effect's standard deviation that comes from the cause.
    right, wrong : float
        Shares of them that were drawn the right and the wrong way.
    alone : float
        Share drawn the right way between regions that share nothing else; NaN if unknown.
    times_needed : float
        How many times as many volumes draw 80 % of them the right way; NaN if unknown.
    """

    strength: float
    right: float
    wrong: float
    alone: float
    times_needed: float

    @property
    def beside(self) -> str:
        """Say what the share that was drawn the right way is a share of."""
        turned = f", and {percent(self.wrong)} drawn the wrong way" if self.wrong else ""
        said = f"of arrows of strength {self.strength:g} would be found{turned}"
        if np.isnan(self.alone):
            return said
        return f"{said} ({percent(self.alone)} if regions had no common sources)"


def middle_power(method: CausalGraph) -> MiddlePower | None:
    """Return the power for arrows of the middle strength; None if it was not estimated."""
    table = method.tables.get("power")
    if table is None:
        return None
    twins = table[table["series"] == "twins"]
    if not len(twins):
        return None
    row = twins.iloc[len(twins) // 2]
    same = (table["series"] == "shifted") & (table["strength"] == row["strength"])
    alone = table.loc[same, "drawn"] - table.loc[same, "wrong"]
    return MiddlePower(
        float(row["strength"]),
        float(row["drawn"] - row["wrong"]),
        float(row["wrong"]),
        float(alone.iloc[0]) if len(alone) else float("nan"),
        float(row["times_needed"]),
    )


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
    by_kind = {kind: table[table["series"] == kind] for kind in _WHERE}
    drawn, wrong = table["drawn"].sum(), table["wrong"].sum()
    of_drawn = f"{percent(wrong / drawn)} of those drawn" if drawn else "none"
    strengths = " / ".join(f"{value:g}".removeprefix("0") for value in by_kind["twins"]["strength"])
    shares = " and in ".join(
        f"{' / '.join(f'{100 * value:.0f}' for value in rows['drawn'])} % {_WHERE[kind]}"
        for kind, rows in by_kind.items()
    )
    text = (
        f"{label}, power: with these data ({count(about['Volumes'], 'volume')}, "
        f"{count(about['Windows'], 'segment')}, lag-one correlation {about['LagOne']:.2f}) an "
        f"arrow of strength {strengths} would be drawn in {shares}, pointing the wrong way in "
        f"{of_drawn} ({int(table['planted'].iloc[0])} planted arrows of each kind, "
        f"seed {about['Seed']})."
    )
    signs = about["RightSign"]
    if signs["shifted"]["Share"] is None:
        return [text, f"{label}: none of the strong planted arrows was found to be a connection."]
    shown = " and ".join(
        f"{percent(signs[kind]['Share'])} (95% interval {percent(signs[kind]['Low'])} to "
        f"{percent(signs[kind]['High'])}) {where}"
        for kind, where in _WHERE.items()
        if signs[kind]["Share"] is not None
    )
    lean = f"{label}: of strong planted arrows that were found to be connections {shown} lean the"
    if about["CannotDecide"]:
        return [
            text,
            f"{label}: these data cannot decide directions.",
            f"{lean} right way, no better than chance, so that more data of this kind are not "
            "known to help. Less smoothing and filtering in time, shorter repetition times, or a "
            "known input (a task, a stimulation) may.",
        ]
    if signs["shifted"]["Low"] <= 0.5:
        return [
            text,
            f"{lean} right way; these are too few to tell whether directions can be decided "
            "(power.plants).",
        ]
    return [text, f"{lean} right way. {_advice(by_kind, about)}"]


def _advice(by_kind: Mapping[str, pd.DataFrame], about: Mapping[str, Any]) -> str:
    """Return what would be needed to draw most arrows of the middle strength."""
    middle = {kind: rows.iloc[len(rows) // 2] for kind, rows in by_kind.items()}
    aim = f"To draw 80% of arrows of {middle['twins']['strength']:g} the right way"
    for kind, row in middle.items():
        times = float(row["times_needed"])
        if times <= 1:
            return f"{aim} {_WHERE[kind]}, these data suffice."
        if np.isfinite(times) and times <= MOST_TIMES:
            return (
                f"{aim} {_WHERE[kind]}, about {times:.1f} times the data would be needed: "
                f"{_round(times * about['Volumes']):,} volumes in "
                f"{_round(times * about['Windows']):,} such segments, or {times:.1f} times the "
                "subjects in one pooled network. This is extrapolated from the shares above, as "
                "if evidence grew with the root of the number of volumes."
            )
    return f"{aim}, more data of this kind are not known to help."


def _round(value: float) -> int:
    """Return a number with two significant digits."""
    return int(float(f"{value:.2g}"))
