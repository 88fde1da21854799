"""Set a causal graph against anatomy: which edges it explains, and how many it would by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from causal_ivae.anatomy.prior_files import load_prior, prior_from_matrix
from causal_ivae.anatomy.verdicts import Match, Prior, match_regions, same_hemisphere
from causal_ivae.errors import InputError
from causal_ivae.seeding import generator

__all__ = ["Prior", "PriorComparison", "compare_with_prior", "load_prior", "prior_from_matrix"]

Verdict = Literal["direct", "indirect", "not feasible", ""]
CHECK_COLUMNS = ("cause", "effect", "verdict", "path")


@dataclass(frozen=True)
class PriorComparison:
    """A causal graph set against an anatomical prior.

    Attributes
    ----------
    check : pandas.DataFrame
        One row per decided edge: ``cause``, ``effect``, ``verdict`` ("direct", "indirect", "not
        feasible", or empty where the prior says nothing of the pair), ``path`` (the shortest path
        through the prior, region names joined with " > "; empty where there is none).
    summary : dict
        Ready for JSON.  ``Name``, ``Directed``; ``Edges`` (decided edges that the prior speaks
        of, the denominator of all shares), ``EdgesLeftOut`` (the others), ``PairsTested`` (pairs
        that the prior speaks of), ``Unknown`` (regions that the prior does not know);
        ``Direct`` and ``Feasible`` (direct or indirect), each with ``Count``, ``Share``,
        ``ChanceShare`` and ``PValue``; ``Orientation`` with ``Edges`` (found on pairs with a
        projection in one direction only), ``Count`` (found in that direction) and ``PValue``.
        Null where nothing was found.  For drawings ``Projections``, the direct ones between
        tested regions, each a list of cause and effect, and ``Rows``, the regions as the prior's
        own drawing puts them from top to bottom.
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
    """Judge every decided edge by an anatomical prior.

    Parameters
    ----------
    edges : pandas.DataFrame
        One row per tested pair with the columns ``x``, ``y``, ``cause`` and ``effect`` of
        `causal_ivae.discovery.graph.CausalGraph`.
    prior : Prior
    max_path : int or None
        Longest indirect path, in projections; None for any length.
    draws : int
        Random graphs behind the p-values.
    seed : int

    Returns
    -------
    PriorComparison

    Raises
    ------
    InputError
        If a column is missing, or an edge joins other regions than its pair's.

    Notes
    -----
    A random graph has as many edges as the one found, on pairs drawn without replacement among
    the tested pairs that the prior speaks of, each in a direction drawn at random.
    ``ChanceShare`` is the exact expectation and ``PValue`` is
    (1 + number of random graphs with at least the count found) / (1 + draws).  An undirected
    prior explains both directions of a pair alike, so only the choice of pairs is tested then.
    ``Orientation`` keeps the pairs found and asks of the directions alone (one-sided binomial
    test against 1/2).  All p-values take edges as exchangeable.

    A pair is left out of all counts where a region is unknown to the prior, both regions are one
    region of the prior, or they lie in opposite hemispheres and the prior describes one.
    """
    _check_edges(edges)
    pairs = list(zip(edges["x"], edges["y"], strict=True))
    matches = match_regions(list(dict.fromkeys(name for pair in pairs for name in pair)), prior)
    paths = _shortest_paths(prior, {match.region for match in matches.values()}, max_path)
    rows: list[tuple[str, str, Verdict, str]] = []
    # Per pair that the prior speaks of: directions (0, 1 or 2) that are direct, and feasible.
    explained: dict[str, list[int]] = {"Direct": [], "Feasible": []}
    projections: list[list[str]] = []
    agree = informative = 0
    found = edges["cause"] != ""
    for (x, y), cause, effect, decided in zip(
        pairs, edges["cause"], edges["effect"], found, strict=True
    ):
        if not _speaks(matches.get(x), matches.get(y)):
            if decided:
                rows.append((cause, effect, "", ""))
            continue
        lengths = [len(path) for path in (_path(x, y, matches, paths), _path(y, x, matches, paths))]
        both = ([x, y], [y, x])
        projections += [ends for ends, length in zip(both, lengths, strict=True) if length == 2]
        explained["Direct"].append(sum(length == 2 for length in lengths))
        explained["Feasible"].append(sum(length > 0 for length in lengths))
        if decided:
            path = _path(cause, effect, matches, paths)
            rows.append((cause, effect, _verdict(path), " > ".join(path)))
            if explained["Direct"][-1] == 1:
                informative += 1
                agree += len(path) == 2
    check = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
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
                what: _against_chance(counts[what], len(counted), directions, draws, seed, what)
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


def _check_edges(edges: pd.DataFrame) -> None:
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


def _speaks(first: Match | None, second: Match | None) -> bool:
    """Return whether the prior says anything of a pair of regions."""
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
    """Return the shortest path, ends named as analysed and the rest as in the prior."""
    path = paths[matches[cause].region].get(matches[effect].region)
    return [cause, *path[1:-1], effect] if path else []


def _verdict(path: Sequence[str]) -> Verdict:
    if not path:
        return "not feasible"
    return "direct" if len(path) == 2 else "indirect"


def _against_chance(
    count: int, n_edges: int, directions: Sequence[int], draws: int, seed: int, what: str
) -> dict[str, float | int | None]:
    if n_edges == 0:
        return {"Count": 0, "Share": None, "ChanceShare": None, "PValue": None}
    random = random_counts(directions, n_edges, draws, generator(seed, "prior", what))
    return {
        "Count": count,
        "Share": count / n_edges,
        "ChanceShare": float(np.mean(directions)) / 2,
        "PValue": float((1 + (random >= count).sum()) / (1 + draws)),
    }


def random_counts(
    directions: Sequence[int], n_edges: int, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Count the explained edges of random graphs.

    Parameters
    ----------
    directions : sequence of int, length n_pairs
        How many of the two directions of each pair the prior explains: 0, 1 or 2.
    n_edges : int
        Edges of each random graph, at most n_pairs.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (draws,), int64

    Notes
    -----
    Pairs drawn without replacement fall in the three classes with multivariate hypergeometric
    counts; an edge on a pair of class 1 is explained in one direction of two.  So no graph needs
    to be drawn edge by edge.
    """
    classes = np.bincount(np.asarray(directions, dtype=np.int64), minlength=3)
    drawn = rng.multivariate_hypergeometric(classes, n_edges, size=draws, method="marginals")
    explained = drawn[:, 2] + rng.binomial(drawn[:, 1], 0.5)
    return np.asarray(explained, dtype=np.int64)
