"""One engine for one database, one engine for one port.

Two locks that the kernel releases when the process dies, however it dies: `flock` on a file
beside the database, and one abstract socket name for each USB port (bound, never listened on).
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from station.errors import EngineRunning
from station.file_lock import HeldByAnother, holding
from station.model import PortPath


@contextmanager
def own(database: Path | None, ports: Iterable[PortPath]) -> Iterator[None]:
    """Hold the database (None: it is not a local file) and these real ports.

    Raises EngineRunning naming what is taken, DiskTrouble if the lock file cannot be made.
    """
    with ExitStack() as held:
        if database is not None:
            held.enter_context(_lock_database(database))
        for port in ports:
            held.enter_context(_lock_port(port))
        yield


@contextmanager
def _lock_database(database: Path) -> Iterator[None]:
    try:
        with holding(database.with_name(database.name + ".lock")):
            yield
    except HeldByAnother as error:
        raise EngineRunning(f"another station process uses the database {database}") from error


def _lock_port(port: PortPath) -> socket.socket:
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        name.bind(f"\0flashing-station/port/{port}")
    except OSError as error:
        name.close()
        raise EngineRunning(f"another station process owns the USB port {port}") from error
    return name
