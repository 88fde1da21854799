"""Write the pages over an output folder, ``index.html`` and ``compare.html``, from its files."""

import csv
from collections.abc import Mapping
from pathlib import Path

from causal_ivae.batch.analysis import one_line
from causal_ivae.batch.navigation import correct_links
from causal_ivae.batch.state import read_whole, whole_methods
from causal_ivae.batch.summaries import FOLDER, folder_digest, summary_of
from causal_ivae.derivatives.files import read_sidecar, write_json, write_text
from causal_ivae.derivatives.names import GROUP, MISSING, POOLED, UnitPaths, is_subject
from causal_ivae.derivatives.units import find_paths, find_recording, subjects_in
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError
from causal_ivae.provenance import digest_of
from causal_ivae.reporting.index_page import index_row, render_index
from causal_ivae.reporting.subject_summary import SubjectSummary

_COMPARISON = "compare.html"


def write_overview(
    output: Path, templates: Path | None = None, *, again: bool = False
) -> list[Path]:
    """Write ``index.html``, and ``compare.html`` where two methods or more were run.

    Parameters
    ----------
    output : pathlib.Path
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
        If a page cannot be made; results and other pages stay as they are.
    """
    try:
        return _write(output, templates, again)
    except Exception as error:
        raise CausalIvaeError(
            f"The results in '{output}' are written, but its index failed: {one_line(error)}"
        ) from error


def _write(output: Path, templates: Path | None, again: bool) -> list[Path]:
    states = _states(output)
    units = sorted({*subjects_in(output), *filter(is_subject, states)})
    summaries = {unit: summary_of(output, unit) for unit in units}
    if not summaries:
        return []
    run = [method for method in METHODS if any(method in s.methods for s in summaries.values())]
    rows = [index_row(found, *_state(found, states), run) for found in summaries.values()]
    several = {unit: found for unit, found in summaries.items() if len(found.methods) > 1}
    group = find_paths(output, GROUP) or UnitPaths(output, GROUP)
    in_group = len(whole_methods(group)) > 1
    written = []
    if in_group or several:
        drawn = GROUP if in_group else next(iter(several))
        written += _compare(output, drawn, several, templates, again)
    pages = [("group.html", "Group")] if (output / "group.html").is_file() else []
    if (output / f"{POOLED}.html").is_file():
        pages.append((f"{POOLED}.html", "All subjects pooled"))
    if in_group or several:
        pages.append((_COMPARISON, "Methods compared"))
    correct_links(output, [unit for unit, s in summaries.items() if s.methods], templates)
    index = output / "index.html"
    write_text(index, render_index(rows, run, pages, templates))
    return [*written, index]


def _compare(
    output: Path,
    drawn: str,
    subjects: Mapping[str, SubjectSummary],
    templates: Path | None,
    again: bool,
) -> list[Path]:
    """Write the page that compares the methods, unless nothing on it has changed."""
    page, remembered = output / _COMPARISON, output / FOLDER / "compare.json"
    found = find_recording(output, drawn)
    paths, about = (UnitPaths(output, drawn), {}) if found is None else found
    shown = (drawn, folder_digest(paths.folder), str(templates), repr(subjects))
    digest = digest_of(*shown)
    if not again and page.is_file() and read_sidecar(remembered).get("Digest") == digest:
        return []
    # Drawing takes longer to import than it takes to find out that nothing has changed.
    from causal_ivae.reporting.comparison_page import render_compare

    remembered.unlink(missing_ok=True)
    write_text(page, render_compare(read_whole(paths, about), subjects, templates))
    if templates is None:
        # A user may change their own templates, which this digest does not cover.
        write_json(remembered, {"Digest": digest})
    return [page]


def _states(output: Path) -> dict[str, tuple[str, str]]:
    """Return state and message of every unit in the newest run that reached it."""
    states: dict[str, tuple[str, str]] = {}
    for path in sorted((output / "logs").glob("*/status.tsv")):
        for unit, found, message in _read_states(path):
            if found != "not run" or unit not in states:
                # The page does not depend on whether a subject was done in that run or before.
                states[unit] = ("done" if found == "up to date" else found, message)
    return states


def _read_states(path: Path) -> list[tuple[str, str, str]]:
    """Return unit, state and message of every row of a run's status; none if it is damaged."""
    # An array of a thousand jobs leaves a thousand of these tables, which pandas reads too slowly.
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", strict=True))
        found = [(row["subject"], row["state"], row["message"]) for row in rows]
    except (OSError, ValueError, KeyError, csv.Error):
        return []
    # A line that was only partly written lacks its last cells.
    if any(None in row for row in found):
        return []
    return [(unit, state, "" if why == MISSING else why) for unit, state, why in found]


def _state(found: SubjectSummary, states: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    unknown = ("done", "") if found.methods else ("skipped", "Has no results.")
    return states.get(found.unit, unknown)
