"""Write the pages over an output folder, ``index.html`` and ``compare.html``, from its files."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causal_ivae.batch.analysis import one_line
from causal_ivae.batch.navigation import correct_links
from causal_ivae.batch.state import read_whole, whole_methods
from causal_ivae.batch.summaries import FOLDER, folder_digest, summary_of
from causal_ivae.derivatives.files import read_sidecar, write_json, write_text
from causal_ivae.derivatives.names import GROUP, MISSING, POOLED, UnitPaths, is_subject
from causal_ivae.derivatives.units import find_recording, subjects_in
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError
from causal_ivae.group import Rating, read_ratings
from causal_ivae.provenance import digest_of
from causal_ivae.reporting.index_page import IndexRow, index_row, render_index
from causal_ivae.reporting.subject_summary import SubjectSummary

_COMPARISON = "compare.html"


def write_overview(
    output: Path, templates: Path | None = None, *, again: bool = False
) -> list[Path]:
    """Write ``index.html``, and ``compare.html`` where two methods or more were run.

    Parameters
    ----------
    templates : pathlib.Path, optional
        A user's own.
    again : bool
        True to write the comparison even if nothing on it has changed.

    Returns
    -------
    list of pathlib.Path
        The pages written; none if no subject was ever run.

    Raises
    ------
    CausalIvaeError
        If a page cannot be made; results and other pages stay as they are, an older comparison too.
    """
    try:
        return _write(output, templates, again)
    except Exception as error:
        raise CausalIvaeError(
            f"The results in '{output}' are written, but not all pages over them: {one_line(error)}"
        ) from error


def _write(output: Path, templates: Path | None, again: bool) -> list[Path]:
    states = states_of(output)
    summaries = {unit: summary_of(output, unit) for unit in units_of(output, states)}
    if not summaries:
        return []
    ratings = read_ratings(output)
    run = methods_run(summaries)
    rows = [row_of(found, states, run, ratings) for found in summaries.values()]
    index, written = output / "index.html", []
    try:
        written += _compare(output, summaries, templates, again)
    finally:
        correct_links(output, [unit for unit, s in summaries.items() if s.methods], templates)
        write_text(index, render_index(rows, run, other_pages(output), templates))
    return [*written, index]


def units_of(output: Path, states: Mapping[str, object]) -> list[str]:
    """Return all subjects that have results or were part of a run, in order."""
    return sorted({*subjects_in(output), *filter(is_subject, states)})


def methods_run(summaries: Mapping[str, SubjectSummary]) -> list[str]:
    """Return the methods by which somebody has results."""
    return [method for method in METHODS if any(method in s.methods for s in summaries.values())]


def row_of(
    summary: SubjectSummary,
    states: Mapping[str, tuple[str, str]],
    methods: Sequence[str],
    ratings: Mapping[str, Rating],
) -> IndexRow:
    """Return the row of a subject in the index."""
    unknown = ("done", "") if summary.methods else ("skipped", "Has no results.")
    state = states.get(summary.unit, unknown)
    return index_row(summary, *state, methods, ratings.get(summary.unit, Rating()))


def other_pages(output: Path) -> list[tuple[str, str]]:
    """Return file name and link text of the pages over several subjects."""
    known = {
        f"{GROUP}.html": "Group",
        f"{POOLED}.html": "All subjects pooled",
        _COMPARISON: "Methods compared",
    }
    return [(name, words) for name, words in known.items() if (output / name).is_file()]


def _compare(
    output: Path, summaries: Mapping[str, SubjectSummary], templates: Path | None, again: bool
) -> list[Path]:
    """Write the page that compares the methods, unless nothing on it has changed.

    The first unit whose results by several methods are undamaged is drawn, the group before all.
    """
    subjects = {unit: found for unit, found in summaries.items() if len(found.methods) > 1}
    group = [GROUP] if len(whole_methods(_recording(output, GROUP)[0])) > 1 else []
    page, remembered = output / _COMPARISON, output / FOLDER / "compare.json"
    for unit in (*group, *subjects):
        paths, about = _recording(output, unit)
        digest = digest_of(unit, folder_digest(paths.folder), str(templates), repr(subjects))
        if not again and page.is_file() and read_sidecar(remembered).get("Digest") == digest:
            return []
        record = read_whole(paths, about)
        if len(record.methods) > 1:
            break
    else:
        if not subjects:
            return []
        raise CausalIvaeError(
            f"'{_COMPARISON}' needs undamaged results by two methods, and those of all subjects, "
            f"such as '{next(iter(subjects))}', were changed or removed: run the level participant "
            "again."
        )
    # Drawing takes longer to import than it takes to find out that nothing has changed.
    from causal_ivae.reporting.comparison_page import render_compare

    remembered.unlink(missing_ok=True)
    write_text(page, render_compare(record, subjects, templates))
    if templates is None:
        # A user may change their own templates, which this digest does not cover.
        write_json(remembered, {"Digest": digest})
    return [page]


def _recording(output: Path, unit: str) -> tuple[UnitPaths, Mapping[str, Any]]:
    """Return the paths and the sidecar of a unit's latest series, empty if there are none."""
    return find_recording(output, unit) or (UnitPaths(output, unit), {})


@dataclass(frozen=True)
class StatusRow:
    """Hold what the status of a run says of one unit; the time is in seconds."""

    unit: str
    state: str
    message: str
    seconds: float


def states_of(output: Path) -> dict[str, tuple[str, str]]:
    """Return state and message of every unit in the newest run that reached it."""
    states: dict[str, tuple[str, str]] = {}
    for path in sorted((output / "logs").glob("*/status.tsv")):
        for row in rows_of_status(path):
            if row.state != "not run" or row.unit not in states:
                # The page does not depend on whether a subject was done in that run or before.
                state = "done" if row.state == "up to date" else row.state
                states[row.unit] = (state, row.message)
    return states


def rows_of_status(path: Path) -> list[StatusRow]:
    """Return the rows of a run's status; none if it is damaged."""
    # An array of a thousand jobs leaves a thousand of these tables, which pandas reads too slowly.
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", strict=True))
        return [
            StatusRow(row["subject"], row["state"], _text(row["message"]), float(row["seconds"]))
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def _text(cell: str | None) -> str:
    # A line that was only partly written lacks its last cells.
    if cell is None:
        raise ValueError("the line was only partly written")
    return "" if cell == MISSING else cell
