"""Describe anatomical priors and match the names of analysed regions with their regions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import networkx as nx

Hemisphere = Literal["left", "right"]

_SIDES: dict[str, Hemisphere] = {
    "l": "left", "lh": "left", "left": "left", "r": "right", "rh": "right", "right": "right",
}  # fmt: skip
_PREFIX = re.compile(r"^(l|r|lh|rh|left|right)[ _.\-]+(?=.)", re.IGNORECASE)
_SUFFIX = re.compile(r"(?<=.)[ _.\-]+(l|r|lh|rh|left|right)$", re.IGNORECASE)


@dataclass(frozen=True)
class Projection:
    """Describe one projection of a prior, from cause to effect.

    Attributes
    ----------
    cause, effect : str
        Regions of the prior.
    disputed : bool
        True if publications disagree on whether it exists.
    citations : tuple of str
        Keys of `Prior.references`; empty for structural connectivity.
    remark : str
        Free text of the prior's table.
    """

    cause: str
    effect: str
    disputed: bool = False
    citations: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class Prior:
    """Hold the projections that anatomy expects, which the estimation itself never uses.

    Attributes
    ----------
    name : str
    names : tuple of str
        Names of the prior's regions.
    projections : tuple of Projection
        All projections; an undirected prior has both directions of each.
    directed : bool
        False for structural connectivity, which does not tell directions.
    aliases : tuple of (str, str)
        Pairs of another name (case-folded) and the region that it stands for.
    references : tuple of (str, str)
        Pairs of a citation key and the cited work with its DOI.
    description : str
    rows : tuple of tuple of str
        Regions in the rows of a drawing, from top to bottom; no result depends on them.
    """

    name: str
    names: tuple[str, ...]
    projections: tuple[Projection, ...]
    directed: bool
    aliases: tuple[tuple[str, str], ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    description: str = ""
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """Return the projections as a graph from cause to effect."""
        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        graph.add_nodes_from(self.names)
        graph.add_edges_from((p.cause, p.effect) for p in self.projections)
        return graph

    def cited(self, path: Sequence[str]) -> tuple[str, ...]:
        """Return the citation keys of the projections along a path, each once and in order."""
        steps = {(p.cause, p.effect): p.citations for p in self.projections}
        keys = (key for step in pairwise(path) for key in steps.get(step, ()))
        return tuple(dict.fromkeys(keys))


@dataclass(frozen=True)
class Match:
    """Name the region of a prior that an analysed region belongs to.

    Attributes
    ----------
    region : str
        Name of the region in the prior.
    side : {"left", "right"} or None
        Hemisphere in the analysed region's name, if the prior does not name hemispheres.
    """

    region: str
    side: Hemisphere | None


def match_regions(names: Sequence[str], prior: Prior) -> dict[str, Match]:
    """Find the region of a prior that each analysed region belongs to.

    A name is looked up exactly, then ignoring case, then among the aliases, and then without the
    hemisphere (``L_``, ``lh.``, ``Left``, ``_R``, ...) in both names, unless their hemispheres
    differ.  A name for which a step finds several regions is ambiguous and not matched.

    Parameters
    ----------
    names : sequence of str
        Names of the analysed regions.
    prior : Prior

    Returns
    -------
    dict
        The `Match` of every analysed region that the prior knows.
    """
    matches = {name: _match(name, prior) for name in names}
    return {name: match for name, match in matches.items() if match is not None}


def same_hemisphere(first: Match, second: Match) -> bool:
    """Check that the names of two regions do not lie in opposite hemispheres."""
    return first.side is None or second.side is None or first.side == second.side


def _match(name: str, prior: Prior) -> Match | None:
    if name in prior.names:
        return Match(name, None)
    terms = [*((region, region) for region in prior.names), *prior.aliases]
    own, key = terms[: len(prior.names)], name.casefold()
    for candidates in (own, terms):
        found = {region for term, region in candidates if term.casefold() == key}
        if found:
            return Match(found.pop(), None) if len(found) == 1 else None
    base, side = _split(name)
    sided = [
        (region, term_side)
        for term, region in terms
        for term_base, term_side in [_split(term)]
        if term_base == base and (side is None or term_side is None or side == term_side)
    ]
    if len({region for region, _ in sided}) != 1:
        return None
    # If the prior names hemispheres, its own projections tell which pairs across them it covers.
    return Match(sided[0][0], None if any(term_side for _, term_side in sided) else side)


def _split(name: str) -> tuple[str, Hemisphere | None]:
    """Split a name into the case-folded rest and the hemisphere."""
    for pattern in (_PREFIX, _SUFFIX):
        found = pattern.search(name)
        if found:
            rest = pattern.sub("", name, count=1)
            return rest.casefold(), _SIDES[found.group(1).casefold()]
    return name.casefold(), None
