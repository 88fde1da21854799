"""Takes measured numbers and columns of tables from where they are kept: no page has a copy.

``<!-- include: FILE -->`` is replaced by a Markdown file of the repository, and
``<!-- include: FILE # HEADING -->`` by the section under one of its headings.
"""

import re
from pathlib import Path
from posixpath import normpath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from causal_ivae.derivatives.declaration import Table
from causal_ivae.derivatives.tables import TABLES

_ROOT = Path(__file__).resolve().parents[1]
_FIGURE = "figure4/figure4.png"
_INCLUDE = re.compile(r"^<!-- include: (?P<file>[^#\n]+?)(?: # (?P<heading>.+?))? -->$", re.M)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the figure that the validation page shows, and the page of the tables' columns."""
    source = _ROOT / "reports" / "validation" / _FIGURE
    files.append(File.generated(config, _FIGURE, abs_src_path=str(source)))
    files.append(File.generated(config, "tables.md", content=_columns()))
    return files


def _columns() -> str:
    """Return the page that lists the columns of every table."""
    return "\n\n".join(["# Columns of the tables", *(_table(table) for table in TABLES)]) + "\n"


def _table(table: Table) -> str:
    of = {"subject": "subject, pooled", "group": "group", "any": "subject, pooled, group"}
    written = f"Of every run: `{table.name}.tsv`."
    if table.level != "run":
        method = "_meas-<method>" if table.by_method else ""
        written = f"Of {of[table.level]}: `..{method}_{table.name}.tsv`."
    title = f"{table.name} (group)" if table.level == "group" else table.name
    lines = [f"## {title}\n", f"{table.about} {written}"]
    if table.columns:
        rows = (f"| `{name}` | {column.meaning} |" for name, column in table.columns.items())
        lines += ["\n| column | meaning |\n|---|---|", *rows]
    return "\n".join(lines)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace what is to be included."""
    return _INCLUDE.sub(_included, markdown)


def _included(match: "re.Match[str]") -> str:
    file = _ROOT / match["file"].strip()
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
        raise PluginError(f"'{name}' has no section '## {heading}'.")
    return found[1]


def _in_site(link: "re.Match[str]", folder: Path) -> str:
    """Show pictures, and name files of the repository where a link would lead nowhere."""
    path = normpath((folder.relative_to(_ROOT) / link[3]).as_posix())
    if link[1]:
        return f"![{link[2]}]({path.removeprefix('reports/validation/')})"
    return f"{link[2]} (`{path}`)"
