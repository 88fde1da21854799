"""What every benchmark of cases has in common: options, files, and what is said of failures."""

from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from causal_ivae.derivatives.files import read_json, read_table
from causal_ivae.drawing.svg import new_figure
from causal_ivae.errors import SettingsError
from causal_ivae.validation.registry import BENCHMARKS, FIGURES
from causal_ivae.validation.session import Session
from causal_ivae.validation.suites.many import Networks
from causal_ivae.validation.suites.netsim import Netsim
from causal_ivae.validation.suites.null import FalsePositives
from causal_ivae.validation.suites.pairs import Pairs
from causal_ivae.validation.suites.reproducibility import Reproducibility
from causal_ivae.validation.suites.suite import SUMMARY, MethodSuite, portions, run_suite
from causal_ivae.validation.text_tables import as_text, mean_with_interval, share_with_interval

SUITES = {kind.name: kind for kind in (FalsePositives, Netsim, Networks, Pairs, Reproducibility)}


@dataclass(frozen=True)
class Throw:
    method: str
    sides: int

    @property
    def key(self):
        return f"throw {self.method}"


@dataclass(frozen=True, kw_only=True)
class Dice(MethodSuite[Throw]):
    """A suite that the program does not know."""

    name = "dice"
    method = {"Throws": "Each by itself."}  # noqa: RUF012
    packages = {"a": None, "fails": None, "loaded": "not_there"}  # noqa: RUF012

    methods: tuple = ("a", "fails", "loaded")
    sides: int = 6

    @classmethod
    def small(cls):
        return {"sides": 2}

    def cases(self):
        return [Throw(name, self.sides) for name in self.methods]

    def work(self, case):
        if case.method == "fails":
            raise ValueError("off the table")
        return [{"throw": k, "sides": case.sides} for k in range(2)]

    def settings(self):
        return {"seed": self.seed}

    def settings_of(self, method):
        return {"loaded": method == "loaded"}

    def tables(self, rows):
        summary = pd.DataFrame([{"what": "eyes", **share_with_interval("share", 1, 2)}])
        return {SUMMARY: summary, "more": rows}

    def blocks(self, tables):
        yield as_text(tables[SUMMARY])
        yield "and more"

    def draw(self, rows, tables):
        figure = new_figure(2.0, 2.0)
        figure.subplots().plot([0, 1])
        return figure


def run(output, *, quick=False, **options):
    said = []
    session = Session.start(output, command="dice", quick=quick)
    return run_suite(Dice, session, nprocs=1, say=said.append, **options), said


def test_a_suite_writes_tables_figure_and_record(tmp_path):
    report, said = run(tmp_path, quick=True, seed=3)
    assert [path.name for path in report.written] == [
        f"benchmark_dice{end}"
        for end in (".txt", ".tsv", "_summary.tsv", "_more.tsv", ".png", ".json")
    ]
    assert report.written[0].read_text() == report.text
    assert "0.500  0.095  0.905" in report.text
    assert "and more\n\nFailed: throw fails: ValueError: off the table\n" in report.text
    table = read_table(report.written[1])
    assert table["sides"].tolist() == [2, 2, 2]
    assert report.written[-2].read_bytes().startswith(b"\x89PNG")
    record = read_json(report.written[-1])
    assert record["Failed"] == 1
    assert record["Cases"] == 2
    assert record["Seed"] == 3
    assert record["Settings"]["methods"] == {"a": {"loaded": False}, "fails": {"loaded": False}}
    assert record["Quick"] is True
    assert {"Command", "Settings", "Software", "Machine", "Method", "Seconds"} <= set(record)
    assert "'loaded' needs the package 'not_there'" in said[0]
    assert run(tmp_path, quick=True, seed=3)[1][1] == "1 of 2 cases are there already."


def test_options_take_the_place_of_defaults_and_of_quick_ones(tmp_path):
    assert Dice.asked({"sides": None}, quick=False, say=print).sides == 6
    assert Dice.asked({"sides": None}, quick=True, say=print).sides == 2
    assert Dice.asked({"sides": 4, "methods": ["a"]}, quick=True, say=print) == Dice(
        sides=4, methods=("a",)
    )
    with pytest.raises(SettingsError, match="'loaded' needs"):
        run(tmp_path, methods=["loaded"])
    with pytest.raises(SettingsError, match="Unknown method 'b'"):
        run(tmp_path, methods=["b"])
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="is not a folder"):
        run(tmp_path / "file")


def test_where_every_case_failed_it_is_said(tmp_path):
    report, _ = run(tmp_path, methods=["fails"])
    assert report.text.startswith("No case gave a result.\n\nFailed: throw fails")
    assert (tmp_path / "benchmark_dice.png").is_file()


def test_portions_cover_everything_once():
    assert list(portions(7, 3)) == [(0, 3), (3, 3), (6, 1)]
    assert list(portions(0, 3)) == []


@pytest.mark.parametrize("name", SUITES)
def test_every_option_of_a_suite_is_one_of_its_fields(name):
    own = {option.name for option in BENCHMARKS[name].options} - {"quick", "nprocs"}
    assert own <= {field.name for field in fields(SUITES[name])}
    assert set(SUITES[name].small()) <= {field.name for field in fields(SUITES[name])}


def test_every_figure_of_the_paper_can_be_asked_for():
    from causal_ivae.validation.paper.experiments import FigureName

    assert set(FIGURES) == {*get_args(FigureName), "figure4"}


def test_a_share_of_nothing_is_missing():
    nothing = share_with_interval("share", 0, 0)
    assert nothing == {"share": None, "low": None, "high": None}
    assert as_text(pd.DataFrame([nothing])).split()[-3:] == ["-"] * 3


def test_a_mean_has_its_t_interval():
    found = mean_with_interval("mean", [1.0, 0.5, 0.0])
    assert found["high"] - found["mean"] == pytest.approx(4.303 * 0.5 / np.sqrt(3), rel=1e-3)
    assert np.isnan(mean_with_interval("mean", [1.0])["low"])
