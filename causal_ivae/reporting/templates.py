"""Render pages from the bundled templates, or from a user's own."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from causal_ivae.drawing import wording
from causal_ivae.errors import SettingsError
from causal_ivae.settings import resources

_STYLE, _SCRIPT = "style.css", "report.js"
_SUFFIX = ".jinja"


def render(template: str, page: Mapping[str, Any], folder: Path | None = None) -> str:
    """Render a page with its style sheet, its script and a policy that forbids everything else.

    Parameters
    ----------
    template : str
        File name of the template, for instance ``"subject.html.jinja"``.
    page : mapping
        Variables of the template.
    folder : pathlib.Path, optional
        Folder of a user's own templates, style sheet and script; bundled files replace those that
        it lacks.
    """
    environment = _environment(folder)
    style, script = (_source(environment, name) for name in (_STYLE, _SCRIPT))
    # The page's policy allows only the script with this digest, and forbids every request.
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        **{"live": None, "style": style, "script": script, "script_digest": digest, **page}
    )


def render_part(template: str, variables: Mapping[str, Any], folder: Path | None = None) -> str:
    """Render a template that is part of a page; arguments are those of `render`."""
    return _environment(folder).get_template(template).render(**variables)


def render_macro(template: str, macro: str, *arguments: Any) -> str:
    """Render what a macro of a bundled template makes of its arguments."""
    return str(getattr(_environment(None).get_template(template).module, macro)(*arguments))


def check_templates(folder: Path) -> None:
    """Check a user's folder of templates before anything is estimated.

    Raises
    ------
    SettingsError
        If the folder does not exist, holds none of the files that would be used, or holds a
        template that cannot be parsed.
    """
    if not folder.is_dir():
        raise SettingsError(f"Templates '{folder}': there is no such folder.")
    bundled = resources.folder("reports")
    known = [*sorted(path.name for path in bundled.glob(f"*{_SUFFIX}")), _STYLE, _SCRIPT]
    own = [name for name in known if (folder / name).is_file()]
    if not own:
        raise SettingsError(
            f"Templates '{folder}': holds none of {', '.join(known)}. Copy one of them from "
            f"'{bundled}' and edit it."
        )
    environment = _environment(folder)
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            environment.parse(path.read_text(encoding="utf-8"), filename=str(path))
        except TemplateSyntaxError as error:
            raise SettingsError(
                f"Template '{path}', line {error.lineno}: {error.message}"
            ) from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"Template '{path}' is not UTF-8 text; save it as such.") from error


@cache
def _environment(folder: Path | None) -> Environment:
    bundled = resources.folder("reports")
    # A template from elsewhere must not run code of its own, whose checks take time.
    kind = Environment if folder is None else SandboxedEnvironment
    environment = kind(
        loader=FileSystemLoader([bundled] if folder is None else [folder, bundled]),
        # select_autoescape() would not escape *.html.jinja.
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        p=wording.p_text,
        percent=wording.percent,
        signed=wording.signed,
        number=wording.number,
        level=wording.level,
        duration=wording.duration,
        sortable=_sort_key,
    )
    environment.globals.update(count=wording.count, missing=wording.is_missing)
    return environment


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, name)
    return text


def _sort_key(value: Any) -> str:
    """Return the text by which a table is sorted; it is empty for missing values."""
    return "" if wording.is_missing(value) else f"{float(value):.9g}"
