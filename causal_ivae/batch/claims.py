"""Who writes what in an output folder, so that no two programs write the same subject.

A claim is a record lock (POSIX ``fcntl``) of one byte, chosen by the unit's name, in one empty
file. The system drops it with the process, however that ends, so a program that was killed keeps
nobody out; the file is never read and may stay. Network file systems pass record locks on (NFS 3
and 4, GPFS, Lustre mounted with ``flock``); where they do not, the claims say so.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL))


class Claims:
    """The units that this program writes.

    Parameters
    ----------
    path : pathlib.Path
        Of the lock file; it is made if it is not there, in an existing folder.

    Notes
    -----
    Record locks belong to the process: closing any handle of the file gives all of them back, so
    nothing else in the program may open it.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self.supported = True

    def take(self, units: Iterable[str]) -> tuple[str, ...]:
        """Claim units, and return those that another program holds.

        Where the file system has no locks, `supported` becomes False and all are taken.

        Raises
        ------
        OSError
            If locking fails for another reason.
        """
        held = []
        for unit in units:
            try:
                fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(unit))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    held.append(unit)
                elif error.errno in _NO_LOCKS:
                    self.supported = False
                    return ()
                else:
                    raise
        return tuple(held)

    def close(self) -> None:
        """Give everything back."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _place(unit: str) -> int:
    """Return the byte that stands for a unit, whatever other units there are."""
    # Files of 2^62 bytes are within what every lock protocol takes; nothing is ever written.
    return int.from_bytes(hashlib.sha256(unit.encode()).digest()[:8], "big") >> 2
