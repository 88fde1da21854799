"""Read the hemisphere from the names of regions."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Hemisphere = Literal["left", "right"]

_SIDES: dict[str, Hemisphere] = {
    "l": "left", "lh": "left", "left": "left", "r": "right", "rh": "right", "right": "right",
}  # fmt: skip
_SEPARATORS = " _.-"
# Longer words come first, so that the clearest of several marks in a name decides.
_MARKED = tuple(
    re.compile(rf"^(?P<before>.*[ _.-])?(?P<side>{side})(?P<after>[ _.-].*)?$", re.IGNORECASE)
    for side in ("left|right", "lh|rh", "l|r")
)
_GLUED = re.compile(r"^(?P<side>[LR])(?P<rest>[A-Z0-9].*)$")


class Sided(NamedTuple):
    """Hold a name without its hemisphere, and the hemisphere or None."""

    base: str
    side: Hemisphere | None


def split_hemispheres(names: Sequence[str]) -> dict[str, Sided]:
    """Split every name into the hemisphere and the rest.

    Parameters
    ----------
    names : sequence of str
        For instance ``Hippocampus_L``, ``lh.V1``, ``Left Putamen`` or ``ctx-lh-precuneus``: space,
        underscore, dot or dash separate the side.  A capital letter at the start, as in ``LIFG``,
        is a side only if its counterpart ``RIFG`` is among the names too, since a name such as
        ``RSC`` may have another meaning.

    Returns
    -------
    dict
        The rest and the side of every name.
    """
    known = set(names)
    return {name: _split(name, known) for name in names}


def homologues(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the regions that exist in both hemispheres.

    Returns
    -------
    list of (str, str, str)
        The common part of both names, the left name and the right name, in the order of the left
        names; names without a counterpart are left out.
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
