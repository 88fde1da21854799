"""Shorten the names of regions to the few letters that fit into a small figure."""

import re
from collections.abc import Sequence

from causal_ivae.drawing.region_groups import hemisphere_of

_LONGEST = 4
"""A name of at most this many letters is left as it is."""


def abbreviated(names: Sequence[str]) -> tuple[str, ...]:
    """Return a short label for every name; different names have different labels.

    A label has the first letters of the words of a name, or three letters of a single word.  The
    hemisphere follows only if there are regions of both.

    Examples
    --------
    >>> abbreviated(["CA1", "Precuneus_L", "Frontal_Sup_Medial_L"])
    ('CA1', 'Pre', 'FSM')
    """
    sides = [hemisphere_of(name) for name in names]
    both = {"L", "R"} <= set(sides)
    taken: dict[str, int] = {}
    labels = []
    for name, side in zip(names, sides, strict=True):
        label = str(name)
        if len(label) > _LONGEST:
            label = _initials(label) + (side.lower() if both else "")
        taken[label] = taken.get(label, 0) + 1
        labels.append(label)
    counts: dict[str, int] = {}
    for i, label in enumerate(labels):
        if taken[label] > 1:
            counts[label] = counts.get(label, 0) + 1
            numbered = f"{label}{counts[label]}"
            while numbered in taken:
                counts[label] += 1
                numbered = f"{label}{counts[label]}"
            labels[i] = numbered
    return tuple(labels)


def _initials(name: str) -> str:
    """Return the initials of the words of a name, or the first three letters of one word."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word for word in re.split(r"[\W_]+", spaced) if word]
    kept = [word for word in words if not hemisphere_of(word) and word.lower() not in ("ctx", "g")]
    kept = kept or words or [name]
    if len(kept) == 1:
        return kept[0][:3]
    digits = "".join(word for word in kept if word.isdigit())
    letters = "".join(word[0].upper() for word in kept if not word.isdigit())
    return letters[: _LONGEST - 1] + digits
