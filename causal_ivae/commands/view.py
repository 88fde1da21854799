"""Define ``causal-ivae view``, which shows the pages of an output folder on this machine only."""

import webbrowser
from argparse import ArgumentParser, Namespace
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import compare_digest, token_urlsafe
from typing import Any

from causal_ivae.commands.command import DONE, Command, say
from causal_ivae.errors import InputError, SettingsError

LOOPBACK = "127.0.0.1"


class _Pages(SimpleHTTPRequestHandler):
    """Answer GET and HEAD below a secret folder like the base class, but list no folders."""

    def __init__(self, *arguments: Any, secret: str, **options: Any) -> None:
        self.secret = secret
        super().__init__(*arguments, **options)

    def send_head(self) -> Any:
        """Refuse requests without the secret, for another machine, or for files elsewhere."""
        # Otherwise a foreign page could resolve its own name to this machine and read everything.
        host = self.headers.get("Host", "").partition(":")[0]
        _, secret, rest = (*self.path.split("/", 2), "", "")[:3]
        # Other people of this machine reach the port too, but the folder may be private.
        if host not in (LOOPBACK, "localhost") or not compare_digest(
            secret.encode(), self.secret.encode()
        ):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        self.path = f"/{rest}"
        if not Path(self.translate_path(self.path)).resolve().is_relative_to(self.directory):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:  # noqa: ARG002 - the base class gives it
        """Refuse a folder without an index."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: Any) -> None:
        """Print nothing about single requests."""


def open_server(output: Path, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    """Make a server of an output folder that listens on the loopback address only.

    Links that lead out of the folder are not served.

    Parameters
    ----------
    output : pathlib.Path
        Folder with an ``index.html``, as a run writes it.
    port : int, default 0
        Port to listen on; 0 for any free port.

    Returns
    -------
    server : ThreadingHTTPServer
    address : str
        Address of the index, with a random part without which nothing is served.

    Raises
    ------
    InputError
        If the folder has no index.
    SettingsError
        If the port cannot be used.
    """
    if not (output / "index.html").is_file():
        raise InputError(
            f"'{output}' has no index.html: run 'causal-ivae run INPUT {output} participant "
            "--reports-only' to write it from the results there."
        )
    secret = token_urlsafe()
    pages = partial(_Pages, secret=secret, directory=str(output.resolve()))
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), pages)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"Port {port} cannot be used ({error}); leave --port out to take a free one."
        ) from error
    return server, f"http://{LOOPBACK}:{server.server_port}/{secret}/"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="what a run wrote")
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def _run(options: Namespace, _: str) -> int:
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
    description="Serve an output folder to this machine only, read only, and open its index.",
    add_arguments=_add_arguments,
    run=_run,
)
