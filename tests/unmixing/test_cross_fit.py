"""Structural equations fitted to every other segment: seeds, folds, and what stays the same."""

import numpy as np
import torch

from causal_ivae.settings import EquationSettings
from causal_ivae.unmixing import cross_fit as module
from causal_ivae.unmixing.cross_fit import EquationList, cross_fit

NAMES = ("a", "b", "c")
SEGMENTS = np.repeat(np.arange(6), 20)
VALUES = np.random.default_rng(0).laplace(size=(120, 3)).astype(np.float32)
SMALL = EquationSettings(steps=3, hidden=4, knots=3, batch_size=32)
ALL = EquationList(
    np.array([0, 1, 1, 2]),
    np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=bool),
    NAMES,
)


def fitted(equations=ALL, values=VALUES, restarts=2):
    return cross_fit(
        values, SEGMENTS, equations, settings=SMALL, restarts=restarts, seed=0, key="01",
        device=torch.device("cpu"), memory_gib=1.0,
    )  # fmt: skip


def test_an_equation_does_not_depend_on_the_others():
    whole = fitted()
    some = fitted(EquationList(ALL.region[[3, 1]], ALL.causes[[3, 1]], NAMES))
    np.testing.assert_array_equal(some.log_likelihood, whole.log_likelihood[[3, 1]])
    np.testing.assert_array_equal(some.objective, whole.objective[[3, 1]])
    more = fitted(restarts=3)
    np.testing.assert_array_equal(more.objective[:, :2], whole.objective)


def test_every_fit_has_a_seed_of_its_own(monkeypatch):
    seen = []

    def spy(build, seeds, *given, **options):
        seen.append(seeds)
        return fit_stack(build, seeds, *given, **options)

    fit_stack = module.fit_stack
    monkeypatch.setattr(module, "fit_stack", spy)
    fitted()
    # Equations, restarts and folds.
    assert len({seed for seeds in seen for seed in seeds}) == 4 * 2 * 2


def test_a_segment_is_judged_by_the_fit_that_did_not_see_it():
    honest = fitted()
    spoilt = VALUES.copy()
    spoilt[SEGMENTS == 2] = 3.0 * np.square(spoilt[SEGMENTS == 2])
    other = fitted(values=spoilt)
    # Segment 2 is in the fold of the even ones, which learn from the odd ones alone.
    same = [0, 4]
    np.testing.assert_array_equal(other.log_likelihood[..., same], honest.log_likelihood[..., same])
    odd = [1, 3, 5]
    assert (other.log_likelihood[..., odd] != honest.log_likelihood[..., odd]).all()
    every = np.arange(len(ALL.region))
    changed = other.disturbances(every)[0] != honest.disturbances(every)[0]
    assert not changed[..., np.isin(SEGMENTS, same)].any()
    assert changed[..., np.isin(SEGMENTS, odd)].any()
