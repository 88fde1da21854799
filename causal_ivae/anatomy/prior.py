"""Compare a causal graph with anatomy: which edges anatomy explains, and how many by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from causal_ivae.anatomy.prior_files import load_prior
from causal_ivae.anatomy.prior_matrices import prior_from_matrix
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
        Number of random graphs for the p-values.
    seed : int

    Returns
    -------
    PriorComparison

    Raises
    ------
    InputError
        If a column is missing, or the edge of a row joins other regions than the row's pair.

    Notes
    -----
    A random graph has as many pairs with one arrow, and as many with two, as the given one.  They
    are drawn without replacement from the tested pairs that the prior covers, and each pair with
    one arrow gets a random direction.
    ``ChanceShare`` is the exact expectation over random graphs, and ``PValue`` is
    (1 + number of random graphs with at least the observed count) / (1 + draws).  An undirected
    prior explains both directions of a pair, so that only the choice of pairs is tested then.
    ``Orientation`` keeps the pairs and tests the directions alone (one-sided binomial test against
    1/2).  All p-values assume that edges are exchangeable.

    The prior does not cover a pair if it does not know a region, if both regions belong to the
    same region of the prior, or if they lie in opposite hemispheres and the prior describes one.
    """
    edges = _checked(edges)
    pairs = list(zip(edges["x"], edges["y"], strict=True))
    matches = match_regions(list(dict.fromkeys(name for pair in pairs for name in pair)), prior)
    paths = _shortest_paths(prior, {match.region for match in matches.values()}, max_path)
    rows: list[tuple[str, str, Verdict, str]] = []
    # For every pair that the prior covers: how many directions (0, 1 or 2) it explains.
    explained: dict[str, list[int]] = {"Direct": [], "Feasible": []}
    projections: list[list[str]] = []
    agree = informative = two_arrows = 0
    arrows: dict[int, list[tuple[str, str]]] = {}
    for cause, effect, row, _ in arrows_of(edges).itertuples(index=False):
        arrows.setdefault(row, []).append((cause, effect))
    for row, (x, y) in enumerate(pairs):
        decided = arrows.get(row, [])
        if not _speaks(matches.get(x), matches.get(y)):
            rows += [(*ends, "", "") for ends in decided]
            continue
        lengths = [len(path) for path in (_path(x, y, matches, paths), _path(y, x, matches, paths))]
        both = ([x, y], [y, x])
        projections += [ends for ends, length in zip(both, lengths, strict=True) if length == 2]
        explained["Direct"].append(sum(length == 2 for length in lengths))
        explained["Feasible"].append(sum(length > 0 for length in lengths))
        two_arrows += len(decided) == 2
        for ends in decided:
            path = _path(*ends, matches, paths)
            rows.append((*ends, _verdict(path), " > ".join(path)))
            if explained["Direct"][-1] == 1 and len(decided) == 1:
                informative += 1
                agree += len(path) == 2
    check = pd.DataFrame(rows, columns=list(PRIOR_CHECK.columns))
    counted = check["verdict"][check["verdict"] != ""]
    counts = {
        "Direct": int((counted == "direct").sum()),
        "Feasible": int((counted != "not feasible").sum()),
    }
    unknown = {name for pair in pairs for name in pair} - set(matches)
    return PriorComparison(
        check=check,
        summary={
            "Name": prior.name,
            "Directed": prior.directed,
            "Edges": len(counted),
            "EdgesLeftOut": len(check) - len(counted),
            "PairsTested": len(explained["Direct"]),
            "Unknown": sorted(unknown),
            **{
                what: _against_chance(
                    counts[what], len(counted), two_arrows, directions, draws, seed, what
                )
                for what, directions in explained.items()
            },
            "Orientation": {
                "Edges": informative,
                "Count": agree,
                "PValue": float(binomtest(agree, informative, alternative="greater").pvalue)
                if informative
                else None,
            },
            "Projections": sorted(projections),
            "Rows": _rows(prior, matches),
        },
    )


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
    graph = prior.graph
    return {
        region: nx.single_source_shortest_path(graph, region, cutoff=max_path) for region in regions
    }


def _path(
    cause: str,
    effect: str,
    matches: dict[str, Match],
    paths: dict[str, dict[str, list[str]]],
) -> list[str]:
    """Return the shortest path, with the analysed names at its ends and the prior's in between."""
    path = paths[matches[cause].region].get(matches[effect].region)
    return [cause, *path[1:-1], effect] if path else []


def _verdict(path: Sequence[str]) -> Verdict:
    if not path:
        return "not feasible"
    return "direct" if len(path) == 2 else "indirect"


def _against_chance(
    count: int,
    n_edges: int,
    two_arrows: int,
    directions: Sequence[int],
    draws: int,
    seed: int,
    what: str,
) -> dict[str, float | int | None]:
    if n_edges == 0:
        return {"Count": 0, "Share": None, "ChanceShare": None, "PValue": None}
    rng = generator(seed, "prior", what)
    random = random_counts(directions, n_edges - 2 * two_arrows, draws, rng, two_arrows=two_arrows)
    return {
        "Count": count,
        "Share": count / n_edges,
        "ChanceShare": float(np.mean(directions)) / 2,
        "PValue": float((1 + (random >= count).sum()) / (1 + draws)),
    }


def random_counts(
    directions: Sequence[int],
    n_edges: int,
    draws: int,
    rng: np.random.Generator,
    *,
    two_arrows: int = 0,
) -> NDArray[np.int64]:
    """Count how many edges of random graphs a prior explains.

    Parameters
    ----------
    directions : sequence of int, length n_pairs
        Number of directions (0, 1 or 2) of each pair that the prior explains.
    n_edges : int
        Number of pairs with one arrow in each random graph.
    draws : int
    rng : numpy.random.Generator
    two_arrows : int
        Number of pairs with both arrows; with `n_edges` at most n_pairs.

    Returns
    -------
    ndarray, shape (draws,), int64

    Notes
    -----
    The numbers of drawn pairs with 0, 1 and 2 explained directions are multivariate
    hypergeometric, and an edge on a pair with 1 is explained with probability 1/2.  So no graph
    needs to be drawn edge by edge.  The pairs with two arrows are drawn from those that are left.
    """
    classes = np.bincount(np.asarray(directions, dtype=np.int64), minlength=3)
    drawn = rng.multivariate_hypergeometric(classes, n_edges, size=draws, method="marginals")
    explained = drawn[:, 2] + rng.binomial(drawn[:, 1], 0.5)
    if two_arrows:
        left = classes - drawn
        twice = rng.hypergeometric(left[:, 2], left[:, 0] + left[:, 1], two_arrows)
        once = rng.hypergeometric(left[:, 1], left[:, 0], two_arrows - twice)
        explained = explained + 2 * twice + once
    return np.asarray(explained, dtype=np.int64)
