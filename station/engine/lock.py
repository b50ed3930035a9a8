"""One engine for one database, one engine for one port.

Two locks that the kernel releases when the process dies, however it dies: `flock` on a file
beside the database, and one abstract socket name for each USB port (bound, never listened on).
"""

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from station.errors import DiskTrouble, EngineRunning
from station.model import PortPath


@contextmanager
def own(database: Path | None, ports: Iterable[PortPath]) -> Iterator[None]:
    """Hold the database (None: it is not a local file) and these real ports.

    Raises EngineRunning naming what is taken, DiskTrouble if the lock file cannot be made.
    """
    with ExitStack() as held:
        if database is not None:
            held.callback(os.close, _lock_file(database.with_name(database.name + ".lock")))
        for port in ports:
            held.enter_context(_lock_port(port))
        yield


def _lock_file(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        database = path.name.removesuffix(".lock")
        raise EngineRunning(
            f"another station process uses the database {path.parent / database}"
        ) from error
    return descriptor


def _lock_port(port: PortPath) -> socket.socket:
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        name.bind(f"\0flashing-station/port/{port}")
    except OSError as error:
        name.close()
        raise EngineRunning(f"another station process owns the USB port {port}") from error
    return name
