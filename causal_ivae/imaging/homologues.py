"""Regions of the left hemisphere and their counterparts on the right, by their names."""

import re
from collections.abc import Sequence

_SIDES = (("left", "right"), ("lh", "rh"), ("l", "r"))
_MARKED = tuple(
    (
        re.compile(rf"^(?P<before>.*[ _.-])?(?P<side>{left}|{right})(?P<after>[ _.-].*)?$", re.I),
        left,
        right,
    )
    for left, right in _SIDES
)
_GLUED = re.compile(r"^(?P<side>[LR])(?P<after>[A-Z0-9].*)$")


def homologues(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return what pairs of names have in common, the left name and the right name.

    Parameters
    ----------
    names : sequence of str
        Such as ``Hippocampus_L``, ``lh-V1``, ``Left Putamen`` or ``LIFG``: the side stands at the
        start or at the end, set off by space, underscore, dot or dash, or is a capital letter
        before another one.

    Returns
    -------
    list of (str, str, str)
        In the order of the left names; names without a counterpart are left out.
    """
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for name in names:
        parsed = _parse(name)
        if parsed is not None:
            common, side = parsed
            sides[side].setdefault(common, name)
    left, right = sides
    return [(common, name, right[common]) for common, name in left.items() if common in right]


def _parse(name: str) -> tuple[str, int] | None:
    for pattern, left, _ in _MARKED:
        match = pattern.match(name)
        if match is not None and (match["before"] or match["after"]):
            before, after = match["before"] or "", match["after"] or ""
            common = f"{before}{after}".strip(" _.-")
            return common, int(match["side"].lower() != left)
    glued = _GLUED.match(name)
    return None if glued is None else (glued["after"], int(glued["side"] == "R"))
