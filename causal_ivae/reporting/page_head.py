"""Say at the head of a page what it is about, and which pages are beside it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from causal_ivae.derivatives.files import read_sidecar
from causal_ivae.derivatives.names import is_subject
from causal_ivae.derivatives.units import Unit
from causal_ivae.errors import SettingsError
from causal_ivae.imaging.published_atlases import find_published
from causal_ivae.settings import resources

_AUTHORS = re.compile(
    r"(?P<first>[^\W\d]+(?:[ -][^\W\d]+)*?) [A-Z]{1,3}\b(?P<more>,)?.*?\((?P<year>\d{4})\)"
)
_SHOWN = ("session", "task", "run", "space")
"""Entities of the results that the head of a page names, if they are known."""


@dataclass(frozen=True)
class Navigation:
    """Name the pages to which the bar of a page leads, besides the index.

    Attributes
    ----------
    previous, next : str
        Subjects, ``"sub-<label>"``; empty at either end of the list.
    group : bool
        True if there is a page of the group.
    """

    previous: str = ""
    next: str = ""
    group: bool = False


@dataclass(frozen=True)
class Atlas:
    """Name an atlas and the work that describes it; what is not known is empty."""

    name: str
    citation: str = ""
    doi: str = ""

    @property
    def short(self) -> str:
        """Return authors and year of the citation, as "Rolls et al. 2015"."""
        found = _AUTHORS.match(self.citation)
        if found is None:
            return ""
        return f"{found['first']}{' et al.' if found['more'] else ''} {found['year']}"


@dataclass(frozen=True)
class Head:
    """Hold what the head of a page says besides its title.

    Attributes
    ----------
    facts : tuple of str
        Session, task and similar facts, in words.
    date : datetime or None
        Day on which the newest of the results was computed.
    version : str
        Version of causal-ivae that computed them.
    files : tuple of str
        Folders with the tables and the drawings of the page, relative to it.
    """

    facts: tuple[str, ...] = ()
    date: datetime | None = None
    version: str = ""
    atlas: Atlas | None = None
    files: tuple[str, ...] = ()


def head_of(record: Unit) -> Head:
    """Return the head of the page of a subject, of the group or of all subjects pooled."""
    sidecars = [method.sidecar for method in record.methods.values()]
    settings: Mapping[str, Any] = next((about.get("Settings", {}) for about in sidecars), {})
    entities = record.sidecar.get("Entities", {})
    name = record.name
    return Head(
        facts=tuple(f"{key} {entities[key]}" for key in _SHOWN if key in entities),
        date=newest_date(about.get("Date", "") for about in sidecars),
        version=next((about.get("Versions", {}).get("causal-ivae", "") for about in sidecars), ""),
        atlas=cited_atlas(settings.get("atlas")),
        files=(f"{name}/func/" if is_subject(name) else f"{name}/", f"{name}/figures/"),
    )


def newest_date(dates: Iterable[str]) -> datetime | None:
    """Return the newest of some dates in ISO format; None without any."""
    known = [date for date in dates if date]
    return datetime.fromisoformat(max(known)) if known else None


def cited_atlas(name: str | None) -> Atlas | None:
    """Return an atlas with its citation, which its description or the table of atlases holds."""
    if not name:
        return None
    published = find_published(name)
    if published is not None:
        return Atlas(name, published.citation)
    try:
        described = resources.find("atlases", name)
    except SettingsError:
        # A page can be made where the atlas of its results is not at hand.
        return Atlas(Path(name).name)
    stem = described.name.partition(".")[0]
    about = read_sidecar(described.with_name(f"{stem}.json"))
    named = (str(about.get(key, "")) for key in ("Citation", "DOI"))
    return Atlas(str(about.get("Name", stem)), *named)
