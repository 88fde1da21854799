"""How far the subjects of a group agree: their spread, leave-one-out, and halves of them."""

import numpy as np
import pytest

from causal_ivae.group import (
    align,
    combine_subjects,
    split_half_entry,
)
from causal_ivae.group.combine import split_half
from tests.group.cohorts import SETTINGS, cohort, combined_of


def subjects_of(scores, errors):
    tables = cohort(scores)
    for table, values in zip(tables.values(), errors, strict=True):
        table["score_error"] = values
    return align(tables)


def test_spread_beyond_the_errors_is_that_of_meta_analysis():
    from statsmodels.stats.meta_analysis import combine_effects

    rng = np.random.default_rng(3)
    scores, errors = rng.normal(0, 0.4, size=(9, 6)), rng.uniform(0.1, 0.6, size=(9, 6))
    combined = combine_subjects(subjects_of(scores, errors), SETTINGS)
    for column, row in combined.iterrows():
        known = combine_effects(scores[:, column], errors[:, column] ** 2)
        assert row["unexplained_spread"] == pytest.approx(max(0.0, known.i2))
    assert combined["unexplained_spread"].between(0, 1, inclusive="left").all()
    # The errors leave out what other fits would change, so that a p-value would mean nothing.
    assert "p_heterogeneity" not in combined


def test_spread_beyond_the_errors_needs_errors_and_bounds_the_weight_of_a_score_without_any():
    unknown = combine_subjects(subjects_of([[0.1]] * 4, [[np.nan]] * 4), SETTINGS)
    assert unknown["unexplained_spread"].isna().all()
    # Two errors of zero would otherwise outweigh all other subjects, and each other.
    certain = combine_subjects(subjects_of([[0.99], [1.0], [0.2]], [[0], [0], [0.5]]), SETTINGS)
    assert certain["unexplained_spread"][0] < 0.5
    unlike = combine_subjects(subjects_of([[0.9], [-0.9], [0.8]], [[0.02]] * 3), SETTINGS)
    assert unlike["unexplained_spread"][0] > 0.99


def test_subjects_that_agree_on_very_little_get_no_direction():
    scores = np.array([[0.02], [0.03], [0.04], [0.01], [0.02], [0.03], [0.05], [0.04]])
    small = combine_subjects(align(cohort(scores)), SETTINGS)
    assert small["q_value"][0] < SETTINGS.alpha
    assert (small["decision"][0], small["cause"][0]) == ("undecided", "")
    assert combine_subjects(align(cohort(5 * scores)), SETTINGS)["decision"][0] == "x->y"
    lower = SETTINGS.model_copy(update={"min_score": 0.0})
    assert combine_subjects(align(cohort(scores)), lower)["decision"][0] == "x->y"


def test_leave_one_out_counts_the_decisions_that_stay():
    # Of seven subjects p is 2 / 128 at best, of six 2 / 64: the direction hangs on each of them.
    settings = SETTINGS.model_copy(update={"alpha": 0.02})
    combined = combined_of(cohort([[0.5]] * 7), settings)
    assert combined["decision"][0] == "x->y"
    assert combined["leave_one_out"][0] == 0
    assert combined_of(cohort([[0.5]] * 9), settings)["leave_one_out"][0] == 1
    # Without the one that disagrees, and without it only, there is a direction.
    mixed = combined_of(cohort([[0.5]] * 8 + [[-4.0]]), settings)
    assert mixed["decision"][0] == "undecided"
    assert mixed["leave_one_out"][0] == pytest.approx(8 / 9)


def test_a_sign_that_hangs_on_one_subject_is_told_from_a_decision_that_does():
    # Without any one of seven alike, too few are left for a decision; the sign stays.
    settings = SETTINGS.model_copy(update={"alpha": 0.02})
    alike = combined_of(cohort([[0.5]] * 7), settings).iloc[0]
    assert (alike["leave_one_out"], alike["sign_without_one"]) == (0, 1)
    # One large score outweighs six small ones of the other sign.
    outlier = combined_of(cohort([[-0.1]] * 6 + [[0.9]])).iloc[0]
    assert outlier["sign_without_one"] == pytest.approx(6 / 7)
    alone = combined_of(cohort([[0.1]]), SETTINGS.model_copy(update={"min_subjects": 1}))
    assert alone["sign_without_one"].isna().all()


def test_halves_of_the_subjects():
    rng = np.random.default_rng(5)
    scores = np.column_stack(
        [rng.normal(1, 0.1, 20), rng.normal(-0.6, 0.1, 20), np.tile([0.5, -0.5], 10)]
    )
    subjects = align(cohort(scores))
    alike, correlation = split_half(subjects, 0)
    # Whatever one half has too much of, the other lacks.
    assert list(alike) == [1, 1, 0]
    assert correlation.shape == (500,)
    assert correlation.min() > 0.9
    entry = split_half_entry(subjects, 0)["SplitHalf"]
    assert entry["SameDirection"] == pytest.approx(2 / 3)
    assert entry["Correlation"]["Low"] <= entry["Correlation"]["Median"] <= 1
    assert combine_subjects(subjects, SETTINGS)["split_half"].tolist() == [1, 1, 0]
    # Where only one subject has a score, no two halves can be compared.
    scores[:, 2] = 0
    scores[0, 2] = 0.3
    lonely = align(cohort(scores))
    assert np.isnan(split_half(lonely, 0)[0]).tolist() == [False, False, True]
    assert split_half_entry(lonely, 0)["SplitHalf"]["SameDirection"] == 1
    noise = align(cohort(rng.normal(size=(20, 28))))
    assert np.mean(split_half(noise, 0)[0]) == pytest.approx(0.5, abs=0.15)
    assert abs(split_half_entry(noise, 0)["SplitHalf"]["Correlation"]["Median"]) < 0.3


def test_halves_of_three_subjects_or_two_pairs():
    few = align(cohort([[1.0, 2.0]] * 3))
    assert split_half_entry(few, 0) == {}
    assert combine_subjects(few, SETTINGS)["split_half"].isna().all()
    entry = split_half_entry(align(cohort([[1.0, 2.0]] * 4)), 0)["SplitHalf"]
    assert entry["SameDirection"] == 1
    assert "Correlation" not in entry
    assert split_half_entry(align(cohort(np.empty((5, 0)))), 0) == {}
