"""Are tables, guards, indexes and views those that the migrations make?

A view that was replaced answers differently without a row being changed, and a table whose guard
is gone is no longer insert-only.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from functools import cache

import sqlalchemy as sa

from station.store.indexes import misplaced

_OBJECTS = "SELECT type || ' ' || name, sql FROM sqlite_master"
_INDEXES = "SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'index' GROUP BY tbl_name"

_QUOTED_OR_SPACE = re.compile(r"""('[^']*'|"[^"]*")|[ \t\n\f\r]+""")
"""As SQLite reads it: any other space of Unicode is a letter there, within quotes each counts."""


def damage_within(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Pages, rows out of their place, indexes: any of them answers differently, too."""
    damage = [*other_text(connection), *damaged_pages(connection)]
    yield from damage or misplaced_rows(connection, tables_as_made(connection))


def damage_in(connection: sa.Connection, tables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The same of one table after the other. Whoever asks for all of them has asked for every page
    but the free ones."""
    for table in tables:
        yield from damaged_pages(connection, table) or misplaced_rows(connection, [table])


def damage_outside(connection: sa.Connection) -> list[tuple[str, str]]:
    """What is no table's: the text of all, and free pages, of which a record that only grows has
    none; where it has some the whole file is asked."""
    damage = other_text(connection)
    if connection.dialect.name == "sqlite":
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
        damage += damaged_pages(connection) if free else []
    return damage


def damaged_pages(connection: sa.Connection, table: str | None = None) -> list[tuple[str, str]]:
    """Of the file, or of a table and its indexes. Where there are some, no more can be said of the
    rows in them."""
    if connection.dialect.name != "sqlite":
        return []
    of = "" if table is None else f"('{table}')"
    said = connection.exec_driver_sql(f"PRAGMA quick_check{of}").scalars().all()
    return [("the file", str(what)) for what in said if what != "ok"]


def other_text(connection: sa.Connection) -> list[tuple[str, str]]:
    """SQLite reads and compares it differently."""
    if connection.dialect.name != "sqlite":
        return []
    encoding = connection.exec_driver_sql("PRAGMA encoding").scalar()
    return [] if encoding == "UTF-8" else [("the file", f"its text is {encoding}")]


def tables_as_made(connection: sa.Connection) -> list[str]:
    """Those that are as the station makes them, the one with the most indexes first: it takes the
    longest, as long as all others together. None of a server's, which looks after its own."""
    if connection.dialect.name != "sqlite":
        return []
    made = [name.partition(" ") for name in _as_made(connection)]
    indexes = {str(name): int(count) for name, count in connection.exec_driver_sql(_INDEXES)}
    tables = sorted(name for kind, _, name in made if kind == "table")
    return sorted(tables, key=lambda name: -indexes.get(name, 0))


def misplaced_rows(connection: sa.Connection, tables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """In these, and in what lists their rows."""
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        yield from misplaced(raw, _as_made(connection), tables)


def changed_schema(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """What differs, and how."""
    if connection.dialect.name != "sqlite":
        from station.store.untouched_server import changed_on_server

        yield from changed_on_server(connection, _fresh()["view attempt"] or "")
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
    return {str(name): sql and _in_one_line(str(sql)) for name, sql in rows}


def _in_one_line(sql: str) -> str:
    """Whoever put the words together for SQLite may have broken the lines elsewhere."""
    return _QUOTED_OR_SPACE.sub(lambda found: found[1] or " ", sql).strip(" ")


@cache
def _fresh() -> dict[str, str | None]:
    """Of a record with nothing in it."""
    from station.store.migrate import migrate_empty  # whoever only asks waits for no migrations

    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            migrate_empty(connection)
            return _objects(connection)
    finally:
        engine.dispose()
