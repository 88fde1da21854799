"""The command `benchmark unmixing`, and what its scores are of."""

import sys

import numpy as np
import pytest

from causal_ivae.cli import main
from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.validation.suites import unmixing
from causal_ivae.validation.suites.unmixing import PACKAGES, Unmixing, UnmixingCase


def test_every_method_unmixes_the_same_mixture(tmp_path, capsys):
    out = tmp_path / "out"
    given = ["--quick", "--nprocs", "1", "--activations", "xtanh"]
    assert main(["benchmark", "unmixing", str(out), *given]) == 0
    table = read_table(out / "benchmark_unmixing.tsv")
    assert set(table["method"]) == set(PACKAGES)
    assert table["error"].isna().all()
    assert table["mcc"].between(0.0, 1.0).all()
    assert (table["cpu_seconds"] >= 0.0).all()
    printed = capsys.readouterr().out
    assert "MCC on other rows, median" in printed
    assert "pi-vae" in printed
    record = read_json(out / "benchmark_unmixing.json")
    assert record["Settings"]["methods"]["pi-vae"]["steps"] == 5000
    assert (out / "benchmark_unmixing.png").stat().st_size > 1000


def test_the_sources_themselves_score_one_and_noise_does_not(monkeypatch):
    def known(method):
        def unmix(mixture, *_):
            parts = mixture.train.sources, mixture.test.sources
            if method == "flow":
                return tuple(np.random.default_rng(0).normal(size=part.shape) for part in parts)
            return tuple(-3.0 * part[:, ::-1] for part in parts)

        return unmix

    monkeypatch.setattr(unmixing, "_ours", known)
    suite = Unmixing(n_sources=3, segments=4, n_per_segment=100)
    [truth] = suite.work(UnmixingCase("xtanh", 0, "ivae"))
    [chance] = suite.work(UnmixingCase("xtanh", 0, "flow"))
    assert truth["mcc"] == pytest.approx(1.0)
    assert chance["mcc"] < 0.3


def test_the_package_learns_and_leaves_the_global_stream_alone():
    pytest.importorskip("pi_vae_pytorch")
    suite = Unmixing(n_sources=2, segments=10, n_per_segment=200)
    scores = [
        Unmixing(**vars(suite) | {"steps": steps}).work(UnmixingCase("xtanh", 0, "pi-vae"))
        for steps in (1, 400, 400)
    ]
    untrained, trained, again = (rows[0]["mcc"] for rows in scores)
    assert trained == again
    assert trained > untrained + 0.05


def test_a_package_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PACKAGES, "pi-vae", "no_such_package")
    command = ["benchmark", "unmixing", str(tmp_path / "out"), "--quick", "--nprocs", "1"]
    assert main([*command, "--methods", "pi-vae"]) == 2
    assert "'pi-vae' needs the package 'no_such_package'" in capsys.readouterr().err
    said = []
    suite = Unmixing.asked({}, quick=True, say=said.append)
    assert "pi-vae" not in suite.methods
    assert said == [
        "'pi-vae' needs the package 'no_such_package', which is not installed, and is left out."
    ]
    assert "no_such_package" not in sys.modules
    assert main([*command, "--activations", "relu"]) == 2
    assert "activation" in capsys.readouterr().err
