"""Define ``causal-ivae view``, which shows the pages of an output folder on this machine only."""

import webbrowser
from argparse import ArgumentParser, Namespace
from pathlib import Path

from causal_ivae.commands.command import DONE, Command, say


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="what a run wrote or writes")
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def _run(options: Namespace, _: str) -> int:
    # The server reads results, which takes longer to import than to print the help.
    from causal_ivae.commands.page_server import open_server

    server, address = open_server(options.output, options.port)
    with server:
        say(f"{options.output} is at {address} until you press Ctrl-C.")
        if not options.no_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Closed.")
    return DONE


VIEW = Command(
    name="view",
    summary="the pages of an output folder in a browser",
    description="Serve an output folder to this machine only and open its index, which follows a "
    "run that goes on and saves whom you exclude from the group in exclude.tsv.",
    add_arguments=_add_arguments,
    run=_run,
)
