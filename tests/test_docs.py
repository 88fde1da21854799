"""The documentation: the site builds without a warning, and README and pages say what is true."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from causal_ivae.cli import build_parser
from causal_ivae.derivatives.tables import TABLES
from causal_ivae.settings import Pipeline

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted((CHECKOUT / "docs" / "pages").glob("*.md"))
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site without running its examples, which `make docs` does."""
    pytest.importorskip("sphinx", reason="the site needs the extra 'docs'")
    folder = tmp_path_factory.mktemp("site")
    for command in (
        [CHECKOUT / "docs" / "prepare.py", folder / "source", "--without-report"],
        ["-m", "sphinx", "-W", "--keep-going", "-q", folder / "source", folder / "built"],
    ):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=False,
            env={**os.environ, "RUN_EXAMPLES": "0"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "built"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def ends(tree: dict) -> set[str]:
    """Return the names of all settings that hold no further ones."""
    inner = [ends(value) for value in tree.values() if isinstance(value, dict)]
    return {key for key, value in tree.items() if not isinstance(value, dict)}.union(*inner)


def test_pages_take_numbers_and_names_from_where_they_are_kept(site):
    validation = text_of(site / "validation.html")
    assert "include:" not in validation
    assert "The published ELBO estimator does not separate five sources" in validation
    assert (site / "_images" / "figure4.png").is_file()
    assert "At least three distinct values" in text_of(site / "api" / "causal_ivae.discover.html")
    for name in ("causal_ivae.IVAE", "causal_ivae.anatomy.load_prior"):
        assert f'id="{name}"' in text_of(site / "api" / f"{name}.html")
    columns = text_of(site / "tables.html")
    for table in TABLES:
        assert f"{table.name}.tsv" in columns
        assert all(f">{name}</span></code>" in columns for name in table.columns)
    settings = text_of(site / "settings.html")
    for key in ends(Pipeline().model_dump()):
        assert f">{key}</span></code>" in settings, key
    assert "--participant-label" in text_of(site / "command-line.html")
    assert "From series to a graph" in text_of(site / "gallery" / "index.html")


def test_no_page_of_the_site_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        loaded = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", text_of(page))
        assert not [tag for tag in loaded if re.search(r"(?:src|href)=\"(?:https?:)?//", tag)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", text_of(style)), style


def test_what_is_not_there_is_an_error(tmp_path):
    sys.path.insert(0, str(CHECKOUT / "docs"))
    try:
        import prepare
    finally:
        sys.path.pop(0)
    match = prepare._INCLUDE.search("<!-- include: reports/validation/README.md # Nothing -->")
    with pytest.raises(SystemExit, match="no section '## Nothing'"):
        prepare._included(match)


def commands(page: Path) -> list[str]:
    """Return the lines of the blocks that a reader is to run."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text_of(page), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


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
    paths = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert len(README.split()) <= 600
    assert len(re.findall(r"!\[[^\]]*\]\(", README)) == 2
    assert len(paths) >= 10
    assert all((CHECKOUT / path).is_file() for path in paths)


def test_numbers_of_the_readme_are_those_of_the_page_that_keeps_them():
    claims = re.search(r"^## What to expect\n(.*?)^## ", README, re.M | re.S).group(1)
    kept = text_of(CHECKOUT / "docs" / "pages" / "trust.md")
    numbers = re.findall(r"\b\d+\b", claims)
    assert len(numbers) >= 5
    assert [n for n in numbers if not re.search(rf"\b{n}\b", kept)] == []


def test_commands_of_the_readme_are_those_of_the_program():
    typed = re.findall(r"^    causal-ivae (.*)$", README, re.M)
    table = re.search(r"^\| from .*?\n\n", README, re.M | re.S).group(0)
    typed += [f"run {command}" for command in re.findall(r"`([^`]+ participant[^`]*)`", table)]
    for command in typed:
        build_parser().parse_args(shlex.split(command))
    assert len(typed) >= 8
