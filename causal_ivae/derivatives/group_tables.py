"""Declare the tables that only a group has."""

from functools import partial

from causal_ivae.derivatives.declaration import Column, Table
from causal_ivae.derivatives.edge_columns import PAIR

_text = partial(Column, text=True)

MODEL = Table(
    "model",
    "One row per pair and term of the model over subjects, where one was asked for.",
    {
        **PAIR,
        "term": _text(
            "Column of the design; a level of a factor is compared with the factor's first."
        ),
        "estimate": Column("Change of the score (positive favours x -> y) with the term."),
        "error": Column("Standard error, robust to unequal variances (HC2)."),
        "low": Column("Lower end of the 95 % interval."),
        "high": Column("Upper end of the 95 % interval."),
        "p_value": Column(
            "Of the null hypothesis that the term has no effect; missing where the term rests on "
            "the only subject with a level."
        ),
        "q_value": Column("Benjamini-Hochberg across the pairs, for each term."),
    },
    level="group",
)
