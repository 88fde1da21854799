"""Put the source of the site together: pages, what they take from elsewhere, an example report.

    python docs/prepare.py FOLDER [--without-report]

``<!-- include: FILE -->`` in a page is replaced by a Markdown file of the repository, and
``<!-- include: FILE # HEADING -->`` by the section under one of its headings, so that no page has
a copy of a measured number.
"""

import re
import shutil
from argparse import ArgumentParser
from pathlib import Path
from posixpath import normpath

import numpy as np
import pandas as pd
import reference_pages

from causal_ivae.cli import main
from causal_ivae.simulate import simulate_bold

ROOT = Path(__file__).resolve().parents[1]
_INCLUDE = re.compile(r"^<!-- include: (?P<file>[^#\n]+?)(?: # (?P<heading>.+?))? -->$", re.M)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")
_WHOLE = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Files of the repository that are pages as they are."""
_REGIONS = ("PRC", "ERC", "CA3/DG", "CA1", "SUB")
_SHORT = """\
segments: {window_seconds: 40}
unmixing: {methods: [network, ivae], restarts: 2, ivae: {steps: 100}}
independence: {draws: 99, surrogates: 50}
decision: {resamples: 99}
power: {plants: 4}
"""
"""Settings of the example report, which is to be made quickly."""
_PICTURES = ("reports/validation/figure4/figure4.png",)


def prepare(target: Path, *, report: bool = True) -> None:
    """Write the source of the site into a new folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "pages", target)
    for page in target.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        page.write_text(_INCLUDE.sub(_included, text), encoding="utf-8")
    for name in _WHOLE:
        text = (ROOT / name).read_text(encoding="utf-8")
        (target / name.lower()).write_text(_LINK.sub(lambda link: _in_site(link, ROOT), text))
    shutil.copytree(ROOT / "docs" / "templates", target / "templates")
    for name in ("conf.py", "gallery_drawings.py"):
        shutil.copy(ROOT / "docs" / name, target)
    (target / "examples").mkdir()
    # The other scripts there write the data of the tutorials.
    for example in (ROOT / "docs" / "examples").glob("*"):
        if example.name.startswith(("plot_", "GALLERY_HEADER")):
            shutil.copy(example, target / "examples")
    for picture in _PICTURES:
        shutil.copy(ROOT / picture, target / "images")
    reference_pages.write_all(target)
    page = target / "versions.md"
    table = reference_pages.versions(ROOT)
    text = page.read_text(encoding="utf-8").replace("<!-- table of versions -->", table)
    page.write_text(text, encoding="utf-8")
    (target / "extra").mkdir()
    if report:
        _write_report(target / "extra")


def _write_report(folder: Path) -> None:
    """Simulate five people, in whom regions form a chain; run the program and keep its pages."""
    study = folder.parent / "study"
    (study / "tables").mkdir(parents=True)
    for label in ("01", "02", "03", "04", "05"):
        chain = np.eye(len(_REGIONS), k=1, dtype=bool)
        series = simulate_bold(chain, n_times=400, tr=1.0, subject=label).values
        # In the units of a scanner: around a baseline, and not equally strong everywhere.
        scales = np.random.default_rng(int(label)).uniform(5, 15, size=len(_REGIONS))
        table = pd.DataFrame(1000 + scales * series, columns=_REGIONS)
        path = study / "tables" / f"sub-{label}_timeseries.tsv"
        table.to_csv(path, sep="\t", index=False)
        path.with_suffix(".json").write_text('{"RepetitionTime": 1.0, "Simulated": true}')
    (study / "short.yaml").write_text(_SHORT, encoding="utf-8")
    code = main(
        ["run", str(study / "tables"), str(study / "results"), "participant", "group",
         "--pipeline", str(study / "short.yaml"), "--prior", "hippocampal_circuit"]
    )  # fmt: skip
    if code:
        raise SystemExit(code)
    (folder / "example").mkdir()
    for page in (study / "results").glob("*.html"):
        shutil.copy(page, folder / "example")
    shutil.rmtree(study)


def _included(match: "re.Match[str]") -> str:
    """Return what stands in the place of a line that includes something."""
    file = ROOT / match["file"].strip()
    text = file.read_text(encoding="utf-8")
    if match["heading"]:
        text = _section(text, match["heading"], file.name)
    else:
        text = text.partition("\n")[2]
    text = re.sub(r"^##", "###", text, flags=re.M)
    return _LINK.sub(lambda link: _in_site(link, file.parent), text)


def _section(text: str, heading: str, name: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise SystemExit(f"'{name}' has no section '## {heading}'.")
    return found[1]


def _in_site(link: "re.Match[str]", folder: Path) -> str:
    """Show pictures and pages, and name the files that no link of the site could lead to."""
    path = normpath((folder.relative_to(ROOT) / link[3]).as_posix())
    if link[1]:
        return f"![{link[2]}](images/{Path(path).name})"
    if path.startswith("docs/pages/"):
        return f"[{link[2]}]({path.removeprefix('docs/pages/')})"
    return f"{link[2]} (`{path}`)"


if __name__ == "__main__":
    parser = ArgumentParser(description="Put the source of the documentation together.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-report", action="store_true", help="make no example report")
    given = parser.parse_args()
    prepare(given.folder, report=not given.without_report)
