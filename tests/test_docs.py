"""The documentation: the site builds without a warning; its commands are the program's."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from causal_ivae.cli import build_parser
from causal_ivae.derivatives.tables import TABLES

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted((CHECKOUT / "docs" / "pages").glob("*.md"))
TUTORIALS = ("tutorial-bids", "tutorial-csv", "segments", "limits", "atlas-and-prior", "cluster")


def commands(page: Path) -> list[str]:
    """Return the lines of the blocks that a reader is to run."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def build(target: Path, config: Path = CHECKOUT / "docs" / "mkdocs.yml"):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-s", "-f", str(config), "-d", str(target)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip


def test_the_site_builds_and_takes_numbers_from_where_they_are_kept(tmp_path):
    done = build(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    validation = (tmp_path / "validation" / "index.html").read_text(encoding="utf-8")
    assert "include:" not in validation
    assert "The published ELBO estimator does not separate five sources" in validation
    assert (tmp_path / "figure4" / "figure4.png").is_file()
    api = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    assert 'id="causal_ivae.discover"' in api
    assert "At least three distinct values" in api
    columns = (tmp_path / "tables" / "index.html").read_text(encoding="utf-8")
    for table in TABLES:
        assert f"{table.name}.tsv" in columns
        assert all(f"<code>{name}</code>" in columns for name in table.columns)
    for page in tmp_path.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|img|link)[^>]*(src|href)=\"https?://", text), page.name


@pytest.mark.parametrize(
    ("page", "line", "complaint"),
    [
        ("limits.md", "[nowhere](nowhere.md)", "nowhere.md"),
        (
            "validation.md",
            "<!-- include: reports/validation/README.md # No -->",
            "no section '## No'",
        ),
    ],
)
def test_what_is_not_there_is_an_error(tmp_path, page, line, complaint):
    for name in ("docs", "causal_ivae", "reports"):
        (tmp_path / name).mkdir()
    shutil.copytree(CHECKOUT / "docs", tmp_path / "docs", dirs_exist_ok=True)
    (tmp_path / "docs" / "pages" / "api.md").write_text("# API reference\n")
    shutil.copytree(CHECKOUT / "reports", tmp_path / "reports", dirs_exist_ok=True)
    shutil.copy(CHECKOUT / "README.md", tmp_path)
    with (tmp_path / "docs" / "pages" / page).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = build(tmp_path / "site", tmp_path / "docs" / "mkdocs.yml")
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_commands_are_those_of_the_program():
    found = 0
    for page in PAGES:
        for line in commands(page):
            words = shlex.split(line)
            if words[0] == "causal-ivae" and "--help" not in words:
                options = words[1 : words.index(">")] if ">" in words else words[1:]
                build_parser().parse_args(options)
                found += 1
            elif words[0] == "python":
                assert (CHECKOUT / words[1]).is_file(), line
    assert found >= 10


def test_readme_is_short_and_every_link_leads_to_a_file():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 600
    paths = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert len(re.findall(r"!\[[^\]]*\]\(", text)) == 2
    assert len(paths) >= 10
    assert all((CHECKOUT / path).is_file() for path in paths)


def test_numbers_of_the_readme_are_those_of_the_page_that_keeps_them():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    claims = re.search(r"^## What to expect\n(.*?)^## ", text, re.M | re.S).group(1)
    kept = (CHECKOUT / "docs" / "pages" / "trust.md").read_text(encoding="utf-8")
    numbers = re.findall(r"\b\d+\b", claims)
    assert len(numbers) >= 5
    assert [n for n in numbers if not re.search(rf"\b{n}\b", kept)] == []


def test_commands_of_the_readme_are_those_of_the_program():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    typed = re.findall(r"^    causal-ivae (.*)$", text, re.M)
    table = re.search(r"^\| from .*?\n\n", text, re.M | re.S).group(0)
    typed += [f"run {command}" for command in re.findall(r"`([^`]+ participant[^`]*)`", table)]
    for command in typed:
        build_parser().parse_args(shlex.split(command))
    assert len(typed) >= 8


@pytest.mark.slow
def test_every_command_of_the_tutorials_works(tmp_path):
    (tmp_path / "docs").symlink_to(CHECKOUT / "docs")
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    pages = [CHECKOUT / "docs" / "pages" / f"{name}.md" for name in TUTORIALS]
    # The study of the second tutorial is what the guides go on with.
    for line in [line for page in pages for line in commands(page)]:
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, cwd=tmp_path,
            env=environment,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "example" / "figure.svg").is_file()
    assert (tmp_path / "tables-results" / "sub-01.html").is_file()
