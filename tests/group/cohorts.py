"""Edge tables of subjects, made from their scores, and the group's table of them."""

from itertools import combinations

import numpy as np
import pandas as pd

from causal_ivae.derivatives.tables import EDGES
from causal_ivae.group import (
    align,
    combine_subjects,
)
from causal_ivae.settings import GroupSettings

SETTINGS = GroupSettings()


def subject(scores, decisions=None):
    pairs = list(combinations("ABCDEFGH", 2))[: len(scores)]
    if decisions is None:
        decisions = ["undecided"] * len(scores)
    rows = [
        (x, y, d, "", "", s, *[0.5] * (len(EDGES.required) - 6))
        for (x, y), d, s in zip(pairs, decisions, scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(EDGES.required))


def dependence_of(p_values):
    pairs = list(combinations("ABCDEFGH", 2))[: len(p_values)]
    rows = [(x, y, np.nan, x, y, 0.1, 0.1, p) for (x, y), p in zip(pairs, p_values, strict=True)]
    # Rows of the restarts must be ignored.
    rows += [(x, y, 0.0, x, "n1", 0.1, 0.1, 0.9) for x, y in pairs]
    columns = ["x", "y", "restart", "first", "second", "statistic", "null_mean", "p_value"]
    return pd.DataFrame(rows, columns=columns)


def cohort(scores):
    """Return the edge tables of subjects with scores of shape (n_subjects, n_pairs)."""
    return {f"{i:02d}": subject(row) for i, row in enumerate(scores)}


def combined_of(tables, settings=SETTINGS, *, dependence=None, seed=0):
    subjects = align(tables, dependence, least=settings.min_subjects)
    return combine_subjects(subjects, settings, seed=seed)
