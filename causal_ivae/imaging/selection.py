"""Keep the runs that a user asks for, and refuse choices that the user left open."""

from collections.abc import Sequence
from pathlib import Path

from causal_ivae.errors import NothingMatchedError, SettingsError
from causal_ivae.imaging.file_names import natural_key, spaces_fit, split_name
from causal_ivae.imaging.filters import Query
from causal_ivae.imaging.listing import Found
from causal_ivae.imaging.nothing_found import listed


def same_label(one: str, other: str) -> bool:
    """Check whether two names of an atlas differ in letters and digits, whatever their case."""

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    return plain(one) == plain(other)


def keep_subjects(found: list[Found], labels: Sequence[str], where: Path) -> list[Found]:
    """Keep the subjects that are asked for, all if none are."""
    if not labels:
        return found
    there = sorted({f.label for f in found}, key=natural_key)
    wanted = {label.removeprefix("sub-") for label in labels}
    unknown = sorted(wanted - set(there), key=natural_key)
    if unknown:
        raise NothingMatchedError(
            f"No data for participant {listed(unknown)} in '{where}'. "
            f"Participants there: {listed(there)}."
        )
    return [f for f in found if f.label in wanted]


def apply_query(query: Query, found: list[Found], where: Path) -> list[Found]:
    """Keep the files whose names have the entities of a filter."""
    for key, allowed in query.items():
        if allowed is None:
            kept = [f for f in found if _value(f, key) is not None]
            wanted = f"any '{key}'"
        elif not allowed:
            kept = [f for f in found if _value(f, key) is None]
            wanted = f"no '{key}'"
        else:
            kept = [f for f in found if _same(_value(f, key), allowed)]
            wanted = f"{key}-{listed(allowed)}"
        if not kept:
            there = sorted({_value(f, key) or "none" for f in found}, key=natural_key)
            raise NothingMatchedError(
                f"No run with {wanted} in '{where}'. Labels of '{key}' there: {listed(there)}."
            )
        found = kept
    return found


def _value(found: Found, key: str) -> str | None:
    if key == "sub":
        return found.label
    stem, extension = split_name(found.path.name)
    if key == "extension":
        return extension
    if key == "suffix":
        last = stem.rsplit("_", 1)[-1]
        return None if "-" in last else last
    return found.entities.get(key)


def _same(value: str | None, allowed: tuple[str, ...]) -> bool:
    # Indices may be padded with zeros, so that run 1 is also run-01; extensions may lack their dot.
    return value is not None and any(
        value == a or value == f".{a}" or (value.isdigit() and a.isdigit() and int(value) == int(a))
        for a in allowed
    )


def one_task(found: list[Found], where: Path) -> list[Found]:
    """Refuse several tasks among which nobody chose."""
    tasks = sorted({f.entities["task"] for f in found if "task" in f.entities}, key=natural_key)
    if len(tasks) > 1:
        raise SettingsError(
            f"'{where}' holds several tasks: {listed(tasks, limit=20)}. Choose one with --task."
        )
    return found


def one_space(found: list[Found], atlas_space: str | None, where: Path) -> list[Found]:
    """Choose the space that fits the atlas, and refuse several otherwise."""

    def space(item: Found) -> str:
        return item.entities.get("space", "")

    spaces = sorted({space(f) for f in found})
    if len(spaces) < 2:
        return found
    fitting = [s for s in spaces if s and atlas_space is not None and spaces_fit(s, atlas_space)]
    if len(fitting) == 1:
        return [f for f in found if space(f) == fitting[0]]
    names = listed([s or "none (native)" for s in spaces], limit=20)
    raise SettingsError(f"'{where}' holds several spaces: {names}. Choose one with --space.")


def atlas_label(entities: dict[str, str]) -> str | None:
    """Return the atlas that the name of a table mentions."""
    return entities.get("atlas") or entities.get("seg") or entities.get("segmentation")


def one_atlas(found: list[Found], atlas: str | None, where: Path) -> list[Found]:
    """Choose among tables of several atlases by the name of one, and refuse several otherwise."""
    labels = sorted({atlas_label(f.entities) or "" for f in found}, key=natural_key)
    chosen = [label for label in labels if atlas and label and same_label(label, atlas)]
    if chosen:
        return [f for f in found if atlas_label(f.entities) == chosen[0]]
    if len(labels) > 1:
        names = listed([label or "none" for label in labels], limit=20)
        raise SettingsError(
            f"'{where}' holds series of several atlases: {names}. Choose one with --atlas."
        )
    return found


def combined_echoes(found: list[Found], where: Path) -> list[Found]:
    """Leave out single echoes if their combination exists, and refuse several echoes without it."""
    combined = {_without_echo(item) for item in found if "echo" not in item.entities}
    kept = [
        item for item in found if "echo" not in item.entities or _without_echo(item) not in combined
    ]
    echoes = {item.entities["echo"] for item in kept if "echo" in item.entities}
    if len(echoes) > 1:
        raise SettingsError(
            f"'{where}' holds single echoes ({listed(sorted(echoes, key=natural_key))}) and not "
            "their combination, which fMRIPrep writes without an 'echo' in the name. Give that, or "
            "choose one echo with --bids-filter-file."
        )
    return kept


def _without_echo(item: Found) -> tuple[tuple[str, str], ...]:
    return (("label", item.label), *((k, v) for k, v in item.entities.items() if k != "echo"))
