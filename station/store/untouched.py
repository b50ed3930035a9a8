"""Are tables, guards, indexes and views those that the migrations make?

A view that was replaced answers differently without a row being changed, and a table whose guard
is gone is no longer insert-only.
"""

import sqlite3
from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from station.store.indexes import misplaced
from station.store.migrate import migrate_empty
from station.store.untouched_server import changed_on_server

_OBJECTS = "SELECT type || ' ' || name, sql FROM sqlite_master"


def damage_within(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Pages, rows out of their place, indexes: any of them answers differently, too."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        return
    said = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
    damage = [("the file", str(what)) for what in said if what != "ok"]
    encoding = connection.exec_driver_sql("PRAGMA encoding").scalar()
    if encoding != "UTF-8":  # SQLite reads and compares other text differently
        damage.append(("the file", f"its text is {encoding}"))
    yield from damage or misplaced(raw, _as_made(connection))


def changed_schema(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """What differs, and how."""
    if connection.dialect.name != "sqlite":
        yield from changed_on_server(connection)
        return
    there, wanted = _objects(connection), _fresh()
    for name in sorted(there.keys() | wanted.keys()):
        if name not in there:
            yield name, "it is missing"
        elif name not in wanted:
            yield name, "it is none of the station's"
        elif there[name] != wanted[name]:
            yield name, "it is not as the station made it"


def _as_made(connection: sa.Connection) -> dict[str, str | None]:
    there, wanted = _objects(connection), _fresh()
    return {name: sql for name, sql in wanted.items() if name in there and there[name] == sql}


def _objects(connection: sa.Connection) -> dict[str, str | None]:
    rows = connection.exec_driver_sql(_OBJECTS).all()
    return {str(name): sql and " ".join(str(sql).split()) for name, sql in rows}


@cache
def _fresh() -> dict[str, str | None]:
    """Of a record with nothing in it."""
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            migrate_empty(connection)
            return _objects(connection)
    finally:
        engine.dispose()
