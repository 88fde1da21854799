"""Arrows that are planted through haemodynamic responses."""

import numpy as np
import pytest

from causal_ivae.simulate.planting import plant_arrows

TIMES = 900


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).standard_normal((TIMES, 6)) * np.arange(1, 7)


def planted(noise, strength, seed=1, **options):
    blocks = np.repeat([0, 1, 2], TIMES // 3)
    zeros = np.zeros(TIMES, dtype=np.int64)
    return plant_arrows(noise, zeros, blocks, 0.8, strength, np.random.default_rng(seed), **options)


def test_half_as_many_arrows_as_regions_and_no_region_has_two_causes(noise):
    for seed in range(5):
        arrows = planted(noise, 0.5, seed).arrows
        assert len(arrows) == 3
        assert len(set(arrows[:, 1])) == 3
        reached = np.zeros((6, 6))
        reached[tuple(arrows.T)] = 1
        # A graph without a cycle has no path of as many edges as regions.
        assert not np.linalg.matrix_power(reached, 6).any()


def test_the_effect_follows_the_cause_and_other_regions_stay(noise):
    found = planted(noise, 0.8)
    before, after = (np.corrcoef(x, rowvar=False) for x in (noise, found.values))
    roots = sorted(set(range(6)) - set(found.arrows[:, 1]))
    np.testing.assert_allclose(found.values[:, roots], noise[:, roots])
    for cause, effect in found.arrows:
        assert after[cause, effect] > before[cause, effect] + 0.15
    none = planted(noise, 0.0)
    np.testing.assert_allclose(none.values, noise, atol=1e-9)


def test_content_too_fast_for_a_response_is_not_passed_on(noise):
    found = planted(noise, 0.8, delay_sd=0.0)
    frequency = np.fft.rfftfreq(TIMES, 0.8)
    spectra = np.fft.rfft(found.values, axis=0)
    for cause, effect in found.arrows:
        cross = spectra[:, effect] * spectra[:, cause].conj()
        slow, fast = frequency < 0.1, frequency > 0.4
        coherent = [
            abs(cross[part].sum())
            / np.sqrt(
                (abs(spectra[part, cause]) ** 2).sum() * (abs(spectra[part, effect]) ** 2).sum()
            )
            for part in (slow, fast)
        ]
        assert coherent[0] > 0.6
        assert coherent[1] < 0.2


def test_no_arrow_crosses_a_gap(noise):
    cause, effect = planted(noise, 0.8).arrows[0]
    silent = noise.copy()
    silent[TIMES // 3 :, cause] = 0.0
    found = planted(silent, 0.8)
    assert (found.arrows[0] == (cause, effect)).all()
    late = slice(TIMES // 3, None)
    np.testing.assert_allclose(found.values[late, effect], 0.6 * silent[late, effect], atol=1e-9)
    early = slice(0, TIMES // 3)
    assert np.abs(found.values[early, effect] - 0.6 * silent[early, effect]).mean() > 0.1
