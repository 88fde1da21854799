"""Group regions by hemisphere and lobe, and order them so around a ring."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LOBES = {
    "frontal": "#8fb8de",
    "insula": "#c9b5de",
    "limbic": "#f0c48a",
    "temporal": "#a8d5a2",
    "parietal": "#f3b3b3",
    "subcortex": "#cfc7b8",
    "occipital": "#9fd8d8",
    "cerebellum": "#d9d98f",
    "other": "#dfe3e8",
}
"""Colours of the groups of a ring, which lie around it in this order from front to back."""
_WORDS = {
    "cerebellum": r"cerebel|vermis",
    "subcortex": r"thal|caud|putam|pallid|accumb|striat|brain.?stem|basal",
    "insula": r"insul|(^|\W)ins(\W|$)",
    "limbic": r"hippo|parahip|amygd|cingul|entorhin|isthmus|subic|(^|\W)(ca\d|dg|sub|prc|phc|erc)",
    "parietal": r"pariet|angular|supramarg|precun|postcentr|paracentr",
    "occipital": r"occip|calcar|cuneus|lingual|visual",
    "temporal": r"tempor|fusif|heschl|oc.temp",
    "frontal": r"front|precentr|roland|motor|olfact|rectus|orb|ofc|pars.?(oper|tri)",
}
"""The first pattern that a name matches, in this order, tells its lobe."""
_SIDES = {
    "l": "L", "lh": "L", "left": "L", "r": "R", "rh": "R", "right": "R",
}  # fmt: skip
MOST_ON_CIRCLE = 12
"""More regions than these are grouped around a ring."""
_BETWEEN = 0.8
"""Empty places between two groups of a ring."""


@dataclass(frozen=True)
class Ring:
    """Hold the places of regions around a ring.

    Attributes
    ----------
    angles : ndarray, shape (n_regions,)
        Angle of every region (radians, counterclockwise from the right).
    arcs : tuple of (str, float, float)
        Name of every group, and the angles at which it begins and ends.
    colors : dict of str to str
        Colour of every group by its name.
    """

    angles: NDArray[np.float64]
    arcs: tuple[tuple[str, float, float], ...]
    colors: Mapping[str, str]


def hemisphere_of(name: str) -> str:
    """Return "L" or "R" if a part of a region's name says so, otherwise an empty text."""
    parts = re.split(r"[^0-9A-Za-z]+", str(name).lower())
    found = [_SIDES[part] for part in parts[::-1] if part in _SIDES]
    return found[0] if found else ""


def lobe_of(name: str) -> str:
    """Return the lobe that a region's name tells, one of `LOBES`."""
    text = str(name).lower().replace("_", " ")
    return next((lobe for lobe, words in _WORDS.items() if re.search(words, text)), "other")


def ring_of(
    names: Sequence[str],
    centres: Mapping[str, Sequence[float]] | None = None,
    networks: Mapping[str, str] | None = None,
) -> Ring | None:
    """Place regions around a ring: the left hemisphere on the left, the front at the top.

    Parameters
    ----------
    centres : mapping of str to (x, y, z), optional
        Centres in MNI space (mm), which tell the hemisphere and the order within a group.
    networks : mapping of str to str, optional
        The network of every region, which takes the place of its lobe.

    Returns
    -------
    Ring or None
        None if neither the lobe nor the network of most regions is known.
    """
    centres, networks = centres or {}, networks or {}
    groups = [networks.get(name) or lobe_of(name) for name in names]
    if not names or groups.count("other") > len(names) / 2:
        return None
    kinds = [*LOBES, *sorted(set(groups) - LOBES.keys())]
    palette = [color for lobe, color in LOBES.items() if lobe != "other"]
    colors = LOBES | {kind: palette[i % len(palette)] for i, kind in enumerate(kinds[len(LOBES) :])}
    sides = [hemisphere_of(name) or _side_of(centres.get(name)) for name in names]
    front = [-float(centres[name][1]) if name in centres else 0.0 for name in names]
    order = sorted(range(len(names)), key=lambda i: (kinds.index(groups[i]), front[i], i))
    left = [i for i in order if sides[i] == "L"]
    right = [i for i in order if sides[i] != "L"]
    whole = not (left and right)
    angles = np.zeros(len(names))
    arcs: list[tuple[str, float, float]] = []
    for members, turn in ((left, 1.0), (right, -1.0)):
        # A single hemisphere fills the whole ring.
        _place(members, groups, turn * (2 * np.pi if whole else np.pi), angles, arcs)
    return Ring(angles, tuple(arcs), {kind: colors[kind] for kind in dict.fromkeys(groups)})


def _side_of(centre: Sequence[float] | None) -> str:
    if centre is None or abs(float(centre[0])) < 1.0:
        return ""
    return "L" if float(centre[0]) < 0 else "R"


def _place(
    members: Sequence[int],
    groups: Sequence[str],
    span: float,
    angles: NDArray[np.float64],
    arcs: list[tuple[str, float, float]],
) -> None:
    """Set the angles of some regions, from the top of the ring over a span, and add their arcs."""
    if not members:
        return
    changes = sum(groups[a] != groups[b] for a, b in pairwise(members))
    step = span / (len(members) + _BETWEEN * (changes + 1))
    at = np.pi / 2 + step * _BETWEEN / 2
    before = None
    for member in members:
        if before is not None and groups[before] != groups[member]:
            at += step * _BETWEEN
        angles[member] = at + step / 2
        if before is not None and groups[before] == groups[member]:
            arcs[-1] = (groups[member], arcs[-1][1], at + step)
        else:
            arcs.append((groups[member], at, at + step))
        at += step
        before = member
