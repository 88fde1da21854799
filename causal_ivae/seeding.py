"""One seed, and a child of it for every piece of work.

A child is keyed by what the work *is* (subject, method, pair, restart), never by its position
in a loop, so adding a subject or a pair changes no other result.
"""

from hashlib import blake2b

import numpy as np


def child_seed(seed: int, *keys: str | int) -> int:
    """Return the 63-bit seed of the piece of work named by `keys`.

    Parameters
    ----------
    seed : int
        The seed of the whole analysis, non-negative.
    *keys : str or int
        What the work is, from the general to the particular.

    Returns
    -------
    int
        In ``[0, 2**63)``.
    """
    spawn_key = tuple(_word(key) for key in keys)
    state = np.random.SeedSequence(seed, spawn_key=spawn_key).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded with ``child_seed(seed, *keys)``."""
    return np.random.default_rng(child_seed(seed, *keys))


def _word(key: str | int) -> int:
    # The prefix keeps the string "1" and the number 1 apart.
    # NumPy's strings and integers count as Python's own.
    kind = "str" if isinstance(key, str) else "int"
    text = f"{kind}:{key}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
