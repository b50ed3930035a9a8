"""Is each row found by its key, and by each index that lists it; does an index list what its table
holds, and nothing else? An index that leaves a row out answers as if there were none, and so does
one in which a row is listed and cannot be found: whoever goes through an index reads an entry as a
whole, whoever looks for it compares bytes.

SQLite's `integrity_check` looks each row up in each index in the order of the table: that is chance
reads, for hours where a record is larger than memory. Here what a table holds is sorted, on disk if
need be, and then looked for in the order of the index. An index is read as questions read it:
entries that SQLite seeks past, NULLs in an index of what is not NULL, are seen by neither.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_CHUNK = 1000
_SHOWN = 200


def misplaced(
    db: sqlite3.Connection, made: Mapping[str, str | None], tables: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """What is out of place, and how. `made`: tables and indexes that are as the station makes them,
    as "table attempt_opened", and their SQL; others are asked nothing. Raises sqlite3.Error."""
    for table in tables:
        if f"table {table}" in made:
            yield from _misplaced_in(db, table, made)


def _misplaced_in(
    db: sqlite3.Connection, table: str, made: Mapping[str, str | None]
) -> Iterator[tuple[str, str]]:
    indexes = dict(db.execute("SELECT name, origin = 'pk' FROM pragma_index_list(?)", [table]))
    is_its_key = "WITHOUT ROWID" in (made[f"table {table}"] or "")
    own = next((name for name, is_key in indexes.items() if is_key and is_its_key), None)
    way = "NOT INDEXED" if own is None else f'INDEXED BY "{own}"'
    if own is not None:
        key = _columns(db, own, is_key=True)
        if lost := _lost(db, table, own, key, _held(table, way, "", key)):
            yield f"table {table}", f"{lost} of its rows are not found by their keys"
    for index in sorted(indexes.keys() - {own}):
        if (what := f"index {index}") in made:
            columns, condition = _columns(db, index), _condition(made[what])
            held = _held(table, way, condition, columns)
            if why := _unlike(db, _kept(table, index, condition, columns), held):
                yield what, why
            elif own and (lost := _lost(db, table, index, columns, held, condition)):
                yield what, f"{lost} of the rows that it lists are not found by it"


def _held(table: str, way: str, condition: str, columns: Sequence[str]) -> str:
    """What a table holds, in the order that an index shall have."""
    named = ", ".join(columns)
    return f'SELECT {named} FROM "{table}" {way}{condition} ORDER BY {named}'  # noqa: S608 - its own names


def _kept(table: str, index: str, condition: str, columns: Sequence[str]) -> str:
    """What an index lists, in the order that it has."""
    return f'SELECT {", ".join(columns)} FROM "{table}" INDEXED BY "{index}"{condition}'  # noqa: S608 - too


def _lost(
    db: sqlite3.Connection,
    table: str,
    index: str,
    columns: Sequence[str],
    held: str,
    condition: str = "",
) -> int:
    """How many rows are not found by it. The condition begins with a column. With LIMIT, SQLite
    keeps to the order inside: else it is no part of the question, and rows come by chance."""
    same = " AND ".join(f"x.{column} IS held.{column}" for column in columns)
    which = condition.replace(" WHERE ", " AND x.", 1)
    (count,) = db.execute(
        f"SELECT count(*) FROM ({held} LIMIT -1) AS held WHERE NOT EXISTS"  # noqa: S608 - its own names
        f' (SELECT 1 FROM "{table}" AS x INDEXED BY "{index}" WHERE {same}{which})'
    ).fetchone()
    return int(count)


def _columns(db: sqlite3.Connection, index: str, *, is_key: bool = False) -> list[str]:
    """All that it holds, with the key of the row; or what it is in the order of."""
    rows = db.execute("SELECT name, key FROM pragma_index_xinfo(?)", [index]).fetchall()
    return [
        "rowid" if name is None else f'"{name}"' for name, of_key in rows if of_key or not is_key
    ]


def _condition(sql: str | None) -> str:
    """Of an index that lists some of the rows: ` WHERE ...`."""
    _, where, condition = (sql or "").partition(" WHERE ")
    return where + condition


def _unlike(db: sqlite3.Connection, kept: str, held: str) -> str | None:
    """Why an index is not what its table holds, sorted: both have the same entries in the same
    order, or the first that differs."""
    lists, holds = _chunks(db, kept), _chunks(db, held)
    factory, db.text_factory = db.text_factory, str  # the fastest; other text is told
    try:
        while True:
            has, wanted = next(lists, []), next(holds, [])
            if has != wanted:
                return _difference(has, wanted)
            if not has:
                return None
    except sqlite3.OperationalError as error:
        return _no_text(error)
    finally:
        db.text_factory = factory


def _no_text(error: sqlite3.OperationalError) -> str:
    """The driver's only error of its own, without a code of SQLite's. Raises any other again."""
    if hasattr(error, "sqlite_errorcode"):
        raise error
    return "it holds text that is no UTF-8"


def _difference(has: Sequence[Any], wanted: Sequence[Any]) -> str:
    at = next(
        (n for n, (one, other) in enumerate(zip(has, wanted, strict=False)) if one != other),
        min(len(has), len(wanted)),
    )
    there = [ascii(rows[at])[:_SHOWN] if at < len(rows) else "no more" for rows in (wanted, has)]
    return f"it does not list what its table holds: that has {there[0]}, it {there[1]}"


def _chunks(db: sqlite3.Connection, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """All but the last have the same length."""
    cursor = db.execute(query)
    while rows := cursor.fetchmany(_CHUNK):
        yield rows
