import numpy as np
import pytest
from scipy.signal import lfilter

from causal_ivae.run_scales import divide_by_baselines, were_scaled_apart


def draws(law, seed, parts, regions):
    rng = np.random.default_rng([seed, parts, regions])
    make = {
        "white": rng.normal,
        "flat": lambda size: rng.uniform(-1, 1, size=size),
        "peaked": lambda size: rng.laplace(size=size),
        "smooth": lambda size: lfilter([1], [1, -0.8], rng.normal(size=size), axis=0),
        "common": lambda size: rng.normal(size=(size[0], 1)) + 0.3 * rng.normal(size=size),
    }[law]
    return [make(size=(150 + 10 * part, regions)) for part in range(parts)]


@pytest.mark.parametrize("law", ["white", "flat", "peaked", "smooth", "common"])
@pytest.mark.parametrize(("parts", "regions"), [(2, 2), (3, 3), (10, 10)])
def test_only_parts_that_were_scaled_apart_are_called_so(law, parts, regions):
    for seed in range(20):
        raw = draws(law, seed, parts, regions)
        assert not were_scaled_apart(raw)
        for ddof in (0, 1):
            scored = [(part - part.mean(0)) / part.std(0, ddof=ddof) for part in raw]
            assert were_scaled_apart(scored)
            # Any number in the place of 1, one for each region, and what a file keeps of it.
            assert were_scaled_apart([np.round(part * np.arange(1, regions + 1), 4)
                                      for part in scored])  # fmt: skip


def test_volumes_that_were_left_out_after_scaling_do_not_hide_it():
    scored = [(part - part.mean(0)) / part.std(0) for part in draws("white", 0, 10, 10)]
    assert were_scaled_apart([part[10:] for part in scored])


def test_a_part_alone_and_missing_regions_say_nothing():
    (part,) = draws("white", 0, 1, 3)
    assert not were_scaled_apart([part])
    two = [part / part.std(0), (part + 1) / part.std(0)]
    two[1][:, 0] = np.nan
    assert were_scaled_apart(two)
    two[0][:, 1:] = np.nan
    assert not were_scaled_apart(two)


def test_percent_signal_change_needs_a_baseline_in_every_run():
    runs = [np.array([[1.0, -1.0, 2.0], [-1.0, 1.0, -2.0]])] * 2
    baselines = [np.array([50.0, 50.0, 4.0]), np.array([200.0, -50.0, 100.0])]
    scaled, percent = divide_by_baselines(runs, baselines)
    assert percent.tolist() == [True, False, False]
    np.testing.assert_allclose(scaled[0], [[2.0, -1.0, 2.0], [-2.0, 1.0, -2.0]])
    np.testing.assert_allclose(scaled[1], [[0.5, -1.0, 2.0], [-0.5, 1.0, -2.0]])
