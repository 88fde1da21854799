"""Serve the pages of an output folder to this machine, and save ratings of subjects."""

import json
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from secrets import compare_digest, token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlsplit

from causal_ivae.batch.live import LiveIndex
from causal_ivae.errors import CausalIvaeError, InputError, SettingsError
from causal_ivae.group import CHOICES, Rating

LOOPBACK = "127.0.0.1"
_MOST_BYTES = 16_384
"""A rating takes less."""
_HTML, _JSON = "text/html; charset=utf-8", "application/json"


class _RefusedError(Exception):
    """Stand for a request that gets an error as its answer."""

    def __init__(self, status: HTTPStatus, message: str = "") -> None:
        super().__init__(message)
        self.status = status


class _Pages(SimpleHTTPRequestHandler):
    """Answer below a secret folder: pages, the index as it is now, its changes, and ratings."""

    def __init__(self, *arguments: Any, secret: str, index: LiveIndex, **options: Any) -> None:
        self.secret, self.index = secret, index
        super().__init__(*arguments, **options)

    def do_POST(self) -> None:
        """Save the rating of a subject; nothing else can be written."""
        try:
            self.index.rate(*self._rating())
        except KeyError as error:
            self._answer(HTTPStatus.NOT_FOUND, f"There is no subject {error}.")
        except CausalIvaeError as error:
            self._answer(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"It cannot be saved: {error.strerror}.")
        except _RefusedError as refused:
            # The body of a refused request is not read, so the connection cannot be used again.
            self.close_connection = True
            self._answer(refused.status, str(refused))
        else:
            self._answer(HTTPStatus.OK, "")

    def send_head(self) -> Any:
        """Refuse requests without the secret, for another machine, or for files elsewhere."""
        try:
            self._enter()
        except _RefusedError as refused:
            self.send_error(refused.status)
            return None
        asked = urlsplit(self.path)
        if asked.path in ("/", "/index.html"):
            return self._made(_HTML, self.index.page)
        if asked.path == "/changes":
            since = parse_qs(asked.query).get("since", ["0"])[0]
            version = int(since) if since.isdecimal() else 0
            return self._made(_JSON, lambda: json.dumps(self.index.changes(version)))
        if not Path(self.translate_path(self.path)).resolve().is_relative_to(self.directory):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Tell nobody the address, which has the secret, and keep other sites from framing."""
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, path: Any) -> None:  # noqa: ARG002 - the base class gives it
        """Refuse a folder without an index."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: Any) -> None:
        """Print nothing about single requests."""

    def _enter(self) -> None:
        """Check who asks and take the secret from the path."""
        # Otherwise a foreign page could resolve its own name to this machine and read everything.
        host = self.headers.get("Host", "").partition(":")[0]
        _, secret, rest = (*self.path.split("/", 2), "", "")[:3]
        # Other people of this machine reach the port too, but the folder may be private.
        if host not in (LOOPBACK, "localhost") or not compare_digest(
            secret.encode(), self.secret.encode()
        ):
            raise _RefusedError(HTTPStatus.FORBIDDEN)
        self.path = f"/{rest}"

    def _rating(self) -> tuple[str, Rating]:
        """Read the subject and its rating from the body of the request."""
        self._enter()
        if self.path != "/rate":
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        origin = self.headers.get("Origin")
        # A page from elsewhere that learnt the address must not write either.
        if origin is not None and urlsplit(origin).netloc != self.headers.get("Host"):
            raise _RefusedError(HTTPStatus.FORBIDDEN)
        if self.headers.get_content_type() != _JSON:
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A rating is sent as JSON.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "The length is missing.")
        if int(length) > _MOST_BYTES:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too long for a rating."
            )
        try:
            content = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The rating is not JSON.") from error
        wanted = {"unit", "choice", "note"}
        if not isinstance(content, dict) or set(content) != wanted:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "A rating has unit, choice and note.")
        if not all(isinstance(value, str) for value in content.values()):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The parts of a rating are text.")
        if content["choice"] not in CHOICES:
            raise _RefusedError(
                HTTPStatus.BAD_REQUEST, "The choice is 'pass', 'exclude' or nothing."
            )
        return content["unit"], Rating(content["choice"], content["note"])

    def _made(self, kind: str, make: Any) -> Any:
        """Answer with a text that is made now, and return it as an open file."""
        try:
            content = make().encode()
        except CausalIvaeError as error:
            self.send_error(HTTPStatus.CONFLICT, explain=str(error))
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        return BytesIO(content)

    def _answer(self, status: HTTPStatus, message: str) -> None:
        content = json.dumps({"message": message or status.phrase}).encode()
        self.send_response(status)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def open_server(output: Path, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    """Make a server of an output folder that listens on the loopback address only.

    It serves files and writes nothing but ``exclude.tsv``.  Links that lead out of the folder are
    not served.

    Parameters
    ----------
    output : pathlib.Path
        Folder that a run wrote or writes.
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
        If no run has begun to write into the folder.
    SettingsError
        If the port cannot be used.
    """
    if not (output / "index.html").is_file() and not any(output.glob("logs/*/status.tsv")):
        raise InputError(
            f"'{output}' has no index.html: run 'causal-ivae run INPUT {output} participant' "
            "first, with --reports-only where its results are there already."
        )
    secret = token_urlsafe()
    folder = output.resolve()
    pages = partial(_Pages, secret=secret, index=LiveIndex(folder), directory=str(folder))
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), pages)
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"Port {port} cannot be used ({error}); leave --port out to take a free one."
        ) from error
    return server, f"http://{LOOPBACK}:{server.server_port}/{secret}/"
