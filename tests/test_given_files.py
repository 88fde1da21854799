"""What a user gives is read if it is an ordinary file, and named in one line if it is not."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from causal_ivae.anatomy.prior_files import load_prior
from causal_ivae.errors import CausalIvaeError, InputError
from causal_ivae.given_files import read_json_object, require_file
from causal_ivae.group.participants import read_participants
from causal_ivae.imaging.atlas import load_atlas
from causal_ivae.imaging.bids import find_subjects
from causal_ivae.imaging.filters import load_bids_filter
from causal_ivae.imaging.segments import read_events
from causal_ivae.imaging.series_tables import read_table_run
from causal_ivae.settings import PriorSettings, TableSettings
from causal_ivae.settings.pipeline_files import load_pipeline

READERS = {
    "events.tsv": read_events,
    "filter.json": load_bids_filter,
    "participants.tsv": read_participants,
    "regions.tsv": load_atlas,
    "mine.yaml": load_pipeline,
    "prior.tsv": lambda path: load_prior(PriorSettings(name=str(path))),
    **{
        f"sub-01.{end}": lambda path: read_table_run(path, TableSettings())
        for end in ("tsv", "csv", "npy", "npz", "mat", "h5")
    },
}
every_reader = pytest.mark.parametrize(("name", "read"), READERS.items(), ids=READERS.keys())


@every_reader
def test_a_pipe_is_refused_at_once(name, read, tmp_path):
    path = tmp_path / name
    os.mkfifo(path)
    with pytest.raises(CausalIvaeError, match=r"pipe or a device|neither a file"):
        read(path)


@every_reader
@pytest.mark.parametrize(
    "pointer",
    [
        "/annex/objects/MD5E-s1150--0ccac146d107ecea40039e0fb1e1806c.tsv\n",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n",
    ],
    ids=["annex", "lfs"],
)
def test_a_pointer_says_that_its_content_was_not_fetched(name, read, pointer, tmp_path):
    path = tmp_path / name
    path.write_text(pointer, encoding="utf-8")
    with pytest.raises(CausalIvaeError, match=r"is a pointer to content .* datalad get") as caught:
        read(path)
    assert name in str(caught.value)


def test_a_large_file_is_no_pointer(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("version https://git-lfs.github.com/ is a page\n" * 100, encoding="utf-8")
    require_file(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("null", "must hold an object"),
        ("[1, 2]", "must hold an object"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "nested too deeply|cannot be read as JSON"),
        (b"\xff\xfe{", "no UTF-8 text"),
    ],
)
def test_json_that_is_no_object_names_its_file(text, told, tmp_path):
    path = tmp_path / "sub-01_bold.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=told) as caught:
        read_json_object(path, "The sidecar")
    assert "sub-01_bold.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_json(tmp_path):
    path = tmp_path / "sub-01.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"RepetitionTime": 0.8}).encode())
    assert read_json_object(path, "The sidecar") == {"RepetitionTime": 0.8}
    table = tmp_path / "sub-01.tsv"
    values = np.random.default_rng(0).normal(size=(60, 2))
    np.savetxt(table, values, delimiter="\t", header="a\tb", comments="")
    assert read_table_run(table, TableSettings()).tr == 0.8


def test_a_link_to_the_whole_disk_is_not_followed(tmp_path):
    values = np.random.default_rng(0).normal(size=(60, 2))
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere" / "deep"
    (study / "sub-01").mkdir(parents=True)
    elsewhere.mkdir(parents=True)
    table = elsewhere / "sub-01_task-rest_timeseries.tsv"
    np.savetxt(table, values, delimiter="\t", header="a\tb", comments="")
    (study / "sub-01" / "root").symlink_to("/")
    (study / "sub-01" / "up").symlink_to(tmp_path)
    (study / "sub-02").symlink_to("/")
    (study / "sub-01" / "func").symlink_to(elsewhere)
    (subject,) = find_subjects(study)
    assert [run.path.parent for run in subject.runs] == [study / "sub-01" / "func"]


def test_a_table_of_voxels_is_refused_in_seconds(tmp_path):
    path = tmp_path / "sub-01.tsv"
    names = "\t".join(f"v{i}" for i in range(200_000))
    row = "\t".join(["0.5"] * 200_000)
    path.write_text(f"{names}\n{row}\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"sub-01\.tsv' has 200,000 columns"):
        read_table_run(path, TableSettings())
    np.save(path.with_suffix(".npy"), np.zeros((3, 20_000)))
    with pytest.raises(InputError, match="20,000 columns"):
        read_table_run(path.with_suffix(".npy"), TableSettings())


def test_a_region_cannot_be_called_missing(tmp_path):
    path = tmp_path / "sub-01.tsv"
    values = np.random.default_rng(0).normal(size=(60, 2))
    np.savetxt(path, values, delimiter="\t", header="a\tn/a", comments="")
    with pytest.raises(InputError, match=r"sub-01\.tsv' has a region called 'n/a'"):
        read_table_run(path, TableSettings())
    (tmp_path / "atlas.tsv").write_text("index\tname\n1\ta\n2\tn/a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"atlas\.tsv' has a region called 'n/a'"):
        load_atlas(tmp_path / "atlas.tsv")


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(InputError, match="is a folder; give an ordinary file"):
        require_file(tmp_path)
    with pytest.raises(InputError, match="There is no file"):
        require_file(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(Path("nowhere"))
    with pytest.raises(InputError, match="is a link to content that is not there"):
        require_file(tmp_path / "link")
