"""Are tables, guards, indexes and views those that the migrations make?

A view that was replaced answers differently without a row being changed, and a table whose guard
is gone is no longer insert-only.
"""

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from station.store.migrate import migrate_empty
from station.store.untouched_server import changed_on_server

_OBJECTS = (
    "SELECT type || ' ' || name, sql FROM sqlite_master"
    " WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))"
)


def damage_within(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """An index that leaves a row out answers differently, too: each is held against its table."""
    if connection.dialect.name != "sqlite":
        return
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check").all():
        if said != "ok":
            yield "the file", str(said)


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
