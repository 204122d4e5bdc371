"""One job at a time on one output: a lock beside the target, which the system takes back when the process ends.

The lock is the system's own, on a file `.NAME.lock`. A kill may leave the file, but never the lock. Unlike that of the
package filelock it is removed at the end, and there is no second kind of lock that a kill would leave closed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EAGAIN, EDEADLK
from pathlib import Path

from xlmrxl.errors import InputError

CONTENTION_ERRNOS = (EACCES, EAGAIN, EDEADLK)
"""What the system answers where another holds the lock. Anything else means that the file system has no locks."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        """Lock an open file at once or raise OSError."""
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        """Lock an open file at once or raise OSError."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def lock_output(target: Path) -> Iterator[None]:
    """Keep other jobs from writing the same file or folder, in this process or in another.

    Args:
        target: what is to be written, whether it exists or not; its parent folder must exist.

    Raises:
        InputError: another job is writing it. Nothing has been touched.
        OSError: no file can be made beside the target.
    """
    path = target.with_name(f".{target.name}.lock")
    file = _acquire(path, target)
    try:
        yield
    finally:
        if sys.platform == "win32":  # removes no open file; and none that the next job has opened since
            os.close(file)
        with suppress(OSError):
            path.unlink()
        if sys.platform != "win32":
            os.close(file)


def check_unlocked(target: Path) -> None:
    """Find out whether another job is writing a file or folder, before anything is prepared for it.

    Args:
        target: as for `lock_output`.

    Raises:
        InputError: another job is writing it.
        OSError: no file can be made beside the target.
    """
    with lock_output(target):
        pass


def _acquire(path: Path, target: Path) -> int:
    """Open a lock file and lock it; what was opened may have been removed meanwhile by the job that had it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            with suppress(FileNotFoundError):
                try:
                    _lock(file)
                except OSError as error:
                    if error.errno in CONTENTION_ERRNOS:
                        raise InputError(
                            f"Another job is writing {target}. Wait until it ends, or choose another target."
                        ) from None
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)
