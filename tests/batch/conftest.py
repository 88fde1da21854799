"""What the tests of a batch share."""

import os
import shutil
from pathlib import Path

import pytest
from tiny_study import run_study, write_study

from causal_ivae.batch.workers import pool as cluster


@pytest.fixture
def no_cluster(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a cluster was started though nothing was to be done")

    monkeypatch.setattr(cluster, "local_client", refuse)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Three subjects and the group, run once by two workers, from an empty working directory."""
    folder = tmp_path_factory.mktemp("study")
    source = write_study(folder / "input")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    before = Path.cwd()
    os.chdir(elsewhere)
    try:
        result = run_study(source, folder / "out", levels=("participant", "group"), nprocs=2)
    finally:
        os.chdir(before)
    assert list(elsewhere.iterdir()) == []
    return folder, result


@pytest.fixture
def finished(study, tmp_path):
    """Return a copy of the finished study: input and output."""
    folder, _ = study
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    # The copy is described as made from the input that was copied with it.
    description = tmp_path / "out" / "dataset_description.json"
    linked = description.read_text(encoding="utf-8")
    description.write_text(linked.replace(folder.as_uri(), tmp_path.as_uri()), encoding="utf-8")
    return tmp_path / "input", tmp_path / "out"
