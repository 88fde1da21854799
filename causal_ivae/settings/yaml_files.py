"""Read settings from YAML files with a safe loader that refuses repeated keys."""

from pathlib import Path
from typing import Any

import yaml

from causal_ivae.errors import InputError, SettingsError
from causal_ivae.given_files import read_text


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file of ``key: value`` pairs.

    Raises
    ------
    SettingsError
        If the file is not YAML, gives a key twice or does not hold pairs; the message names it.
    """
    try:
        tree = yaml.load(read_text(path, "The settings"), _Loader)  # noqa: S506 - a safe loader
    except RecursionError as error:
        raise SettingsError(f"'{path}' is nested too deeply to be settings.") from error
    except InputError as error:
        raise SettingsError(str(error)) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"'{path}' is not valid YAML: {reason}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(f"'{path}' must hold 'key: value' pairs, but it holds {tree!r}.")
    return _with_text_keys(tree)


class _Loader(yaml.SafeLoader):
    """Load YAML but refuse aliases and repeated keys, of which YAML would keep only the last."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                problem="settings may not refer to one another ('*')",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key '{key.value}' is there twice; keep one of them",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        content: dict[Any, Any] = super().construct_mapping(node, deep)
        return content


def _with_text_keys(tree: dict[Any, Any]) -> dict[str, Any]:
    """Return the tree with text keys, since YAML reads the key ``null`` as None."""
    return {
        "null" if key is None else str(key): (
            _with_text_keys(value) if isinstance(value, dict) else value
        )
        for key, value in tree.items()
    }
