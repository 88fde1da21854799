"""Format numbers, counts and lists for readers."""

import math
from typing import Any

import pandas as pd

MISSING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def is_missing(value: Any) -> bool:
    """Check whether a table cell or a JSON value holds no number."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def number(value: Any, digits: int = 3) -> str:
    """Format a number with a given number of significant digits and a true minus sign."""
    if is_missing(value):
        return MISSING
    text = f"{float(value):.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)
    return text.replace("-", _MINUS)


def signed(value: Any) -> str:
    """Format a number with two decimals, or more where they would all be 0, and its sign."""
    if is_missing(value):
        return MISSING
    exact = float(value)
    if abs(exact) >= 0.005:
        return f"{exact:+.2f}".replace("-", _MINUS)
    # A number that is not 0 must not read 0.00 beside a small p-value.
    return f"{exact:+.1g}".replace("-", _MINUS) if abs(exact) >= 0.0005 else "0.00"


def level(value: Any) -> str:
    """Format a number from 0 to 1 with two decimals; only 1 itself reads 1.00."""
    if is_missing(value):
        return MISSING
    text = f"{float(value):.2f}"
    return ">0.99" if text == "1.00" and float(value) < 1 else text


def p_text(value: Any) -> str:
    """Format a p- or q-value with two decimals, with three below 0.1, or as "<0.001"."""
    if is_missing(value):
        return MISSING
    p = float(value)
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def p_phrase(value: Any) -> str:
    """Format a p-value as "p = 0.012", "p < 0.001" or "p not available"."""
    if is_missing(value):
        return "p not available"
    text = p_text(value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def percent(value: Any) -> str:
    """Format a share as a whole percentage; only 0 and 1 themselves read 0% and 100%."""
    if is_missing(value):
        return MISSING
    share = float(value)
    text = f"{100 * share:.0f}%"
    if text == "0%" and share > 0:
        return "<1%"
    return ">99%" if text == "100%" and share < 1 else text


def duration(seconds: Any) -> str:
    """Format a time in seconds, minutes or hours."""
    if is_missing(seconds):
        return MISSING
    value = float(seconds)
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    if value < 7200:
        return f"{value / 60:.1f} min"
    return f"{value / 3600:.1f} h"


def count(n: int, one: str, many: str | None = None) -> str:
    """Format a count with its noun, as "1 pair" or "3 pairs"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(items: list[str]) -> str:
    """Join items to a list in words, as "a", "a and b" or "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def confidence_name(edges: pd.DataFrame) -> str:
    """Return what the column ``confidence`` of a table of edges holds.

    Returns
    -------
    str
        "probability" of the decision, if the method gives probabilities; "share of subjects" for a
        group; otherwise "stability", a share of resamples or restarts, which is no probability of
        being right.
    """
    if "n_subjects" in edges:
        return "share of subjects"
    if "probability_forward" in edges and edges["probability_forward"].notna().any():
        return "probability"
    return "stability"
