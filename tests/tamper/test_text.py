"""Text that is none, in every column of every table: `verify` names something, and goes on."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from station.store import schema, stretches
from station.store import verify as verifying
from station.store.database import sqlite_url
from tests.store.samples import a_key
from tests.tamper.edits import KEYS, opened
from tests.tamper.records import make_record

pytestmark = pytest.mark.sqlite
ROWS = "SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a row in every table."""
    path = tmp_path_factory.mktemp("text") / "record.db"
    make_record(path, random.Random(3), a_key())
    return path


def _edited(record: Path, table: str, column: str, value: str) -> Path:
    path = record.with_name("edited.db")
    shutil.copyfile(record, path)
    keys = ", ".join(KEYS[table])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("BEGIN")  # one commit: there are many edits
        for name, _ in guards:
            db.execute(f'DROP TRIGGER "{name}"')
        db.execute(
            f"UPDATE {table} SET {column} = CAST({value} AS TEXT) WHERE ({keys}) ="
            f" (SELECT {keys} FROM {table} WHERE {column} IS NOT NULL LIMIT 1)"
        )
        for _, guard in guards:
            db.execute(guard)
        db.execute("COMMIT")
    return path


@pytest.mark.parametrize("table", sorted(KEYS))
def test_it_is_found_in_every_column(record: Path, table: str) -> None:
    with closing(sqlite3.connect(record)) as db:
        there = [
            column.name
            for column in schema.metadata.tables[table].c
            if isinstance(column.type, sa.String | schema.Words)
            and db.execute(ROWS.format(table=table, column=column.name)).fetchone() != (0,)
        ]
    assert there
    for column in there:
        found = verifying.verify(sqlite_url(_edited(record, table, column, "x'ff41'")))
        assert not found.is_untouched, column


@pytest.mark.parametrize("value", ["x'00ff'", "x'ff41'", "x'3000ff'"])
def test_it_may_be_the_key_at_which_the_record_is_cut(
    record: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    untouched = verifying.verify(sqlite_url(record))
    monkeypatch.setattr(stretches, "ATTEMPTS", 1)
    found = verifying.verify(sqlite_url(_edited(record, "attempt_opened", "id", value)))
    assert found.rows == untouched.rows, "all are looked at, each once"
    assert any(finding.what.startswith("attempt_opened ") for finding in found.findings)


def test_the_other_findings_are_told_beside_a_station_that_is_no_text(record: Path) -> None:
    path = _edited(record, "chain", "station", "x'ff41'")
    with opened(path) as db:
        db.execute("UPDATE slot_state SET state = 'other'")
    named = [finding.what for finding in verifying.verify(sqlite_url(path)).findings]
    assert any(what.startswith("chain '") for what in named)
    assert any(what.startswith("slot_state ") for what in named)
    assert any(what.startswith("link ") for what in named)
