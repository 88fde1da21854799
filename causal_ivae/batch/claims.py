"""Claim the units that a program writes, so that no two programs write the same subject.

A program holds one lock as long as it runs, and a small file for each unit that it writes names
this lock.  The system releases the lock when the process ends in any way, so that a killed program
blocks nobody.  There is one lock for all units, since each lock takes an open file and a cohort may
have more subjects than a process may have open files.  Network file systems support locks (NFS 3
and 4, GPFS, Lustre mounted with ``flock``); if one does not, `Claims.supported` becomes false.
"""

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Self
from uuid import uuid4

from filelock import FileLock, Timeout

FOLDER = ".causal-ivae-claims"
"""The folder of claims in an output folder has this name."""

_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL))


class Claims:
    """Hold the units that this program writes.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the locks and claims, which is made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._name = folder, f"{uuid4().hex}.lock"
        self._own = self._lock(self._name)
        self._taken: list[str] = []
        self.supported = True

    def take(self, units: Iterable[str]) -> tuple[str, ...]:
        """Claim units and return those that another program holds.

        If the file system has no locks, `supported` becomes False and no unit counts as held.

        Raises
        ------
        OSError
            If locking fails for another reason.
        """
        try:
            with self._lock("taking.lock"):
                self._own.acquire(blocking=False)
                # Units that this program claimed before do not count as held.
                running = {self._name: False}
                held = []
                for unit in units:
                    if self._is_held(unit, running):
                        held.append(unit)
                    else:
                        (self._folder / unit).write_text(self._name, encoding="ascii")
                        self._taken.append(unit)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            self.supported = False
            return ()
        return tuple(held)

    def close(self) -> None:
        """Release all claims."""
        for unit in self._taken:
            (self._folder / unit).unlink(missing_ok=True)
        self._own.release()
        (self._folder / self._name).unlink(missing_ok=True)

    def _is_held(self, unit: str, running: dict[str, bool]) -> bool:
        """Check whether a running program claims a unit."""
        claim = self._folder / unit
        if not claim.exists():
            return False
        name = claim.read_text(encoding="ascii")
        if name not in running:
            running[name] = self._is_locked(name)
        return running[name]

    def _is_locked(self, name: str) -> bool:
        lock = self._lock(name)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        # A lock that nobody holds was left by a killed program.
        (self._folder / name).unlink(missing_ok=True)
        return False

    def _lock(self, name: str) -> FileLock:
        # filelock's fallback for file systems without locks would outlive a killed program.
        return FileLock(self._folder / name, thread_local=False, fallback_to_soft=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
