"""The database."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from station.commands.checks import record as record_module
from station.commands.checks.finding import Grade
from station.commands.checks.record import record
from tests.commands.checks.conftest import Machine, found, only, stranger


def database(machine: Machine) -> Path:
    return machine.config.with_name("station.sqlite")


def test_a_sound_record(machine: Machine) -> None:
    assert [finding.grade for finding in found(record, machine)] == [Grade.OK] * 3


def test_no_record_yet(machine: Machine) -> None:
    database(machine).unlink()
    finding = only(record, machine)
    assert finding.what == "S507 NO DATABASE"
    assert "station db upgrade" in finding.remedy


def test_an_old_schema(machine: Machine) -> None:
    with closing(sqlite3.connect(database(machine))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    finding = only(record, machine)
    assert (finding.grade, finding.what) == (Grade.BAD, "S502 OLD DATABASE")


def test_a_damaged_file(machine: Machine) -> None:
    path = database(machine)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [root] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'attempt_opened'"
        ).fetchone()
        [size] = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(8) + b"\xff" * 64)
    assert only(record, machine).grade is Grade.BAD


def test_no_database_at_all(machine: Machine) -> None:
    database(machine).write_bytes(b"this is no database " * 100)
    assert only(record, machine).grade is Grade.BAD


def test_a_record_that_takes_too_long_to_look_through(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "damage", lambda _url, _limit_s: None)
    assert only(record, machine).grade is Grade.CANNOT_TELL


def test_a_record_that_the_station_may_not_write(machine: Machine) -> None:
    database(machine).chmod(0o644)
    machine.config.parent.chmod(0o755)
    machine.keeper = stranger()
    finding = only(record, machine)
    assert finding.what == "somebody may not write"
    assert "0644" in finding.where
    assert finding.remedy.startswith("sudo chown somebody: ")
