"""The recipes of images: no engine is needed to see that their steps work."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
RECIPES = ("Dockerfile", "causal-ivae.def")


def steps(recipe: str) -> list[list[str]]:
    """Return the commands that a recipe runs to build an image, the torch backend left open."""
    text = (CHECKOUT / recipe).read_text(encoding="utf-8")
    if recipe.endswith(".def"):
        lines = re.search(r"%post\n(.*?)\n\n", text, re.S).group(1).splitlines()
        lines = [line for line in lines if not line.strip().startswith("cd ")]
    else:
        lines = re.findall(r"^RUN (.*)$", text, re.M)
    backend = re.compile(r"\$\{TORCH\}|\{\{ TORCH \}\}")
    return [shlex.split(backend.sub("TORCH", line)) for line in lines]


def test_both_recipes_take_the_same_steps():
    one, other = (steps(recipe) for recipe in RECIPES)
    assert one == other
    assert len(one) == 3


def test_extras_of_the_image_exist():
    [requirement] = [word for word in steps("Dockerfile")[1] if word.startswith(".[")]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(requirement[2:-1].split(","))
    assert extras <= set(project["project"]["optional-dependencies"])


def test_what_is_copied_is_all_that_a_wheel_needs(tmp_path):
    """The build context is what .dockerignore lets through, and that builds."""
    _context(tmp_path / "context")
    build = [
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path),
        str(tmp_path / "context"),
    ]  # fmt: skip
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_steps_work_in_a_clean_environment(tmp_path):
    """The steps of the image, in a virtual environment, with torch from where pip finds it."""
    context = _context(tmp_path / "context")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv" / "bin"
    for command in steps("Dockerfile"):
        if command[0] == "uv":
            # pip finds its index by itself; uv and its backends need one of torch's own.
            wanted = command[command.index("--constraint") :]
            command = ["python", "-m", "pip", "install", "--quiet", *wanted]
        command[0] = str(binaries / command[0])
        subprocess.run(command, check=True, cwd=context)
    done = subprocess.run(
        [binaries / "causal-ivae", "atlas", "list"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert "aal2" in done.stdout


def test_apptainer_copies_what_docker_does_and_nothing_else():
    text = (CHECKOUT / "causal-ivae.def").read_text(encoding="utf-8")
    files = re.search(r"%files\n(.*?)\n\n", text, re.S).group(1).splitlines()
    copied = {line.split()[0] for line in files}
    rules = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split()
    assert copied == {rule[1:] for rule in rules if rule.startswith("!")}
    assert not copied & {".", ".venv", ".git", "*"}


def _context(folder: Path) -> Path:
    """Copy what .dockerignore lets through."""
    rules = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split()
    assert rules[0] == "*"
    folder.mkdir()
    for rule in rules[1:]:
        if rule.startswith("!"):
            source = CHECKOUT / rule[1:]
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            copy(source, folder / rule[1:])
    for rule in rules[1:]:
        if not rule.startswith("!"):
            for path in folder.glob(rule):
                shutil.rmtree(path)
    return folder
