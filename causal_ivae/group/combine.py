"""Combine the edges of subjects into the edges of the group."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import combine_pvalues, sem
from scipy.stats import t as student_t
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.derivatives.tables import GROUP_EDGES
from causal_ivae.group.sign_flips import sign_flip_p, smallest_p
from causal_ivae.group.subjects import Subjects
from causal_ivae.outcomes import LEAST_ADJACENT, arrow_columns, leaning_columns
from causal_ivae.seeding import generator
from causal_ivae.settings import GroupSettings

_HALVES = 500
"""The subjects are split into random halves this many times."""
_MOST_LEFT_OUT = 100
"""At most this many subjects are left out in turn, since more would hardly change the share."""
_LEAST_ERROR = 0.02
"""Smaller errors count as this one, so that a score with an error of 0 has a finite weight."""
_MOST_OF_THEM = 0.5
"""A pair has both arrows in the group if more than this share of the subjects have both."""


def combine_subjects(
    subjects: Subjects,
    settings: GroupSettings,
    *,
    usable: Collection[str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Combine the edges of several subjects into those of the group.

    Parameters
    ----------
    subjects : Subjects
    settings : GroupSettings
    usable : collection of str, optional
        Labels of the subjects whose results are usable, if that is known.
    seed : int
        Seed of the random sign flips and of the random halves.

    Returns
    -------
    pandas.DataFrame
        One row per pair, in the order of the first subject by label, with the columns of
        `causal_ivae.derivatives.tables.GROUP_EDGES`:

        - ``score`` is the mean over subjects, ``score_low`` and ``score_high`` its 95 % t interval
          and ``score_error`` its standard error (missing for one subject);
        - ``p_value`` tests whether the mean score is zero; ``q_value`` is Benjamini-Hochberg across
          the pairs that are tested for direction, which are all but those with decision "none", of
          which it is missing;
        - ``decision`` is "both" if more than half of the subjects have both arrows, "none" if the
          combined dependence is not significant (of a method that estimates how probably pairs are
          connected, if the mean over subjects is below one half), else the direction of the score
          if ``q_value`` is at most alpha and the mean score at least ``settings.min_score``, else
          "undecided"; ``cause`` and ``effect`` are empty unless a direction is decided;
        - ``confidence`` is the share of subjects whose score has the sign of the mean, with the
          95 % Wilson interval ``share_low``, ``share_high``; without any effect it is slightly
          more than one half, since the same subjects determine the sign;
        - ``n_x_to_y``, ``n_y_to_x``, ``n_both``, ``n_none``, ``n_undecided`` count subjects by
          their decision;
        - ``p_dependence`` combines the subjects' dependence tests; missing if there are none;
        - ``unexplained_spread`` comes from `unexplained_spread`;
        - ``leave_one_out`` is the share of groups without one subject that reach the same
          decision; at most 100 subjects are left out in turn.  A smaller group has less power, so
          that in small groups decisions get lost whoever is left out;
        - ``sign_without_one`` is the share of groups without one subject whose mean score has the
          same sign, which does not depend on power;
        - ``split_half`` comes from `split_half`;
        - ``probability_adjacent`` is the mean over subjects, by methods that estimate it;
        - ``leaning`` and ``probability_leaning`` come from the mean over subjects of the
          probability of x -> y given an arrow, by methods that estimate it;
        - ``n_usable`` counts subjects whose fit of the pair is usable, if that is known;
        - ``usable_decision`` is the decision if only the subjects in `usable` are combined, and
          empty if they are fewer than ``settings.min_subjects``.

        The columns of probabilities are missing values, since the group has none.

    Notes
    -----
    The sign-flip permutation test assumes that subjects are independent and that a subject's score
    is symmetric around zero if there is no direction.  It is two-sided, on the mean score, over
    all 2**n flips for up to 13 subjects and over ``settings.draws`` random flips for more.  With n
    subjects no p-value is below 2/2**n: seven subjects reach at best .0156, three .25.  Fisher's
    method combines the dependence p-values.  Where scores are skewed around a mean of zero, more
    than .05 have p <= .05: exponential scores .10 with 8 subjects and .08 with 24, squares of
    normal ones .16 and .11, and .27 and .10 where 15 in 100 subjects score far from all others.
    """
    n_subjects, n_pairs = subjects.scores.shape
    scores, decisions = subjects.scores, subjects.decisions
    everybody = np.ones(n_subjects, dtype=bool)
    decision, p_value, q_value, p_dependence = _decide(subjects, everybody, settings, seed)
    mean = scores.mean(axis=0)
    error = sem(scores, axis=0) if n_subjects > 1 else np.full(n_pairs, np.nan)
    half = student_t.isf(0.025, max(n_subjects - 1, 1)) * error
    leading = (np.sign(scores) == np.where(mean < 0, -1, 1)).sum(axis=0)
    low, high = proportion_confint(leading, n_subjects, alpha=0.05, method="wilson")
    x, y = np.array(subjects.pairs, dtype=object).reshape(-1, 2).T
    table = pd.DataFrame(
        {
            "x": x,
            "y": y,
            "decision": decision,
            **arrow_columns(decision, x, y),
            "score": mean,
            "score_low": np.clip(mean - half, -1.0, 1.0),
            "score_high": np.clip(mean + half, -1.0, 1.0),
            "score_error": error,
            "p_value": p_value,
            "q_value": q_value,
            "confidence": leading / n_subjects,
            "n_subjects": n_subjects,
            "n_x_to_y": (decisions == "x->y").sum(axis=0),
            "n_y_to_x": (decisions == "y->x").sum(axis=0),
            "n_both": (decisions == "both").sum(axis=0),
            "n_none": (decisions == "none").sum(axis=0),
            "n_undecided": (decisions == "undecided").sum(axis=0),
            "share_low": low,
            "share_high": high,
            "p_dependence": p_dependence,
            "unexplained_spread": unexplained_spread(scores, subjects.errors),
            "leave_one_out": _leave_one_out(subjects, decision, settings, seed),
            "sign_without_one": _sign_without_one(scores),
            "split_half": split_half(subjects, seed)[0],
        },
        columns=list(GROUP_EDGES.required),
    )
    if subjects.adjacent is not None and n_pairs:
        table["probability_adjacent"] = subjects.adjacent.mean(axis=0)
    if subjects.forward is not None and n_pairs:
        table = table.assign(**leaning_columns(subjects.forward.mean(axis=0)))
    if subjects.usable is not None:
        table["n_usable"] = subjects.usable.sum(axis=0)
    if usable is not None:
        kept = np.isin(subjects.labels, list(usable))
        enough = kept.sum() >= settings.min_subjects
        table["usable_decision"] = _decide(subjects, kept, settings, seed)[0] if enough else ""
    return _with_impossible(table, subjects) if subjects.impossible else table


def unanimous_pairs_needed(n_subjects: int, n_tested: int, settings: GroupSettings) -> int | None:
    """Return the number of unanimous pairs without which no pair gets a direction.

    Parameters
    ----------
    n_subjects : int
    n_tested : int
        Number of pairs that are tested for direction.
    settings : GroupSettings

    Returns
    -------
    int or None
        Number of pairs whose subjects all favour one direction that Benjamini-Hochberg needs if
        the other pairs are far from it; None if no number of pairs is enough.

    Notes
    -----
    With the smallest possible p-value in k of m pairs, their q-value is p m / k.
    """
    least = smallest_p(n_subjects, settings.draws)
    if not n_tested or least > settings.alpha:
        return None
    # The tolerance keeps a whole number from being rounded up to the next.
    return math.ceil(least * n_tested / settings.alpha - 1e-9)


def _with_impossible(table: pd.DataFrame, subjects: Subjects) -> pd.DataFrame:
    """Add the pairs of which no direction can be asked, undecided and without numbers."""
    rows = pd.DataFrame(
        [(x, y, "undecided", "", "", reason) for (x, y), reason in subjects.impossible.items()],
        columns=["x", "y", "decision", "cause", "effect", "reason"],
    )
    everybody = len(subjects.labels)
    rows = rows.assign(
        n_subjects=everybody, n_x_to_y=0, n_y_to_x=0, n_both=0, n_none=0, n_undecided=everybody
    )
    for column in ("usable_decision", "leaning"):
        if column in table:
            rows[column] = ""
    return pd.concat([table.assign(reason=""), rows], ignore_index=True)


def unexplained_spread(
    scores: NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of the variance over subjects that the errors of the scores do not explain.

    Parameters
    ----------
    scores, errors : ndarray, shape (n_subjects, n_pairs)
        The errors come from resampling segments of fits that stay as they are.

    Returns
    -------
    ndarray, shape (n_pairs,)
        (Q - n + 1) / Q with Cochran's Q, 0 where that is negative; NaN where an error is missing or
        there is one subject.

    Notes
    -----
    Higgins and Thompson 2002 call this I^2 where errors are known.  Here they lack what another
    fit to other volumes would change, so that subjects who follow one law have shares of .7 to .8;
    nothing is tested by it.  Errors below .02 count as .02.
    """
    freedom = len(scores) - 1
    weight = 1.0 / np.square(np.maximum(errors, _LEAST_ERROR))
    mean = (weight * scores).sum(axis=0) / weight.sum(axis=0)
    statistic = (weight * np.square(scores - mean)).sum(axis=0)
    if freedom < 1:
        return np.full_like(statistic, np.nan)
    excess = np.divide(
        statistic - freedom, statistic, out=np.zeros_like(statistic), where=statistic > freedom
    )
    return np.where(np.isnan(statistic), np.nan, excess)


def split_half(
    subjects: Subjects, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Compare the mean scores of random halves of the subjects.

    Returns
    -------
    alike : ndarray, shape (n_pairs,)
        Of 500 splits those in which each half favours a direction: the share in which it is the
        same, about one half if there is no direction.  NaN for fewer than four subjects, and
        where at least one half always has a mean score of 0.
    correlation : ndarray, shape (500,), or None
        Correlation of the two halves' scores over pairs; None for fewer than three pairs or four
        subjects.
    """
    n_subjects, n_pairs = subjects.scores.shape
    if n_subjects < 4:
        return np.full(n_pairs, np.nan), None
    rng = generator(seed, "group", "halves")
    chosen = rng.permuted(np.tile(np.arange(n_subjects), (_HALVES, 1)), axis=1) < n_subjects // 2
    one = chosen @ subjects.scores / chosen.sum(axis=1, keepdims=True)
    other = ~chosen @ subjects.scores / (~chosen).sum(axis=1, keepdims=True)
    favoured = (one * other != 0).sum(axis=0)
    alike = np.divide(
        (one * other > 0).sum(axis=0), favoured, out=np.full(n_pairs, np.nan), where=favoured > 0
    )
    if n_pairs < 3:
        return alike, None
    first, second = (half - half.mean(axis=1, keepdims=True) for half in (one, other))
    size = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
    product = (first * second).sum(axis=1)
    return alike, np.divide(product, size, out=np.zeros_like(product), where=size > 0)


def split_half_entry(subjects: Subjects, seed: int) -> dict[str, Any]:
    """Summarise the comparison of random halves for a sidecar; empty for fewer than four subjects.

    ``SameDirection`` is the mean of `split_half`'s shares over the pairs that have one.
    ``Correlation`` is the median over splits with the 2.5 % and 97.5 % quantiles.
    """
    alike, correlation = split_half(subjects, seed)
    if np.isnan(alike).all():
        return {}
    entry: dict[str, Any] = {"Splits": _HALVES, "SameDirection": float(np.nanmean(alike))}
    if correlation is not None:
        median, low, high = np.quantile(correlation, [0.5, 0.025, 0.975])
        entry["Correlation"] = {"Median": median, "Low": low, "High": high}
    return {"SplitHalf": entry}


def _decide(
    subjects: Subjects, members: NDArray[np.bool_], settings: GroupSettings, seed: int
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return decision, p-value, q-value and combined dependence of every pair for some subjects."""
    scores = subjects.scores[members]
    p_value = sign_flip_p(scores, draws=settings.draws, seed=seed)
    p_dependence = np.full(len(p_value), np.nan)
    if subjects.dependence is not None:
        combined = combine_pvalues(subjects.dependence[members], method="fisher", axis=0)
        p_dependence = np.asarray(combined.pvalue)
    # Without dependence tests p_dependence is NaN, this comparison is false, and all are tested.
    independent = p_dependence > settings.alpha
    if subjects.adjacent is not None:
        independent = subjects.adjacent[members].mean(axis=0) < LEAST_ADJACENT
    q_value = np.full(len(p_value), np.nan)
    if not independent.all():
        q_value[~independent] = multipletests(p_value[~independent], method="fdr_bh")[1]
    mean = scores.mean(axis=0)
    decision = np.where(
        (q_value <= settings.alpha) & (np.abs(mean) >= settings.min_score) & (mean != 0),
        np.where(mean > 0, "x->y", "y->x"),
        "undecided",
    )
    decision = np.where(independent, "none", decision)
    mutual = (subjects.decisions[members] == "both").mean(axis=0) > _MOST_OF_THEM
    decision = np.where(mutual, "both", decision)
    return decision, p_value, q_value, p_dependence


def _leave_one_out(
    subjects: Subjects, decision: NDArray[np.str_], settings: GroupSettings, seed: int
) -> NDArray[np.float64]:
    n_subjects = len(subjects.labels)
    if n_subjects < 2:
        return np.full(len(decision), np.nan)
    spread = np.linspace(0, n_subjects - 1, min(n_subjects, _MOST_LEFT_OUT))
    left_out = spread.astype(np.int64)
    alike = np.zeros(len(decision))
    for member in left_out:
        others = np.arange(n_subjects) != member
        alike += _decide(subjects, others, settings, seed)[0] == decision
    return alike / len(left_out)


def _sign_without_one(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of groups without one subject whose mean score keeps its sign."""
    if len(scores) < 2:
        return np.full(scores.shape[1], np.nan)
    total = scores.sum(axis=0)
    return np.asarray((np.sign(total - scores) == np.sign(total)).mean(axis=0))
