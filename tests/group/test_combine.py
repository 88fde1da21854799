import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from scipy.stats import t as student_t

from causal_ivae.derivatives.tables import EDGES, GROUP_EDGES
from causal_ivae.errors import InputError
from causal_ivae.group import (
    align,
    combine_subjects,
    unanimous_pairs_needed,
)
from causal_ivae.settings import GroupSettings
from tests.group.cohorts import SETTINGS, cohort, combined_of, dependence_of, subject


def test_columns_and_a_clear_direction():
    scores = np.column_stack([np.linspace(1, 2, 8), np.linspace(-2, -1, 8)])
    result = combined_of(cohort(scores))
    assert tuple(result.columns) == GROUP_EDGES.required
    assert tuple(result.columns[: len(EDGES.required)]) == EDGES.required
    assert list(result["decision"]) == ["x->y", "y->x"]
    # A positive score is x -> y: A drives B, and C drives A.
    assert list(result["cause"]) == ["A", "C"]
    assert list(result["effect"]) == ["B", "A"]
    assert list(result["score"]) == pytest.approx([1.5, -1.5])
    assert list(result["n_subjects"]) == [8, 8]
    assert list(result["confidence"]) == [1, 1]


def test_null_cohorts_are_left_undecided():
    rng = np.random.default_rng(1)
    decided = [
        (combined_of(cohort(rng.normal(size=(9, 10))))["cause"] != "").any() for _ in range(60)
    ]
    # Benjamini-Hochberg keeps the share of cohorts with any false edge near alpha.
    assert np.mean(decided) <= 0.15


def test_pairs_written_the_other_way_round_are_aligned():
    tables = cohort([[1.0, 2.0]] * 5)
    for table in tables.values():
        table["decision"] = ["x->y", "undecided"]
    turned = tables["02"].iloc[::-1].copy()
    turned[["x", "y"]] = turned[["y", "x"]].to_numpy()
    turned["score"] *= -1
    turned["decision"] = ["undecided", "y->x"]
    expected = combined_of(tables)
    pd.testing.assert_frame_equal(combined_of(tables | {"02": turned}), expected)
    assert list(expected["n_x_to_y"]) == [5, 0]


def test_order_of_subjects_does_not_matter():
    tables = cohort(np.random.default_rng(0).normal(size=(15, 4)))
    backwards = dict(reversed(list(tables.items())))
    pd.testing.assert_frame_equal(combined_of(tables), combined_of(backwards))


def test_subject_decisions_are_counted_and_the_share_has_its_interval():
    votes = ["x->y", "x->y", "x->y", "y->x", "none", "undecided", "none"]
    values = [1.0, 2.0, 1.5, -0.5, 0.2, 0.1, -0.1]
    tables = {
        str(i): subject([value], [vote])
        for i, (value, vote) in enumerate(zip(values, votes, strict=True))
    }
    row = combined_of(tables).iloc[0]
    counts = [row.n_x_to_y, row.n_y_to_x, row.n_none, row.n_undecided]
    assert counts == [3, 1, 2, 1]
    assert row.confidence == pytest.approx(5 / 7)
    # Wilson 1927, by its formula with z = 1.96.
    z, n, p = 1.959964, 7, 5 / 7
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert row.share_low == pytest.approx(centre - half, abs=1e-5)
    assert row.share_high == pytest.approx(centre + half, abs=1e-5)


def test_q_values_correct_for_the_number_of_pairs():
    scores = np.random.default_rng(0).normal(size=(8, 28))
    scores[:, 0] = np.linspace(1, 2, 8)
    result = combined_of(cohort(scores))
    assert result["p_value"][0] == pytest.approx(2 / 256)
    assert result["q_value"][0] == pytest.approx(28 * 2 / 256)
    assert result["decision"][0] == "undecided"
    assert (result["q_value"] >= result["p_value"]).all()


def test_dependence_gates_the_decision():
    scores = np.column_stack([np.linspace(1, 2, 8)] * 2)
    tables = cohort(scores)
    dependence = {label: dependence_of([0.02, 0.6]) for label in tables}
    result = combined_of(tables, dependence=dependence)
    assert list(result["decision"]) == ["x->y", "none"]
    assert list(result["cause"]) == ["A", ""]
    # Fisher 1925: -2 times the sum of log p is chi-squared with 2 n degrees of freedom.
    fisher = [chi2.sf(-2 * 8 * np.log(p), 16) for p in (0.02, 0.6)]
    assert list(result["p_dependence"]) == pytest.approx(fisher)
    assert combined_of(tables)["p_dependence"].isna().all()


def test_q_values_are_over_the_pairs_that_are_tested_for_direction():
    # Two pairs that all seven favour, beside three that are dependent and ten that are not.
    rng = np.random.default_rng(0)
    scores = np.column_stack([np.linspace(1, 2, 7)] * 2 + [rng.normal(size=7) for _ in range(13)])
    tables = cohort(scores)
    dependence = {label: dependence_of([0.001] * 5 + [0.6] * 10) for label in tables}
    result = combined_of(tables, dependence=dependence)
    assert list(result["decision"][:2]) == ["x->y", "x->y"]
    assert list(result["q_value"][:2]) == pytest.approx([5 * (2 / 128) / 2] * 2)
    assert list(result["decision"][5:]) == ["none"] * 10
    assert result["q_value"][5:].isna().all()
    assert result["p_value"].notna().all()
    # Over all fifteen pairs, q would be .117.
    assert list(combined_of(tables)["decision"][:2]) == ["undecided"] * 2


@pytest.mark.parametrize(
    ("n_subjects", "n_tested", "needed"),
    [(7, 6, 2), (7, 3, 1), (7, 15, 5), (6, 8, 5), (4, 5, None), (7, 0, None), (20, 4950, 10)],
)
def test_as_many_unanimous_pairs_as_are_needed_get_a_direction(n_subjects, n_tested, needed):
    assert unanimous_pairs_needed(n_subjects, n_tested, SETTINGS) == needed
    if n_tested > 15 or not n_tested:
        return
    for unanimous in range(n_tested + 1):
        scores = np.ones((n_subjects, n_tested))
        # Of the other pairs, half of the subjects favour either direction.
        scores[::2, unanimous:] = -1.0
        decided = (combined_of(cohort(scores))["cause"] != "").sum()
        assert decided == (unanimous if needed is not None and unanimous >= needed else 0)


def test_a_dependence_test_may_name_its_pair_the_other_way_round():
    tables = cohort([[1.0]] * 4)
    dependence = {label: dependence_of([0.3]) for label in tables}
    turned = dependence["01"].rename(columns={"x": "y", "y": "x"})
    combined = combined_of(tables, dependence=dependence | {"01": turned})
    assert combined["p_dependence"][0] == pytest.approx(chi2.sf(-8 * np.log(0.3), 8))


def test_a_dependence_p_of_zero_stays_finite():
    tables = cohort([[1.0]] * 4)
    combined = combined_of(tables, dependence={label: dependence_of([0.0]) for label in tables})
    assert combined["p_dependence"][0] < 1e-100


def test_the_mean_score_has_a_t_interval_over_subjects():
    combined = combined_of(cohort([[0.1, 0.9], [0.2, 0.9], [0.3, 0.9], [0.2, 0.9]]))
    mean, error = 0.2, np.std([0.1, 0.2, 0.3, 0.2], ddof=1) / 2
    half = student_t.isf(0.025, 3) * error
    assert combined["score_low"][0] == pytest.approx(mean - half)
    assert combined["score_high"][0] == pytest.approx(mean + half)
    assert combined["score_low"][1] == pytest.approx(0.9)
    alone = combined_of(cohort([[0.1, 0.9]]), SETTINGS.model_copy(update={"min_subjects": 1}))
    assert alone[["score_low", "score_high"]].isna().all(axis=None)


def test_no_pairs_give_an_empty_table():
    result = combined_of(cohort(np.empty((3, 0))))
    assert result.empty
    assert tuple(result.columns) == GROUP_EDGES.required


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("01"), "at least 3 subjects, but 2 are there: 00, 02"),
        (lambda t: t.update({"02": subject([1.0])}), "Subject '02' lacks the pair 'A', 'C' that"),
        (
            lambda t: t.update({"02": subject([1.0] * 4)}),
            r"Subject '02' has the pair 'A', 'D' \(and 1 more\) that subject '00' lacks",
        ),
        (
            lambda t: t.update({"01": subject([np.nan, 1.0])}),
            "Subject '01', pair 'A', 'B': the score is nan",
        ),
        (
            lambda t: t.update({"01": subject([1.0, 1.0], ["x->y", "maybe"])}),
            "unknown decision 'maybe'",
        ),
        (lambda t: t.update({"01": pd.concat([t["01"]] * 2)}), "has the pair 'A', 'B' twice"),
        (lambda t: t["01"].pop("score"), "Subject '01': the edge table lacks the column 'score'"),
    ],
)
def test_bad_cohorts_are_named(change, message):
    tables = cohort([[1.0, 1.0]] * 3)
    change(tables)
    with pytest.raises(InputError, match=message):
        combined_of(tables)


def test_bad_dependence_tables_are_named():
    tables = cohort([[1.0, 1.0]] * 3)
    dependence = {label: dependence_of([0.1, 0.1]) for label in tables}
    with pytest.raises(InputError, match="Subject '02' has edges but no dependence tests"):
        combined_of(tables, dependence={k: dependence[k] for k in ("00", "01")})
    with pytest.raises(InputError, match="Subject '01' has no valid dependence test of the pair"):
        combined_of(tables, dependence=dependence | {"01": dependence_of([0.1])})


def test_decisions_are_set_beside_those_of_usable_subjects_alone():
    # Three subjects whose results are not usable outvote the other six in the second pair.
    scores = np.array([[0.8, -0.2]] * 6 + [[0.9, 0.9]] * 3)
    tables = cohort(scores)
    for i, table in enumerate(tables.values()):
        table["quality"] = ["usable" if i < 6 else "doubtful", "usable" if i == 8 else ""]
    settings = SETTINGS.model_copy(update={"alpha": 0.1})
    subjects = align(tables)
    table = combine_subjects(subjects, settings, usable=subjects.labels[:6])
    assert list(table["n_usable"]) == [6, 1]
    assert list(table["decision"]) == ["x->y", "undecided"]
    assert list(table["usable_decision"]) == ["x->y", "y->x"]
    few = combine_subjects(subjects, settings, usable=subjects.labels[:2])
    assert list(few["usable_decision"]) == ["", ""]
    everybody = combine_subjects(subjects, settings, usable=subjects.labels)
    assert list(everybody["usable_decision"]) == list(everybody["decision"])
    assert "usable_decision" not in combine_subjects(subjects, settings)
    # Tables of an earlier version do not say how good their fits are.
    tables["00"] = tables["00"].drop(columns="quality")
    assert "n_usable" not in combine_subjects(align(tables), settings)


def test_a_pair_without_a_direction_to_ask_for_takes_part_in_no_statistic():
    rng = np.random.default_rng(0)
    plain = {
        f"sub-{i}": pd.DataFrame(
            {"x": ["a", "a"], "y": ["b", "c"], "decision": ["x->y", "undecided"]}
        ).assign(score=rng.uniform(0.1, 0.9, size=2))
        for i in range(5)
    }
    with_copies = dict(plain)
    copies = pd.DataFrame({"x": ["b"], "y": ["c"], "decision": ["undecided"], "score": [np.nan]})
    for label, table in plain.items():
        # One of the subjects alone has the two regions as one series.
        row = (
            copies.assign(score=0.5, reason="")
            if label != "sub-3"
            else copies.assign(reason="b and c are the same series up to scale, r = 1.0000.")
        )
        with_copies[label] = pd.concat([table.assign(reason=""), row], ignore_index=True)
    expected = combine_subjects(align(plain), GroupSettings(), seed=1)
    found = combine_subjects(align(with_copies), GroupSettings(), seed=1)
    pd.testing.assert_frame_equal(found.drop(columns="reason").head(2), expected, check_dtype=False)
    last = found.iloc[-1]
    assert (last["x"], last["y"], last["decision"]) == ("b", "c", "undecided")
    assert last["reason"].startswith("In 1 of 5 subjects: b and c are the same series")
    assert pd.isna(last["q_value"])


def test_pairs_that_are_probably_not_connected_are_not_tested_for_direction():
    near = np.array([0.9, 0.2, 0.6])
    tables = {
        label: table.assign(probability_adjacent=near)
        for label, table in cohort(np.column_stack([np.linspace(0.5, 0.9, 8)] * 3)).items()
    }
    result = combined_of(tables)
    assert list(result["decision"]) == ["x->y", "none", "x->y"]
    assert list(result["q_value"].isna()) == [False, True, False]
    # A subject without these probabilities leaves them out for all.
    tables["00"] = tables["00"].drop(columns="probability_adjacent")
    assert list(combined_of(tables)["decision"]) == ["x->y"] * 3


def test_most_subjects_that_have_both_arrows_give_the_group_both():
    tables = cohort(np.random.default_rng(1).normal(0, 0.05, size=(5, 3)))
    for number, table in enumerate(tables.values()):
        table.loc[0, "decision"] = "both" if number < 3 else "undecided"
        table.loc[1, "decision"] = "both" if number < 2 else "undecided"
    combined = combine_subjects(align(tables), SETTINGS)
    assert combined["decision"].tolist()[:2] == ["both", "undecided"]
    assert combined["n_both"].tolist() == [3, 2, 0]
