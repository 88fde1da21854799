"""Packages list what others may import from them: names, or modules where they have no names."""

import ast
import importlib
import types
from pathlib import Path

import pytest

import causal_ivae

ROOT = Path(causal_ivae.__file__).parent
PACKAGES = sorted(
    ".".join(file.parent.relative_to(ROOT).parts) for file in ROOT.rglob("*/__init__.py")
)
REGISTRIES = ("commands", "discovery.methods")
"""These packages import what they register, which is not what they offer."""


def is_module(package: str, name: str) -> bool:
    place = ROOT.joinpath(*package.split("."), name)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def imports(file: Path) -> set[str]:
    """Return the dotted names that a file imports from this package, a name's module included."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("causal_ivae"):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_lists_what_it_offers_and_nothing_else(package):
    module = importlib.import_module(f"causal_ivae.{package}")
    names = {name for name in module.__all__ if not is_module(package, name)}
    offered = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name not in ("TYPE_CHECKING", "on_first_use")
    }
    assert all(hasattr(module, name) for name in names)
    assert offered <= names or package in REGISTRIES


def test_code_outside_a_package_imports_only_the_modules_that_the_package_lists():
    listed = {
        package: [name for name in offered if is_module(package, name)]
        for package in PACKAGES
        if (offered := importlib.import_module(f"causal_ivae.{package}").__all__)
    }
    hidden = set()
    for file in ROOT.rglob("*.py"):
        own = "causal_ivae." + ".".join(file.relative_to(ROOT).with_suffix("").parts)
        imported = imports(file)
        for package, modules in listed.items():
            prefix = f"causal_ivae.{package}."
            if not modules or own.startswith(prefix):
                continue
            wanted = {n.removeprefix(prefix) for n in imported if n.startswith(prefix)}
            first = {name.partition(".")[0] for name in wanted}
            hidden |= {
                f"{prefix}{name} (imported by {own}) is not in __all__"
                for name in first
                if is_module(package, name) and name not in modules
            }
    assert not hidden


def test_the_top_level_offers_what_users_rely_on():
    wanted = {"discover", "discover_all", "IVAE", "TCL", "VAE", "FlowIVAE"}
    assert wanted <= set(causal_ivae.__all__)
    assert all(callable(getattr(causal_ivae, name)) for name in wanted)
