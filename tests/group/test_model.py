import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import ttest_1samp, ttest_ind

from causal_ivae.derivatives.unit_tables import MODEL
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.group import Subjects, check_model, covariates_of, fit_model
from causal_ivae.group.robust_errors import least_squares

LABELS = tuple(f"sub-{i:02d}" for i in range(1, 25))


def subjects_of(scores):
    scores = np.asarray(scores, dtype=float)
    pairs = tuple((f"A{i}", f"B{i}") for i in range(scores.shape[1]))
    votes = np.full(scores.shape, "undecided")
    return Subjects(LABELS[: len(scores)], pairs, scores, np.full(scores.shape, 0.1), votes)


@pytest.fixture
def participants():
    rng = np.random.default_rng(0)
    n = len(LABELS)
    return pd.DataFrame(
        {
            "participant_id": LABELS,
            "group": ["control", "patient"] * (n // 2),
            "age": rng.integers(20, 70, n),
            "site": [1, 2, 3] * (n // 3),
        }
    )


@pytest.mark.parametrize(
    "formula",
    ["score ~ group + age", "score ~ group * age", "score ~ C(site) + age - 1", "score ~ 1"],
)
def test_estimates_are_those_of_statsmodels(participants, formula):
    scores = np.random.default_rng(1).normal(size=(len(LABELS), 3))
    scores[::2] *= 3
    model = fit_model(subjects_of(scores), formula, participants)
    assert tuple(model.table.columns) == MODEL.names
    assert model.subjects == LABELS
    assert model.left_out == {}
    data = participants.assign(age=participants["age"] - participants["age"].mean())
    for column in range(3):
        known = smf.ols(formula, data.assign(score=scores[:, column])).fit(
            cov_type="HC2", use_t=True
        )
        rows = model.table[model.table["x"] == f"A{column}"]
        assert list(rows["term"]) == list(known.params.index)
        assert list(rows["estimate"]) == pytest.approx(list(known.params), abs=1e-9)
        assert list(rows["error"]) == pytest.approx(list(known.bse))


def test_a_difference_of_two_groups_is_found_and_no_other(participants):
    scores = np.random.default_rng(2).normal(0, 0.3, size=(len(LABELS), 40))
    scores[1::2, 7] += 1.0
    table = fit_model(subjects_of(scores), "score ~ group + age", participants).table
    found = table[(table["q_value"] <= 0.05) & (table["term"] != "Intercept")]
    assert list(found["x"]) == ["A7"]
    assert list(found["term"]) == ["group[T.patient]"]
    assert found["estimate"].iloc[0] == pytest.approx(1.0, abs=0.4)
    for term, rows in table.groupby("term"):
        assert (rows["q_value"] >= rows["p_value"]).all(), term


def model_of_split(few, many, scores):
    labels = tuple(f"sub-{i:02d}" for i in range(few + many))
    pairs = tuple((f"A{i}", f"B{i}") for i in range(scores.shape[1]))
    votes = np.full(scores.shape, "undecided")
    subjects = Subjects(labels, pairs, scores, np.full(scores.shape, 0.1), votes)
    table = pd.DataFrame({"participant_id": labels, "group": ["a"] * few + ["b"] * many})
    return fit_model(subjects, "score ~ group", table)


@pytest.mark.parametrize("n", [6, 7, 9, 12, 18, 24])
def test_p_values_hold_their_level_at_every_split_of_the_subjects(n):
    # HC3 with n - 2 degrees of freedom rejects .10 of 10 against 2 and .16 of 22 against 2.
    rng = np.random.default_rng(n)
    for few in range(2, n // 2 + 1):
        rows = model_of_split(few, n - few, rng.normal(size=(n, 2000))).table
        p = rows.loc[rows["term"] == "group[T.b]", "p_value"]
        assert 0.03 < np.mean(p <= 0.05) < 0.07, few
        outside = (rows["low"] > 0) | (rows["high"] < 0)
        np.testing.assert_array_equal(outside, rows["p_value"] < 0.05)


def test_ratios_of_means_of_equal_groups_and_of_one_group_are_t_distributed():
    scores = np.random.default_rng(0).normal(0.3, 1.0, size=(8, 50))
    rows = model_of_split(4, 4, scores).table
    known = ttest_ind(scores[4:], scores[:4])
    found = rows[rows["term"] == "group[T.b]"]
    np.testing.assert_allclose(found["p_value"], known.pvalue, atol=1e-4)
    interval = known.confidence_interval()
    np.testing.assert_allclose(found["low"], interval.low, rtol=1e-6)
    np.testing.assert_allclose(found["high"], interval.high, rtol=1e-6)
    coefficients = least_squares(np.ones((8, 1)), scores)
    np.testing.assert_allclose(coefficients.p_value[0], ttest_1samp(scores, 0).pvalue, atol=1e-4)


def test_a_term_that_rests_on_one_subject_has_no_p_value(participants):
    model = model_of_split(5, 1, np.random.default_rng(1).normal(size=(6, 20)))
    assert model.untested == {"group[T.b]": ("sub-05",)}
    rows = model.table.set_index("term")
    lacking = ["error", "low", "high", "p_value", "q_value"]
    assert rows.loc["group[T.b]", lacking].isna().all(axis=None)
    assert rows.loc["group[T.b]", "estimate"].notna().all()
    # The mean of the others does not rest on that subject.
    assert rows.loc["Intercept", lacking].notna().all(axis=None)
    participants["site"] = [1, 2] * 11 + [1, 3]
    scores = np.random.default_rng(2).normal(size=(len(LABELS), 3))
    model = fit_model(subjects_of(scores), "score ~ C(site) + age", participants)
    assert model.untested == {"C(site)[T.3]": (LABELS[-1],)}


def test_p_values_are_right_where_variances_and_sizes_differ():
    rng = np.random.default_rng(3)
    n, few = 24, 6
    table = pd.DataFrame({"participant_id": LABELS, "group": ["a"] * few + ["b"] * (n - few)})
    scores = rng.normal(size=(n, 4000))
    scores[:few] *= 3
    p = fit_model(subjects_of(scores), "score ~ group", table).table.query("term != 'Intercept'")
    # Equal variances, which are not so, would reject .25 of them.
    assert 0.02 < np.mean(p["p_value"] <= 0.05) < 0.09


def test_subjects_that_lack_a_value_or_a_row_are_left_out_and_named(participants):
    participants["age"] = participants["age"].astype(float)
    participants.loc[3, "age"] = np.nan
    # BIDS allows labels without "sub-" nowhere, and people write them.
    participants["participant_id"] = participants["participant_id"].str.removeprefix("sub-")
    scores = np.random.default_rng(4).normal(size=(len(LABELS), 2))
    model = fit_model(subjects_of(scores), "score ~ age", participants.drop(index=5))
    assert model.left_out == {
        "sub-04": "has no age", "sub-06": "is not in participants.tsv",
    }  # fmt: skip
    assert len(model.subjects) == len(LABELS) - 2


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("score ~ group + age", ("group", "age")),
        ("score~C(site):age+group", ("site", "age", "group")),
        ("score ~ 1", ()),
        ("score ~ 0 + group * group", ("group",)),
    ],
)
def test_covariates_of_a_formula(formula, names):
    assert covariates_of(formula) == names


@pytest.mark.parametrize(
    "formula",
    [
        "score ~ __import__('os').system('x')",
        "score ~ np.log(age)",
        "score ~ I(age ** 2)",
        "score ~ age[0]",
        "score ~ Q('age')",
        "group ~ age",
        "score ~ ",
        "age",
        "",
        "score ~ age; age",
    ],
)
def test_other_formulas_are_refused_and_never_run(formula):
    with pytest.raises(SettingsError, match="is not of the form 'score ~ group"):
        covariates_of(formula)


@pytest.mark.parametrize(
    ("formula", "change", "message"),
    [
        ("score ~ ages", lambda t: t, r"names 'ages', which is no column .* mean 'age'\?"),
        ("score ~ age age", lambda t: t, "cannot be used"),
        ("score ~ class", lambda t: t.rename(columns={"age": "class"}), "cannot be used"),
        ("score ~ age", lambda t: pd.concat([t, t]), "participants.tsv has 'sub-01' twice"),
        (
            "score ~ age",
            lambda t: t.head(2),
            "has 2 terms, for which 2 subjects with all of age are too few",
        ),
        ("score ~ age", lambda t: t.head(0), "for which 0 subjects with all of age are too few"),
        ("score ~ age", lambda t: t.assign(age=30), "do not tell the terms .*apart"),
        (
            "score ~ age + years",
            lambda t: t.assign(years=t["age"]),
            r"apart \(Intercept, age, years\): leave one out",
        ),
    ],
)
def test_models_that_cannot_be_fitted_are_named(participants, formula, change, message):
    scores = np.random.default_rng(5).normal(size=(len(LABELS), 2))
    with pytest.raises((SettingsError, InputError), match=message):
        fit_model(subjects_of(scores), formula, change(participants))


def test_a_covariate_may_be_called_score(participants):
    scores = np.random.default_rng(6).normal(size=(len(LABELS), 1))
    renamed = participants.rename(columns={"age": "score"})
    one = fit_model(subjects_of(scores), "score ~ score", renamed).table
    other = fit_model(subjects_of(scores), "score ~ age", participants).table
    assert list(one["p_value"]) == pytest.approx(list(other["p_value"]))


def test_ids_that_lost_their_zeros_find_their_subjects(participants):
    scores = np.random.default_rng(1).normal(size=(len(LABELS), 2))
    expected = fit_model(subjects_of(scores), "score ~ age", participants)
    numbers = participants.assign(participant_id=[str(i) for i in range(1, 25)])
    found = fit_model(subjects_of(scores), "score ~ age", numbers)
    assert found.left_out == {}
    pd.testing.assert_frame_equal(found.table, expected.table)


@pytest.mark.parametrize("formula", ["score ~ age:", "score ~ age + + :", "score ~ group * * age"])
def test_a_formula_that_cannot_be_built_is_found_before_the_run(participants, formula):
    with pytest.raises(SettingsError, match=r"cannot be used|not of the form"):
        check_model(formula, participants)
