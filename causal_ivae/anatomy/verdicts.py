"""Describe anatomical priors and match the names of analysed regions with their regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from causal_ivae.imaging.hemispheres import Hemisphere, Sided, split_hemispheres

if TYPE_CHECKING:
    import networkx as nx


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
        # Importing networkx takes longer than finding out what is up to date.
        import networkx as nx

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
    hemisphere in both names (see `causal_ivae.imaging.hemispheres`), unless their hemispheres
    differ.  A name for which a step finds several regions is ambiguous and not matched.

    Parameters
    ----------
    names : sequence of str
        Names of the analysed regions.

    Returns
    -------
    dict
        The `Match` of every analysed region that the prior knows.
    """
    terms = [*((region, region) for region in prior.names), *prior.aliases]
    of_terms = split_hemispheres([term for term, _ in terms])
    known = [(term, of_terms[term], region) for term, region in terms]
    matches = {
        name: _match(name, sided, prior, known) for name, sided in split_hemispheres(names).items()
    }
    return {name: match for name, match in matches.items() if match is not None}


def same_hemisphere(first: Match, second: Match) -> bool:
    """Check that the names of two regions do not lie in opposite hemispheres."""
    return first.side is None or second.side is None or first.side == second.side


def _match(
    name: str, given: Sided, prior: Prior, known: Sequence[tuple[str, Sided, str]]
) -> Match | None:
    """Return the match of a name among the terms, what they are without side, and their regions."""
    if name in prior.names:
        return Match(name, None)
    key, base, side = name.casefold(), given.base.casefold(), given.side
    for candidates in (known[: len(prior.names)], known):
        found = {region for term, _, region in candidates if term.casefold() == key}
        if found:
            return Match(found.pop(), None) if len(found) == 1 else None
    alike = [
        (region, term.side)
        for _, term, region in known
        if term.base.casefold() == base and (None in (side, term.side) or side == term.side)
    ]
    if len({region for region, _ in alike}) != 1:
        return None
    # If the prior names hemispheres, its own projections tell which pairs across them it covers.
    return Match(alike[0][0], None if any(term_side for _, term_side in alike) else side)
