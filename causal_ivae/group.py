"""Statistics over subjects: which edges hold in the group, and how sure that is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import combine_pvalues, sem
from scipy.stats import t as student_t
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from causal_ivae.config import GroupSettings
from causal_ivae.discovery.graph import EDGE_COLUMNS
from causal_ivae.errors import InputError
from causal_ivae.seeding import generator

GROUP_COLUMNS = (
    *EDGE_COLUMNS,
    "n_subjects", "n_x_to_y", "n_y_to_x", "n_none", "n_undecided",
    "share_low", "share_high", "p_dependence",
)  # fmt: skip

# All sign flips of this many subjects, 2**13, are as cheap as the usual number of random ones.
_EXACT_SUBJECTS = 13
# Pairs per matrix product: 2**12 flips x 512 pairs of float64 are 16 MiB.
_PAIRS_AT_ONCE = 512
_TURNED = {"x->y": "y->x", "y->x": "x->y", "none": "none", "undecided": "undecided"}


def combine_subjects(
    edges: Mapping[str, pd.DataFrame],
    settings: GroupSettings,
    *,
    dependence: Mapping[str, pd.DataFrame] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Combine the edges of several subjects into those of the group.

    Parameters
    ----------
    edges : mapping of subject label to pandas.DataFrame
        Edge tables with ``x``, ``y``, ``decision`` and ``score``
        (`causal_ivae.discovery.graph.EDGE_COLUMNS`), the same pairs in all; a pair may be written
        (a, b) in one and (b, a) in another.
    settings : GroupSettings
    dependence : mapping of subject label to pandas.DataFrame, optional
        Test tables (`causal_ivae.discovery.graph.TEST_COLUMNS`); the rows without a ``restart``
        test whether the two regions are dependent at all.
    seed : int
        For the sign flips, where there are too many to try all of them.

    Returns
    -------
    pandas.DataFrame
        One row per pair, in the order of the first subject by label, with `GROUP_COLUMNS`:

        - ``score``: mean over subjects, ``score_low`` and ``score_high`` its 95 % t interval
          (missing for one subject); ``p_value``: of the null hypothesis that it is zero;
          ``q_value``: Benjamini-Hochberg across pairs;
        - ``decision``: "none" where the combined dependence is not significant, else the
          direction of the score if ``q_value`` is at most alpha, else "undecided"; ``cause`` and
          ``effect`` are empty unless a direction is decided;
        - ``confidence``: share of subjects whose score has the sign of the mean, with its 95 %
          Wilson interval ``share_low``, ``share_high``; the sign is taken from the same
          subjects, so about half is what no effect at all gives, and slightly more;
        - ``n_x_to_y``, ``n_y_to_x``, ``n_none``, ``n_undecided``: subjects by their own decision;
        - ``p_dependence``: the subjects' dependence tests combined; missing if none are given.

        The probabilities are missing: there are none of the group.

    Raises
    ------
    InputError
        If there are fewer subjects than ``settings.min_subjects``, the subjects' pairs differ, or
        a score, a decision or a dependence p-value is missing.

    Notes
    -----
    The sign-flip permutation test takes a subject's score as symmetric around zero if there is no
    direction, and subjects as independent: two-sided, on the mean score, over all 2**n flips for
    up to 13 subjects and over ``settings.draws`` random ones beyond.  With n subjects no p-value
    is below `smallest_p`, 2/2**n, so seven subjects reach .0156 at best and three .25.
    Dependence p-values are combined by Fisher's method.
    """
    if len(edges) < settings.min_subjects:
        raise InputError(
            f"The group needs at least {settings.min_subjects} subjects, but {len(edges)} "
            f"{'is' if len(edges) == 1 else 'are'} there: {', '.join(sorted(edges)) or 'none'}."
        )
    labels = sorted(edges)
    tables = [_checked(label, edges[label]) for label in labels]
    pairs = list(zip(tables[0]["x"], tables[0]["y"], strict=True))
    aligned = [
        _aligned(label, table, pairs, labels[0])
        for label, table in zip(labels, tables, strict=True)
    ]
    scores = np.array([score for score, _ in aligned]).reshape(len(labels), len(pairs))
    decisions = np.array([decision for _, decision in aligned]).reshape(scores.shape)
    p_dependence = np.full(len(pairs), np.nan)
    if dependence is not None:
        p_dependence = _combined_dependence(labels, dependence, pairs)

    mean = scores.mean(axis=0)
    p_value = sign_flip_p(scores, draws=settings.draws, seed=seed)
    q_value = multipletests(p_value, method="fdr_bh")[1] if len(pairs) else p_value
    error = sem(scores, axis=0) if len(labels) > 1 else np.full(len(pairs), np.nan)
    half = student_t.isf(0.025, max(len(labels) - 1, 1)) * error
    leading = (np.sign(scores) == np.where(mean < 0, -1, 1)).sum(axis=0)
    low, high = proportion_confint(leading, len(labels), alpha=0.05, method="wilson")
    decision = np.where(
        (q_value <= settings.alpha) & (mean != 0), np.where(mean > 0, "x->y", "y->x"), "undecided"
    )
    # Without dependence tests p_dependence is missing, and no comparison with it holds.
    decision = np.where(p_dependence > settings.alpha, "none", decision)
    x, y = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return pd.DataFrame(
        {
            "x": x,
            "y": y,
            "decision": decision,
            "cause": np.select([decision == "x->y", decision == "y->x"], [x, y], ""),
            "effect": np.select([decision == "x->y", decision == "y->x"], [y, x], ""),
            "score": mean,
            "score_low": np.clip(mean - half, -1.0, 1.0),
            "score_high": np.clip(mean + half, -1.0, 1.0),
            "p_value": p_value,
            "q_value": q_value,
            "confidence": leading / len(labels),
            "n_subjects": len(labels),
            "n_x_to_y": (decisions == "x->y").sum(axis=0),
            "n_y_to_x": (decisions == "y->x").sum(axis=0),
            "n_none": (decisions == "none").sum(axis=0),
            "n_undecided": (decisions == "undecided").sum(axis=0),
            "share_low": low,
            "share_high": high,
            "p_dependence": p_dependence,
        },
        columns=list(GROUP_COLUMNS),
    )


def smallest_p(n_subjects: int, draws: int = 9999) -> float:
    """Return the smallest p-value that the sign-flip test of so many subjects can give."""
    if n_subjects <= _EXACT_SUBJECTS:
        return float(2.0 ** (1 - n_subjects))
    return 1 / (1 + draws)


def sign_flip_p(scores: NDArray[np.float64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Test for every pair whether the mean score over subjects is zero.

    Parameters
    ----------
    scores : ndarray, shape (n_subjects, n_pairs)
    draws : int
        Random sign flips where there are more than 13 subjects.
    seed : int

    Returns
    -------
    ndarray, shape (n_pairs,)
        Two-sided p-values.  All pairs share the same flips, so another pair changes none.
    """
    n_subjects, n_pairs = scores.shape
    exact = n_subjects <= _EXACT_SUBJECTS
    if exact:
        # |mean| is the same for a flip and its opposite: the first subject's sign stays.
        codes = np.arange(2 ** (n_subjects - 1))[:, None]
        bits = (codes >> np.arange(n_subjects - 1)) & 1
        flips = np.hstack([np.ones((len(codes), 1)), 1.0 - 2.0 * bits])
    else:
        rng = generator(seed, "group", "sign flips")
        flips = rng.choice([-1.0, 1.0], size=(draws, n_subjects))
    observed = np.abs(scores.sum(axis=0))
    # Sums of the same numbers in another order differ in the last digits; those are ties.
    least = observed - 1e-10 * np.abs(scores).sum(axis=0)
    as_large = np.empty(n_pairs, dtype=np.int64)
    for start in range(0, n_pairs, _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        as_large[block] = (np.abs(flips @ scores[:, block]) >= least[block]).sum(axis=0)
    if exact:
        return np.asarray(as_large / len(flips))
    return np.asarray((1 + as_large) / (1 + draws))


def _checked(label: str, table: pd.DataFrame) -> pd.DataFrame:
    for column in ("x", "y", "decision", "score"):
        if column not in table:
            raise InputError(f"Subject '{label}': the edge table lacks the column '{column}'.")
    for x, y, decision, score in table[["x", "y", "decision", "score"]].itertuples(index=False):
        if decision not in _TURNED:
            raise InputError(
                f"Subject '{label}', pair '{x}', '{y}': unknown decision {decision!r}."
            )
        if not np.isfinite(score):
            raise InputError(
                f"Subject '{label}', pair '{x}', '{y}': the score is {score}; run the subject "
                "again or leave it out."
            )
    return table


def _aligned(
    label: str, table: pd.DataFrame, pairs: list[tuple[str, str]], reference: str
) -> tuple[list[float], list[str]]:
    """Return scores and decisions in the order and the direction of `pairs`."""
    values: dict[tuple[str, str], tuple[float, str]] = {}
    for x, y, decision, score in table[["x", "y", "decision", "score"]].itertuples(index=False):
        if (x, y) in values:
            raise InputError(f"Subject '{label}' has the pair '{x}', '{y}' twice.")
        values[x, y] = (float(score), decision)
        values[y, x] = (-float(score), _TURNED[decision])
    missing = [pair for pair in pairs if pair not in values]
    if missing:
        raise InputError(
            f"Subject '{label}' lacks the pair '{missing[0][0]}', '{missing[0][1]}'"
            f"{_and_more(len(missing))} that subject '{reference}' has: run all subjects with the "
            "same regions."
        )
    extra = set(values) - set(pairs) - {(y, x) for x, y in pairs}
    if extra:
        x, y = min(extra)
        raise InputError(
            f"Subject '{label}' has the pair '{x}', '{y}'{_and_more(len(extra) // 2)} that subject "
            f"'{reference}' lacks: run all subjects with the same regions."
        )
    return [values[pair][0] for pair in pairs], [values[pair][1] for pair in pairs]


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _combined_dependence(
    labels: list[str], dependence: Mapping[str, pd.DataFrame], pairs: list[tuple[str, str]]
) -> NDArray[np.float64]:
    p_values = np.empty((len(labels), len(pairs)))
    for row, label in enumerate(labels):
        if label not in dependence:
            raise InputError(f"Subject '{label}' has edges but no dependence tests.")
        tests = dependence[label]
        tests = tests[tests["restart"].isna()]
        found = {
            frozenset((x, y)): float(p)
            for x, y, p in zip(tests["x"], tests["y"], tests["p_value"], strict=True)
        }
        for column, (x, y) in enumerate(pairs):
            p = found.get(frozenset((x, y)), np.nan)
            if not 0 <= p <= 1:
                raise InputError(
                    f"Subject '{label}' has no valid dependence test of the pair '{x}', '{y}' "
                    f"(p = {p}); run the subject again."
                )
            p_values[row, column] = p
    # A p-value from an approximate null may underflow to 0, whose logarithm is infinite.
    p_values = np.maximum(p_values, np.finfo(np.float64).tiny)
    return np.asarray(combine_pvalues(p_values, method="fisher", axis=0).pvalue)
