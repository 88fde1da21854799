"""The command `benchmark speed`."""

import json
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from causal_ivae.cli import main
from causal_ivae.errors import FitError
from causal_ivae.settings import UnmixingSettings
from causal_ivae.simulate.known_graphs import simulate_pair
from causal_ivae.unmixing.training.threads import torch_threads
from causal_ivae.validation.speed import speed, testing
from causal_ivae.validation.speed.measurement import (
    Baseline,
    Clock,
    Measurement,
    Setting,
    as_text,
    in_turns,
    slope,
)
from causal_ivae.validation.speed.peak_memory import peak_mib
from causal_ivae.validation.speed.plain_loop import PlainIVAE, plain_loader, train_plain
from causal_ivae.validation.speed.subject import Subject
from causal_ivae.validation.speed.waiting import spent_by
from causal_ivae.validation.suites.ours import PAIR_METHODS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Run the command once, with another package that is there and one that is not."""
    folder = tmp_path_factory.mktemp("speed")
    with pytest.MonkeyPatch.context() as patch:
        others = {
            "lingam": replace(testing.OUR_SOURCE, module="a_package_that_is_not_there.hsic"),
            "hyppo": testing.OUR_SOURCE,
        }
        patch.setattr(testing, "OTHERS", others)
        # The second subject must be extrapolated, however fast the machine is.
        patch.setattr(speed, "QUICK", replace(speed.QUICK, patience=0.0))
        assert main(["benchmark", "speed", str(folder), "--quick", "--device", "cpu"]) == 0
    return folder


@pytest.fixture
def table(quick):
    return pd.read_csv(quick / "benchmark_speed.tsv", sep="\t", na_values=["n/a"])


def test_quick_run_writes_table_record_and_figure(quick, table):
    written = sorted(path.name for path in quick.iterdir())
    assert written == [f"benchmark_speed{end}" for end in (".json", ".png", ".svg", ".tsv")]
    assert (quick / "benchmark_speed.png").read_bytes().startswith(b"\x89PNG")
    columns = {"group", "name", "hidden", "volumes", "pairs", "median", "min", "max", "unit"}
    assert columns | {"turns", "baseline", "baseline_value", "ratio", "remark"} <= set(table)
    assert {"training", "independence", "end to end"} <= set(table["group"])
    varied = ("pairs", "restarts", "volumes", "segments", "steps")
    assert {f"scaling with {what}" for what in varied} <= set(table["group"])
    measured = table[table["turns"] > 0]
    assert (measured["min"] <= measured["median"]).all()
    assert (measured["median"] <= measured["max"]).all()
    record = json.loads((quick / "benchmark_speed.json").read_text())
    assert record["Command"].startswith("causal-ivae benchmark speed")
    assert record["Quick"] is True
    assert record["Threads"]["torch"] == 1
    assert record["Machine"]["Cores"] >= 1
    assert "torch" in record["Software"]
    assert len(record["Turns"]) == len(table)


def test_a_ratio_is_that_of_its_own_row(table):
    rows = table[table["ratio"].notna()]
    rate = rows["unit"].str.endswith("/s")
    assert rate.any()
    assert not rate.all()
    expected = (rows["median"] / rows["baseline_value"]).where(
        rate, rows["baseline_value"] / rows["median"]
    )
    np.testing.assert_allclose(rows["ratio"], expected, rtol=1e-6)
    plain = rows[(rows["name"] == "plain loop") & (rows["baseline"] == "plain loop")]
    assert len(plain) == 4
    np.testing.assert_allclose(plain["ratio"], 1.0, rtol=1e-6)
    slow = dict(zip(zip(plain["batch"], plain["unit"], strict=True), plain["median"], strict=True))
    stacked = rows[(rows["name"] == "stack of 8") & (rows["baseline"] == "plain loop")]
    for row in stacked.itertuples():
        assert row.baseline_value == pytest.approx(slow[row.batch, row.unit])


def test_absent_packages_are_named_and_present_ones_are_the_baseline(table):
    tests = table[table["group"] == "independence"]
    absent = tests[tests["name"] == "lingam"]
    assert list(absent["remark"]) == ["not installed"]
    assert absent["median"].isna().all()
    rates = tests[(tests["unit"] == "tests/s") & tests["median"].notna()]
    assert {"hsic_test", "hsic_table", "hyppo"} == set(rates["name"])
    assert set(rates["baseline"]) == {"hyppo"}


def test_extrapolation_is_marked(table):
    rows = table[table["group"] == "end to end"]
    for method in ("structural", "ivae", "tcl"):
        first, second = rows[rows["name"] == f"one subject, {method}"].itertuples()
        assert pd.isna(first.remark)
        assert second.remark == "extrapolated from 8 of 15 pairs"
        assert second.pairs == 15


@pytest.mark.parametrize("method", PAIR_METHODS)
def test_full_measurements_have_the_steps_that_users_have(method):
    subject = Subject(3, 400, 5, 3, 8, speed.FULL.subject_steps, "cpu", method)
    assert subject.unmixing == UnmixingSettings()
    assert subject.setting.steps == getattr(UnmixingSettings(), method).steps_for(400)
    assert replace(subject, steps=7).setting.steps == 7


def test_a_pair_costs_what_its_share_of_the_work_does(table):
    rows = table[(table["group"] == "per pair") & (table["unit"] == "s")].set_index("name")
    assert {"network", "structural", "ivae", "tcl", "hs-tanh"} <= set(rows.index)
    measured = rows[rows["turns"] > 0]
    assert (measured["median"] > 0).all()
    assert rows.loc["network", "pairs"] == 3
    assert measured.loc["hs-tanh", "median"] < measured.loc["ivae", "median"]


def test_commands_are_timed_with_their_cpu_and_memory(table):
    rows = table[table["group"] == "waiting"]
    assert set(rows["name"]) == {"run, tcl", "run --dry-run, tcl"}
    value = rows.set_index(["name", "unit"])["median"]
    for unit in ("s", "CPU s", "MiB"):
        assert value["run, tcl", unit] > value["run --dry-run, tcl", unit] > 0


def test_a_command_that_fails_is_an_error():
    with pytest.raises(FitError, match=r"'causal-ivae run nowhere out participant' ended with 2.*"):
        spent_by(["run", "nowhere", "out", "participant"])


def test_the_plain_loop_trains():
    pair = simulate_pair(n_segments=10, n_per_segment=64)
    x = torch.as_tensor(pair.values.copy(), dtype=torch.float32)
    segments = torch.as_tensor(pair.segments)
    model = PlainIVAE(2, 10, hidden=20, device=CPU)
    generator = torch.Generator().manual_seed(0)
    loader = plain_loader(x, segments, batch=64, generator=generator)
    losses = train_plain(model, loader, 150, CPU)
    assert len(losses) == 150
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert np.isfinite(losses).all()


def test_ratio_says_how_many_times_better():
    def row(unit, *values):
        return Measurement("g", "a", Setting(), values, unit, Baseline("b", 4.0))

    assert row("s", 1.0, 2.0, 9.0).ratio == 2.0
    assert row("tests/s", 8.0).ratio == 2.0
    assert row("tests/s").ratio is None
    assert "2" in as_text([row("tests/s", 8.0)]).splitlines()[1]


def test_turns_alternate_and_slope_is_the_exponent():
    order = []
    taken = in_turns(
        {name: lambda name=name: order.append(name) or len(order) for name in "ab"}, turns=3
    )
    assert order == list("ababab")
    assert taken == {"a": (1, 3, 5), "b": (2, 4, 6)}
    assert slope([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2.0)


def test_one_thread_within_and_as_before_after():
    before = torch.get_num_threads()
    with torch_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    assert Clock(CPU).seconds(lambda: None) >= 0.0


def test_peak_memory_is_that_of_the_work():
    peak = peak_mib(partial(np.ones, (64, 2**17)), partial(np.ones, (1, 2**17)), CPU)
    assert bool(peak) == (sys.platform == "linux")
    assert all(50 < mib < 80 for mib in peak)


@pytest.mark.parametrize("name", ["lingam", "causal-learn", "hyppo"])
def test_tests_of_other_packages_tell_dependence_from_independence(name):
    test = testing.OTHERS[name].find()
    assert not isinstance(test, str), f"{name} is {test}; 'make install' installs it"
    x, y = np.random.default_rng(0).normal(size=(2, 200))
    assert test(x, y) > 0.05
    assert test(x, x**2 + 0.1 * y) < 0.01


def test_parts_are_measured_alone(tmp_path, capsys):
    arguments = ["benchmark", "speed", str(tmp_path), "--quick", "--parts", "subjects"]
    assert main(arguments) == 0
    table = pd.read_csv(tmp_path / "benchmark_speed.tsv", sep="\t")
    assert set(table["group"]) == {"end to end"}
    assert (tmp_path / "benchmark_speed.png").is_file()
    assert main([*arguments, "subject"]) == 2
    assert "Did you mean 'subjects'?" in capsys.readouterr().err


def test_usage(tmp_path, capsys):
    for arguments, part in (
        (["benchmark", "--help"], "speed"),
        (["benchmark", "speed", "--help"], "--quick"),
        (["benchmark", "stack", "--help"], "--steps"),
    ):
        assert main(arguments) == 0
        assert part in capsys.readouterr().out
    file = tmp_path / "file"
    file.write_text("")
    assert main(["benchmark", "speed", str(file), "--quick"]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["benchmark", "speed", str(tmp_path), "--steps", "3"]) == 2
    assert main(["benchmark", "speed", str(tmp_path), "--device", "gpu"]) == 2
