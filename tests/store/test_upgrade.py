"""A database of every revision ever released comes to this one with its rows."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from station.errors import SchemaOutdated
from station.model import Outcome, Unit
from station.store import migrate, revision
from station.store.database import sqlite_url
from station.store.events import find_events
from station.store.queries import find_attempts, last_verdict
from station.store.soundness import faults
from station.store.verify import verify
from tests.store.fixtures import RELEASED, load
from tests.store.samples import IMEI, attempt, event, flashed, recorded, rows, stranger

pytestmark = pytest.mark.sqlite

Rows = dict[str, list[tuple[object, ...]]]

KNOWN = revision.known_revisions(revision.migrations())
HEAD = KNOWN[-1]
OLD = list(RELEASED)


@pytest.fixture(params=OLD)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a record of an earlier revision."""
    load(request.param, tmp_path / "station.db")
    return sqlite_url(tmp_path / "station.db")


def at(url: str) -> str:
    ((found,),) = rows(url, "SELECT version_num FROM alembic_version")
    return str(found)


def _columns(url: str) -> dict[str, list[str]]:
    tables = rows(url, "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {
        str(table): [str(column[1]) for column in rows(url, f"PRAGMA table_info({table})")]
        for (table,) in tables
        if table != "alembic_version"
    }


def _everything(url: str, columns: dict[str, list[str]]) -> Rows:
    def read(table: str, names: list[str]) -> list[tuple[object, ...]]:
        quoted = ", ".join(f'"{name}"' for name in names)
        return rows(url, f"SELECT {quoted} FROM {table}")

    return {table: read(table, names) for table, names in columns.items()}


def test_there_is_a_record_of_each_revision_but_this() -> None:
    assert KNOWN[:-1] == OLD


def test_it_has_a_row_in_each_table_of_its_time(old: str) -> None:
    assert at(old) in OLD
    assert all(_everything(old, _columns(old)).values())


def test_it_keeps_its_rows(old: str) -> None:
    columns = _columns(old)
    before, was = _everything(old, columns), at(old)

    done = migrate.upgrade(old)

    assert (done.before, done.after) == (was, HEAD)
    for table, kept in _everything(old, columns).items():
        new = [row for row in kept if row not in before[table]]
        gone = [row for row in before[table] if row not in kept]
        assert (new, gone) == ([], []), table
    assert done.backup is not None
    assert _everything(sqlite_url(done.backup), columns) == before
    assert at(sqlite_url(done.backup)) == was


def test_it_is_then_as_a_new_one(old: str) -> None:
    columns = _columns(old)
    sealed = sum(
        len(found) for table, found in _everything(old, columns).items() if table != "chain"
    )
    migrate.upgrade(old)
    assert migrate.drift(old) == []
    assert faults(old) == []
    checked = verify(old)
    assert checked.is_untouched, checked.findings
    assert checked.rows == sealed


def test_its_questions_are_answered(old: str) -> None:
    migrate.upgrade(old)
    first, second, *_, cut, still = find_attempts(old, since_utc_us=0)
    assert [r.opened.slot for r in find_attempts(old, imei=IMEI)] == ["A1", "A2", "B3", "B4"]
    assert first.closed is not None
    assert first.closed.outcome is Outcome.PASS
    assert len(first.steps) == 2
    assert second.closed is not None
    assert second.closed.failure is not None
    assert cut.closed is not None
    assert cut.closed.outcome is Outcome.INTERRUPTED
    assert still.closed is None
    assert last_verdict(old, Unit(imei=IMEI)) == cut


def test_it_is_written_to_again_and_nothing_of_it_is_changed(
    old: str, refused: Callable[[str, str], None]
) -> None:
    tables = [table for table in _columns(old) if table != "alembic_version"]
    migrate.upgrade(old)
    one = event()
    recorded(old, one)
    flashed(old, attempt(slot="C1"))
    assert find_events(old)[-1] == one
    assert verify(old).is_untouched
    for table in tables:
        refused(old, f"DELETE FROM {table}")
        refused(old, f"UPDATE {table} SET seq = 1")
        refused(old, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@pytest.fixture
def refused() -> Callable[[str, str], None]:
    def ask(url: str, statement: str) -> None:
        with stranger(url) as db, pytest.raises(sqlite3.IntegrityError, match="is insert-only"):
            db.execute(statement)

    return ask


def test_until_then_it_is_refused_with_what_to_do(old: str) -> None:
    for ask in (revision.check, find_attempts, find_events):
        with pytest.raises(SchemaOutdated, match=f"{at(old)}, expected {HEAD}") as caught:
            ask(old)
        assert "station db upgrade" in caught.value.remedy
