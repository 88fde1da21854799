"""Write the pages over an output folder, ``index.html`` and ``compare.html``, from its files."""

from dataclasses import replace
from pathlib import Path

from causal_ivae.batch.analysis import one_line
from causal_ivae.batch.state import has_whole_series, whole_methods
from causal_ivae.derivatives.files import read_whole_table, write_text
from causal_ivae.derivatives.names import GROUP, POOLED, UnitPaths, is_subject
from causal_ivae.derivatives.units import Unit, find_paths, subjects_in
from causal_ivae.discovery.methods import METHODS
from causal_ivae.errors import CausalIvaeError
from causal_ivae.reporting.cohort_pages import index_row, render_compare, render_index


def write_overview(output: Path, templates: Path | None = None) -> list[Path]:
    """Write ``index.html``, and ``compare.html`` where two methods or more were run.

    Parameters
    ----------
    output : pathlib.Path
    templates : pathlib.Path, optional
        A user's own.

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
        written = _render(output, templates)
    except Exception as error:
        raise CausalIvaeError(
            f"The results in '{output}' are written, but its index failed: {one_line(error)}"
        ) from error
    for name, page in written.items():
        write_text(output / name, page)
    return [output / name for name in written]


def _render(output: Path, templates: Path | None) -> dict[str, str]:
    states = _states(output)
    units = sorted({*subjects_in(output), *filter(is_subject, states)})
    records = {unit: _read(output, unit, of_cohort=True) for unit in units}
    if not records:
        return {}
    run = [method for method in METHODS if any(method in r.methods for r in records.values())]
    rows = [index_row(record, *_state(record, states), run) for record in records.values()]
    group = _read_group(output)
    written: dict[str, str] = {}
    complete = {unit: record for unit, record in records.items() if len(record.methods) > 1}
    if len(group.methods) > 1:
        written["compare.html"] = render_compare(group, complete, templates)
    elif complete:
        one = _read(output, next(iter(complete)))
        written["compare.html"] = render_compare(one, complete, templates)
    pages = [("group.html", "Group")] if (output / "group.html").is_file() else []
    if (output / f"{POOLED}.html").is_file():
        pages.append((f"{POOLED}.html", "All subjects pooled"))
    if written:
        pages.append(("compare.html", "Methods compared"))
    written["index.html"] = render_index(rows, run, pages, templates)
    return written


def _read(output: Path, unit: str, *, of_cohort: bool = False) -> Unit:
    """Read a subject's results; damaged ones are left out, as they must not cost all the page."""
    paths = find_paths(output, unit)
    if paths is None:
        return Unit(unit, {})
    found = Unit.read(paths, whole_methods(paths), of_cohort=of_cohort)
    return found if has_whole_series(paths) else replace(found, tables={})


def _read_group(output: Path) -> Unit:
    paths = find_paths(output, GROUP) or UnitPaths(output, GROUP)
    return Unit.read(paths, whole_methods(paths))


def _states(output: Path) -> dict[str, tuple[str, str]]:
    """Return state and message of every unit in the newest run that reached it."""
    states: dict[str, tuple[str, str]] = {}
    for path in sorted((output / "logs").glob("*/status.tsv")):
        table = read_whole_table(path, ("subject", "state", "message"))
        for row in () if table is None else table.to_dict("records"):
            if row["state"] != "not run" or row["subject"] not in states:
                # Whether it was done in that run or before makes no other page.
                state = "done" if row["state"] == "up to date" else row["state"]
                states[row["subject"]] = (state, row["message"])
    return states


def _state(record: Unit, states: dict[str, tuple[str, str]]) -> tuple[str, str]:
    unknown = ("done", "") if record.methods else ("skipped", "Has no results.")
    return states.get(record.name, unknown)
