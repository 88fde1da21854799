"""What is said before estimating comes true."""

import time

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.discovery.methods import METHODS
from causal_ivae.discovery.series_to_graph import expected_workload
from causal_ivae.discovery.workload import NetworkWorkload, PairWorkload, Workload, in_words
from causal_ivae.errors import InputError
from causal_ivae.settings import (
    IndependenceSettings,
    PowerSettings,
    ScreenSettings,
    UnmixingSettings,
)
from causal_ivae.simulate.known_graphs import simulate_pair

DRAWS = IndependenceSettings(draws=99)


def regions(count: int):
    pairs = [simulate_pair("x->y", n_segments=8, n_per_segment=40, seed=k) for k in range(count)]
    return np.hstack([pair.values for pair in pairs])[:, :count], pairs[0].segments


def settings(steps: int, restarts: int = 4):
    return UnmixingSettings.model_validate({"restarts": restarts, "ivae": {"steps": steps}})


def expect(values, segments, unmixing, screen="none"):
    return expected_workload(
        values,
        segments,
        method="ivae",
        unmixing=unmixing,
        independence=DRAWS,
        screen=ScreenSettings(by=screen),
    )


def test_what_is_expected_is_what_it_takes():
    values, segments = regions(4)
    unmixing = settings(150, restarts=2)
    ratios = []
    # Machines that run tests are busy with other things too, for a while.
    while len(ratios) < 3 and not any(1 / 3 < ratio < 3 for ratio in ratios):
        load = expect(values, segments, unmixing)
        assert (load.pairs, load.unmixed, load.fits, load.members) == (6, 6, 12, 12)
        began = time.perf_counter()
        discover(values, segments, method="ivae", unmixing=unmixing, independence=DRAWS)
        ratios.append(load.seconds / (time.perf_counter() - began))
    assert 1 / 3 < ratios[-1] < 3, ratios


def test_more_of_everything_takes_longer_and_memory_has_its_bound():
    values, segments = regions(4)
    small = expect(values, segments, settings(100, restarts=2))
    assert expect(values, segments, settings(2000, restarts=2)).seconds > 4 * small.seconds
    assert 0 < small.memory_gib < UnmixingSettings().memory_gib + 0.1
    assert "6 pairs x 2 fits, 100 steps each, in one stack on cpu" in small.sentence()


def test_the_networks_to_be_judged_are_counted():
    values, segments = regions(8)
    unmixing = UnmixingSettings.model_validate({"network": {"twins": 7}})
    load = expected_workload(
        values, segments, method="network", unmixing=unmixing, independence=DRAWS,
        screen=ScreenSettings(), power=PowerSettings(plants=9),
    )  # fmt: skip
    # Four arrows fit into a network: nine of a strength take two networks of either kind.
    assert isinstance(load, NetworkWorkload)
    assert (load.regions, load.judgements) == (8, 1 + 7 + 3 * 2 * 2)
    assert "network: 20 networks of 8 regions on cpu; about " in load.sentence()
    assert METHODS["network"].steps(unmixing, 4950) > 900_000


def test_the_share_that_passes_the_screen_is_counted():
    values, segments = regions(6)
    noise = np.random.default_rng(0).normal(size=values.shape)
    unmixing = settings(20, restarts=1)
    load = expect(np.hstack([values, noise]), segments, unmixing, "partial_correlation")
    kept = discover(
        np.hstack([values, noise]),
        segments,
        method="ivae",
        unmixing=unmixing,
        independence=DRAWS,
        screen=ScreenSettings(by="partial_correlation"),
    ).screen["kept"]
    assert load.pairs == 66
    assert load.unmixed == kept.sum()
    assert f"about {kept.sum()} of 66 pairs" in load.sentence()


def test_bad_data_are_refused_as_discover_does():
    values, segments = regions(4)
    values[3, 1] = np.nan
    with pytest.raises(InputError, match="must be finite"):
        expect(values, segments, settings(10))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (5000, "83 min"), (9000, "2.5 h")],
)
def test_durations_in_words(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize(("gib", "words"), [(1.25, "1.2 GiB"), (0.04, "41 MiB"), (0, "1 MiB")])
def test_sentence(gib, words):
    load = PairWorkload("ivae", gib, 3600.0, "cpu", 4950, 990, 8, 2000, 64)
    assert load.sentence() == (
        "ivae: about 990 of 4,950 pairs x 8 fits, 2,000 steps each, in 124 stacks of up to "
        f"64 on cpu; about {words} and 60 min"
    )
    whole = Workload("toy", gib, 3600.0, "cpu")
    assert whole.sentence() == f"toy: on cpu; about {words} and 60 min"
