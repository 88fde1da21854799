"""Know which pages lie beside a subject's page, and keep its links to them right."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from causal_ivae.batch.claims import FOLDER, Claims
from causal_ivae.derivatives.files import write_text
from causal_ivae.derivatives.names import GROUP, UnitPaths
from causal_ivae.derivatives.units import find_recording, subjects_in
from causal_ivae.reporting.page_head import Navigation

_HEAD_BYTES = 1024
"""A page names its neighbours within so many bytes."""
_NAMED = re.compile(r'<meta name="pages" content="([^",]*),([^",]*),([^",]*)">')
_BAR = re.compile(r'<nav class="pages".*?</nav>', flags=re.DOTALL)


def navigation_of(output: Path, unit: str, *, group: bool) -> Navigation:
    """Return the neighbours of a subject among those whose series are there.

    Parameters
    ----------
    group : bool
        True if a page of the group is there or will be.
    """
    units = subjects_in(output)
    if unit not in units:
        return Navigation(group=group)
    place = units.index(unit)
    before = (u for u in reversed(units[:place]) if find_recording(output, u))
    after = (u for u in units[place + 1 :] if find_recording(output, u))
    return Navigation(next(before, ""), next(after, ""), group)


def correct_links(output: Path, units: Sequence[str], templates: Path | None = None) -> None:
    """Correct the bars of subjects' pages beside which pages were added or are missing.

    A page is written before it is known which subjects after it fail, and stays as it is when
    subjects are added later.

    Parameters
    ----------
    units : sequence of str
        Subjects with results, in order.
    templates : pathlib.Path, optional
        A user's own.
    """
    group = (output / f"{GROUP}.html").is_file()
    paged = [unit for unit in units if UnitPaths(output, unit).report.is_file()]
    wanted = {
        unit: Navigation(before, after, group)
        for unit, before, after in zip(paged, ["", *paged], [*paged[1:], ""], strict=False)
    }
    wrong = [unit for unit, links in wanted.items() if _named_on(output, unit) not in (links, None)]
    if not wrong:
        return
    with Claims(output / FOLDER) as claims:
        # Another program that writes a page corrects its links itself.
        held = claims.take(wrong)
        for unit in wrong:
            if unit not in held:
                _correct(UnitPaths(output, unit).report, wanted[unit], templates)


def _named_on(output: Path, unit: str) -> Navigation | None:
    """Return the links of a page; None for one from a user's own template without them."""
    with UnitPaths(output, unit).report.open("rb") as page:
        found = _NAMED.search(page.read(_HEAD_BYTES).decode(errors="replace"))
    return None if found is None else Navigation(found[1], found[2], bool(found[3]))


def _correct(page: Path, links: Navigation, templates: Path | None) -> None:
    from causal_ivae.reporting.templates import render_part

    facts = page.stat()
    text = page.read_text(encoding="utf-8")
    about = {"navigation": links, "kind": "", "title": ""}
    named = render_part("_links.html.jinja", about, templates)
    bar = render_part("_navigation.html.jinja", about, templates)
    text = _NAMED.sub(lambda _: named.strip(), text, count=1)
    write_text(page, _BAR.sub(lambda _: bar.strip(), text, count=1))
    # The date of a page says whether it shows the newest results.
    os.utime(page, ns=(facts.st_atime_ns, facts.st_mtime_ns))
