"""The record as somebody finds it who comes after the engine: a copy, read by SQLite and held
against its chain.

A copy, because whoever opens a database that was left behind replays its log and puts it away; that
is for the next engine to do.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

from station.store.database import sqlite_url
from station.store.verify import verify

Row = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """All rows of one attempt. `closed` has one row, or none while it is open."""

    opened: Row
    closed: tuple[Row, ...]
    steps: tuple[Row, ...]
    evidence: tuple[Row, ...]

    @property
    def id(self) -> str:
        return str(self.opened["id"])

    @property
    def outcome(self) -> str | None:
        return self.closed[0]["outcome"] if self.closed else None

    @property
    def last_step(self) -> str:
        return str(self.steps[-1]["name"]) if self.steps else "none"

    def has_passed(self, step: str) -> bool:
        return any(s["name"] == step and s["outcome"] in ("OK", "SKIPPED") for s in self.steps)


@dataclass(frozen=True)
class Record:
    """Every row of every table; `complaints` is what SQLite itself finds wrong."""

    tables: dict[str, tuple[Row, ...]]
    complaints: tuple[str, ...]

    @cached_property
    def attempts(self) -> tuple[Attempt, ...]:
        """In the order in which they began: that of their keys, whatever the clock said."""
        return tuple(
            Attempt(opened, *(self._of(opened["id"], table) for table in _PARTS))
            for opened in sorted(self.tables.get("attempt_opened", ()), key=itemgetter("id"))
        )

    def _of(self, attempt_id: str, table: str) -> tuple[Row, ...]:
        rows = [row for row in self.tables[table] if row["attempt_id"] == attempt_id]
        return tuple(sorted(rows, key=lambda row: row.get("ordinal", 0)))

    def of_module(self, imei: str, chip_serial: str) -> list[Attempt]:
        """Those of the unit that has this IMEI or chip serial, in the order they began."""
        names = [("imei", imei), ("chip", chip_serial)]
        units = {
            row["unit_id"]
            for row in self.tables.get("unit_identifier", ())
            if (row["kind"], row["value"]) in names
        }
        return [a for a in self.attempts if _units_of(a) & units]

    def knows_chip(self, attempt: Attempt, chip_serial: str) -> bool:
        """The chip serial is on record for the attempt's unit."""
        return any(
            (row["kind"], row["value"]) == ("chip", chip_serial)
            and row["unit_id"] in _units_of(attempt)
            for row in self.tables["unit_identifier"]
        )

    def lost_from(self, earlier: "Record") -> list[str]:
        """Rows of the earlier record that are not here as they were."""
        return [
            f"{table}: {row}"
            for table, rows in earlier.tables.items()
            for row in rows
            if row not in self.tables.get(table, ())
        ]


_PARTS = ("attempt_closed", "step", "evidence")


def _units_of(attempt: Attempt) -> set[str]:
    rows = (attempt.opened, *attempt.closed)
    return {row["unit_id"] for row in rows if row["unit_id"] is not None}


def read_record(database: Path) -> Record:
    """Of an engine that is dead: with the log it left behind."""
    with tempfile.TemporaryDirectory(dir=database.parent) as folder:
        copy = Path(folder) / database.name
        for suffix in ("", "-wal"):
            if (file := database.with_name(database.name + suffix)).exists():
                shutil.copyfile(file, copy.with_name(copy.name + suffix))
        if not copy.exists():
            return Record({}, ())
        with closing(sqlite3.connect(copy)) as connection:
            found = _read(connection)
        changed = tuple(map(str, verify(sqlite_url(copy)).findings))
        return replace(found, complaints=found.complaints + changed)


def _read(connection: sqlite3.Connection) -> Record:
    connection.row_factory = sqlite3.Row
    checks = [*_column(connection, "PRAGMA integrity_check"), *_column(connection, _FOREIGN)]
    names = _column(connection, "SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {
        name: tuple(dict(row) for row in connection.execute(f'SELECT * FROM "{name}"'))
        for name in names
        if not name.startswith("sqlite_")
    }
    return Record(tables, tuple(check for check in checks if check != "ok"))


_FOREIGN = "SELECT \"table\" || ' refers to a row that is not there' FROM pragma_foreign_key_check"


def _column(connection: sqlite3.Connection, sql: str) -> Iterable[str]:
    return [row[0] for row in connection.execute(sql)]
