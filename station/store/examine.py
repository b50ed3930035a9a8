"""Looking after the record: is the file whole, how far has it come? Reads only."""

import sqlite3
import threading

import sqlalchemy as sa

from station.errors import RecordDamaged
from station.store import schema
from station.store.database import reader, shown, sqlite_path
from station.store.reading import nothing_to_save, reading
from station.store.revision import require_there

_MOST_PROBLEMS = 20

_KEYS = tuple(
    table.c.id for table in schema.metadata.sorted_tables if "id" in table.primary_key.columns
)
"""Of every table whose last row may count: what was decided about a unit, and the like."""

_TIMES = (schema.attempt_opened.c.started_utc_us, schema.station_event.c.utc_us)
"""Those with an index: the answer is there at once, however long the record is."""


def newest_utc_us(url: str) -> int | None:
    """When the latest attempt or event began, UTC; None in an empty record. Raises as `reading`."""
    with reading(url) as connection:
        times = [connection.scalar(sa.select(sa.func.max(column))) for column in _TIMES]
    known = [int(time_us) for time_us in times if time_us is not None]
    return max(known, default=None)


def newest_key(url: str) -> str | None:
    """The greatest key of any row. Raises as `reading`."""
    with reading(url) as connection:
        keys = [connection.scalar(sa.select(sa.func.max(column))) for column in _KEYS]
    return max((str(key) for key in keys if key is not None), default=None)


def damage(url: str, limit_s: float) -> list[str] | None:
    """What SQLite's `quick_check` complains of, [] for a sound file; None if `limit_s` was not
    enough, or the database is no file. Raises NoDatabase, RecordDamaged, HistoryTrouble,
    WrittenMeanwhile."""
    if sqlite_path(url) is None:
        return None
    require_there(url)
    with nothing_to_save(), reader(url) as connection:
        return _quick_check(connection, limit_s)


def require_whole(url: str, limit_s: float) -> None:
    """Raises RecordDamaged with what is found to be damaged within this time."""
    problems = damage(url, limit_s)
    if problems:
        raise RecordDamaged(f"database {shown(url)}: the file is damaged ({problems[0]})")


def _quick_check(connection: sa.Connection, limit_s: float) -> list[str] | None:
    """Interrupted from outside: all pages are looked at by one instruction of SQLite's machine, so
    that it asks nobody in between, for minutes where the record is large."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        return None
    over = threading.Timer(limit_s, raw.interrupt)
    over.start()
    try:
        rows = raw.execute(f"PRAGMA quick_check({_MOST_PROBLEMS})").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        over.cancel()
        over.join()
    said = [str(row[0]) for row in rows]
    return [] if said == ["ok"] else said
