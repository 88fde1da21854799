"""Draw a strip of dots over all subjects for each measure of the quality of their data."""

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from causal_ivae.reporting.index_page import IndexRow

_WIDTH, _LEFT, _RIGHT = 900.0, 210.0, 880.0
_ROW = 46.0
_NAMED = 2
"""So many of the subjects that lie farthest on the bad side are named."""
_LANES = 7
"""Dots of neighbouring values lie in so many lanes, one above the other."""

Measure = tuple[str, str, bool, Callable[["IndexRow"], float | None]]
"""Name, format of a value, whether small values are the bad ones, and the value of a row."""


def cohort_strip(rows: Sequence["IndexRow"], hollow: Callable[["IndexRow"], bool]) -> Markup | None:
    """Draw one line of dots per measure that is known of two subjects or more.

    Parameters
    ----------
    hollow : callable
        True for rows whose dot is hollow.

    Returns
    -------
    markupsafe.Markup or None
        One ``<svg>`` element; None where no measure is known.
    """
    # A picture of a thousand subjects must cost no more than the table; Matplotlib alone takes
    # longer to import.
    measures: tuple[Measure, ...] = (
        ("Head motion (mean, mm)", "{:.2f}", False, lambda row: row.motion),
        ("Volumes left out (%)", "{:.0f}", False, _left_out),
        ("Lowest coverage (%)", "{:.0f}", True, _coverage),
    )
    parts: list[str] = []
    top = 0.0
    for name, form, small_is_bad, value_of in measures:
        known = [(value, row) for row in rows if (value := value_of(row)) is not None]
        if len(known) < 2 or len({value for value, _ in known}) < 2:
            continue
        parts += _strip(known, name, form, top, hollow, small_is_bad=small_is_bad)
        top += _ROW
    if not parts:
        return None
    label = escape(f"Quality of the data of {len(rows)} subjects, one dot for each.")
    return Markup(  # noqa: S704 - every text in it is escaped here
        f'<svg viewBox="0 0 {_WIDTH:.0f} {top:.0f}" role="img" aria-label="{label}">'
        + "".join(parts)
        + "</svg>"
    )


def _strip(
    known: Sequence[tuple[float, "IndexRow"]],
    name: str,
    form: str,
    top: float,
    hollow: Callable[["IndexRow"], bool],
    *,
    small_is_bad: bool,
) -> list[str]:
    values = sorted(value for value, _ in known)
    low, high = values[0], values[-1]
    middle = values[len(values) // 2]
    line = top + _ROW / 2

    def place(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - low) / (high - low)

    parts = [
        f'<text x="0" y="{line + 4:.0f}">{escape(name)}</text>',
        f'<line class="middle" x1="{place(middle):.1f}" x2="{place(middle):.1f}" '
        f'y1="{line - 15:.0f}" y2="{line + 15:.0f}"/>',
        f'<text class="end" x="{_LEFT:.0f}" y="{line + 21:.0f}">{form.format(low)}</text>',
        f'<text class="end" x="{_RIGHT:.0f}" y="{line + 21:.0f}">{form.format(high)}</text>',
    ]
    for index, (value, row) in enumerate(known):
        # The lanes are taken in turn, so that equal values do not hide one another.
        y = line + 3.6 * (index * 3 % _LANES - _LANES // 2)
        kind = " hollow" if hollow(row) else ""
        parts.append(
            f'<circle class="dot{kind}" cx="{place(value):.1f}" cy="{y:.1f}" r="3" '
            f'data-dot="{escape(row.unit)}"><title>{escape(row.unit)}: {form.format(value)}</title>'
            "</circle>"
        )
    worst = sorted(known, key=lambda one: one[0], reverse=not small_is_bad)[:_NAMED]
    for value, row in worst:
        if abs(value - middle) > 0.5 * (high - low):
            anchor = "start" if small_is_bad else "end"
            parts.append(
                f'<text class="worst" text-anchor="{anchor}" x="{place(value):.1f}" '
                f'y="{line - 14:.0f}">{escape(row.unit[:24])}</text>'
            )
            break
    return parts


def _left_out(row: "IndexRow") -> float | None:
    volumes = row.volumes
    if volumes is None or not volumes.acquired:
        return None
    return 100.0 * (1.0 - volumes.analysed / volumes.acquired)


def _coverage(row: "IndexRow") -> float | None:
    return None if row.coverage is None else 100.0 * row.coverage
