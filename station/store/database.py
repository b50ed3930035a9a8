"""Connections to the database, and its errors in words.

SQLite connections are made here and nowhere else: WAL so that readers never wait for the
writer, synchronous=FULL so that a commit survives a power cut, writers begin IMMEDIATE so that
what they read is still true when they write. On PostgreSQL an advisory lock does the latter.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from station.errors import DatabaseError, RecordDamaged
from station.store.still import Reader, lies_still, require_still

BUSY_TIMEOUT_S = 5.0
"""How long a call waits for another process that is writing."""

SAVE_S = BUSY_TIMEOUT_S + 1.0
"""A module that is being written waits so long for a fact to be committed; by then a lock that
another program holds was told in its own words."""

_WRITERS_LOCK = 0x57A7_1014
"""Key of the PostgreSQL advisory lock under which one transaction writes at a time."""

_SQLITE_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: f"another program kept it locked for {BUSY_TIMEOUT_S:g} s",
    sqlite3.SQLITE_LOCKED: "another program kept it locked",
    sqlite3.SQLITE_READONLY: "it must not be written (file or folder is read-only)",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_CONSTRAINT: "it refuses the row",
}

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


# --- names ------------------------------------------------------------------------------------


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def sqlite_path(url: str) -> Path | None:
    """The file behind the URL, of all links' own; None for a database server. Whatever lies beside
    it (SQLite's log, the engine's lease, results that wait) is one, by however many names the file
    goes. Raises DatabaseError."""
    name = sqlite_name(url)
    return None if name is None else Path(os.path.realpath(name))


def sqlite_name(url: str) -> Path | None:
    """The same as it is named, which may be a link. Raises DatabaseError."""
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if parsed.database in (None, "", ":memory:") or parsed.query:
        raise DatabaseError(f"{url}: the record needs a plain file, e.g. sqlite:///station.db")
    return Path(str(parsed.database))


def shown(url: str) -> str:
    """The database as people know it: the file, or the URL without its password."""
    path = sqlite_path(url)
    return str(path) if path else _parse(url).render_as_string(hide_password=True)


def _parse(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseError(
            "the database setting is not a URL such as sqlite:////var/lib/station/station.db"
        ) from error


_READ_CACHE_KIB = 64 << 10
"""A list of millions looks up as many units in an index; by SQLite's own 2 MiB it reads that index
again and again. Taken as it is needed, given back with the connection."""

# --- engines ----------------------------------------------------------------------------------


def writer_engine(url: str) -> sa.Engine:
    """One connection that writes to an existing database; each transaction excludes others."""
    return _engine(url, "rw", foreign_keys=True)


def migration_engine(url: str) -> sa.Engine:
    """As `writer_engine`, but it may create the file, and tables may be rebuilt (which needs
    foreign keys unenforced; the caller checks them afterwards)."""
    return _engine(url, "rwc", foreign_keys=False)


@lru_cache(maxsize=8)
def reader_engine(url: str) -> sa.Engine:
    """Connections that cannot write; each transaction sees one moment. The file must exist.

    One engine for each database, which keeps no connection but knows its questions: to put them
    into SQL takes longer than the answer.
    """
    path = sqlite_path(url)
    if path is None:
        with database_errors(url):
            return sa.create_engine(_parse(url), poolclass=NullPool).execution_options(
                postgresql_readonly=True, isolation_level="REPEATABLE READ"
            )
    engine = sa.create_engine("sqlite://", creator=_opener(path, "ro"), poolclass=NullPool)
    sa.event.listen(engine, "begin", _first("BEGIN"))
    return engine


@contextmanager
def reader(url: str) -> Iterator[sa.Connection]:
    """One of these connections. What was read is good once this is left in peace: raises
    WrittenMeanwhile where it may be of no moment of the record, whatever else came of that, also
    when a stream is closed before its end. And as `database_errors`."""
    with database_errors(url), reader_engine(url).connect() as connection:
        try:
            yield connection
        except (Exception, GeneratorExit):
            require_still(connection)
            raise
        require_still(connection)


def _engine(url: str, mode: str, *, foreign_keys: bool) -> sa.Engine:
    path = sqlite_path(url)
    if path is None:
        with database_errors(url):
            engine = sa.create_engine(_parse(url), pool_size=1, max_overflow=0, pool_pre_ping=True)
        sa.event.listen(engine, "begin", _first(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"))
        return engine
    engine = sa.create_engine(
        "sqlite://",
        creator=_opener(path, mode, foreign_keys=foreign_keys),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )
    sa.event.listen(engine, "begin", _first("BEGIN IMMEDIATE"))
    return engine


def _first(sql: str) -> Callable[[sa.Connection], None]:
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(sql)

    return begin


def _opener(
    path: Path, mode: str, *, foreign_keys: bool = True
) -> Callable[[], sqlite3.Connection]:
    """Opens the file in mode `ro`, `rw` or `rwc`, with the pragmas of this house."""
    pragmas = [f"busy_timeout={BUSY_TIMEOUT_S * 1000:.0f}"]
    if mode == "ro":
        pragmas += ["query_only=ON", f"cache_size=-{_READ_CACHE_KIB}"]
    else:
        pragmas += [
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
            "recursive_triggers=ON",
        ]

    def connect() -> sqlite3.Connection:
        began = lies_still(path) if mode == "ro" else None
        still = "" if began is None else "&immutable=1"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}{still}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,  # transactions are begun by us, not by the sqlite3 module
            check_same_thread=False,  # the pool hands it from one worker thread to the next
            factory=Reader,
        )
        connection.path, connection.began = path, began
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            connection.require_still()
            raise
        return connection

    return connect


# --- errors -----------------------------------------------------------------------------------


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turns whatever the database or its driver raises into DatabaseError, cause in words; into
    RecordDamaged where the file is not what was written."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, OverflowError, ImportError) as error:
        kind = RecordDamaged if _sqlite_code(error) in _DAMAGE else DatabaseError
        raise kind(f"database {shown(url)}: {_in_words(error)}") from error


def is_refused(error: DatabaseError) -> bool:
    """Whether it is about what was to be written, which no database takes at any time."""
    return isinstance(error.__cause__, IntegrityError | OverflowError)


def _sqlite_code(error: Exception) -> int:
    """SQLite's primary result code; 0 for what is not SQLite's."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(origin, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0


def _in_words(error: Exception) -> str:
    origin = error.orig if isinstance(error, DBAPIError) and error.orig else error
    first_line = (str(origin).splitlines() or [type(origin).__name__])[0]
    if isinstance(origin, ImportError):
        return f"its driver is not installed ({first_line})"
    words = _SQLITE_CAUSES.get(_sqlite_code(error))
    return f"{words} ({first_line})" if words else first_line
