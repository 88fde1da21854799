"""Declare the columns that the edges of subjects and those of groups share."""

from functools import partial

from causal_ivae.derivatives.declaration import Column
from causal_ivae.outcomes import CONNECTED, DECISIONS, LEAST_ADJACENT, WHY

_text = partial(Column, text=True)

PAIR = {"x": _text("First region of the pair."), "y": _text("Second region of the pair.")}
PROBABILITIES = {
    "probability_unknown": Column("Probability that none of the next three holds."),
    "probability_forward": Column("Probability of x -> y."),
    "probability_backward": Column("Probability of y -> x."),
    "probability_none": Column("Probability that the pair has no edge."),
}
OF_NETWORK = {
    "probability_both": Column(
        "Probability that each region drives the other, which then counts as neither of x -> y and "
        "y -> x; only by methods that can tell.",
        optional=True,
    ),
    "probability_adjacent": Column(
        "Probability that the two regions are connected directly, whichever way; an undecided pair "
        f"with {LEAST_ADJACENT:g} or more is called '{CONNECTED}' on pages. Only by methods that "
        "estimate it.",
        optional=True,
    ),
}
LEANING = {
    "leaning": _text(
        "The likelier direction, 'x->y' or 'y->x', if one of the two regions drives the other; "
        "empty if nothing favours one. It is no decision. Only by methods with probabilities.",
        optional=True,
    ),
    "probability_leaning": Column(
        "Probability of that direction, given that exactly one of the two drives the other. By the "
        "network method it is calibrated on arrows that were planted through haemodynamic "
        "responses into series like these (_power.tsv), or else into resting series of others, and "
        "so is closer to one half than the ratio of probability_forward and probability_backward. "
        "Of a group the mean over subjects.",
        optional=True,
    ),
    "why": _text(
        "Why the pair has no arrow: "
        + "; ".join(f"'{key}', {words}" for key, words in WHY.items())
        + ". Empty for an arrow. Only by methods with probabilities.",
        optional=True,
    ),
}
QUALITY = {
    "quality": _text(
        "Verdict on the fit that the decision comes from, as in _diagnostics.tsv: 'usable', or why "
        "not; empty for a pair that was not fitted.",
        optional=True,
    )
}
REASON = {
    "reason": _text(
        "Why no direction can be asked of the pair, which is then undecided and takes part in no "
        "statistic; only where there is such a pair.",
        optional=True,
    )
}

DECISION = {
    "x": _text("First region of the pair.", of_cohort=True),
    "y": _text("Second region of the pair.", of_cohort=True),
    "decision": _text(
        f"{', '.join(repr(name) for name in DECISIONS)}; 'both' means that each region drives the "
        "other.",
        of_cohort=True,
    ),
    "cause": _text("The region that drives the other; empty unless one direction is decided."),
    "effect": _text("The region that is driven; empty unless one direction is decided."),
}
