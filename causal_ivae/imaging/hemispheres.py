"""Read the hemisphere from the names of regions."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Hemisphere = Literal["left", "right"]

_SIDES: dict[str, Hemisphere] = {
    "l": "left", "lh": "left", "left": "left", "r": "right", "rh": "right", "right": "right",
}  # fmt: skip
_SEPARATORS = " _.-"
# Longer words first: a name with several marks is read by the clearest one.
_MARKED = tuple(
    re.compile(rf"^(?P<before>.*[ _.-])?(?P<side>{side})(?P<after>[ _.-].*)?$", re.IGNORECASE)
    for side in ("left|right", "lh|rh", "l|r")
)
_GLUED = re.compile(r"^(?P<side>[LR])(?P<rest>[A-Z0-9].*)$")


class Sided(NamedTuple):
    """A name without its hemisphere, and the hemisphere, None where the name has none."""

    base: str
    side: Hemisphere | None


def split_hemispheres(names: Sequence[str]) -> dict[str, Sided]:
    """Take the hemisphere off every name.

    Parameters
    ----------
    names : sequence of str
        Such as ``Hippocampus_L``, ``lh.V1``, ``Left Putamen`` or ``ctx-lh-precuneus``: the side is
        set off by space, underscore, dot or dash.  A capital letter at the start, as in ``LIFG``,
        is a side only if its counterpart ``RIFG`` is among the names too; ``RSC`` may well be
        something else.

    Returns
    -------
    dict
        From each name to the rest of it and its side.
    """
    known = set(names)
    return {name: _split(name, known) for name in names}


def homologues(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the regions that are there in both hemispheres.

    Returns
    -------
    list of (str, str, str)
        What the two names have in common, the left name and the right name, in the order of the
        left names; names without a counterpart are left out.
    """
    left: dict[str, str] = {}
    right: dict[str, str] = {}
    for name, (base, side) in split_hemispheres(names).items():
        if side is not None:
            (left if side == "left" else right).setdefault(base, name)
    return [(base, name, right[base]) for base, name in left.items() if base in right]


def _split(name: str, known: set[str]) -> Sided:
    for pattern in _MARKED:
        match = pattern.match(name)
        if match is not None:
            before = (match["before"] or "").strip(_SEPARATORS)
            after = (match["after"] or "").strip(_SEPARATORS)
            if before or after:
                between = match["after"][0] if before and after else ""
                return Sided(f"{before}{between}{after}", _SIDES[match["side"].lower()])
    glued = _GLUED.match(name)
    if glued is not None:
        other = "R" if glued["side"] == "L" else "L"
        if other + glued["rest"] in known:
            return Sided(glued["rest"], _SIDES[glued["side"].lower()])
    return Sided(name, None)
