"""Define ``causal-ivae atlas``, which lists, fetches and checks atlases."""

from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import DONE, Command, say
from causal_ivae.errors import InputError, SettingsError, nearest


def _add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name, kind, regions, space and citation of each")
    fetch = actions.add_parser("fetch", help="fetch a published atlas from TemplateFlow")
    fetch.add_argument("name", metavar="NAME", help="such as schaefer100 or difumo64")
    check = actions.add_parser("check", help="look for faults in an atlas, such as your own")
    check.add_argument("name", metavar="NAME|FILE", help="label image, maps or table of regions")


def _run(options: Namespace, _: str) -> int:
    if options.action == "check":
        return _check(options.name)
    if options.action == "fetch":
        return _fetch(options.name)
    return _list()


def _list() -> int:
    from causal_ivae.imaging.atlas import list_atlases
    from causal_ivae.imaging.published_atlases import PUBLISHED, is_at_hand

    atlases = list_atlases()
    width = max(
        len(name) for name in (*(row.name for row in atlases), *(a.name for a in PUBLISHED))
    )
    for row in atlases:
        needs = f" [needs {row.needs}]" if row.needs else ""
        print(
            f"{row.name:<{width}}  {row.kind:<11} {row.regions:>4} regions  {row.space}"
            f"  {row.citation}{needs}"
        )
    print("\nPublished atlases, from TemplateFlow (fetched where they are used, or before):")
    for atlas in PUBLISHED:
        there = (
            "at hand" if is_at_hand(atlas) else f"not fetched: causal-ivae atlas fetch {atlas.name}"
        )
        print(
            f"{atlas.name:<{width}}  {atlas.kind:<11} {atlas.regions:>4} regions  "
            f"{atlas.template}  {atlas.citation} [{there}]"
        )
    return DONE


def _fetch(name: str) -> int:
    from causal_ivae.imaging.published_atlases import PUBLISHED, fetch, find_published

    atlas = find_published(name)
    if atlas is None:
        known = [published.name for published in PUBLISHED]
        raise SettingsError(f"No published atlas '{name}'. {nearest(name, known)}")
    fetch(atlas, say)
    print(f"{atlas.name}: at hand")
    return DONE


def _check(name: str) -> int:
    from causal_ivae.imaging.atlas import load_atlas
    from causal_ivae.imaging.atlas_check import check_atlas

    atlas = load_atlas(name)
    found = check_atlas(atlas)
    print(f"{atlas.name}: {atlas.kind}, {len(atlas.names)} regions, space {atlas.space}")
    print(f"Table   {atlas.source}")
    if atlas.image is not None:
        print(f"Image   {atlas.image}")
    for text in found.remarks:
        print(f"Remark  {text}")
    if found.problems:
        raise InputError(f"Atlas '{atlas.name}' cannot be used. {' '.join(found.problems)}")
    print("No fault found.")
    return DONE


ATLAS = Command(
    name="atlas",
    summary="which atlases there are, fetch one, or check your own",
    add_arguments=_add_arguments,
    run=_run,
)
