"""A record that was opened as one that lies still: did it, until the answer was over?

Even a reader makes the two files beside a database in WAL mode. Where it may not, SQLite must be
told that nothing changes while it looks; then it takes no lock and never looks again. An engine
that starts meanwhile knows nothing of that reader and must not wait for it: what it wrote goes into
the file, page by page, below an answer that is half given. So what the file was like is kept with
the connection, and looked at once more when the answer is over, however it ends.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from station.errors import WrittenMeanwhile


class Look(NamedTuple):
    """What a writer changes: its log grows with the first commit, the file itself when the log goes
    into it, and another file takes its name in a restore."""

    device: int
    inode: int
    length_bytes: int
    mtime_ns: int
    log_bytes: int


class Reader(sqlite3.Connection):
    """`began`: what `path` was like when it was opened as one that lies still; None: SQLite itself
    sees who writes."""

    path: Path
    began: Look | None = None

    def require_still(self) -> None:
        """Raises WrittenMeanwhile."""
        if self.began is not None and _look(self.path) != self.began:
            raise WrittenMeanwhile(
                f"database {self.path}: the station began to write into it while it was read"
            )


def lies_still(path: Path) -> Look | None:
    """Of a file in a folder where the caller may not write, while no log lies beside it; else None.
    In this order: a log that goes away has gone into the file."""
    if _log(path).exists() or os.access(path.parent, os.W_OK, effective_ids=True):
        return None
    return _look(path)


def require_still(connection: sa.Connection) -> None:
    """Raises WrittenMeanwhile where what this connection has read so far may be of no moment."""
    raw = connection.connection.driver_connection
    if isinstance(raw, Reader):
        raw.require_still()


def _look(path: Path) -> Look | None:
    log_bytes = 0
    with suppress(OSError):
        log_bytes = _log(path).stat().st_size
    try:
        its = path.stat()
    except OSError:
        return None
    return Look(its.st_dev, its.st_ino, its.st_size, its.st_mtime_ns, log_bytes)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
