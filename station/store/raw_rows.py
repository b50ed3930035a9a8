"""Rows as the database holds them, whatever its columns should hold."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice

import sqlalchemy as sa

Values = Sequence[object]
"""In the order of `columns_of` their table."""

_CHUNK = 1000

_any_text = partial(str, encoding="utf-8", errors="surrogateescape")


def read_any_text(connection: sa.Connection) -> None:
    """What is no UTF-8 is a finding, not the end of looking."""
    if (raw := _sqlite(connection)) is not None:
        raw.text_factory = _any_text


def columns_of(table: sa.Table) -> tuple[str, ...]:
    """By name."""
    return tuple(sorted(table.c.keys()))


def rows_of(
    connection: sa.Connection,
    table: sa.Table,
    which: sa.ColumnElement[bool],
    columns: Sequence[str] = (),
) -> Iterator[Values]:
    """A few at a time, however many there are; other questions may be asked meanwhile. `columns`:
    those that are wanted, by default all."""
    wanted = [table.c[name] for name in columns or columns_of(table)]
    query = sa.select(*[sa.type_coerce(one, sa.types.NullType()) for one in wanted]).where(which)
    given = 0
    try:
        for row in _rows(connection, query, str):  # half the time of any text
            yield row
            given += 1
    except sqlite3.OperationalError as error:
        if hasattr(error, "sqlite_errorcode"):  # else it is the driver's own: no UTF-8
            raise
    else:
        return
    yield from islice(_rows(connection, query, _any_text), given, None)


def _rows(
    connection: sa.Connection, query: sa.Executable, text: Callable[[bytes], str]
) -> Iterator[Values]:
    """As the driver hands them over: a row of SQLAlchemy's about each costs as much again."""
    raw = _sqlite(connection)
    with connection.execute(query) as result:
        while True:
            if raw is not None:
                raw.text_factory = text
            try:
                rows = result.cursor.fetchmany(_CHUNK)
            finally:
                read_any_text(connection)
            if not rows:
                return
            yield from rows


def _sqlite(connection: sa.Connection) -> sqlite3.Connection | None:
    raw = connection.connection.driver_connection
    return raw if isinstance(raw, sqlite3.Connection) else None
