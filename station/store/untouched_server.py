"""The same question for a PostgreSQL database. What guards there is asked for by name, and what
answers by its plan: the server's own words for both differ from version to version.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from station.store.schema import metadata

_BEFORE_ANY_CHANGE = 2 | 8 | 16 | 32
"""`tgtype`: once for a statement, before it deletes, updates or truncates."""

_RAISES = "BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is insert-only'; END"

_FUNCTION = "SELECT prosrc FROM pg_proc WHERE oid = to_regproc('refuse_change')"

_TRIGGERS = """
SELECT c.relname, t.tgname, t.tgtype, t.tgenabled,
       t.tgfoid = to_regproc('refuse_change') AND t.tgqual IS NULL
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND NOT t.tgisinternal
"""

_HIDES = """
SELECT c.relname, 'its rows are hidden by a policy'
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relrowsecurity
UNION ALL
SELECT c.relname, 'a rule does something else instead'
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND r.rulename <> '_RETURN'
ORDER BY 1
"""

_VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = current_schema()"

_LOOKS = 3


def changed_on_server(connection: sa.Connection, view: str) -> Iterator[tuple[str, str]]:
    """What differs, and how. Reads only. `view`: as the station makes `attempt`."""
    yield from _tables(connection)
    yield from _guards(connection)
    for table, why in connection.exec_driver_sql(_HIDES):
        yield f"table {table}", why
    views = set(connection.exec_driver_sql(_VIEWS).scalars())
    for name in sorted(views ^ {"attempt"}):
        yield f"view {name}", "it is none of the station's" if name in views else "it is missing"
    if "attempt" in views and not any(_answers_as(connection, view) for _ in range(_LOOKS)):
        yield "view attempt", "it is not as the station made it"


def _answers_as(connection: sa.Connection, view: str) -> bool:
    """Whether the server would do the same for the view as for what it stands for. It may come to
    know its tables better between the two, so different plans are looked at again."""
    _, _, question = view.partition(" AS ")
    try:
        with connection.begin_nested():
            return _plan(connection, "attempt") == _plan(connection, f"({question})")
    except (sa.exc.ProgrammingError, sa.exc.DataError):  # no view of the station's fails by itself
        return False


def _plan(connection: sa.Connection, source: str) -> tuple[list[str], list[str]]:
    """By what names, and how."""
    query = f"SELECT * FROM {source} AS attempt"  # noqa: S608 - a name, or the station's own view
    names = connection.exec_driver_sql(f"{query} LIMIT 0").keys()
    said = connection.exec_driver_sql(f"EXPLAIN (VERBOSE, COSTS OFF) {query}").scalars()
    return list(names), [line for line in said if not line.startswith("Query Identifier")]


def _tables(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    context = MigrationContext.configure(connection, opts={"compare_server_default": True})
    for difference in compare_metadata(context, metadata):
        yield "the schema", repr(difference)[:200]


def _guards(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    source = connection.exec_driver_sql(_FUNCTION).scalar()
    if source is None:
        yield "function refuse_change", "it is missing"
    elif " ".join(str(source).split()) != _RAISES:
        yield "function refuse_change", "it is not as the station made it"
    found = {(table, name): how for table, name, *how in connection.exec_driver_sql(_TRIGGERS)}
    for table in sorted(metadata.tables):
        how = found.pop((table, f"{table}_insert_only"), None)
        if how is None:
            yield f"trigger {table}_insert_only", "it is missing"
        elif how != [_BEFORE_ANY_CHANGE, how[1], True] or _text(how[1]) not in ("O", "A"):
            yield f"trigger {table}_insert_only", "it is not as the station made it, or disabled"
    for _, name in sorted(found):
        yield f"trigger {name}", "it is none of the station's"


def _text(value: object) -> str:
    """PostgreSQL's type "char" comes as bytes from some drivers."""
    return value.decode() if isinstance(value, bytes) else str(value)
