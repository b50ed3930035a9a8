"""`station audit key` and `verify`, as an auditor calls them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from station.commands import audit_seal, so_far
from station.commands.audit_seal import Witness
from station.commands.exits import Exit
from station.config import Settings, load_settings
from station.errors import NoCheckpoint, NoSigningKey, UsageError
from station.seal.keys import load_key, public_file
from station.seal.published import publish
from station.store.database import sqlite_path, sqlite_url
from station.store.far import Far
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


def test_a_long_look_says_how_far_it_has_come(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit_seal.check(settings, Witness()) is Exit.GOOD
    assert "so far" not in capsys.readouterr().err
    monkeypatch.setattr(so_far, "EVERY_S", 0.0)
    assert audit_seal.check(settings, Witness()) is Exit.GOOD
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("so far")]
    assert "the pages of 0 of " in said[0]
    assert said[-1].startswith("so far: 100.0% of the rows")


def test_it_is_said_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now_s = 7.0
    came = so_far.said_so_far(lambda: now_s)
    for now_s in (7.0, 36.0, 37.5, 38.0, 67.0, 68.0):
        came(Far(now_s / 100, 0, 3))
    assert capsys.readouterr().err.splitlines() == [
        "so far: 37.5% of the rows, the pages of 0 of 3 tables",
        "so far: 68.0% of the rows, the pages of 0 of 3 tables",
    ]


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


def without_key(settings: Settings) -> None:
    settings.key.unlink()
    public_file(settings.key).unlink()


def test_signatures_that_no_key_is_held_against_are_not_good(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key was taken away; a job that looks at the exit code alone must not be green."""
    without_key(settings)
    assert audit_seal.check(settings, Witness()) is Exit.STATION
    told = capsys.readouterr()
    assert "all fit their chain" in told.out
    assert "as they were written" not in told.out
    assert "S541 NO SIGNING KEY" in told.err
    assert "--public-key" in told.err


@pytest.mark.parametrize(("text", "mode"), [("no key", 0o600), (None, 0o640)])
def test_nor_is_a_key_that_cannot_be_used(
    settings: Settings, text: str | None, mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    public = load_key(settings.key).public
    public_file(settings.key).unlink()
    settings.key.write_text(text or settings.key.read_text())
    settings.key.chmod(mode)
    assert audit_seal.check(settings, Witness()) is Exit.STATION
    assert "S541" in capsys.readouterr().err
    assert audit_seal.check(settings, Witness(public_keys=(public,))) is Exit.GOOD
    new = record_that_nobody_signed(settings)
    assert audit_seal.check(new, Witness()) is Exit.STATION


def record_that_nobody_signed(settings: Settings) -> Settings:
    new = replace(settings, database=sqlite_url(settings.path.with_name("new.sqlite")))
    create_if_missing(new.database)
    flashed(new.database, attempt(station=new.station.name))
    return new


def test_without_a_key_it_says_what_that_means(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    without_key(settings)
    assert audit_seal.check(record_that_nobody_signed(settings), Witness()) is Exit.GOOD
    assert "signatures prove nothing" in capsys.readouterr().out


def test_who_may_not_read_the_key_verifies_with_its_public_half(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the group does that may read the record."""
    public = public_file(settings.key)
    assert public.read_text() == f"{load_key(settings.key).public}\n"
    assert public.stat().st_mode & 0o777 == 0o644
    settings.key.write_text("as good as unreadable")
    capsys.readouterr()
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.GOOD
    told = capsys.readouterr()
    assert "kept elsewhere up to link" in told.out
    assert f"its public half is taken from {public}" in told.err
    public.write_text("ab" * 32)
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.VERDICT
    public.write_text("no key either")
    assert audit_seal.check(settings, Witness(seen(settings))) is Exit.STATION


def test_the_public_half_is_that_of_the_key(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a station from before there was such a file, too, and one that got another key."""
    public = public_file(settings.key)
    for text in (None, "ab" * 32, "nonsense"):
        public.unlink()
        if text is not None:
            public.write_text(text)
        audit_seal.new_key(settings)
        assert public.read_text() == f"{load_key(settings.key).public}\n"
    public.unlink()
    public.mkdir()
    capsys.readouterr()
    audit_seal.new_key(settings)
    told = capsys.readouterr()
    assert told.out == f"{load_key(settings.key).public}\n"
    assert f"only here: {public}" in told.err


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


@pytest.mark.parametrize("text", ["", "#!/bin/sh\nexit 0\n"])
def test_a_file_without_a_checkpoint_is_none_of_checkpoints(settings: Settings, text: str) -> None:
    other = settings.path.with_name("other")
    other.write_text(text)
    with pytest.raises(NoCheckpoint, match="no checkpoint in it"):
        audit_seal.check(settings, Witness(other))
    published = replace(settings, publish=other)
    if text:
        with pytest.raises(NoCheckpoint, match="no checkpoint in it"):
            audit_seal.check(published, Witness())
    else:  # one that was just begun
        assert audit_seal.check(published, Witness()) is Exit.GOOD


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
