"""`station db`, as whoever looks after the record calls it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from station.commands import audit_seal, db, people
from station.commands.audit_seal import Witness
from station.commands.exits import Exit
from station.commands.options import user_name
from station.config import Settings, load_settings
from station.engine import lock
from station.errors import (
    EngineRunning,
    HistoryTrouble,
    NoBackup,
    NoDatabase,
    NotRegistered,
    NotRestored,
    NotUpgraded,
    SchemaTooNew,
    UsageError,
)
from station.model import RESTORED
from station.seal.checkpoint import Checkpoint
from station.seal.keys import load_key
from station.seal.published import publish, read_published
from station.store.database import sqlite_path, sqlite_url
from station.store.events import find_events
from station.store.revision import create_if_missing
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.new_record import new_record
from tests.store.fixtures import RELEASED, load
from tests.store.samples import attempt, flashed, written
from tests.strangers import as_owner, as_stranger, folder_for_all


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One attempt, signed; a key, and a file that checkpoints are published to."""
    config = demo_line(tmp_path / "line", ["A1"])
    with config.open("a") as file:
        file.write("\naudit: {publish: seen.jsonl}\n")
    found = load_settings(config)
    create_if_missing(found.database)
    audit_seal.new_key(found)
    flashed(found.database, attempt(station=found.station.name))
    sign(found)
    return found


def sign(settings: Settings) -> Checkpoint:
    name, key = settings.station.name, load_key(settings.key)
    signed: Checkpoint = written(settings.database, lambda store: store.sign(name, key, "rows"))
    assert settings.publish is not None
    publish(signed, settings.publish)
    return signed


def path_of(settings: Settings) -> Path:
    path = sqlite_path(settings.database)
    assert path is not None
    return path


def spoil(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as plain, plain:
        for statement in statements:
            plain.execute(statement)


def test_a_sound_one_is_said_to_be(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert db.check_database(settings, deep=False) is Exit.GOOD
    assert "whole" in capsys.readouterr().out
    assert db.check_database(settings, deep=True) is Exit.GOOD
    assert "all as they were written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DROP TRIGGER step_no_update", "trigger step_no_update: it is missing"),
        ("CREATE TABLE cats (name)", "table cats: it is none of the station's"),
        ("DROP INDEX ix_attempt_opened_slot_started_utc_us", "it is missing"),
        (
            "INSERT INTO reading (attempt_id, name, value) VALUES ('nobody', 'x', 'y')",
            "table reading: it refers to rows of attempt_opened that are not there",
        ),
    ],
)
def test_what_is_wrong_is_named(
    settings: Settings, statement: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(path_of(settings), statement)
    assert db.check_database(settings, deep=False) is Exit.VERDICT
    told = capsys.readouterr()
    assert named in told.out
    assert "S533" in told.err


def test_a_backup_is_made_beside_an_engine(settings: Settings) -> None:
    with lock.own(path_of(settings), ()):
        made = db.back_up(settings, None, chain=True)
    assert "all as they were written" in made.text
    assert len(list(path_of(settings).parent.glob("*.bak"))) == 1


def test_it_is_not_restored_beside_one(settings: Settings, tmp_path: Path) -> None:
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    before = path_of(settings).read_bytes()
    with lock.own(path_of(settings), ()), pytest.raises(EngineRunning):
        db.put_back(settings, tmp_path / "kept.bak")
    assert path_of(settings).read_bytes() == before


def test_where_people_are_registered_an_engineer_restores_with_a_reason(
    settings: Settings, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.bak"
    db.back_up(settings, kept, chain=True)
    people.change(settings, "operator_add", name="eva", role="engineer", reason="runs line 1")
    before = path_of(settings).read_bytes()
    with pytest.raises(NotRegistered):
        db.put_back(settings, kept)
    with pytest.raises(UsageError, match="reason"):
        db.put_back(settings, kept, by="eva")
    with pytest.raises(UsageError, match="--by"):
        db.put_back(settings, kept, by=" ", reason="the disk died")
    assert path_of(settings).read_bytes() == before
    db.put_back(settings, kept, by="eva", reason="the disk died")
    (told,) = find_events(settings.database, kind=RESTORED)
    assert (told.actor, told.role, told.detail["reason"]) == ("eva", "engineer", "the disk died")
    assert told.peer_user == user_name()


def test_a_record_that_cannot_be_read_is_restored_by_anybody(
    settings: Settings, tmp_path: Path
) -> None:
    people.change(settings, "operator_add", name="eva", role="engineer", reason="runs line 1")
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    path_of(settings).write_bytes(b"no record")
    db.put_back(settings, tmp_path / "kept.bak")
    (told,) = find_events(settings.database, kind=RESTORED)
    assert (told.actor, told.role) == (user_name(), None)


def test_one_that_cannot_be_made_waits_for_no_module(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    nowhere = replace(settings, database=sqlite_url(tmp_path / "file" / "station.sqlite"))
    with pytest.raises(NotUpgraded, match="sqlite"):
        db.upgrade_database(nowhere)


def test_it_is_not_upgraded_beside_one(settings: Settings) -> None:
    path = path_of(settings)
    path.unlink()
    load(list(RELEASED)[-1], path)
    before = path.read_bytes()
    with lock.own(path, ()), pytest.raises(EngineRunning):
        db.upgrade_database(settings)
    assert path.read_bytes() == before
    assert list(path.parent.glob("*.bak")) == []
    assert "the old one is kept" in db.upgrade_database(settings).text


def test_what_a_restore_loses_is_told_then_and_by_whoever_has_a_checkpoint(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = settings.station.name
    assert settings.publish is not None
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    flashed(settings.database, attempt(station=name))
    signed = sign(settings)

    told = db.put_back(settings, tmp_path / "kept.bak").text

    assert f"{name}: links " in told
    assert "are in that one only" in told
    assert f"signed up to link {signed.seq}" in told
    assert [c.reason for c in read_published(settings.publish).checkpoints] == [
        "rows",
        "rows",
        "restored",
    ]
    assert audit_seal.check(settings, Witness()) is Exit.VERDICT
    out = capsys.readouterr().out
    assert "lost: a backup that ends before link" in out
    assert len(out.splitlines()) == 1
    assert audit_seal.check(settings, Witness(_alone(settings, "restored"))) is Exit.GOOD


def _alone(settings: Settings, reason: str) -> Path:
    """The published checkpoints of this reason, in a file of their own."""
    assert settings.publish is not None
    alone = settings.publish.with_name("alone.jsonl")
    for checkpoint in read_published(settings.publish).checkpoints:
        if checkpoint.reason == reason:
            publish(checkpoint, alone)
    return alone


def test_an_earlier_key_is_named_in_the_settings(settings: Settings, tmp_path: Path) -> None:
    """Or that of the machine before this one: `audit verify` takes it from there, too."""
    kept, config = tmp_path / "kept.bak", ("--config", settings.path)
    db.back_up(settings, kept, chain=True)
    earlier = load_key(settings.key).public
    settings.key.unlink()
    audit_seal.new_key(settings)
    with pytest.raises(NotRestored, match=earlier):
        db.put_back(settings, kept)
    text = settings.path.read_text()
    settings.path.write_text(text.replace("audit: {", f"audit: {{trusted: [{earlier}], "))
    done = station("db", "restore", kept, *config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no trusted key had signed" not in done.stdout


def test_one_from_before_the_key(settings: Settings, tmp_path: Path) -> None:
    path_of(settings).unlink()
    create_if_missing(settings.database)
    flashed(settings.database, attempt(station="line-9"))
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    with pytest.raises(NotRestored, match="--unsigned"):
        db.put_back(settings, tmp_path / "kept.bak")
    arguments = ("kept.bak", "--unsigned", "--config", settings.path)
    done = station("db", "restore", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "line-9: links 1 to " in done.stdout
    assert "no trusted key had signed before: they may be anybody's" in done.stdout


def test_a_record_that_is_gone(settings: Settings, tmp_path: Path) -> None:
    db.back_up(settings, tmp_path / "kept.bak", chain=False)
    for tail in ("", "-wal", "-shm"):
        path_of(settings).with_name(path_of(settings).name + tail).unlink(missing_ok=True)
    with pytest.raises(NoDatabase):
        db.back_up(settings, None, chain=True)
    assert "restored" in db.put_back(settings, tmp_path / "kept.bak").text


def test_checkpoints_that_cannot_be_read_stop_no_restore(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    assert settings.publish is not None
    settings.publish.unlink(missing_ok=True)
    settings.publish.mkdir()
    assert "restored" in db.put_back(settings, tmp_path / "kept.bak").text
    assert "S543" in capsys.readouterr().err


def test_a_restore_begins_no_file_of_checkpoints(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its share is not mounted."""
    db.back_up(settings, tmp_path / "kept.bak", chain=True)
    assert settings.publish is not None
    settings.publish.unlink(missing_ok=True)
    assert "restored" in db.put_back(settings, tmp_path / "kept.bak").text
    assert "S543" in capsys.readouterr().err
    assert not settings.publish.exists()


def test_the_whole_way_by_hand(settings: Settings, tmp_path: Path) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        done = station("db", *arguments, "--config", settings.path, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    code, told = call("backup", "--out", "kept.bak")
    assert (code, "kept.bak" in told) == (0, True), told
    code, told = call("backup", "--out", "kept.bak")
    assert (code, "S550 NO BACKUP" in told) == (3, True), told
    code, told = call("restore", "none.bak")
    assert (code, "S551 NOT RESTORED" in told) == (3, True), told
    code, told = call("restore", "kept.bak")
    assert (code, "restored" in told) == (0, True), told
    code, told = call("check", "--deep")
    assert (code, "all as they were written" in told) == (0, True), told


def test_the_cause_names_the_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "text.bak").write_text("hello")
    with pytest.raises(NotRestored, match=r"text\.bak"):
        db.put_back(settings, tmp_path / "text.bak")


def test_a_newer_one_is_named_as_it_was_given(settings: Settings, tmp_path: Path) -> None:
    """Nobody knows the copy that it was looked at in."""
    kept = tmp_path / "kept.bak"
    db.back_up(settings, kept, chain=False)
    spoil(kept, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(SchemaTooNew, match=rf"^database {kept} is at revision 0999"):
        db.put_back(settings, kept)
    spoil(kept, "DROP TABLE alembic_version")
    with pytest.raises(NotRestored, match=rf"^{kept} is a database, but not one of"):
        db.put_back(settings, kept)


def test_a_folder_is_no_database_and_no_module_waits_for_it(
    settings: Settings, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.bak"
    db.back_up(settings, kept, chain=False)
    (tmp_path / "folder").mkdir()
    folder = replace(settings, database=sqlite_url(tmp_path / "folder"))
    with pytest.raises(NoDatabase, match="is a folder"):
        db.check_database(folder, deep=False)
    with pytest.raises(NoDatabase, match="is a folder"):
        db.back_up(folder, None, chain=True)
    with pytest.raises(NotRestored, match="is a folder"):
        db.put_back(folder, kept)


def test_nor_for_one_that_cannot_be_read_or_copied(settings: Settings) -> None:
    with folder_for_all() as folder:
        path = folder / "station.sqlite"
        new_record(sqlite_url(path))
        shut = replace(settings, database=sqlite_url(path))
        with as_stranger(folder):
            with pytest.raises(NoBackup, match="Permission denied"):
                db.back_up(shut, None, chain=True)
            with as_owner(folder):
                path.chmod(0)
            with pytest.raises(HistoryTrouble, match="cannot be opened"):
                db.check_database(shut, deep=False)
            with pytest.raises(NoBackup, match="cannot be opened"):
                db.back_up(shut, None, chain=True)
