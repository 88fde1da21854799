"""Make the page that lists all subjects of an output folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from causal_ivae.drawing import wording
from causal_ivae.group import Rating
from causal_ivae.outcomes import USABLE
from causal_ivae.provenance import package_version
from causal_ivae.reporting.cohort_strip import cohort_strip
from causal_ivae.reporting.fits import UNKNOWN, VERDICTS
from causal_ivae.reporting.method_names import method_name
from causal_ivae.reporting.page_head import Head, Navigation, newest_date
from causal_ivae.reporting.subject_summary import SubjectSummary
from causal_ivae.reporting.templates import render, render_macro
from causal_ivae.reporting.volume_counts import Volumes


@dataclass(frozen=True)
class IndexRow:
    """Hold the row of one subject in the index; `link` is its page's file name, if it has one."""

    unit: str
    link: str | None
    state: str
    message: str
    quality: str
    sentence: str
    volumes: Volumes | None
    motion: float | None
    coverage: float | None
    date: str
    directions: tuple[int | None, ...]
    rating: Rating
    simulated: bool


@dataclass(frozen=True)
class Live:
    """Hold what an index says that follows a run.

    Attributes
    ----------
    sentence : str
        How far the run is; empty if none goes on.
    version : int
        The page asks for the rows that changed since this version.
    """

    sentence: str
    version: int


def index_row(
    summary: SubjectSummary,
    state: str,
    message: str,
    methods: Sequence[str],
    rating: Rating = Rating(),  # noqa: B008 - it is frozen
) -> IndexRow:
    """Make a subject's row of the index, in which the first method's verdict stands for all.

    Parameters
    ----------
    summary : SubjectSummary
        It has no methods if the subject has no results.
    state : str
        State of the subject in the latest run that included it.
    message : str
        Message of that run.
    methods : sequence of str
        Methods that have a column in the index.
    rating : Rating
        What a reader said of the subject.
    """
    directions = summary.directions or {}
    return IndexRow(
        unit=summary.unit,
        link=quote(f"{summary.unit}.html") if summary.methods else None,
        state=state,
        message=message,
        quality=summary.quality,
        sentence=summary.sentence,
        volumes=summary.volumes,
        motion=summary.motion,
        coverage=summary.coverage,
        date=summary.date,
        directions=tuple(directions.get(method) for method in methods),
        rating=rating,
        simulated=summary.simulated,
    )


def render_index(
    rows: Sequence[IndexRow],
    methods: Sequence[str],
    pages: Sequence[tuple[str, str]],
    templates: Path | None = None,
    *,
    live: Live | None = None,
) -> str:
    """Make the page that lists all subjects.

    Parameters
    ----------
    methods : sequence of str
        As in `index_row`.
    pages : sequence of (str, str)
        File name and link text of the other pages.
    templates : pathlib.Path, optional
        As in `causal_ivae.reporting.html.subject_page`.
    live : Live, optional
        For a page that a server keeps up to date.
    """
    states = sorted({row.state for row in rows})
    qualities = [word for word in (*VERDICTS, UNKNOWN) if any(row.quality == word for row in rows)]
    counts = [f"{sum(row.quality == word for row in rows)} {word}" for word in qualities]
    return render(
        "index.html.jinja",
        {
            "unit": "all subjects",
            "head": Head(
                date=newest_date(row.date for row in rows),
                version=package_version(),
                files=("sub-*/", "logs/"),
            ),
            "navigation": Navigation(group=any(link == "group.html" for link, _ in pages)),
            "kind": "Cohort",
            "title": "All subjects",
            "simulated": any(row.simulated for row in rows),
            "rows": rows,
            "states": states,
            "qualities": qualities,
            "pages": pages,
            "methods": [method_name(method) for method in methods],
            "counted": f"{wording.count(len(rows), 'subject')}: {wording.listed(counts)}.",
            "arrows": _arrows(rows, methods),
            "strip": cohort_strip(rows, hollow=lambda row: row.quality != USABLE),
            "live": live,
        },
        templates,
    )


def _arrows(rows: Sequence[IndexRow], methods: Sequence[str]) -> str:
    """Say how many arrows each method draws in a subject; empty without results."""
    said = []
    for column, method in enumerate(methods):
        known = [n for row in rows if (n := row.directions[column]) is not None]
        if known:
            least, most = min(known), max(known)
            many = f"{least} to {most}" if most > least else f"{most}"
            said.append(f"{many} by {method_name(method)}")
    return f"Arrows in a subject: {wording.listed(said)}." if said else ""


def render_row(row: IndexRow) -> str:
    """Make the row of one subject as it stands in the index."""
    return render_macro("_index_row.html.jinja", "line", row)
