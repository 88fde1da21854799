"""Define ``causal-ivae pipeline``, which lists, shows and checks pipelines and presets."""

import sys
from argparse import ArgumentParser, Namespace

from causal_ivae.commands.command import DONE, Command


def _add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="name and description of each")
    check = actions.add_parser("check", help="look for faults in a pipeline, such as your own")
    check.add_argument("name", metavar="NAME|FILE")
    show = actions.add_parser("show", help="print a pipeline, ready to copy and edit")
    show.add_argument("name", metavar="NAME|FILE")


def _run(options: Namespace, _: str) -> int:
    if options.action == "check":
        return _check(options.name)
    if options.action == "show":
        return _show(options.name)
    return _list()


def _show(name: str) -> int:
    from causal_ivae.settings import resources

    kind: resources.Kind = "denoise" if name in resources.names("denoise") else "pipelines"
    sys.stdout.write(resources.find(kind, name).read_text(encoding="utf-8"))
    return DONE


def _check(name: str) -> int:
    """Read a pipeline and everything that it names."""
    from causal_ivae.anatomy.prior import load_prior
    from causal_ivae.imaging.atlas import load_atlas
    from causal_ivae.imaging.atlas_choice import is_template
    from causal_ivae.settings.pipeline_files import load_pipeline

    pipeline = load_pipeline(name)
    load_prior(pipeline.prior)
    if pipeline.atlas is not None and not is_template(pipeline.atlas):
        atlas = load_atlas(pipeline.atlas)
        if pipeline.regions is not None:
            atlas.subset(pipeline.regions)
    print(
        f"{pipeline.name}: {', '.join(pipeline.unmixing.methods)}, segments by "
        f"{pipeline.segments.by}. No fault found."
    )
    return DONE


def _list() -> int:
    from causal_ivae.settings import resources
    from causal_ivae.settings.pipeline_files import load_pipeline
    from causal_ivae.settings.presets import load_preset

    named = {name: load_pipeline(name).description for name in resources.names("pipelines")}
    presets = {name: load_preset(name).description for name in resources.names("denoise")}
    width = max(map(len, (*named, *presets)), default=0)
    for name, description in named.items():
        print(f"{name:<{width}}  {description}")
    print("\nDenoising presets (--denoise, or denoise.preset in a pipeline):")
    for name, description in presets.items():
        print(f"{name:<{width}}  {description}")
    return DONE


PIPELINE = Command(
    name="pipeline", summary="the bundled pipelines", add_arguments=_add_arguments, run=_run
)
