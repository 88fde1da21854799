"""False discoveries and power of the group's arrows on simulated cohorts, whose truth is known."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from statsmodels.stats.multitest import multipletests

from causal_ivae.group import align, combine_subjects
from causal_ivae.settings import GroupSettings
from causal_ivae.validation.suites.rivals import tanh_ratio

SETTINGS = GroupSettings(draws=499)
COHORTS = 200
VOLUMES = 150
ARROW, COMMON_CAUSE, INDEPENDENT = 0, 1, 2


def simulate_cohort(kinds, n_subjects, rng):
    """Return the edge and dependence tables of a cohort whose pairs are of the given kinds.

    An arrow leads from x to y.  A common cause drives both regions of a pair, as strongly on
    average, so that no direction is true and a subject's score is symmetric around zero.
    """
    shape = (n_subjects, len(kinds), VOLUMES)
    noise = rng.laplace(size=(*shape, 2))
    strength = rng.uniform(0.1, 0.8, size=(*shape[:2], 1))
    values = noise.copy()
    arrow, common = kinds == ARROW, kinds == COMMON_CAUSE
    values[..., 1] += strength * noise[..., 0] * arrow[:, None]
    shared = rng.laplace(size=(*shape, 1)) * rng.uniform(0.1, 1.0, size=(*shape[:2], 1, 2))
    values += shared * common[:, None, None]
    scores = np.tanh(50.0 * tanh_ratio(values))
    p_values = pearsonr(values[..., 0], values[..., 1], axis=-1).pvalue
    x, y = zip(*list(combinations(range(20), 2))[: len(kinds)], strict=True)
    names = pd.DataFrame({"x": x, "y": y})
    edges = {
        f"{i:02d}": names.assign(decision="undecided", score=row) for i, row in enumerate(scores)
    }
    dependence = {
        f"{i:02d}": names.assign(restart=np.nan, p_value=row) for i, row in enumerate(p_values)
    }
    return edges, dependence


def judged(decision, kinds):
    """Return the share of arrows that are false, and the share of true arrows that are found."""
    directed = np.isin(decision, ["x->y", "y->x"])
    right = (decision == "x->y") & (kinds == ARROW)
    false_share = (directed & ~right).sum() / max(directed.sum(), 1)
    return false_share, right.sum() / max((kinds == ARROW).sum(), 1)


@pytest.mark.slow
@pytest.mark.parametrize("n_subjects", [7, 9, 12, 20])
@pytest.mark.parametrize(
    ("arrows", "common_causes", "independent"),
    [(0, 15, 0), (0, 5, 10), (2, 4, 9), (4, 0, 11), (4, 8, 33)],
)
def test_false_discovery_rate_and_power(
    n_subjects, arrows, common_causes, independent, monkeypatch
):
    # What the table says beside the decision would take most of the time.
    monkeypatch.setattr("causal_ivae.group.combine._MOST_LEFT_OUT", 1)
    monkeypatch.setattr("causal_ivae.group.combine._HALVES", 2)
    kinds = np.repeat([ARROW, COMMON_CAUSE, INDEPENDENT], [arrows, common_causes, independent])
    rng = np.random.default_rng([n_subjects, arrows, common_causes, independent])
    found = []
    for _ in range(COHORTS):
        edges, dependence = simulate_cohort(kinds, n_subjects, rng)
        group = combine_subjects(align(edges, dependence), SETTINGS)
        decision = group["decision"].to_numpy()
        # The rule before: all pairs are adjusted for, also those that are called independent.
        over_all = multipletests(group["p_value"], method="fdr_bh")[1] <= SETTINGS.alpha
        toward = np.where(group["score"] > 0, "x->y", "y->x")
        before = np.where(over_all & (decision != "none"), toward, "undecided")
        tested = group["q_value"].notna().mean()
        found.append([*judged(decision, kinds), *judged(before, kinds), tested])
    false_share, power, false_before, power_before, tested = np.mean(found, axis=0)
    error = np.std([row[0] for row in found]) / np.sqrt(COHORTS)
    print(
        f"\n{n_subjects} subjects, {arrows} arrows, {common_causes} common causes, {independent} "
        f"independent: tested for direction {tested:.2f}; false discovery rate {false_share:.3f} "
        f"± {error:.3f} (over all pairs {false_before:.3f}); power {power:.2f} ({power_before:.2f})"
    )
    assert false_share <= SETTINGS.alpha + 3 * max(error, 0.005)
    assert power >= power_before
