"""Published atlases by name, from a cache folder such as TemplateFlow's client leaves."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from causal_ivae.cli import main
from causal_ivae.errors import NotFetchedError, SettingsError
from causal_ivae.imaging import published_atlases
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.atlas_images import read_labels
from causal_ivae.imaging.atlas_tables import read_regions
from causal_ivae.imaging.published_atlases import PUBLISHED, find_published


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with the smallest atlas of Schaefer, an empty file for the next, and DiFuMo."""
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    folder = tmp_path / "tpl-MNI152NLin2009cAsym"
    folder.mkdir()
    start = folder / "tpl-MNI152NLin2009cAsym"
    labels = np.arange(125, dtype=np.int16).reshape(5, 5, 5)
    labels[labels > 100] = 0
    name = "atlas-Schaefer2018_desc-100Parcels7Networks_dseg"
    nib.Nifti1Image(labels, np.eye(4)).to_filename(f"{start}_res-02_{name}.nii.gz")
    table = pd.DataFrame(
        {"index": range(1, 101), "name": [f"7Networks_LH_{i}" for i in range(100)]}
    )
    table.to_csv(f"{start}_{name}.tsv", sep="\t", index=False)
    for end in ("res-02_atlas-Schaefer2018_desc-200Parcels7Networks_dseg.nii.gz",
                "atlas-Schaefer2018_desc-200Parcels7Networks_dseg.tsv"):  # fmt: skip
        start.with_name(f"{start.name}_{end}").touch()
    maps = np.random.default_rng(0).uniform(size=(4, 4, 4, 64)).astype(np.float32)
    name = "atlas-DiFuMo_desc-64dimensions_probseg"
    nib.Nifti1Image(maps, np.eye(4)).to_filename(f"{start}_res-02_{name}.nii.gz")
    difumo = {"Component": range(1, 65), "Difumo_names": [f"part {i}" for i in range(64)],
              "Yeo_networks7": ["Vis"] * 64}  # fmt: skip
    pd.DataFrame(difumo).to_csv(f"{start}_{name}.tsv", sep="\t", index=False)
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["schaefer100", "Schaefer-100", "Schaefer2018_100Parcels7Networks", "schaefer100-7Networks"],
)
def test_an_atlas_by_its_usual_names(cache, name):
    atlas = load_atlas(name)
    assert (atlas.kind, len(atlas.names), atlas.space) == ("labels", 100, "MNI152NLin2009cAsym")
    assert atlas.names[0] == "7Networks_LH_0"


def test_maps_and_their_networks(cache):
    atlas = load_atlas("difumo64")
    assert (atlas.kind, len(atlas.names)) == ("maps", 64)
    assert set(atlas.networks) == {"Vis"}


def test_what_was_not_fetched_is_said_and_never_fetched_by_reading(cache, monkeypatch):
    with pytest.raises(NotFetchedError, match=r"'causal-ivae atlas fetch schaefer200'") as caught:
        load_atlas("Schaefer200")
    assert caught.value.atlas == "schaefer200"
    with pytest.raises(SettingsError, match=r"'Glasser' is not in TemplateFlow.*XCP-D.*dlabel"):
        load_atlas("Glasser")
    with pytest.raises(SettingsError, match=r"No template 'MNI' for atlas 'schaefer100'"):
        load_atlas("schaefer100:MNI")
    assert len({find_published(atlas.name) for atlas in PUBLISHED}) == len(PUBLISHED)


def test_fetching_is_said_before(cache, monkeypatch, capsys):
    said = []

    class Client:
        def __init__(self, root, **options):
            assert said == [f"Fetching atlas 'schaefer200' from templateflow.org into '{cache}'."]
            self.root = root

        def get(self, template, *, extension, **query):
            folder = self.root / f"tpl-{template}"
            (path,) = folder.glob(f"*_desc-200Parcels7Networks_dseg{extension}")
            path.write_bytes(path.with_name(path.name.replace("200P", "100P")).read_bytes())

    monkeypatch.setattr("templateflow.client.TemplateFlowClient", Client)
    published_atlases.fetch(find_published("schaefer200"), said.append)
    assert len(load_atlas("schaefer200").names) == 100
    assert main(["atlas", "list"]) == 0
    listed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "[at hand]" in listed["schaefer200"]
    assert "[not fetched: causal-ivae atlas fetch schaefer300]" in listed["schaefer300"]
    assert main(["atlas", "fetch", "shaefer100"]) == 2
    assert "Did you mean 'schaefer100'?" in capsys.readouterr().err


def test_a_failure_of_the_network_is_one_line(cache, monkeypatch, capsys):
    class Client:
        def __init__(self, root, **options):
            pass

        def get(self, template, **query):
            raise OSError("no route\nto host")

    monkeypatch.setattr("templateflow.client.TemplateFlowClient", Client)
    assert main(["atlas", "fetch", "schaefer200"]) == 2
    assert "'schaefer200' could not be fetched: no route to host" in capsys.readouterr().err


def test_probabilities_become_labels(tmp_path):
    from dataclasses import replace

    maps = np.zeros((3, 1, 1, 2), np.uint8)
    maps[0, 0, 0], maps[1, 0, 0], maps[2, 0, 0] = (60, 30), (20, 40), (10, 24)
    nib.Nifti1Image(maps, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    (tmp_path / "a.tsv").write_text("index\tname\n1\tx\n2\ty\n")
    atlas = load_atlas(tmp_path / "a.nii.gz")
    atlas = replace(atlas, kind="labels", indices=(1, 2), min_probability=25.0)
    assert read_labels(atlas)[0].ravel().tolist() == [1, 2, 0]
    juelich = load_atlas("juelich")
    assert juelich.min_probability == 25.0
    assert "Hippocampus_subiculum_L" in juelich.names


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.txt", "#$Id\n17  Left-Hippocampus  220 216 20 0\n53 Right-Hippocampus 220 216 20 0\n"),
        ("a.txt", '17 255 0 0 1 1 1 "Left-Hippocampus"\n53 0 255 0 1 1 1 "Right-Hippocampus"\n'),
        ("a.xml", "<atlas><header><type>Label</type></header><data><label index='17' x='1'>"
         "Left-Hippocampus</label><label index='53'>Right-Hippocampus</label></data></atlas>"),
        ("a.tsv", "index\tlabel\tnetwork_label\n17\tLeft-Hippocampus\tn/a\n"
         "53\tRight-Hippocampus\tLimbic\n"),
        ("a.csv", "index,label\n17,Left-Hippocampus\n53,Right-Hippocampus\n"),
        ("a.tsv", "label\tname\n17\tLeft-Hippocampus\n53\tRight-Hippocampus\n"),
    ],
)  # fmt: skip
def test_tables_of_other_programs(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    regions = read_regions(tmp_path / file)
    assert regions["name"].tolist() == ["Left-Hippocampus", "Right-Hippocampus"]
    assert regions["index"].tolist() == ["17", "53"]
    labels = np.zeros((3, 3, 3), np.int16)
    labels[0, 0, :2] = (17, 53)
    nib.Nifti1Image(labels, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    assert load_atlas(tmp_path / "a.nii.gz").indices == (17, 53)
