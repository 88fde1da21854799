"""Read the cited works from ``reports/references.bib`` and write them as text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import SettingsError, nearest
from causal_ivae.settings import resources

_ENTRY = re.compile(r"@(\w+)\{([\w-]+),\n(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", re.MULTILINE)
_CITATION = re.compile(r"\[(@[\w-]+(?:; @[\w-]+)*)\]")


@dataclass(frozen=True)
class Reference:
    """Hold one cited work.

    Attributes
    ----------
    key : str
        Citation key.
    authors : tuple of (str, str)
        Family name and given names of every author.
    title, venue : str
        Title, and journal or book with volume and pages.
    doi, arxiv : str
        Identifiers; empty if there is none.
    entry : str
        BibTeX entry.
    """

    key: str
    authors: tuple[tuple[str, str], ...]
    title: str
    venue: str
    year: str
    doi: str
    arxiv: str
    entry: str

    @property
    def cited_as(self) -> str:
        """Return authors and year for a citation in parentheses."""
        families = [family for family, _ in self.authors]
        who = f"{families[0]} et al." if len(families) > 2 else " and ".join(families)
        return f"{who}, {self.year}"

    @property
    def author_list(self) -> str:
        """Return all authors, or the first six if there are more than eight."""
        names = [
            f"{family} {''.join(part[0] for part in given.replace('-', ' ').split())}"
            for family, given in self.authors
        ]
        if len(names) > 8:
            return ", ".join(names[:6]) + " et al."
        return ", ".join(names)

    @property
    def link(self) -> str:
        """Return the address of the work; empty if it has neither a DOI nor an arXiv number."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""


def bibliography() -> dict[str, Reference]:
    """Return the bundled works and those that methods add, by key."""
    brought = "\n\n".join(method.references for method in METHODS.values())
    return _bundled() | _works(brought)


@cache
def _bundled() -> dict[str, Reference]:
    return _works((resources.folder("reports") / "references.bib").read_text(encoding="utf-8"))


def _works(text: str) -> dict[str, Reference]:
    """Read BibTeX entries."""
    found = {}
    for match in _ENTRY.finditer(text):
        _, key, body = match.groups()
        fields = {name: re.sub(r"[{}]", "", value) for name, value in _FIELD.findall(body)}
        fields = {name: value.replace("--", "\N{EN DASH}") for name, value in fields.items()}
        authors = tuple(
            (family.strip(), given.strip())
            for family, _, given in (
                author.partition(",") for author in fields["author"].split(" and ")
            )
        )
        found[key] = Reference(
            key=key,
            authors=authors,
            title=fields["title"],
            venue=_venue(fields),
            year=fields["year"],
            doi=fields.get("doi", ""),
            arxiv=fields.get("eprint", ""),
            entry=match.group(),
        )
    return found


def as_bibtex(works: Iterable[Reference]) -> str:
    """Return the content of a ``.bib`` file with these works, in their order."""
    return "\n\n".join(work.entry for work in works) + "\n"


def resolve(text: str) -> tuple[str, list[Reference]]:
    """Replace ``[@key; @key]`` by authors and years.

    Parameters
    ----------
    text : str
        Text with citations in Pandoc's format.

    Returns
    -------
    text : str
    cited : list of Reference
        The cited works, each once, sorted by first author and year.

    Raises
    ------
    SettingsError
        If a key is not in ``references.bib``.
    """
    works = bibliography()
    cited: dict[str, Reference] = {}

    def replace(match: re.Match[str]) -> str:
        keys = [key.strip().removeprefix("@") for key in match.group(1).split(";")]
        for key in keys:
            if key not in works:
                raise SettingsError(
                    f"'{key}' is cited but not in references.bib. {nearest(key, works)}"
                )
            cited[key] = works[key]
        return "(" + "; ".join(works[key].cited_as for key in keys) + ")"

    readable = _CITATION.sub(replace, text)
    return readable, sorted(cited.values(), key=lambda work: (work.authors[0], work.year))


def _venue(fields: dict[str, str]) -> str:
    place = fields.get("journal") or fields.get("booktitle", "")
    if "series" in fields:
        place += f", {fields['series']}"
    if "volume" in fields:
        place += f" {fields['volume']}"
        place += f"({fields['number']})" if "number" in fields else ""
    return place + (f": {fields['pages']}" if "pages" in fields else "")
