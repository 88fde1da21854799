"""Anatomical priors: which regions project to which, and how region names meet their names."""

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
    """One projection of a prior, from cause to effect.

    Attributes
    ----------
    cause, effect : str
        Regions of the prior.
    disputed : bool
        Whether descriptions of the anatomy disagree on it.
    citations : tuple of str
        Keys of `Prior.references`; empty for structural connectivity.
    remark : str
    """

    cause: str
    effect: str
    disputed: bool = False
    citations: tuple[str, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class Prior:
    """What anatomy expects; the estimation never sees it.

    Attributes
    ----------
    name : str
    names : tuple of str
        Regions of the prior.
    projections : tuple of Projection
        In both directions of a pair where the prior is undirected.
    directed : bool
        False for structural connectivity, which says nothing about direction.
    aliases : tuple of (str, str)
        Other name of a region, and the region.
    references : tuple of (str, str)
        Key, and the work cited with its DOI.
    description : str
    rows : tuple of tuple of str
        Regions as a drawing puts them, from top to bottom; no count depends on them.
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
        """The projections, from cause to effect."""
        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        graph.add_nodes_from(self.names)
        graph.add_edges_from((p.cause, p.effect) for p in self.projections)
        return graph

    def cited(self, path: Sequence[str]) -> tuple[str, ...]:
        """Return the citation keys behind a path of prior regions, each once, in order."""
        steps = {(p.cause, p.effect): p.citations for p in self.projections}
        keys = (key for step in pairwise(path) for key in steps.get(step, ()))
        return tuple(dict.fromkeys(keys))


@dataclass(frozen=True)
class Match:
    """The region of a prior that an analysed region stands for.

    Attributes
    ----------
    region : str
        Name in the prior.
    side : {"left", "right"} or None
        Hemisphere of the analysed region, where its name says so and the prior's does not.
    """

    region: str
    side: Hemisphere | None


def match_regions(names: Sequence[str], prior: Prior) -> dict[str, Match]:
    """Find each analysed region in a prior.

    A name is looked up as it stands, then without regard to case, then among the aliases, then
    with the hemisphere taken off both sides' names (``L_``, ``lh.``, ``Left``, ``_R``, ...),
    unless the hemispheres contradict each other.  Where a step finds more than one region of the
    prior, the name is ambiguous and not matched.

    Parameters
    ----------
    names : sequence of str
        Analysed regions.
    prior : Prior

    Returns
    -------
    dict
        Analysed region to `Match`; regions that the prior does not know are left out.
    """
    matches = {name: _match(name, prior) for name in names}
    return {name: match for name, match in matches.items() if match is not None}


def same_hemisphere(first: Match, second: Match) -> bool:
    """Return whether a prior that describes one hemisphere speaks of a pair of regions."""
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
    # A prior that names hemispheres itself decides on pairs across them.
    return Match(sided[0][0], None if any(term_side for _, term_side in sided) else side)


def _split(name: str) -> tuple[str, Hemisphere | None]:
    """Take the hemisphere off a name; the rest is returned without regard to case."""
    for pattern in (_PREFIX, _SUFFIX):
        found = pattern.search(name)
        if found:
            rest = pattern.sub("", name, count=1)
            return rest.casefold(), _SIDES[found.group(1).casefold()]
    return name.casefold(), None
