"""A backup takes the record's place, says so, and whatever fails leaves one of the two there."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from station.errors import NotRestored, RecordChanged, SchemaTooNew
from station.model import RESTORED, Person
from station.seal.keys import PrivateKey
from station.store.backup import backup
from station.store.database import sqlite_path, sqlite_url
from station.store.events import find_events
from station.store.origin import Proof
from station.store.queries import find_attempts
from station.store.restore import By, restore
from station.store.verify import verify
from tests.store.samples import NOON_US, a_key, attempt, event, flashed, recorded, stranger, written

pytestmark = pytest.mark.sqlite

LATER_US = NOON_US + 1_000_000
KEY = a_key()
NO_PROOF = Proof(frozenset())


def by(key: PrivateKey | None = KEY, utc_us: int = LATER_US) -> By:
    return By("line-1", Person("maria"), None, 1000, "maria", utc_us, key)


def path_of(url: str) -> Path:
    path = sqlite_path(url)
    assert path is not None
    return path


@pytest.fixture
def kept(url: str, tmp_path: Path) -> Path:
    """A backup of one attempt; the record has another one since."""
    flashed(url, attempt())
    made = backup(url, tmp_path / "kept.bak").path
    flashed(url, attempt(slot="B7"))
    return made


def test_the_record_is_the_backup_and_says_so(url: str, kept: Path) -> None:
    was = verify(url).heads
    done = restore(url, kept, by(), NO_PROOF)
    now = verify(url, trusted=frozenset({KEY.public}))
    assert now.is_untouched, now.findings
    assert find_attempts(url, slot="B7") == []
    (told,) = find_events(url, kind=RESTORED)
    assert (told.actor, told.peer_uid, told.station) == ("maria", 1000, "line-1")
    assert told.detail["backup"] == "kept.bak"
    seq, hash_ = was["line-1"]
    assert told.detail["from"] == {"line-1": {"seq": seq, "hash": hash_}}
    assert done.before == was
    assert now.signed["line-1"] == done.checked.heads["line-1"][0] + 1
    assert done.aside is not None
    assert len(find_attempts(sqlite_url(done.aside), slot="B7")) == 1


def test_it_is_written_to_again(url: str, kept: Path) -> None:
    restore(url, kept, by(), NO_PROOF)
    flashed(url, attempt(slot="C1"))
    assert verify(url).is_untouched
    newest = find_attempts(url, since_utc_us=0)[-1]
    assert newest.opened.slot == "C1"


def test_a_record_that_is_gone_comes_back(url: str, kept: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path_of(url).with_name(path_of(url).name + tail).unlink(missing_ok=True)
    done = restore(url, kept, by(), NO_PROOF)
    assert (done.aside, done.before) == (None, {})
    assert verify(url).is_untouched


@pytest.mark.parametrize("with_log", [True, False])
def test_a_damaged_record_is_set_aside_with_its_log(url: str, kept: Path, with_log: bool) -> None:
    path = path_of(url)
    damaged = b"no database at all" * 100
    path.write_bytes(damaged)
    log = path.with_name(path.name + "-wal")
    if with_log:
        log.write_bytes(b"an old log")
    done = restore(url, kept, by(), NO_PROOF)
    assert done.before is None
    assert done.aside is not None
    assert done.aside.read_bytes() == damaged
    assert verify(url).is_untouched
    if with_log:
        assert done.aside.with_name(done.aside.name + "-wal").read_bytes() == b"an old log"


def test_a_log_without_its_file_is_not_read_into_the_new_one(url: str, kept: Path) -> None:
    path = path_of(url)
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(b"an old log")
    restore(url, kept, by(), NO_PROOF)
    assert verify(url).is_untouched


# --- refused ----------------------------------------------------------------------------------


def untouched(url: str) -> Callable[[], None]:
    before = verify(url)

    def look() -> None:
        now = verify(url)
        assert now.is_untouched
        assert (now.heads, now.rows) == (before.heads, before.rows)
        assert not list(path_of(url).parent.glob("*.replaced-*"))
        assert not list(path_of(url).parent.glob("*.part*"))

    return look


def test_files_that_are_no_backup(url: str, kept: Path, tmp_path: Path) -> None:
    look = untouched(url)
    (tmp_path / "text.bak").write_text("not a database " * 100)
    (tmp_path / "empty.bak").touch()
    with sqlite3.connect(tmp_path / "cats.bak") as cats:
        cats.execute("CREATE TABLE cats (name)")
    for name in ("text.bak", "empty.bak", "cats.bak", "none.bak", "."):
        with pytest.raises(NotRestored):
            restore(url, tmp_path / name, by(), NO_PROOF)
    with pytest.raises(NotRestored, match="the record itself"):
        restore(url, path_of(url), by(), NO_PROOF)
    look()


def test_a_backup_that_was_changed(url: str, kept: Path) -> None:
    look = untouched(url)
    with stranger(sqlite_url(kept)) as db, db:
        (guard,) = db.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'step_no_update'"
        ).fetchone()
        db.execute("DROP TRIGGER step_no_update")
        db.execute("UPDATE step SET bytes = bytes + 1 WHERE ordinal = 2")
        db.execute(guard)
    with pytest.raises(NotRestored, match=r"kept\.bak: line-1, link .*: .* not what was written"):
        restore(url, kept, by(), NO_PROOF)
    look()


def test_a_backup_of_newer_software(url: str, kept: Path) -> None:
    look = untouched(url)
    with stranger(sqlite_url(kept)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew):
        restore(url, kept, by(), NO_PROOF)
    look()


def test_a_record_in_use(url: str, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("station.store.restore.BUSY_TIMEOUT_S", 0.01)
    look = untouched(url)
    with stranger(url) as db:
        db.execute("BEGIN")
        db.execute("SELECT * FROM unit").fetchone()
        with pytest.raises(NotRestored, match="in use"):
            restore(url, kept, by(), NO_PROOF)
    look()


# --- cut off ----------------------------------------------------------------------------------


class PowerGone(BaseException):
    """Nothing is tidied up after it that matters."""


@pytest.mark.parametrize("cut_at", range(12))
def test_the_power_may_go_at_any_moment(
    url: str, kept: Path, cut_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each change of the folder, counted from the first."""
    was = verify(url).heads
    changes = 0

    def cut(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            nonlocal changes
            changes += 1
            if changes == cut_at + 1:
                raise PowerGone
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("link", "rename", "replace", "fsync", "chmod"):
        cut(name)
    try:
        restore(url, kept, by(), NO_PROOF)
    except PowerGone:
        is_cut = True
    else:
        is_cut = False
    monkeypatch.undo()
    found = verify(url)
    assert found.is_untouched
    if found.heads != was:
        assert find_events(url, kind=RESTORED)
    else:
        assert is_cut


# --- what was signed --------------------------------------------------------------------------


def test_what_was_signed_and_lost_is_told_and_signing_goes_on(url: str, tmp_path: Path) -> None:
    flashed(url, attempt())
    kept = backup(url, tmp_path / "kept.bak").path
    flashed(url, attempt())
    lost = written(url, lambda store: store.sign("line-1", KEY, "rows"))
    done = restore(url, kept, by(), NO_PROOF)
    trusted = frozenset({KEY.public})

    first = done.checked.heads["line-1"][0] + 1
    for _ in range(2):  # before the record is as long again, and after
        found = verify(url, [lost], trusted)
        (finding,) = found.findings
        assert "lost" in finding.why
        assert f"before link {first} " in finding.why
        for _ in range(12):
            recorded(url, event())
    again = written(url, lambda store: store.sign("line-1", KEY, "rows", known=lost))
    assert again is not None
    assert verify(url, [again], trusted).witnessed == {"line-1": again.seq}


def test_nobody_else_can_say_that_it_was_restored(url: str, tmp_path: Path) -> None:
    """An older copy, put there by hand, with a row like that of a restore, signed by whomever."""
    flashed(url, attempt())
    kept = tmp_path / "older.db"
    shutil.copy(backup(url, tmp_path / "kept.bak").path, kept)
    flashed(url, attempt())
    lost = written(url, lambda store: store.sign("line-1", KEY, "rows"))
    restore(url, kept, by(a_key()), NO_PROOF)
    for _ in range(12):
        recorded(url, event())
    with pytest.raises(RecordChanged):
        written(url, lambda store: store.sign("line-1", KEY, "rows", known=lost))
    found = verify(url, [lost], frozenset({KEY.public}))
    assert not any("lost" in finding.why for finding in found.findings)


def test_what_was_signed_after_it_must_be_there(url: str, kept: Path, tmp_path: Path) -> None:
    restore(url, kept, by(utc_us=NOON_US), NO_PROOF)
    after = backup(url, tmp_path / "after.bak").path
    flashed(url, attempt())
    signed = written(url, lambda store: store.sign("line-1", KEY, "rows"))
    path_of(url).write_bytes(after.read_bytes())
    for tail in ("-wal", "-shm"):
        path_of(url).with_name(path_of(url).name + tail).unlink(missing_ok=True)
    for _ in range(12):
        recorded(url, event())
    (finding,) = verify(url, [signed], frozenset({KEY.public})).findings
    assert "another history" in finding.why
    with pytest.raises(RecordChanged):
        written(url, lambda store: store.sign("line-1", KEY, "rows", known=signed))
