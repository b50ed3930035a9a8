"""One moment of a SQLite file as a plain file of its own, on the disk.

The record may be written meanwhile: a transaction of a reader keeps the moment, so the copy never
begins anew however busy the engine is, and no writer waits for it.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from station.durable import sync_folder
from station.errors import NoBackup
from station.store.database import BUSY_TIMEOUT_S, database_errors, reader, sqlite_url

_PAGES = 2048
"""Copied in one step: some 8 MB."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def stamp() -> str:
    """The moment as part of a file's name: `20260131T235959Z`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def copy_record(source: Path, target: Path) -> None:
    """A new file, with the rights of the old one. Raises NoBackup, DatabaseError; then there is
    no such file."""
    with copied(source, target.parent, target.name, in_full=True) as copy:
        put(copy, target)


@contextmanager
def copied(source: Path, folder: Path, name: str, *, in_full: bool) -> Iterator[Path]:
    """The same under a passing name, for as long as this is open; to be looked at, then `put`.
    `in_full` as in `settle`."""
    with database_errors(sqlite_url(source)):
        number, made = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=folder)
        os.close(number)
    copy = Path(made)
    try:
        with database_errors(sqlite_url(source)):
            like(source, copy)
            _copy(source, copy)
        settle(copy, in_full=in_full)
        yield copy
    finally:
        for tail in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + tail).unlink(missing_ok=True)


def put(copy: Path, target: Path) -> None:
    """Its lasting name, which nothing else may have. Raises NoBackup, DatabaseError."""
    with database_errors(sqlite_url(target)):
        try:
            os.link(copy, target)
        except FileExistsError as error:
            raise NoBackup(f"{target} is there already, and no file is replaced") from error
        except PermissionError:  # a disk that knows no second name of a file
            if target.exists():
                raise NoBackup(f"{target} is there already, and no file is replaced") from None
            copy.rename(target)
        sync_folder(target.parent)


def like(source: Path, copy: Path) -> None:
    """Root makes backups, too, and the station must be able to read them."""
    its = source.stat()
    copy.chmod(its.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(copy, its.st_uid, its.st_gid)


def settle(path: Path, *, in_full: bool) -> None:
    """Make it one file without a log, on the disk. `in_full`: and look whether it is whole, row by
    row; in vain where `verify`, which does so in the order of the file, is asked as well. Raises
    NoBackup, DatabaseError."""
    with database_errors(sqlite_url(path)):
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as db:
            if in_full:
                _require_whole(db)
            (mode,) = db.execute("PRAGMA journal_mode = DELETE").fetchone()
            if mode != "delete":
                raise NoBackup(f"{path} is in use by another program")
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _require_whole(db: sqlite3.Connection) -> None:
    said = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
    if said != ["ok"]:
        raise NoBackup(f"the copy is damaged: {said[0]}")
    broken = db.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise NoBackup(f"table {broken[0]} refers to rows that are not there")


def _copy(source: Path, copy: Path) -> None:
    with (
        reader(sqlite_url(source)) as connection,
        closing(sqlite3.connect(copy, isolation_level=None)) as target,
    ):
        connection.execute(sa.text("SELECT count(*) FROM sqlite_master"))  # now the moment is kept
        raw = connection.connection.driver_connection
        if not isinstance(raw, sqlite3.Connection):
            raise NoBackup(f"{source} is no SQLite file")
        target.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
        raw.backup(target, pages=_PAGES, progress=_patience())


def _patience() -> Callable[[int, int, int], None]:
    """Python itself would wait for a lock for ever."""
    last_s = time.monotonic()

    def look(status: int, _remaining: int, _total: int) -> None:
        nonlocal last_s
        if status & 0xFF not in _BUSY:
            last_s = time.monotonic()
        elif time.monotonic() - last_s > BUSY_TIMEOUT_S:
            raise NoBackup(f"another program kept the record locked for {BUSY_TIMEOUT_S:g} s")

    return look
