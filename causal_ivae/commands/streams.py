"""Let a command go on when the reader of standard output or standard error has left."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

# A pipe that nobody reads any more, and a terminal that was closed.
_NOBODY_READS = (errno.EPIPE, errno.EIO)


class _Lasting:
    """Take what is written, whether or not somebody still reads it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; without a reader it is dropped."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._drop_the_rest(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered; without a reader it is dropped."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop_the_rest(error)

    def _drop_the_rest(self, error: OSError) -> None:
        if error.errno not in _NOBODY_READS:
            raise error
        # Python flushes at exit, and would complain of the reader again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Let a command go on when the reader of its output has left, as ``| head`` does.

    Otherwise a run of a night would end with the reader of its progress, and its exit code would
    not tell how it went.
    """
    with redirect_stdout(_lasting(sys.stdout)), redirect_stderr(_lasting(sys.stderr)):
        try:
            yield
        finally:
            # What else cannot be written, such as to a full disk, Python says at exit.
            with suppress(OSError):
                print(end="", flush=True)


def _lasting(stream: TextIO | None) -> TextIO:
    # A program that was started without a stream has None.
    return cast("TextIO", stream and _Lasting(stream))
