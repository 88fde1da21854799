"""What cannot be analysed is named: bad input, and fits that all diverged."""

import numpy as np
import pytest

from causal_ivae import discover
from causal_ivae.discovery.methods import METHODS, PairMethod
from causal_ivae.errors import FitError, InputError, SettingsError
from causal_ivae.settings import UnmixingSettings

NAMES = ("a", "b", "c")
PAIR_METHODS = [name for name, method in METHODS.items() if isinstance(method, PairMethod)]


@pytest.fixture(scope="module")
def three_regions():
    return np.random.default_rng(0).laplace(size=(360, 3)), np.arange(360) // 60


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": np.ones((9, 1))}, InputError, "two or more regions"),
        ({"values": [[1.0, np.nan, 2.0]] * 360}, InputError, "'b' has the value nan in row 0"),
        ({"values": [[1.0, 2.0, 3.0]] * 360}, InputError, "'a' is constant"),
        ({"names": ("a", "b")}, InputError, "2 names for 3"),
        ({"names": ("a", "b", "a")}, InputError, "'a' is used twice"),
        ({"segments": np.zeros(360, dtype=int)}, InputError, "Only 1 distinct segments"),
        ({"segments": np.arange(360) // 200}, InputError, "Only 2 distinct segments"),
        ({"segments": np.arange(359)}, InputError, "shape \\(359,\\); expected \\(360,\\)"),
        ({"segments": np.arange(360.0)}, InputError, "integers"),
        ({"segments": np.arange(360) // 6}, InputError, "longest unbroken stretch has 6"),
        ({"blocks": np.arange(10)}, InputError, "'blocks' has shape"),
        ({"segments": 0}, InputError, "'segments' is 0"),
        ({"segments": 200}, InputError, "Only 2 distinct segments"),
        ({"values": []}, InputError, "shape \\(0,\\)"),
        ({"method": "ivea"}, SettingsError, "Did you mean 'ivae'"),
        ({"skeleton": [("a", "z")]}, SettingsError, "Unknown region 'z'"),
        ({"skeleton": [("a", "a")]}, SettingsError, "no pair of distinct"),
        ({"restarts": 0}, SettingsError, "'restarts' is 0"),
        ({"seed": -1}, SettingsError, "'seed' is -1"),
        ({"device": "gpu"}, SettingsError, "Unknown device 'gpu'"),
    ],
)  # fmt: skip
def test_bad_input_is_named(change, error, message, three_regions):
    values, segments = three_regions
    options = {"names": NAMES, "method": "structural"} | change
    options = {"values": values, "segments": segments} | options
    with pytest.raises(error, match=message):
        discover(**options)


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_divergence_of_every_fit_is_an_error(method, three_regions):
    fit = {"learning_rate": 1e20, "steps": 60}
    wild = UnmixingSettings.model_validate({"restarts": 1, method: fit})
    with pytest.raises(FitError, match=f"Every fit of {method} diverged") as caught:
        discover(*three_regions, NAMES, method=method, unmixing=wild)
    # More restarts are no remedy where there are none.
    assert ("restarts" in str(caught.value)) is (method != "structural")
