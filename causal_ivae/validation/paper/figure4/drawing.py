"""Draw graphs of the six regions side by side, over the circuit that anatomy describes."""

from collections.abc import Hashable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from causal_ivae.anatomy import Prior
from causal_ivae.discovery.methods import METHODS
from causal_ivae.drawing.arrows import STYLES, drawn_edges, edge_kinds
from causal_ivae.drawing.svg import GRID, INK, figure_style, new_figure, png_and_svg
from causal_ivae.outcomes import arrows_of
from causal_ivae.validation.paper.figure4.experiment import ORDER, Circuit
from causal_ivae.validation.paper.figure4.recordings import REGIONS

# Cortex above, entorhinal cortex between, hippocampus below, as the circuit is drawn.
_PLACES = {
    "PRC": (0.0, 2.0), "PHC": (2.0, 2.0), "ERC": (1.0, 1.6),
    "SUB": (0.0, 0.35), "CA3DG": (2.0, 0.35), "CA1": (1.0, -0.2),
}  # fmt: skip
_GAP = {"CA3DG": 26}  # points; its name is the longest
_SHOWN = {"CA3DG": "CA3/DG"}


def draw_circuit(circuit: Circuit, prior: Prior) -> tuple[bytes, str]:
    """Draw one graph per method.

    Parameters
    ----------
    prior : Prior
        Its projections lie beneath, in grey.
    """
    with figure_style("figure4"):
        figure = new_figure(3.1 * len(ORDER), 3.9)
        axes = figure.subplots(1, len(ORDER), squeeze=False)[0]
        chance = {row["method"]: row for row in circuit.chance.to_dict("records")}
        used = set()
        for ax, method in zip(axes, ORDER, strict=True):
            own = circuit.edges[circuit.edges["method"] == method]
            used |= _draw(ax, own, prior)
            ax.set_title(f"{METHODS[method].title}\n{_caption(chance[method])}")
        handles = [
            Line2D([], [], color=style.color, lw=1.8, label=style.words,
                   linestyle=(0, style.dashes) if style.dashes else "-")
            for kind, style in STYLES.items() if kind in used
        ]  # fmt: skip
        beneath = Line2D([], [], color=GRID, lw=5.0, label="projection of the prior")
        figure.legend(
            handles=[beneath, *handles], loc="outside lower center", ncols=3, frameon=False
        )
        return png_and_svg(figure)


def _caption(row: Mapping[Hashable, float]) -> str:
    if not row["edges"]:
        return "no pair decided"
    direct = f"{row['direct']:.0f} direct (chance {row['direct_random']:.1f})"
    feasible = f"{row['feasible']:.0f} feasible ({row['feasible_random']:.1f})"
    return f"{row['edges']:.0f} edges, {direct}, {feasible}"


def _draw(ax: Axes, edges: pd.DataFrame, prior: Prior) -> set[str]:
    for projection in prior.projections:
        start, stop = _PLACES[projection.cause], _PLACES[projection.effect]
        ax.plot(*zip(start, stop, strict=True), color=GRID, lw=5.0, zorder=0)
    verdicts = {
        (cause, effect): edges.loc[row, "verdict"].split(" | ")[-1 if turned else 0]
        for cause, effect, row, turned in arrows_of(edges).itertuples(index=False)
    }
    used = {kind for kinds in edge_kinds(edges, verdicts).values() for kind in kinds}
    for edge in drawn_edges(edges, verdicts):
        style, two = edge.style, len(edge.heads) > 1
        head = ("<|-|>" if two else "-|>") if style.arrow else "->" if style.open else "-"
        ax.add_patch(
            FancyArrowPatch(
                _PLACES[edge.start], _PLACES[edge.stop], arrowstyle=head, color=style.color,
                lw=1.8 if style.arrow else 1.0, mutation_scale=11, shrinkA=16,
                shrinkB=_GAP.get(edge.stop, 16),
                linestyle=(0, style.dashes) if style.dashes else "-", zorder=2,
            )
        )  # fmt: skip
    for name in REGIONS:
        ax.text(
            *_PLACES[name], _SHOWN.get(name, name), ha="center", va="center", zorder=3,
            bbox={"boxstyle": "round,pad=0.35", "fc": "white", "ec": INK, "lw": 0.9},
        )  # fmt: skip
    ax.set(xlim=(-0.45, 2.45), ylim=(-0.5, 2.3))
    ax.set_axis_off()
    return used
