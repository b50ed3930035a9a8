"""Is each table in the order of its key, and does each index list what its table holds? A row out
of its place is not found by who asks for its key; an index that leaves a row out answers as if
there were none.

SQLite's `integrity_check` asks the same, but looks each row up in each index: that is chance reads,
for hours where a record is larger than memory. Here both sides are read in their own order, and
what the table holds is sorted, on disk if need be. An index is read as questions read it: entries
that SQLite seeks past, NULLs in an index of what is not NULL, are seen by neither.
"""

import operator
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CHUNK = 10_000
_SHOWN = 200


def misplaced(db: sqlite3.Connection, made: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """What is out of place, and how. `made`: tables and indexes that are as the station makes them,
    as "table attempt_opened", and their SQL; others are asked nothing. Raises sqlite3.Error."""
    factory, db.text_factory = db.text_factory, str  # the fastest; other text is told
    try:
        for kind, _, table in sorted(name.partition(" ") for name in made):
            if kind == "table":
                yield from _misplaced_in(db, table, made)
    finally:
        db.text_factory = factory


def _misplaced_in(
    db: sqlite3.Connection, table: str, made: Mapping[str, str | None]
) -> Iterator[tuple[str, str]]:
    indexes = dict(db.execute("SELECT name, origin = 'pk' FROM pragma_index_list(?)", [table]))
    is_its_key = "WITHOUT ROWID" in (made[f"table {table}"] or "")
    own = next((name for name, is_key in indexes.items() if is_key and is_its_key), None)
    way = "NOT INDEXED" if own is None else f'INDEXED BY "{own}"'
    key = "rowid" if own is None else _columns(db, own, is_key=True)
    if why := _out_of_order(db, f'SELECT {key} FROM "{table}" {way}'):  # noqa: S608 - its own names
        yield f"table {table}", why
    for index in sorted(indexes.keys() - {own}):
        if (what := f"index {index}") in made:
            columns = _columns(db, index)
            order = f"{_condition(made[what])} ORDER BY {columns}"
            kept = f'SELECT {columns} FROM "{table}" INDEXED BY "{index}" {order}'  # noqa: S608 - too
            held = f'SELECT {columns} FROM "{table}" {way} {order}'  # noqa: S608 - too
            if why := _unlike(db, kept, held):
                yield what, why


def _columns(db: sqlite3.Connection, index: str, *, is_key: bool = False) -> str:
    """All that it holds, with the key of the row; or what it is in the order of."""
    rows = db.execute("SELECT name, key FROM pragma_index_xinfo(?)", [index]).fetchall()
    return ", ".join(
        "rowid" if name is None else f'"{name}"' for name, of_key in rows if of_key or not is_key
    )


def _condition(sql: str | None) -> str:
    """Of an index that lists some of the rows."""
    _, where, condition = (sql or "").partition(" WHERE ")
    return where + condition


def _out_of_order(db: sqlite3.Connection, query: str) -> str | None:
    """Why the rows that are read this way do not ascend."""
    before: list[Any] = []
    try:
        for rows in _chunks(db, query):
            both = before + rows
            if any(map(operator.ge, both, both[1:])):
                return "its rows are not in the order of their keys"
            before = rows[-1:]
    except TypeError:
        return "its keys are of different kinds"
    except sqlite3.OperationalError as error:
        return _no_text(error)
    return None


def _unlike(db: sqlite3.Connection, kept: str, held: str) -> str | None:
    """Why an index is not what its table holds, sorted: both have the same entries in the same
    order, or the first that differs."""
    lists, holds = _chunks(db, kept), _chunks(db, held)
    try:
        while True:
            has, wanted = next(lists, []), next(holds, [])
            if has != wanted:
                return _difference(has, wanted)
            if not has:
                return None
    except sqlite3.OperationalError as error:
        return _no_text(error)


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
