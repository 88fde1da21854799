"""Explain the scores of subjects by a linear model of columns of ``participants.tsv``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from causal_ivae.derivatives.unit_tables import MODEL
from causal_ivae.errors import InputError, SettingsError, nearest
from causal_ivae.group.participants import as_labelled
from causal_ivae.group.robust_errors import least_squares
from causal_ivae.group.subjects import Subjects

_TOKEN = re.compile(r"C\([A-Za-z_]\w*\)|[A-Za-z_]\w*|[01]|[+*:-]")
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class GroupModel:
    """Hold the estimates of a linear model of every pair's scores.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per pair and term, with the columns of `MODEL`.
    formula : str
    subjects : tuple of str
        Labels of the subjects in the model.
    left_out : dict of str to str
        For each label of another subject, why it is left out.
    untested : dict of str to tuple of str
        Terms without a p-value, each with the labels of the subjects on whom it rests and whom
        nothing contradicts, such as the only one with a level of a factor.
    """

    table: pd.DataFrame
    formula: str
    subjects: tuple[str, ...]
    left_out: dict[str, str]
    untested: dict[str, tuple[str, ...]]


def covariates_of(formula: str) -> tuple[str, ...]:
    """Return the columns that a formula names, in order.

    Parameters
    ----------
    formula : str
        For instance ``"score ~ group + age"``: column names, ``C(name)`` for numbers that are
        labels, and ``+``, ``:``, ``*``, ``-``, ``0``, ``1`` between them.

    Raises
    ------
    SettingsError
        If the formula has another form.  No part of it is ever run as code.
    """
    left, tilde, right = formula.partition("~")
    rest = _TOKEN.sub("", right).strip()
    if left.strip() != "score" or not tilde or rest or not right.strip():
        raise SettingsError(
            f"The model '{formula}' is not of the form 'score ~ group + age': names of columns of "
            "participants.tsv, C(name) for labels that are numbers, and + : * - 0 1 between them."
        )
    tokens = (token.removeprefix("C(").rstrip(")") for token in _TOKEN.findall(right))
    return tuple(dict.fromkeys(token for token in tokens if _NAME.fullmatch(token)))


def check_model(formula: str, participants: pd.DataFrame) -> None:
    """Build a model of all participants, so that a wrong formula is found before anything is run.

    Raises
    ------
    SettingsError
        If the formula is not valid or names a column that does not exist.
    """
    _check_columns(formula, participants)
    _design(formula, participants[list(covariates_of(formula))].dropna())


def _check_columns(formula: str, participants: pd.DataFrame) -> None:
    for name in covariates_of(formula):
        if name not in participants:
            others = [str(c) for c in participants.columns if c != "participant_id"]
            raise SettingsError(
                f"The model '{formula}' names '{name}', which is no column of participants.tsv. "
                f"{nearest(name, others)}"
            )


def fit_model(subjects: Subjects, formula: str, participants: pd.DataFrame) -> GroupModel:
    """Regress the scores of every pair on columns of ``participants.tsv``.

    Parameters
    ----------
    subjects : Subjects
    formula : str
        A formula as in `covariates_of`.
    participants : pandas.DataFrame
        ``participant_id`` (with or without ``sub-``) and the columns that the formula names; one
        row for each subject.  Columns of numbers are centred, so that the intercept is the mean
        score at their means.

    Returns
    -------
    GroupModel
        Subjects without a row or with a missing value are left out.

    Raises
    ------
    SettingsError
        If the formula is not valid or names a column that does not exist.
    InputError
        If a subject is listed twice, there are too few subjects, or the terms of the model are
        collinear in these subjects.

    Notes
    -----
    Ordinary least squares with a covariance that allows the scores to vary more in one group than
    in another, and p-values that hold in small groups; see
    `causal_ivae.group.robust_errors.least_squares`.
    """
    names = covariates_of(formula)
    table, left_out = _rows(subjects.labels, formula, participants)
    kept = [i for i, label in enumerate(subjects.labels) if label not in left_out]
    design, terms = _design(formula, table)
    if len(design) <= len(terms):
        raise InputError(
            f"The model '{formula}' has {len(terms)} terms, for which {len(design)} subjects with "
            f"all of {', '.join(names) or 'them'} are too few."
        )
    if np.linalg.matrix_rank(design) < len(terms):
        raise InputError(
            f"The subjects do not tell the terms of the model '{formula}' apart "
            f"({', '.join(terms)}): leave one out of the formula."
        )
    fitted = least_squares(design, subjects.scores[kept])
    q_value = np.array(
        [
            multipletests(row, method="fdr_bh")[1] if len(row) and np.isfinite(row).all() else row
            for row in fitted.p_value
        ]
    )
    n_terms, n_pairs = fitted.estimate.shape
    return GroupModel(
        table=pd.DataFrame(
            {
                "x": np.repeat([pair[0] for pair in subjects.pairs], n_terms),
                "y": np.repeat([pair[1] for pair in subjects.pairs], n_terms),
                "term": list(terms) * n_pairs,
                **{
                    column: getattr(fitted, column).T.ravel()
                    for column in ("estimate", "error", "low", "high", "p_value")
                },
                "q_value": q_value.T.ravel(),
            },
            columns=list(MODEL.columns),
        ),
        formula=formula,
        subjects=tuple(subjects.labels[i] for i in kept),
        left_out=left_out,
        untested={
            term: tuple(subjects.labels[kept[row]] for row in rows)
            for term, rows in zip(terms, fitted.alone, strict=True)
            if len(rows)
        },
    )


def _rows(
    labels: Sequence[str], formula: str, participants: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows of subjects with all values, and for each other subject what is missing."""
    _check_columns(formula, participants)
    names = covariates_of(formula)
    wanted = [label.removeprefix("sub-") for label in labels]
    given = participants["participant_id"].fillna("").astype(str).str.removeprefix("sub-")
    known = participants.assign(label=as_labelled(given.tolist(), wanted))
    known = known[known["label"].isin(wanted)]
    twice = known["label"][known["label"].duplicated()]
    if len(twice):
        raise InputError(f"participants.tsv has 'sub-{twice.iloc[0]}' twice.")
    known = known.set_index("label")
    left_out = {}
    for label, short in zip(labels, wanted, strict=True):
        if short not in known.index:
            left_out[label] = "is not in participants.tsv"
        elif missing := [name for name in names if known[name].isna()[short]]:
            left_out[label] = f"has no {' and no '.join(missing)}"
    kept = [short for label, short in zip(labels, wanted, strict=True) if label not in left_out]
    return known.loc[kept, list(names)], left_out


def _design(formula: str, table: pd.DataFrame) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    from statsmodels.formula.api import ols

    labels = set(re.findall(r"C\((\w+)\)", formula))
    data = table.assign(direction_score=0.0)
    if data.empty:
        return np.zeros((0, 1)), ("Intercept",)
    for name in table:
        if name not in labels and pd.api.types.is_numeric_dtype(table[name]):
            data[name] = table[name] - table[name].mean()
    try:
        # The outcome has a name of its own, since a column may be called "score".
        model = ols(f"direction_score ~ {formula.partition('~')[2]}", data)
    except Exception as error:
        # The formula parsers raise errors of different types, for instance for the name "class".
        raise SettingsError(
            f"The model '{formula}' cannot be used ({error}): write it otherwise, or rename a "
            "column of participants.tsv."
        ) from error
    return np.asarray(model.exog, dtype=np.float64), tuple(map(str, model.exog_names))
