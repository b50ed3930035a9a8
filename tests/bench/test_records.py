"""The record that `tests.bench.records` measures is one that a station could have written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.model import Outcome
from station.store.database import sqlite_url
from station.store.queries import find_attempts
from station.store.verify import verify
from tests.bench.records import load
from tests.bench.records.line import Line
from tests.new_record import new_record

ATTEMPTS = 300


def test_made_record_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made a block at a time, as on several days."""
    monkeypatch.setattr(load, "BLOCK_TRAYS", 4)
    line = Line(ATTEMPTS, images=2)
    url = sqlite_url(tmp_path / "station.db")
    times = [load.load(tmp_path / "station.db", line, processes=1, within_s=0) for _ in range(3)]
    assert [time.is_whole for time in times] == [False, False, True]
    rows = sum(time.rows for time in times)

    told = verify(url)
    assert told.findings == []
    assert told.rows == rows
    new_record(sqlite_url(tmp_path / "new.db"))
    assert schema_of(tmp_path / "station.db") == schema_of(tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "station.db")) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

    records = find_attempts(url)
    assert [r.opened.attempt_id for r in records] == [line.attempt_id(n) for n in range(ATTEMPTS)]
    outcomes = {r.closed.outcome for r in records if r.closed}
    assert outcomes >= {Outcome.PASS, Outcome.FAIL}

    again = next(n for n in range(ATTEMPTS) if not line.is_new(n))
    module = line.module(again)
    found = {r.opened.attempt_id for r in find_attempts(url, chip=module.chip_serial)}
    assert found >= {line.attempt_id(module.number), line.attempt_id(again)}


def schema_of(path: Path) -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
