"""Derive a seed for every piece of work from the one seed of an analysis.

A derived seed depends on what the work *is* (subject, method, pair, restart), never on its
position in a loop, so that adding a subject or a pair changes no other result.
"""

from hashlib import blake2b

import numpy as np


def child_seed(seed: int, *keys: str | int) -> int:
    """Return the 63-bit seed of the piece of work that `keys` name.

    Parameters
    ----------
    seed : int
        The seed of the whole analysis, non-negative.
    *keys : str or int
        Names of the work, from the general to the specific.

    Returns
    -------
    int
        A seed in ``[0, 2**63)``.
    """
    spawn_key = tuple(_word(key) for key in keys)
    state = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded with ``child_seed(seed, *keys)``."""
    return np.random.default_rng(child_seed(seed, *keys))


def _word(key: str | int) -> int:
    # The prefix tells the string "1" from the number 1, and gives NumPy's strings and integers the
    # same seeds as Python's.
    kind = "str" if isinstance(key, str) else "int"
    text = f"{kind}:{key}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
