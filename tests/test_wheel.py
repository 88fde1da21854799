"""The wheel that is built, run from another folder than the checkout."""

import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
        str(CHECKOUT),
    ]  # fmt: skip
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("causal_ivae-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return a folder with nothing but the wheel's content, as pip lays it out."""
    target = tmp_path_factory.mktemp("installed")
    install = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--no-index", "--target", str(target), str(wheel),
    ]  # fmt: skip
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def run_installed(installed, cwd, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, cwd=cwd, env=environment,
    )  # fmt: skip


def test_wheel_holds_one_package_and_its_resources(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "causal_ivae", f"causal_ivae-{distribution('causal-ivae').version}.dist-info",
    }  # fmt: skip
    assert "causal_ivae/py.typed" in names
    for kind, suffix in (("pipelines", ".yaml"), ("atlases", ".tsv"), ("reports", ".jinja")):
        bundled = {
            path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / kind).rglob(f"*{suffix}")
        }
        assert bundled
        assert {f"causal_ivae/_resources/{name}" for name in bundled} <= set(names)


def test_description_of_the_package_has_links_that_work_anywhere(wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    text = archive.read(name).decode()
    assert "Project-URL: Documentation, https://" in text
    assert "Description-Content-Type: text/markdown" in text
    links = re.findall(r"\]\(([^)\s]+)\)", text.partition("\n\n")[2])
    assert len(links) >= 10
    assert all(link.startswith("https://") for link in links)
    site = "https://causal-ivae.readthedocs.io/en/latest"
    assert {f"{site}/trust.html", f"{site}/example-report.html"} <= set(links)


def test_installed_wheel_finds_its_own_resources(installed, tmp_path):
    script = (
        "from causal_ivae.settings import resources; import causal_ivae; "
        "print(causal_ivae.__file__); "
        "[print(resources.folder(k)) for k in ('pipelines', 'atlases', 'priors', 'reports')]"
    )
    done = run_installed(installed, tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert all(line.startswith(str(installed)) for line in lines)


def test_installed_command_lists_pipelines_and_atlases(installed, tmp_path):
    script = "import sys; from causal_ivae.cli import main; sys.exit(main(sys.argv[1:]))"
    pipelines = run_installed(installed, tmp_path, "-c", script, "pipeline", "list")
    assert pipelines.returncode == 0, pipelines.stderr
    assert "quick" in pipelines.stdout
    atlases = run_installed(installed, tmp_path, "-c", script, "atlas", "list")
    assert atlases.returncode == 0, atlases.stderr
    assert "aal2" in atlases.stdout
    assert list(tmp_path.iterdir()) == []
