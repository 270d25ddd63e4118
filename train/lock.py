"""A lock that one process at a time has; the system takes it back when the process ends, however
that may be."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from livecam.errors import LivecamError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextlib.contextmanager
def locked(path: Path, problem: str) -> Iterator[None]:
    """A file, made for it, that stays. Raises LivecamError, with the `problem`, where another
    process has locked it."""
    with path.open("ab") as file:
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError) as error:
            raise LivecamError(problem) from error
        except OSError:  # a file system that has no locks
            pass
        yield


def _lock(number: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
