"""Define ``causal-ivae atlas``, which lists the bundled atlases or checks a user's own."""

from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import DONE, Command
from causal_ivae.errors import InputError


def _add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name, kind, regions, space and citation of each")
    check = actions.add_parser("check", help="look for faults in an atlas, such as your own")
    check.add_argument("name", metavar="NAME|FILE", help="label image, maps or table of regions")


def _run(options: Namespace, _: str) -> int:
    if options.action == "check":
        return _check(options.name)
    return _list()


def _list() -> int:
    from causal_ivae.imaging.atlas import list_atlases

    atlases = list_atlases()
    width = max((len(row.name) for row in atlases), default=0)
    for row in atlases:
        needs = f" [needs {row.needs}]" if row.needs else ""
        print(
            f"{row.name:<{width}}  {row.kind:<11} {row.regions:>4} regions  {row.space}"
            f"  {row.citation}{needs}"
        )
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
    summary="the bundled atlases, or a check of your own",
    add_arguments=_add_arguments,
    run=_run,
)
