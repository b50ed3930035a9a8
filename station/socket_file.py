"""A socket in the file system: there from one moment to the next, ours only."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from station.errors import ConfigError, DiskTrouble

MAX_PATH_BYTES = 107
"""The kernel's room for the name of a unix socket (unix(7)), without the closing zero."""

_WAITING_PEERS = 64
_MODE = 0o660
"""Who may send commands: the engine's user and its group."""


@contextmanager
def listening(path: Path, mode: int = _MODE) -> Iterator[socket.socket]:
    """A listening socket at `path` until the context ends; a dead process's socket is replaced.

    The caller holds a lock, so that nobody else listens here. Raises ConfigError for a path that
    is too long or is something else than a socket, DiskTrouble if it cannot be made.
    """
    made = path.parent / f".{os.getpid()}"
    for place in (path, made):
        _check(place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        try:
            ours = _place(listener, made, path, mode)
        except OSError as error:
            with suppress(OSError):
                made.unlink()
            reason = error.strerror or error
            raise DiskTrouble(f"the socket {path} cannot be made: {reason}") from error
        try:
            yield listener
        finally:
            _remove(path, ours)


def _check(path: Path) -> None:
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ConfigError(
            f"the socket's path {path} is too long: {MAX_PATH_BYTES} bytes is the most; "
            "choose a shorter folder for it"
        )
    try:
        found = path.lstat()
    except OSError:
        return  # nothing there, or a trouble that making it will show
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(
            f"{path} is there already and is not a socket; move it away or choose another "
            "path for the socket"
        )


def _place(listener: socket.socket, made: Path, path: Path, mode: int) -> os.stat_result:
    """Made under another name and renamed, so that nobody ever finds half of it."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    made.unlink(missing_ok=True)
    listener.bind(os.fsencode(made))
    made.chmod(mode)
    listener.listen(_WAITING_PEERS)
    ours = made.lstat()
    made.rename(path)
    return ours


def _remove(path: Path, ours: os.stat_result) -> None:
    with suppress(OSError):  # it is gone, or the folder is: nothing is left to remove
        if os.path.samestat(path.lstat(), ours):
            path.unlink()
