"""What nilearn's maskers return is taken as it is: arrays, tables, and a list with one a run."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker

from causal_ivae import discover
from causal_ivae.discovery.input_series import checked
from causal_ivae.errors import InputError
from causal_ivae.settings import UnmixingSettings

NAMES = ("CA1", "SUB", "ERC")


def series(n_times, seed, loc=0.0):
    return np.random.default_rng(seed).laplace(loc, size=(n_times, 3))


def test_runs_share_a_scale_and_are_cut_by_themselves():
    first, second = series(100, 0), 3.0 * series(130, 1, loc=50.0)
    x, segments, blocks, names = checked([first, second], 40, None, NAMES)
    expected = np.concatenate([first - first.mean(0), second - second.mean(0)])
    np.testing.assert_allclose(x, expected / expected.std(0), atol=1e-5)
    # A rest of half a window or more is a window of its own, a shorter one joins the last.
    assert np.bincount(segments).tolist() == [40, 40, 20, 40, 40, 50]
    assert blocks.tolist() == segments.tolist()
    assert names == NAMES


def test_runs_with_a_baseline_are_compared_in_percent_of_it():
    first, second = series(100, 0, loc=50.0), series(130, 1, loc=50.0)
    plain, *_ = checked([first, second], 40, None, NAMES)
    scaled, *_ = checked([first, 20.0 * second], 40, None, NAMES)
    np.testing.assert_allclose(scaled, plain, atol=1e-5)


def test_runs_that_were_z_scored_are_no_segments_but_windows_of_them_are():
    runs = [scale * series(120, seed) for seed, scale in enumerate((1.0, 3.0, 9.0))]
    runs = [(run - run.mean(0)) / run.std(0) for run in runs]
    by_run = [np.full(120, i) for i in range(3)]
    with pytest.raises(InputError, match="same standard deviation in every segment"):
        checked(runs, by_run, None, NAMES)
    with pytest.raises(InputError, match="same standard deviation in every segment"):
        checked(np.concatenate(runs), np.concatenate(by_run), None, NAMES)
    assert len(np.unique(checked(runs, 40, None, NAMES)[1])) == 9


def test_directions_survive_where_runs_are_the_segments():
    # Dividing every run by its own standard deviation reverses most of these signs.
    rng = np.random.default_rng(25)
    pairs, draw = 5, rng.laplace
    runs = []
    for _ in range(10):
        scales = rng.uniform(0.5, 3.0, size=(2, pairs))
        causes = scales[0] * draw(size=(150, pairs))
        runs.append(np.hstack([causes, causes + scales[1] * draw(size=(150, pairs))]))
    columns = [f"{kind}{pair}" for kind in "xy" for pair in range(pairs)]
    graph = discover(
        runs,
        [np.full(150, run) for run in range(10)],
        columns,
        skeleton=[(f"x{pair}", f"y{pair}") for pair in range(pairs)],
        method="structural",
        device="cpu",
        unmixing=UnmixingSettings.model_validate({"structural": {"steps": 150}}),
    )
    assert (graph.edges["score"] > 0).sum() >= pairs - 1


def test_equal_segments_of_two_runs_are_one_segment_but_never_one_block():
    # The first run ends in the segment that the second begins with.
    labels = [np.repeat([5, 7, 9], 20), np.repeat([9, 7], 20)]
    _, segments, blocks, _ = checked([series(60, 0), series(40, 1)], labels, None, None)
    assert segments.tolist() == np.repeat([0, 1, 2, 2, 1], 20).tolist()
    assert len(np.unique(blocks)) == 5
    whole = [np.zeros(60, dtype=int), np.zeros(40, dtype=int)]
    _, _, given, _ = checked([series(60, 0), series(40, 1)], labels, whole, None)
    assert len(np.unique(given)) == 5


def test_one_run_is_what_it_was_before():
    values, labels = series(120, 2), np.arange(120) // 40
    for one, other in zip(
        checked(values, labels, None, None), checked([values], [labels], None, None), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_columns_are_names_unless_others_are_given():
    table = pd.DataFrame(series(120, 3), columns=list(NAMES))
    assert checked(table, 40, None, None)[3] == NAMES
    assert checked([table, table], 40, None, None)[3] == NAMES
    assert checked(table, 40, None, ("a", "b", "c"))[3] == ("a", "b", "c")
    assert checked(pd.DataFrame(series(120, 3)), 40, None, None)[3] == ("0", "1", "2")


@pytest.mark.parametrize(
    ("values", "segments", "message"),
    [
        (
            [pd.DataFrame(series(90, 0), columns=list("abc")),
             pd.DataFrame(series(90, 1), columns=list("acb"))],
            30, "different columns",
        ),
        ([series(90, 0), series(90, 1)[:, :2]], 30, "3 names for 2 regions"),
        ([series(90, 0), np.full((90, 3), np.nan)], 30, "value nan in row 0 of run 2"),
        ([series(90, 0), np.ones((90, 3))], 30, "'x1' of run 2 is constant"),
        ([series(90, 0), series(80, 1)], np.arange(170) // 30, "one array for each run"),
        ([series(90, 0), series(80, 1)], [np.arange(90) // 30], "one array for each run"),
    ],
)  # fmt: skip
def test_bad_runs_are_named(values, segments, message):
    with pytest.raises(InputError, match=message):
        checked(values, segments, None, None)


def test_a_masker_s_tables_give_a_graph_with_its_regions():
    rng = np.random.default_rng(0)
    labels = np.zeros((6, 6, 6), dtype=np.int16)
    for index in range(3):
        labels[2 * index : 2 * index + 2] = index + 1
    masker = NiftiLabelsMasker(
        nib.Nifti1Image(labels, np.eye(4)), labels=list(NAMES), standardize=None
    ).set_output(transform="pandas")
    runs = [
        nib.Nifti1Image(rng.normal(100, 5, (6, 6, 6, 90)).astype(np.float32), np.eye(4))
        for _ in range(2)
    ]
    unmixing = UnmixingSettings.model_validate({"tcl": {"steps": 20}, "restarts": 1})
    graph = discover(
        [masker.fit_transform(run) for run in runs], 30, method="tcl", unmixing=unmixing,
        device="cpu",
    )  # fmt: skip
    assert graph.names == NAMES
    assert len(graph.edges) == 3
