"""Align the graphs of several subjects pair by pair."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_ivae.errors import InputError
from causal_ivae.outcomes import TURNED


@dataclass(frozen=True)
class Subjects:
    """Hold the edges of several subjects for the group statistics.

    Attributes
    ----------
    labels : tuple of str
        Subject labels in sorted order.
    pairs : tuple of (str, str)
        Region names of every pair, in the order of the first subject.
    scores : ndarray, shape (n_subjects, n_pairs), float64
        Direction scores; positive favours x -> y.
    errors : ndarray, shape (n_subjects, n_pairs), float64
        Standard errors of the scores; NaN where they are not known.
    decisions : ndarray of str, shape (n_subjects, n_pairs)
        Decisions of every subject, of `causal_ivae.outcomes.DECISIONS`.
    dependence : ndarray, shape (n_subjects, n_pairs), float64, or None
        P-values of the tests that the two regions are independent.
    usable : ndarray of bool, shape (n_subjects, n_pairs), or None
        Whether a subject's fit of a pair is usable; None if that is not known of all subjects.
    adjacent : ndarray, shape (n_subjects, n_pairs), float64, or None
        Probabilities that the two regions are connected directly, by a method that estimates them.
    forward : ndarray, shape (n_subjects, n_pairs), float64, or None
        Probabilities of x -> y if one of the two drives the other, by such a method.
    impossible : mapping of (str, str) to str
        Pairs that are left out since no direction can be asked of them, and why.
    """

    labels: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    scores: NDArray[np.float64]
    errors: NDArray[np.float64]
    decisions: NDArray[np.str_]
    dependence: NDArray[np.float64] | None = None
    usable: NDArray[np.bool_] | None = None
    adjacent: NDArray[np.float64] | None = None
    forward: NDArray[np.float64] | None = None
    impossible: Mapping[tuple[str, str], str] = field(default_factory=dict)


def align(
    edges: Mapping[str, pd.DataFrame],
    dependence: Mapping[str, pd.DataFrame] | None = None,
    *,
    least: int = 1,
) -> Subjects:
    """Align the edges of several subjects.

    Parameters
    ----------
    edges : mapping of subject label to pandas.DataFrame
        Edge tables with ``x``, ``y``, ``decision``, ``score`` and optionally ``score_error`` and
        ``quality`` (`causal_ivae.derivatives.tables.EDGES`).  All have the same pairs; one may be
        written (a, b) in one table and (b, a) in another.
    dependence : mapping of subject label to pandas.DataFrame, optional
        Test tables (`causal_ivae.derivatives.tables.TESTS`); the rows without a ``restart``
        test whether the two regions are dependent at all.
    least : int
        Smallest permitted number of subjects.

    Raises
    ------
    InputError
        If there are fewer subjects, the subjects' pairs differ, or a score, a decision or a
        dependence p-value is missing.
    """
    if len(edges) < least:
        raise InputError(
            f"The group needs at least {least} subjects, but {len(edges)} "
            f"{'is' if len(edges) == 1 else 'are'} there: {', '.join(sorted(edges)) or 'none'}."
        )
    labels = sorted(edges)
    impossible = _impossible({label: edges[label] for label in labels})
    tables = [_checked(label, _without(edges[label], impossible)) for label in labels]
    pairs = list(zip(tables[0]["x"], tables[0]["y"], strict=True))
    found = [
        _aligned(label, table, pairs, labels[0])
        for label, table in zip(labels, tables, strict=True)
    ]
    shape = (len(labels), len(pairs))
    numbers = np.array([[one[:4] for one in rows] for rows in found], dtype=np.float64)
    scores, errors, adjacent, forward = np.moveaxis(numbers.reshape(*shape, 4), 2, 0)
    return Subjects(
        tuple(labels),
        tuple(pairs),
        scores,
        errors,
        np.array([[one[4] for one in rows] for rows in found], dtype=np.str_).reshape(shape),
        None if dependence is None else _dependence(labels, dependence, pairs),
        _usable(tables, pairs),
        None if np.isnan(adjacent).any() else adjacent,
        None if np.isnan(forward).any() else forward,
        impossible,
    )


def _usable(tables: list[pd.DataFrame], pairs: list[tuple[str, str]]) -> NDArray[np.bool_] | None:
    """Return whether the fit of every pair is usable; None if some table does not say."""
    if not all("quality" in table for table in tables):
        return None
    usable = np.empty((len(tables), len(pairs)), dtype=bool)
    for row, table in enumerate(tables):
        ends = zip(table["x"], table["y"], strict=True)
        quality = dict(zip(map(frozenset, ends), table["quality"], strict=True))
        usable[row] = [quality[frozenset(pair)] == "usable" for pair in pairs]
    return usable


def _impossible(edges: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], str]:
    """Return the pairs that have no direction to ask for in some subject, and why."""
    found: dict[frozenset[str], tuple[tuple[str, str], str, list[str]]] = {}
    for label, table in edges.items():
        if "reason" not in table:
            continue
        for x, y, reason in table[["x", "y", "reason"]].itertuples(index=False):
            if isinstance(reason, str) and reason:
                found.setdefault(frozenset((x, y)), ((x, y), reason, []))[2].append(label)
    return {
        pair: f"In {len(labels)} of {len(edges)} subjects: {reason}"
        for pair, reason, labels in found.values()
    }


def _without(table: pd.DataFrame, pairs: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """Return the rows of the other pairs."""
    if not pairs or not {"x", "y"} <= set(table.columns):
        return table
    left_out = {frozenset(pair) for pair in pairs}
    other = [frozenset(pair) not in left_out for pair in zip(table["x"], table["y"], strict=True)]
    return table[other]


def _checked(label: str, table: pd.DataFrame) -> pd.DataFrame:
    for column in ("x", "y", "decision", "score"):
        if column not in table:
            raise InputError(f"Subject '{label}': the edge table lacks the column '{column}'.")
    for x, y, decision, score in table[["x", "y", "decision", "score"]].itertuples(index=False):
        if decision not in TURNED:
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
) -> list[tuple[float, float, float, float, str]]:
    """Return the numbers of every one of `pairs`, and its decision.

    The numbers are score, error, probability of a connection, and that of x -> y given an arrow.
    """
    values: dict[tuple[str, str], tuple[float, float, float, float, str]] = {}
    columns = ["x", "y", "decision", "score", "score_error", "probability_adjacent"]
    known = table.reindex(columns=columns)
    forward = _forward(table)
    for (x, y, decision, score, error, near), right in zip(
        known.itertuples(index=False), forward, strict=True
    ):
        if (x, y) in values:
            raise InputError(f"Subject '{label}' has the pair '{x}', '{y}' twice.")
        values[x, y] = (float(score), float(error), float(near), right, decision)
        values[y, x] = (-float(score), float(error), float(near), 1.0 - right, TURNED[decision])
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
    return [values[pair] for pair in pairs]


def _forward(table: pd.DataFrame) -> list[float]:
    """Return the probability of x -> y given an arrow of every row; NaN where it is not known."""
    if "leaning" not in table:
        return [np.nan] * len(table)
    likelier = table["probability_leaning"].to_numpy(dtype=float)
    return list(np.where(table["leaning"] == "y->x", 1.0 - likelier, likelier))


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _dependence(
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
    # Fisher's method takes logarithms, and a p-value of an approximate null may underflow to 0.
    return np.maximum(p_values, np.finfo(np.float64).tiny)
