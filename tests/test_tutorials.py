"""Every command and every script that README and the pages show works, on tiny simulated data."""

import contextlib
import importlib.util
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from causal_ivae.cli import main
from tests.tiny_study import without_workers, write_tiny_pipeline

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = (
    "tutorial-csv", "tutorial-bids", "python", "after-a-run", "segments", "atlas-and-prior",
    "cluster", "limits", "index",
)  # fmt: skip
"""The studies of the two tutorials are what the others go on with."""
BENCHMARK = "causal-ivae benchmark"
"""These take long, and have a test of their own."""
NOT_OURS = {"tigramite"}
"""Programs that a page shows and that nobody needs for this one."""


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of the blocks of a page that a reader is to run."""
    text = (CHECKOUT / "docs" / "pages" / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"^```(bash|python)\n(.*?)^```", text, re.M | re.S)


def run_line(line: str) -> None:
    """Run a line of a shell in this process, where that is possible: torch is imported once."""
    words = shlex.split(line.replace("--pipeline quick", "--pipeline tiny.yaml"))
    printed = io.StringIO()
    if words[0] == "python":
        sys.argv[:] = words[1:]
        runpy.run_path(words[1], run_name="__main__")
    elif words[0] == "causal-ivae" and "--help" not in words:
        words, target = (words[:-2], words[-1]) if words[-2] == ">" else (words, None)
        with contextlib.redirect_stdout(printed):
            code = main(words[1:])
        assert code == 0, f"{line}\n{printed.getvalue()}"
        if target:
            Path(target).write_text(printed.getvalue(), encoding="utf-8")
    elif words[0] != "pip":
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def run_script(text: str, names: dict[str, object]) -> None:
    """Run a script of a page, unless it needs a program that is not installed."""
    wanted = set(re.findall(r"^(?:from|import) (\w+)", text, re.M))
    missing = {name for name in wanted if importlib.util.find_spec(name) is None}
    assert missing <= NOT_OURS
    if not missing:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # Three subjects are too few for some of what statsmodels prints.
            warnings.simplefilter("ignore")
            exec(compile(text, "page", "exec"), names)
        plt.close("all")


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "docs").symlink_to(CHECKOUT / "docs")
    write_tiny_pipeline(tmp_path / "tiny.yaml", methods=["network"], network={"twins": 6})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    # Workers, whose start takes as long as these tiny studies, have tests of their own.
    with without_workers():
        yield tmp_path


def run_pages() -> int:
    """Run the blocks of all pages in their order, but for benchmarks; return how many there are."""
    ran = 0
    for page in PAGES:
        names: dict[str, object] = {"__name__": "__main__"}
        for language, text in blocks(page):
            if language == "python":
                run_script(text, names)
            for line in text.splitlines() if language == "bash" else []:
                if not line.startswith(BENCHMARK):
                    run_line(line)
            ran += 1
    return ran


def test_what_the_pages_show_works(here):
    assert run_pages() >= 25
    assert (here / "example" / "figure.svg").is_file()
    assert (here / "example" / "results" / "group.html").is_file()
    assert (here / "tables-results" / "sub-01.html").is_file()
    assert list(here.rglob("nodeLabels.txt"))


def test_the_script_of_the_readme_works(here):
    """The atlas of README is fetched; that of the tutorial stands in for it."""
    run_line("python docs/examples/fmriprep_like.py example")
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    assert len([line for line in text.splitlines() if line]) <= 6
    assert '"schaefer100"' in text
    [run] = Path("example/fmriprep/sub-01/func").glob("*_bold.nii.gz")
    names: dict[str, object] = {"bold": str(run)}
    run_script(text.replace("schaefer100", "example/example_dseg.nii.gz"), names)
    assert len(names["result"].edges) == 6


@pytest.mark.slow
def test_benchmarks_that_the_pages_show_work(here):
    run_line("python docs/examples/tables.py tables")
    lines = [
        line
        for page in PAGES
        for _, text in blocks(page)
        for line in text.splitlines()
        if line.startswith(BENCHMARK)
    ]
    for line in lines:
        run_line(line)
    assert len(lines) >= 2


def test_pages_without_their_own_data_are_those_that_are_left_out():
    """A page with something to run is in the list, or says in what it runs."""
    with_blocks = {
        page.stem for page in (CHECKOUT / "docs" / "pages").glob("*.md") if blocks(page.stem)
    }
    assert with_blocks <= set(PAGES)
