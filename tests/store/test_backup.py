"""A backup is whole or it is not there, whatever the engine does meanwhile."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from station.errors import DatabaseError, NoBackup, RecordChanged, RecordDamaged, SchemaOutdated
from station.store import copying, revision
from station.store.backup import backup
from station.store.database import sqlite_path, sqlite_url
from station.store.queries import find_attempts
from station.store.verify import verify
from tests.store.samples import IMEI, attempt, event, flashed, recorded, rows, stranger

pytestmark = pytest.mark.sqlite


def path_of(url: str) -> Path:
    path = sqlite_path(url)
    assert path is not None
    return path


def left_behind(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if ".part" in p.name)


def test_it_holds_the_record_as_one_file(url: str, tmp_path: Path) -> None:
    flashed(url, attempt())
    path_of(url).chmod(0o640)
    made = backup(url, tmp_path / "copy.bak")
    copy = sqlite_url(made.path)
    assert made.checked is not None
    assert made.checked.heads == verify(url).heads
    assert find_attempts(copy, imei=IMEI) == find_attempts(url, imei=IMEI)
    assert rows(copy, "PRAGMA journal_mode") == [("delete",)]
    assert made.path.stat().st_mode & 0o777 == 0o640
    assert made.length_bytes == made.path.stat().st_size
    assert [p.name for p in tmp_path.glob("copy.bak*")] == ["copy.bak"]
    assert left_behind(tmp_path) == []


def test_it_lies_beside_the_record_by_default(url: str) -> None:
    made = backup(url, chain=False)
    assert made.path.parent == path_of(url).parent
    assert made.path.name.startswith(f"station.db.{revision.check(url).current}-")
    assert made.path.suffix == ".bak"
    assert made.checked is None


def test_it_is_of_one_moment_however_busy_the_engine_is(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page at a time, and a row is written between any two."""
    monkeypatch.setattr(copying, "_PAGES", 1)
    flashed(url, attempt())
    before = verify(url).heads
    steps = 0
    patience = copying._patience

    def busy() -> object:
        look = patience()

        def write_and_look(status: int, remaining: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps <= 20:
                writer = threading.Thread(target=recorded, args=(url, event()))
                writer.start()
                writer.join()
            look(status, remaining, total)

        return write_and_look

    monkeypatch.setattr(copying, "_patience", busy)
    made = backup(url, tmp_path / "copy.bak")
    assert steps > 20
    assert made.checked is not None
    assert made.checked.heads == before
    assert verify(url).links == made.checked.links + 20


def test_no_file_is_replaced(url: str, tmp_path: Path) -> None:
    (tmp_path / "copy.bak").write_text("mine")
    with pytest.raises(NoBackup, match="there already"):
        backup(url, tmp_path / "copy.bak")
    assert (tmp_path / "copy.bak").read_text() == "mine"


def test_one_that_appears_meanwhile_is_not_replaced(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = copying.settle

    def appears(path: Path, *, in_full: bool) -> None:
        settle(path, in_full=in_full)
        (tmp_path / "copy.bak").write_text("mine")

    monkeypatch.setattr(copying, "settle", appears)
    with pytest.raises(NoBackup, match="there already"):
        backup(url, tmp_path / "copy.bak")
    assert (tmp_path / "copy.bak").read_text() == "mine"
    assert left_behind(tmp_path) == []


def test_a_record_that_was_changed_has_no_backup(url: str, tmp_path: Path) -> None:
    flashed(url, attempt())
    with stranger(url) as db, db:
        (guard,) = db.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'step_no_update'"
        ).fetchone()
        db.execute("DROP TRIGGER step_no_update")
        db.execute("UPDATE step SET bytes = bytes + 1 WHERE ordinal = 2")
        db.execute(guard)
    with pytest.raises(RecordChanged, match="line-1, link"):
        backup(url, tmp_path / "copy.bak")
    assert not (tmp_path / "copy.bak").exists()
    assert left_behind(tmp_path) == []
    assert backup(url, tmp_path / "quick.bak", chain=False).path.exists()


@pytest.mark.parametrize("chain", [True, False])
def test_a_record_with_an_index_that_lies_has_none(
    url: str, tmp_path: Path, *, chain: bool
) -> None:
    flashed(url, attempt())
    name = "ix_attempt_opened_started_utc_us"
    with stranger(url) as db:
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [name]).fetchone()
        for words in (f"{sql} WHERE started_utc_us < 0", sql):
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [words, name])
            db.commit()
            db.execute("PRAGMA writable_schema = RESET")
            if words is not sql:
                db.execute(f"REINDEX {name}")
                db.commit()
    with pytest.raises((RecordDamaged, NoBackup), match=name):
        backup(url, tmp_path / "copy.bak", chain=chain)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("chain", [True, False])
def test_a_record_that_lost_a_row_has_none(url: str, tmp_path: Path, *, chain: bool) -> None:
    """Others refer to it."""
    flashed(url, attempt())
    with stranger(url) as db, db:
        (guard,) = db.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'recipe_no_delete'"
        ).fetchone()
        db.execute("DROP TRIGGER recipe_no_delete")
        assert db.execute("DELETE FROM recipe").rowcount
        db.execute(guard)
    with pytest.raises((RecordChanged, NoBackup)):
        backup(url, tmp_path / "copy.bak", chain=chain)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("chain", [True, False])
def test_a_damaged_file_has_none_either(url: str, tmp_path: Path, *, chain: bool) -> None:
    for _ in range(5):
        flashed(url, attempt())
    with stranger(url) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'step'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path_of(url).open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(os.urandom(size - 8))
    with pytest.raises((NoBackup, RecordDamaged)):
        backup(url, tmp_path / "copy.bak", chain=chain)
    assert not (tmp_path / "copy.bak").exists()
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("out", ["nowhere/copy.bak", "."])
def test_places_that_cannot_be(url: str, tmp_path: Path, out: str) -> None:
    with pytest.raises(NoBackup):
        backup(url, tmp_path / out)


def test_a_server_has_its_own_tool() -> None:
    with pytest.raises(NoBackup, match="pg_dump"):
        backup("postgresql+psycopg://worker:secret@127.0.0.1:1/x")


def test_nothing_and_older_records(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        backup(sqlite_url(tmp_path / "none.db"))
    (tmp_path / "empty.db").touch()
    with pytest.raises(SchemaOutdated):
        backup(sqlite_url(tmp_path / "empty.db"))


def test_a_lock_that_stays_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BUSY_TIMEOUT_S", 0.0)
    look = copying._patience()
    look(sqlite3.SQLITE_OK, 5, 10)
    with pytest.raises(NoBackup, match="locked"):
        look(sqlite3.SQLITE_BUSY, 5, 10)
