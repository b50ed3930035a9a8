"""Rows as the database holds them, whatever its columns should hold."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

Values = Sequence[object]
"""In the order of `columns_of` their table."""

_any_text = partial(str, encoding="utf-8", errors="surrogateescape")


def read_any_text(connection: sa.Connection) -> None:
    """What is no UTF-8 is a finding, not the end of looking."""
    if (raw := _sqlite(connection)) is not None:
        raw.text_factory = _any_text


def columns_of(table: sa.Table) -> tuple[str, ...]:
    """By name."""
    return tuple(sorted(table.c.keys()))


def rows_of(
    connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]
) -> Sequence[Values]:
    columns = [sa.type_coerce(table.c[name], sa.types.NullType()) for name in columns_of(table)]
    query = sa.select(*columns).where(which)
    raw = _sqlite(connection)
    if raw is None:
        return fetched(connection, query)
    raw.text_factory = str  # several times as fast
    try:
        return fetched(connection, query)
    except sqlite3.OperationalError as error:
        if hasattr(error, "sqlite_errorcode"):  # else it is the driver's own: no UTF-8
            raise
    finally:
        raw.text_factory = _any_text
    return fetched(connection, query)


def fetched(connection: sa.Connection, query: sa.Executable) -> Sequence[Any]:
    """As the driver hands them over: a row of SQLAlchemy's about each costs as much again."""
    with connection.execute(query) as result:
        return result.cursor.fetchall()


def _sqlite(connection: sa.Connection) -> sqlite3.Connection | None:
    raw = connection.connection.driver_connection
    return raw if isinstance(raw, sqlite3.Connection) else None
