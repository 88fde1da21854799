"""What discover() is given may hold gaps, masks, constants or no numbers at all."""

import numpy as np
import pandas as pd
import pytest

from causal_ivae.discovery.input_series import checked
from causal_ivae.errors import CausalIvaeWarning, InputError


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(100.0, 5.0, size=(300, 3))


def test_masked_volumes_are_gaps(values):
    masked = np.ma.masked_array(values.copy(), mask=np.zeros_like(values, dtype=bool))
    masked[10:40] = 999.0
    masked.mask[10:40] = True
    with pytest.warns(CausalIvaeWarning, match="30 of 300 volumes hold no measurement"):
        x, labels, order, _ = checked(masked, 50, None, None)
    assert x.shape == (270, 3)
    assert np.abs(x).max() < 6
    # Ten and ten volumes of the first window lie on the two sides of the gap.
    assert list(np.unique(order[labels == 0], return_counts=True)[1]) == [10, 10]
    masked.mask[10:40, 1] = False
    with pytest.raises(InputError, match="'x1' has the value nan in row 10"):
        checked(masked, 50, None, None)


@pytest.mark.parametrize("filler", [0.0, 999.0, "the volume before"])
def test_scrubbed_volumes_are_gaps_of_their_run(values, filler):
    bad = [3, 50, 51, 120]
    for row in bad:
        values[row] = values[row - 1] if isinstance(filler, str) else filler
    with pytest.warns(CausalIvaeWarning, match="of run 1: 4 of 150"):
        x, labels, order, _ = checked([values[:150], values[150:]], 50, None, None)
    assert x.shape == (296, 3)
    assert len(order) == len(labels) == 296
    rows = np.delete(np.arange(300), bad)
    gap = np.flatnonzero(np.diff(rows) > 1)
    assert (order[gap] != order[gap + 1]).all()


@pytest.mark.parametrize("value", [0.1, 123.456, 1e9])
def test_a_constant_is_found_whatever_its_size(values, value):
    values[:, 2] = value
    with pytest.raises(InputError, match="'x3' is constant"):
        checked(values, 50, None, None)


def test_text_and_missing_values_of_a_table(values):
    table = pd.DataFrame(values, columns=list("abc")).astype("Float64")
    np.testing.assert_array_equal(
        checked(table, 50, None, None)[0], checked(values, 50, None, None)[0]
    )
    table.iloc[5, 0] = pd.NA
    with pytest.raises(InputError, match="'a' has the value nan in row 5"):
        checked(table, 50, None, None)
    labelled = pd.DataFrame(values, columns=list("abc")).assign(person="s1")
    with pytest.raises(InputError, match="'person' has the value 's1' in row 0"):
        checked(labelled, 50, None, None)


def test_what_is_no_table_of_numbers():
    with pytest.raises(InputError, match="cannot be read as numbers"):
        checked(np.array([["a", "b"]] * 50), 10, None, None)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 2.0**-40])
def test_the_unit_changes_nothing(scale):
    values = np.random.default_rng(0).normal(size=(60, 2))
    segments = np.arange(60) // 20
    expected, *_ = checked(values, segments, None, None)
    found, *_ = checked(values * scale, segments, None, None)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
