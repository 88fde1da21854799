"""Events of the Human Connectome Project: a folder with a text for each condition."""

import numpy as np
import pytest

from causal_ivae import load_series
from causal_ivae.batch.loading import input_files
from causal_ivae.errors import InputError
from causal_ivae.imaging import find_subjects
from causal_ivae.imaging.file_names import Folders
from causal_ivae.imaging.segments import read_events
from causal_ivae.settings import Pipeline
from tests.imaging.layout_files import N_TIMES, NAMES, TR, ptseries, put, series

RUN = "tfMRI_WM_RL"


@pytest.fixture
def study(tmp_path):
    results = tmp_path / "100301" / "MNINonLinear" / "Results" / RUN
    ptseries(results / f"{RUN}_Atlas_MSMAll_hp2000_clean_Glasser.ptseries.nii", series(1))
    starts = np.arange(10, N_TIMES * TR - 30, 60)
    put(results / "EVs" / "0bk_body.txt", "".join(f"{t:g}\t25\t1\n" for t in starts))
    put(results / "EVs" / "2bk_body.txt", "".join(f"{t + 30:g}\t25\t1\n" for t in starts))
    put(results / "EVs" / "Sync.txt", "5.8\n")
    put(results / "EVs" / "0bk_err.txt", "")
    return tmp_path, results / "EVs"


def test_events_are_found_beside_the_series_and_read_in_order(study):
    root, folder = study
    [subject] = find_subjects(root)
    assert subject.runs[0].events == folder
    events = read_events(folder)
    assert events[:3] == [(10, 25, "0bk_body"), (40, 25, "2bk_body"), (70, 25, "0bk_body")]
    assert {kind for _, _, kind in events} == {"0bk_body", "2bk_body"}
    assert folder / "0bk_body.txt" in input_files(subject, Folders())


def test_a_condition_is_a_known_input_and_blocks_are_segments(study):
    root, _ = study
    wanted = {"exogenous": ["0bk_body"], "segments.by": "task", "segments.min_volumes": 10}
    found = load_series(root, pipeline=Pipeline().changed(wanted))
    assert set(found.names) == {*NAMES, "0bk_body"}
    assert {"0bk_body", "2bk_body"} <= set(found.segment_names)


def test_a_folder_without_events_is_refused(study):
    _, folder = study
    for path in folder.glob("*bk*"):
        path.unlink()
    with pytest.raises(InputError, match=r"No text in '.*EVs' has three columns"):
        read_events(folder)
    put(folder / "bad.txt", "1 2 high\n")
    with pytest.raises(InputError, match=r"bad\.txt' cannot be read"):
        read_events(folder)
