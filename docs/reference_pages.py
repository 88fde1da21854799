"""Pages that are made from the program itself: names, columns, settings and options."""

import importlib
import inspect
import os
import re
import tomllib
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from causal_ivae.derivatives.declaration import Table
from causal_ivae.derivatives.tables import TABLES
from causal_ivae.settings import Pipeline, UnmixingSettings
from causal_ivae.settings.base import Settings
from causal_ivae.settings.resources import find

_PACKAGES = {
    "causal_ivae": "Discovery, results and models",
    "causal_ivae.derivatives": "Graphs and results of a run",
    "causal_ivae.independence": "Tests of independence",
    "causal_ivae.unmixing.estimators": "Models",
    "causal_ivae.unmixing": "How well sources were recovered",
    "causal_ivae.anatomy": "Anatomy",
    "causal_ivae.imaging": "Reading images and tables",
    "causal_ivae.simulate": "Simulated truth",
    "causal_ivae.exports": "Other programs",
    "causal_ivae.validation.suites": "Evaluation",
}


def names() -> str:
    """Return the page that lists every public name once, under the first package that has it."""
    parts = [
        "# API reference\n\nEvery matrix has the cause in its rows and the effect in its columns."
    ]
    seen: list[Any] = []
    for package, title in _PACKAGES.items():
        module = importlib.import_module(package)
        offered = [name for name in module.__all__ if not name.startswith("_")]
        kept = []
        for name in sorted(offered, key=str.lower):
            # A package may offer modules too, and values that have no page of their own.
            thing = getattr(module, name, None)
            documented = inspect.isclass(thing) or inspect.isfunction(thing)
            if documented and thing not in seen:
                seen.append(thing)
                kept.append(name)
        rows = "\n".join(f"   {name}" for name in kept)
        parts.append(
            f"## {title}\n\n```{{eval-rst}}\n.. currentmodule:: {package}\n\n"
            f".. autosummary::\n   :toctree: api\n   :nosignatures:\n\n{rows}\n```"
        )
    return "\n\n".join(parts) + "\n"


def columns() -> str:
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
        rows = (f"| `{name}` | {_cell(column.meaning)} |" for name, column in table.columns.items())
        lines += ["\n| column | meaning |\n|---|---|", *rows]
    return "\n".join(lines)


def settings() -> str:
    """Return the page that lists every setting, its default and what it may be."""
    remarks = _remarks(find("pipelines", "default").read_text(encoding="utf-8"))
    parts = [
        "# Settings\n\nThe keys of a pipeline file, with their defaults. `causal-ivae pipeline "
        "show default` prints all of them, ready to edit; `causal-ivae pipeline check FILE` looks "
        "for faults."
    ]
    for path, model in _sections("", Pipeline):
        rows = [
            f"| `{key}` | `{_shown(field)}` | {_allowed(field)} | "
            f"{_cell(field.description or remarks.get(f'{path}{key}', ''))} |"
            for key, field in model.model_fields.items()
            if not _inner(field)
        ]
        if rows:
            title = f"`{path.rstrip('.')}`" if path else "The analysis"
            about = inspect.getdoc(model) or ""
            head = "| key | default | may be | meaning |\n|---|---|---|---|"
            parts.append(
                f"## {title}\n\n{about.partition(chr(10))[0]}\n\n{head}\n" + "\n".join(rows)
            )
    return "\n\n".join(parts) + "\n"


def _inner(field: FieldInfo) -> type[Settings] | None:
    kind = field.annotation
    return kind if inspect.isclass(kind) and issubclass(kind, Settings) else None


def _sections(path: str, model: type[Settings]) -> Iterator[tuple[str, type[Settings]]]:
    yield path, model
    blocks = UnmixingSettings.blocks() if model is UnmixingSettings else {}
    inside = {key: _inner(field) for key, field in model.model_fields.items()} | blocks
    for key, inner in inside.items():
        if inner:
            yield from _sections(f"{path}{key}.", inner)


def _shown(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "null"
    if value == "":
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _allowed(field: FieldInfo) -> str:
    """Return words for the type and the bounds of a setting."""
    bounds = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    limits = [
        f"{word} {getattr(mark, name):g}"
        for mark in field.metadata
        for name, word in bounds.items()
        if getattr(mark, name, None) is not None
    ]
    return ", ".join([_kind(field.annotation), *limits])


def _kind(annotation: Any) -> str:
    if annotation is None or annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}"
    if inspect.isclass(annotation):
        words = {"str": "text", "int": "whole number", "float": "number", "bool": "true, false"}
        return words[annotation.__name__]
    parts = [_kind(part) for part in get_args(annotation) if not hasattr(part, "gt")]
    return " or ".join(part for part in parts if part)


def _remarks(text: str) -> dict[str, str]:
    """Return the remark beside every key of a pipeline file, by its dotted path."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    last = ""
    for line in text.splitlines():
        key = re.match(r"^(\s*)\"?([\w]+)\"?:[^#]*(?:#\s*(.*))?$", line)
        if key:
            depth = len(key[1])
            path = [(d, name) for d, name in path if d < depth] + [(depth, key[2])]
            last = ".".join(name for _, name in path)
            found[last] = key[3] or ""
        elif last and (more := re.match(r"^\s+#\s*(.*)$", line)):
            found[last] += f" {more[1]}"
    return found


def _cell(text: str) -> str:
    """Return text that may stand in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("*", "\\*")


def options() -> str:
    """Return the page of the command line, as ``--help`` prints it."""
    os.environ["COLUMNS"] = "100"
    from causal_ivae.cli import build_parser

    parts = ["# Command line\n\nWhat `--help` prints."]
    for name, parser in _commands(build_parser()):
        parts.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _commands(parser: ArgumentParser) -> Iterator[tuple[str, ArgumentParser]]:
    yield parser.prog, parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                yield from _commands(inner)


def versions(root: Path) -> str:
    """Return the table of dependencies, their ranges and the versions that were tested together."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = dict(
        line.lower().replace("_", "-").split("==")
        for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    users = ("atlases", "cluster", "excel", "hdf5", "lingam", "parquet", "segments", "skeleton")
    rows = [("", text) for text in project["dependencies"]]
    rows += [(extra, text) for extra in users for text in project["optional-dependencies"][extra]]
    lines = ["| package | extra | range | tested with |", "|---|---|---|---|"]
    for extra, text in rows:
        name, limits = re.match(r"([\w.-]+)(?:\[\w+\])?(.*)", text).groups()
        tested = pinned.get(name.lower(), "")
        lines.append(f"| {name} | {extra} | `{limits}` | {tested} |")
    return "\n".join(lines)


def write_all(folder: Path) -> None:
    """Write the four pages."""
    for stem, text in {
        "api": names(),
        "tables": columns(),
        "settings": settings(),
        "command-line": options(),
    }.items():
        (folder / f"{stem}.md").write_text(text, encoding="utf-8")
