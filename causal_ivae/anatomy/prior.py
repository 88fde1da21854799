"""Compare a causal graph with anatomy: which edges anatomy explains, and how many by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.anatomy.prior_files import load_prior
from causal_ivae.anatomy.prior_matrices import prior_from_matrix
from causal_ivae.anatomy.relabelling import expected_by_distance, relabelling_p
from causal_ivae.anatomy.verdicts import Match, Prior, match_regions, same_hemisphere
from causal_ivae.derivatives.tables import PRIOR_CHECK
from causal_ivae.errors import InputError
from causal_ivae.outcomes import arrows_of
from causal_ivae.seeding import generator

__all__ = ["Prior", "PriorComparison", "compare_with_prior", "load_prior", "prior_from_matrix"]

Verdict = Literal["direct", "indirect", "not feasible", ""]


@dataclass(frozen=True)
class PriorComparison:
    """Hold the comparison of a causal graph with an anatomical prior.

    Attributes
    ----------
    check : pandas.DataFrame
        One row per arrow, two for a pair with the decision "both": ``cause``, ``effect``,
        ``verdict`` ("direct", "indirect", "not feasible", or empty where the prior does not cover
        the pair), ``path`` (the shortest path through the prior, region names joined with " > ";
        empty where there is none).
    summary : dict
        Counts and shares that can be written as JSON:

        - ``Name`` and ``Directed`` describe the prior;
        - ``Edges`` is the number of arrows that the prior covers, the denominator of all shares,
          and ``EdgesLeftOut`` the number of the others;
        - ``PairsTested`` is the number of pairs that the prior covers, and ``Unknown`` lists the
          regions that it does not know;
        - ``Direct`` and ``Feasible`` (direct or indirect) each hold ``Count``, ``Share``,
          ``ChanceShare`` and ``PValue``;
        - ``Orientation`` holds ``Edges`` (the number of pairs with one arrow and a projection in
          one direction only), ``Count`` (the number in that direction) and ``PValue``;
        - ``Projections`` lists cause and effect of every direct projection between tested regions,
          and ``Rows`` the regions in the rows of the prior's drawing, from top to bottom.

        Shares and p-values are null where there are no edges.
    """

    check: pd.DataFrame
    summary: dict[str, Any]


def compare_with_prior(
    edges: pd.DataFrame,
    prior: Prior,
    *,
    max_path: int | None = None,
    draws: int = 9999,
    seed: int = 0,
    coordinates: Mapping[str, Sequence[float]] | None = None,
) -> PriorComparison:
    """Compare every decided edge with an anatomical prior.

    Parameters
    ----------
    edges : pandas.DataFrame
        One row per tested pair with the columns ``x``, ``y``, ``cause`` and ``effect`` of
        `causal_ivae.derivatives.causal_graph.CausalGraph`, and ``decision`` if it can be "both",
        which counts as two arrows.
    prior : Prior
    max_path : int or None
        Largest number of projections in an indirect path; None for any number.
    draws : int
        Number of permutations of the regions' labels for the p-values.
    seed : int
    coordinates : mapping of str to sequence of float, optional
        Centre of every region (mm).

    Returns
    -------
    PriorComparison

    Raises
    ------
    InputError
        If a column is missing, or the edge of a row joins other regions than the row's pair.

    Notes
    -----
    ``PValue`` compares the graph with the same graph whose regions have changed places, in one
    hemisphere each if the prior describes one (`causal_ivae.anatomy.relabelling`).  Labels rather
    than edges are exchangeable, since edges share regions.  Near regions are connected more
    often, in graphs as in priors: where `coordinates` has all regions, an arrow counts what it has
    above the share of pairs as far apart that the prior explains.  ``ChanceShare`` is the mean
    of these shares over the arrows, or else the share of all pairs.  ``Orientation`` counts arrows
    along a projection minus arrows against one, where the prior has one direction only.

    The prior does not cover a pair if it does not know a region, if both regions belong to the
    same region of the prior, or if they lie in opposite hemispheres and the prior describes one.
    """
    edges = _checked(edges)
    pairs = list(zip(edges["x"], edges["y"], strict=True))
    matches = match_regions(list(dict.fromkeys(name for pair in pairs for name in pair)), prior)
    paths = _shortest_paths(prior, {match.region for match in matches.values()}, max_path)
    names = list(matches)
    place = {name: i for i, name in enumerate(names)}
    known = _matrices(names, matches, paths)
    rows: list[tuple[str, str, Verdict, str]] = []
    arrows: list[tuple[int, int]] = []
    alone: list[tuple[int, int]] = []
    decided = arrows_of(edges)
    # A pair with both arrows makes no choice between the directions.
    single = ~decided["row"].duplicated(keep=False)
    for cause, effect, one in zip(decided["cause"], decided["effect"], single, strict=True):
        if not _speaks(matches.get(cause), matches.get(effect)):
            rows.append((cause, effect, "", ""))
            continue
        path = _path(cause, effect, matches, paths)
        rows.append((cause, effect, _verdict(path), " > ".join(path)))
        arrows.append((place[cause], place[effect]))
        if one:
            alone.append(arrows[-1])
    check = pd.DataFrame(rows, columns=list(PRIOR_CHECK.columns))
    tested = [(x, y) for x, y in pairs if _speaks(matches.get(x), matches.get(y))]
    projections = [
        list(ends)
        for x, y in tested
        for ends in ((x, y), (y, x))
        if known["Direct"][place[ends[0]], place[ends[1]]]
    ]
    sides = [matches[name].side or "" for name in names]
    groups = np.unique(sides, return_inverse=True)[1].astype(np.int64)
    drawn = np.array(arrows, dtype=np.int64).reshape(-1, 2)
    rng = {what: generator(seed, "prior", what) for what in ("Direct", "Feasible", "Orientation")}
    return PriorComparison(
        check=check,
        summary={
            "Name": prior.name,
            "Directed": prior.directed,
            "Edges": len(drawn),
            "EdgesLeftOut": len(check) - len(drawn),
            "PairsTested": len(tested),
            "Unknown": sorted({name for pair in pairs for name in pair} - set(matches)),
            **{
                what: _against_chance(
                    drawn,
                    known[what],
                    expected_by_distance(known[what], known["covered"], names, coordinates),
                    known["covered"],
                    groups,
                    draws,
                    rng[what],
                )
                for what in ("Direct", "Feasible")
            },
            "Orientation": _orientation(
                np.array(alone, dtype=np.int64).reshape(-1, 2),
                known["Direct"],
                groups,
                draws,
                rng["Orientation"],
            ),
            "Projections": sorted(projections),
            "Rows": _rows(prior, matches),
        },
    )


def _orientation(
    arrows: NDArray[np.int64],
    direct: NDArray[np.bool_],
    groups: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, float | int | None]:
    """Compare directions where the prior has a projection in one direction only."""
    sign = direct.astype(np.float64) - direct.T
    signs = sign[arrows[:, 0], arrows[:, 1]]
    informative = int((signs != 0).sum())
    return {
        "Edges": informative,
        "Count": int((signs > 0).sum()),
        "PValue": relabelling_p(arrows, sign, groups, draws, rng) if informative else None,
    }


def _checked(edges: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with their decisions, with the number of the row as index."""
    for column in ("x", "y", "cause", "effect"):
        if column not in edges:
            raise InputError(
                f"The edge table lacks the column '{column}'; it has {', '.join(edges.columns)}."
            )
    for x, y, cause, effect in edges[["x", "y", "cause", "effect"]].itertuples(index=False):
        if (cause, effect) not in ((x, y), (y, x), ("", "")):
            raise InputError(
                f"The edge table has the edge '{cause}' -> '{effect}' in the row of the pair "
                f"'{x}', '{y}'."
            )
    both = (edges["decision"] == "both") if "decision" in edges else False
    chosen = [both, edges["cause"] == "", edges["cause"] == edges["x"]]
    decision = np.select(chosen, ["both", "undecided", "x->y"], "y->x")
    return edges[["x", "y"]].assign(decision=decision).reset_index(drop=True)


def _speaks(first: Match | None, second: Match | None) -> bool:
    """Check whether the prior covers a pair of regions."""
    if first is None or second is None or first.region == second.region:
        return False
    return same_hemisphere(first, second)


def _rows(prior: Prior, matches: Mapping[str, Match]) -> list[list[str]]:
    placed = [[name for name, m in matches.items() if m.region in row] for row in prior.rows]
    return [row for row in placed if row]


def _shortest_paths(
    prior: Prior, regions: set[str], max_path: int | None
) -> dict[str, dict[str, list[str]]]:
    import networkx as nx

    graph = prior.graph
    return {
        region: nx.single_source_shortest_path(graph, region, cutoff=max_path) for region in regions
    }


def _path(
    cause: str, effect: str, matches: Mapping[str, Match], paths: Mapping[str, dict[str, list[str]]]
) -> list[str]:
    """Return the shortest path, with the analysed names at its ends and the prior's in between."""
    path = paths[matches[cause].region].get(matches[effect].region)
    return [cause, *path[1:-1], effect] if path else []


def _verdict(path: Sequence[str]) -> Verdict:
    if not path:
        return "not feasible"
    return "direct" if len(path) == 2 else "indirect"


def _matrices(
    names: Sequence[str], matches: Mapping[str, Match], paths: Mapping[str, dict[str, list[str]]]
) -> dict[str, NDArray[np.bool_]]:
    """Return which arrows between regions the prior speaks of and explains, row = cause."""
    lengths = np.array(
        [[len(_path(x, y, matches, paths)) for y in names] for x in names], dtype=np.int64
    ).reshape(len(names), len(names))
    covered = np.array(
        [[_speaks(matches[x], matches[y]) for y in names] for x in names], dtype=bool
    ).reshape(len(names), len(names))
    return {
        "covered": covered,
        "Direct": covered & (lengths == 2),
        "Feasible": covered & (lengths > 0),
    }


def _against_chance(
    arrows: NDArray[np.int64],
    explained: NDArray[np.bool_],
    expected: NDArray[np.float64],
    covered: NDArray[np.bool_],
    groups: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> dict[str, float | int | None]:
    if not len(arrows):
        return {"Count": 0, "Share": None, "ChanceShare": None, "PValue": None}
    x, y = arrows.T
    gain = np.where(covered, explained - expected, 0.0)
    return {
        "Count": int(explained[x, y].sum()),
        "Share": float(explained[x, y].mean()),
        "ChanceShare": float(expected[x, y].mean()),
        "PValue": relabelling_p(arrows, gain, groups, draws, rng),
    }
