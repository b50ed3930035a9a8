"""A file that one process at a time holds; the kernel lets go of it however the process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from station.errors import DiskTrouble


class HeldByAnother(Exception):
    """Another process has the lock."""


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, made if it is not there; it stays behind.

    Raises HeldByAnother, DiskTrouble if it cannot be made.
    """
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HeldByAnother(str(path)) from error
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be opened: {error.strerror}") from error
