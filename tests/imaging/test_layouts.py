"""Folders of every mainstream program are read as they are, with one command."""

import numpy as np
import pandas as pd
import pytest
import yaml

from causal_ivae.batch.plan import plan
from causal_ivae.batch.preview import preview
from causal_ivae.batch.request import Request
from causal_ivae.cli import main
from causal_ivae.errors import InputError
from causal_ivae.imaging.atlas_choice import atlas_for
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.signals import load_subject
from causal_ivae.settings import Pipeline
from tests.imaging.layout_files import N_TIMES, series
from tests.imaging.layouts import LAYOUTS
from tests.tiny_study import TINY


def planned(root, made):
    changes = {"atlas": made.atlas, **made.settings}
    pipeline = Pipeline().changed({k: v for k, v in changes.items() if v is not None})
    request = Request(root / made.source, root / "out", ("participant",), pipeline, device="cpu")
    return plan(Request(**{**vars(request), "tasks": made.tasks}))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_folder_is_read_as_it_is(tmp_path, name):
    made = LAYOUTS[name](tmp_path)
    found = planned(tmp_path, made)
    assert tuple(subject.label for subject in found.subjects) == made.subjects
    analysis = found.analysis
    for number, subject in enumerate(found.subjects, start=1):
        atlas = atlas_for(analysis.pipeline.atlas, subject, analysis.source)
        loaded = load_subject(subject, analysis.pipeline, atlas)
        assert loaded.names == made.names
        assert loaded.tr == made.tr
        np.testing.assert_array_equal(loaded.volumes, made.volumes)
        assert sum(loaded.n_volumes) == made.n_acquired
        expected = series(number)[made.volumes]
        ramp = np.column_stack([np.ones(len(expected)), made.volumes])
        expected = expected - ramp @ np.linalg.lstsq(ramp, expected)[0]
        got = loaded.values[:, :3]
        correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(expected.T, got.T, strict=True)]
        assert min(correlation) > 1 - made.tolerance


@pytest.mark.parametrize("name", ["xcpd_interpolated", "regions_of_every_subject"])
def test_the_folder_is_run_with_one_command(tmp_path, name, monkeypatch):
    made = LAYOUTS[name](tmp_path)
    settings = {**TINY, "independence": {"draws": 99, "surrogates": 0}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    options = ["--atlas", made.atlas, "--method", "tcl", "--device", "cpu", "--nprocs", "1"]
    arguments = ["run", made.source, "out", "participant", "--pipeline", "tiny.yaml", *options]
    assert main(arguments) == 0
    edges = sorted((tmp_path / "out").glob("sub-*/func/*_meas-tcl_edges.tsv"))
    assert len(edges) == 2
    assert set(pd.read_csv(edges[0], sep="\t")["x"]) <= set(made.names)
    pipeline = Pipeline.model_validate(settings).changed(
        {"atlas": made.atlas, "unmixing.methods": ["tcl"]}
    )
    request = Request(
        tmp_path / made.source, tmp_path / "out", ("participant",), pipeline, device="cpu"
    )
    assert set(preview(plan(request)).values()) == {"up to date"}
    if "{subject}" in made.atlas:
        # The atlas of a subject is one of its inputs.
        one, other = (
            tmp_path / "bids" / "derivatives" / "ashs" / f"sub-0{n}" / "dseg.nii.gz" for n in (1, 2)
        )
        other.write_bytes(one.read_bytes())
        assert preview(plan(request)) == {"sub-01": "up to date", "sub-02": "load, tcl"}


def test_the_displacement_beside_a_denoised_run_is_read(tmp_path):
    found = planned(tmp_path, LAYOUTS["xcpd_interpolated"](tmp_path))
    loaded = load_subject(found.subjects[0], found.analysis.pipeline)
    displacement = loaded.framewise_displacement
    assert displacement is not None
    assert len(displacement) == N_TIMES
    assert displacement[loaded.volumes].max() == pytest.approx(0.1)
    assert any("9 of 240 volumes were censored before" in note for note in loaded.notes)


def test_events_of_the_raw_dataset_make_the_segments(tmp_path):
    made = LAYOUTS["derivatives_inside_a_dataset"](tmp_path)
    found = planned(tmp_path, made)
    loaded = load_subject(found.subjects[0], found.analysis.pipeline)
    assert loaded.segment_names == ("a", "b", "c")
    assert found.subjects[0].runs[0].events == tmp_path / "bids" / "task-rest_events.tsv"


def test_the_raw_dataset_says_which_folder_is_meant(tmp_path):
    LAYOUTS["derivatives_inside_a_dataset"](tmp_path)
    with pytest.raises(InputError, match=r"not preprocessed.*Perhaps '.*derivatives/tables'\?"):
        find_subjects(tmp_path / "bids")


def test_an_atlas_that_a_subject_lacks_is_named(tmp_path):
    made = LAYOUTS["regions_of_every_subject"](tmp_path)
    (tmp_path / "bids" / "derivatives" / "ashs" / "sub-02" / "dseg.nii.gz").unlink()
    found = planned(tmp_path, made)
    with pytest.raises(InputError, match=r"No atlas of subject '02': looked for '.*ashs/02/dseg"):
        atlas_for(made.atlas, found.subjects[1], found.analysis.source)
