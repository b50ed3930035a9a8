"""What is written stays written, whoever holds the file."""

import sqlite3
from dataclasses import replace

import pytest

from station.errors import DatabaseError
from station.model import Outcome
from station.store import schema
from station.store.facts import Facts
from tests.store.samples import (
    IDENTIFY,
    a_key,
    attempt,
    begun,
    ended,
    event,
    failed,
    fill,
    flashed,
    recorded,
    rows,
    stranger,
    verdict,
    written,
)

pytestmark = pytest.mark.sqlite

TABLES = sorted(schema.metadata.tables)


@pytest.fixture
def full(url: str) -> str:
    """A database with a row in every table."""
    flashed(url, attempt())
    recorded(url, event())
    written(url, lambda store: store.sign("line-1", a_key(), "asked"))
    fill(url, *rows(url, "SELECT id, unit_id FROM attempt_opened")[0])
    for table in TABLES:
        assert rows(url, f"SELECT * FROM {table}"), table
    return url


def _refused(url: str, sql: str, *values: object) -> None:
    refused = pytest.raises(sqlite3.IntegrityError, match="is insert-only")
    with stranger(url) as connection, refused, connection:
        connection.execute(sql, values)


@pytest.mark.parametrize("table", TABLES)
def test_no_update_delete_or_replace(full: str, table: str) -> None:
    before = rows(full, f"SELECT * FROM {table}")
    columns = [column.name for column in schema.metadata.tables[table].columns]
    key = [column.name for column in schema.metadata.tables[table].primary_key]
    marks = ", ".join("?" * len(columns))
    changed = [v if c in key else "x" for c, v in zip(columns, before[0], strict=True)]
    _refused(full, f"UPDATE {table} SET {columns[-1]} = 'x'")
    _refused(full, f"UPDATE OR REPLACE {table} SET {columns[-1]} = 'x'")
    _refused(full, f"DELETE FROM {table}")
    _refused(full, f"INSERT OR REPLACE INTO {table} VALUES ({marks})", *changed)
    _refused(full, f"REPLACE INTO {table} VALUES ({marks})", *before[0])
    _refused(
        full,
        f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO UPDATE SET {key[0]} = 'x'",
        *before[0],
    )
    assert rows(full, f"SELECT * FROM {table}") == before


@pytest.mark.parametrize("table", TABLES)
def test_there_is_no_hidden_key_to_replace_by(full: str, table: str) -> None:
    with stranger(full) as connection, pytest.raises(sqlite3.OperationalError, match="rowid"):
        connection.execute(f"SELECT rowid FROM {table}")


def test_no_replace_by_the_second_key(full: str) -> None:
    """An identifier may not be pushed out under a new id."""
    _refused(
        full,
        "INSERT OR REPLACE INTO unit_identifier "
        "SELECT 'new', unit_id, kind, value, source, attempt_id, 0, seq "
        "FROM unit_identifier LIMIT 1",
    )


def test_an_event_is_recorded_once(url: str) -> None:
    first = event()
    recorded(url, first)
    with pytest.raises(DatabaseError, match="station_event is insert-only"):
        recorded(url, replace(first, actor="somebody else"))
    assert rows(url, "SELECT actor FROM station_event") == [("maria",)]


def test_an_attempt_is_closed_once(url: str) -> None:
    opened = attempt()
    flashed(url, opened)
    with pytest.raises(DatabaseError, match="attempt_closed is insert-only"):
        written(url, lambda store: store.close_attempt(failed(opened)))
    assert rows(url, "SELECT outcome FROM attempt") == [("PASS",)]


def test_nothing_is_recorded_of_an_attempt_that_was_never_opened(url: str) -> None:
    opened = attempt()
    for work in (
        lambda store: store.close_attempt(verdict(opened)),
        lambda store: store.save(Facts(opened.attempt_id, [IDENTIFY])),
    ):
        with pytest.raises(DatabaseError, match="it refuses the row"):
            written(url, work)


def test_a_success_with_an_error_does_not_exist(url: str) -> None:
    opened = attempt()
    begun(url, opened)
    failure = failed(opened).failure
    for wrong in (
        verdict(opened, failure=failure),
        verdict(opened, outcome=Outcome.NO_CHANGE, failure=failure),
        failed(opened, failure=None),
    ):
        with pytest.raises(DatabaseError, match="failure_unless_good"):
            ended(url, wrong)


def test_only_known_outcomes(full: str) -> None:
    opened = attempt()
    written(full, lambda store: store.open_attempt(opened))
    with stranger(full) as connection, pytest.raises(sqlite3.IntegrityError, match="_outcome"):
        connection.execute(
            "INSERT INTO attempt_closed (attempt_id, outcome, ended_utc_us, duration_us, verify, "
            "final_mode) VALUES (?, 'FINE', 0, 0, 'none', 'runtime')",
            (opened.attempt_id,),
        )
