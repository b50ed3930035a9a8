"""`station audit key` and `verify`, as an auditor calls them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.commands import audit_seal
from station.commands.audit_seal import Witness
from station.commands.exits import Exit
from station.config import Settings, load_settings
from station.errors import NoCheckpoint, NoSigningKey, UsageError
from station.seal.keys import load_key
from station.seal.published import publish
from station.store.database import sqlite_path
from station.store.revision import create_if_missing
from tests.commands.test_cli import station
from tests.demo_line import demo_line
from tests.store.samples import attempt, flashed, written


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two attempts, signed; the checkpoint is in `seen.jsonl`."""
    config = demo_line(tmp_path / "line", ["A1"])
    found = load_settings(config)
    create_if_missing(found.database)
    audit_seal.new_key(found)
    for _ in range(2):
        flashed(found.database, attempt(station=found.station.name))
    key = load_key(found.key)
    signed = written(found.database, lambda s: s.sign(found.station.name, key, "asked"))
    assert signed is not None
    publish(signed, seen(found))
    return found


def seen(settings: Settings) -> Path:
    return settings.path.with_name("seen.jsonl")


def edit(settings: Settings, sql: str) -> None:
    path = sqlite_path(settings.database)
    assert path is not None
    with closing(sqlite3.connect(path)) as db, db:
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql)
        for _, guard in guards:
            db.execute(guard)


def test_it_is_as_it_was_written(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.GOOD
    told = capsys.readouterr().out
    assert "all as they were written" in told
    assert "signed up to link" in told


def test_the_row_that_was_changed_is_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(settings, "UPDATE attempt_closed SET firmware_after = 'EC25EFAR06A07M4G'")
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.VERDICT
    told = capsys.readouterr()
    assert "S540 RECORD CHANGED" in told.err
    assert "attempt_closed" in told.err
    assert "it is not what was written" in told.out


def test_an_auditor_elsewhere_needs_a_copy_and_the_public_key(settings: Settings) -> None:
    public = load_key(settings.key).public
    arguments = ("--checkpoints", seen(settings), "--public-key", public)
    settings.key.unlink()
    done = station(
        "audit", "verify", *arguments, "--config", settings.path, cwd=settings.path.parent
    )
    assert done.returncode == 0, done.stderr
    assert "kept elsewhere up to link" in done.stdout
    other = station(
        *("audit", "verify", "--checkpoints", seen(settings), "--public-key", "ab" * 32),
        *("--config", settings.path),
        cwd=settings.path.parent,
    )
    assert other.returncode == 1
    assert "a key that is not trusted" in other.stdout


def test_without_a_key_it_says_what_that_means(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.key.unlink()
    assert audit_seal.check(settings, Witness()) is Exit.GOOD
    assert "signatures prove nothing" in capsys.readouterr().out


def test_another_key_is_trusted_when_it_is_named(settings: Settings) -> None:
    """The station has a new key; what the old one signed still counts."""
    old = load_key(settings.key).public
    settings.key.unlink()
    audit_seal.new_key(settings)
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.VERDICT
    assert audit_seal.check(settings, Witness(seen(settings), (old,))) is Exit.GOOD
    configured = settings.path.read_text() + f"audit: {{trusted: [{old}]}}\n"
    settings.path.write_text(configured)
    assert audit_seal.check(load_settings(settings.path), Witness(seen(settings))) is Exit.GOOD


def test_what_makes_no_sense_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="64 hex digits"):
        audit_seal.check(settings, Witness(public_keys=("ab",)))
    with pytest.raises(NoCheckpoint, match="No such file"):
        audit_seal.check(settings, Witness(settings.path.with_name("none")))


def test_a_key_that_is_there_is_told_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who checks elsewhere needs its public half; what could be another key is never replaced."""
    key = load_key(settings.key)
    capsys.readouterr()
    audit_seal.new_key(settings)
    told = capsys.readouterr()
    assert told.out == f"{key.public}\n"
    assert "has this key already" in told.err
    assert load_key(settings.key).public == key.public
    settings.key.write_text("no key")
    with pytest.raises(NoSigningKey, match="holds no private key"):
        audit_seal.new_key(settings)
    assert settings.key.read_text() == "no key"
