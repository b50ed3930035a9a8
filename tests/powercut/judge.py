"""What must hold after a cut, whatever was under way: said of a copy of the record, of what the
station told before, and of the modules' own flash."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from station.errors import StationError
from station.evidence.cabinet import Cabinet
from station.model import AttemptClosed, AttemptRecord, Outcome
from station.sim.layouts import layout_of
from station.store.database import sqlite_url
from station.store.queries import find_attempts
from tests.powercut.bench import Module
from tests.powercut.boot import Broken
from tests.powercut.told import Told

INTERRUPTED_CODE = "X903"
VERSION = layout_of("ec25").newer_version


class Record:
    """The attempts of a folder with a copy of database and evidence. Raises Broken."""

    def __init__(self, folder: Path) -> None:
        database = folder / "station.sqlite"
        _check_file(database)
        self.attempts = {
            record.opened.attempt_id: record for record in find_attempts(sqlite_url(database))
        }
        self._cabinet = Cabinet(folder / "evidence")

    @property
    def left_open(self) -> list[AttemptRecord]:
        return [record for record in self.attempts.values() if record.closed is None]

    def of_module(self, module: Module) -> list[AttemptRecord]:
        """Oldest first."""
        return [
            record
            for record in self.attempts.values()
            if record.opened.unit.imei == module.imei
            or record.opened.unit.chip_serial == module.chip_serial
        ]

    def check(self) -> None:
        """At most one attempt is open in a slot; what ended says how, and its evidence is there."""
        open_in: dict[str, list[str]] = defaultdict(list)
        for record in self.left_open:
            open_in[record.opened.slot].append(record.opened.attempt_id)
        _hold(all(len(ids) == 1 for ids in open_in.values()), f"open at once: {dict(open_in)}")
        for name, record in self.attempts.items():
            if record.closed is None:
                continue
            failure = record.closed.failure
            _hold(record.closed.outcome.is_good == (failure is None), f"{name}: {record.closed}")
            _hold(
                record.closed.outcome is not Outcome.INTERRUPTED
                or (failure is not None and failure.code == INTERRUPTED_CODE),
                f"{name} was interrupted: {failure}",
            )
            self._check_evidence(name, record.closed)

    def check_told(self, told: Told) -> None:
        """What was shown as begun is on record, and each verdict that was shown is the record's."""
        for name, slot in told.committed.items():
            _hold(name in self.attempts, f"{slot}: {name} was shown as begun and is not on record")
        for name, outcome in told.verdicts.items():
            closed = self.attempts[name].closed
            found = None if closed is None else closed.outcome
            _hold(found is outcome, f"{name} was told {outcome.value}, the record says {found}")

    def check_kept(self, earlier: "Record") -> None:
        """Nothing that was on record has changed or gone."""
        for name, before in earlier.attempts.items():
            now = self.attempts.get(name)
            _hold(now is not None, f"{name} was on record and is gone")
            if now is not None and before.closed is not None:
                _hold(now.closed == before.closed, f"{name}: {before.closed} became {now.closed}")

    def check_modules(self, modules: Mapping[str, Module]) -> None:
        """A PASS is in the module's flash; a module that was changed has an attempt on record."""
        for slot, module in modules.items():
            _hold(module.is_calibrated, f"{slot}: the calibration is damaged")
            known = self.of_module(module)
            untouched = module.flash == "old" and module.mode == "runtime"
            _hold(known or untouched, f"{slot}: nothing is on record of {module}")
            last = known[-1].closed if known else None
            if last is not None and last.outcome.is_good:
                _hold(module.flash == "new", f"{slot}: {last.outcome.value}, and {module}")
                told = last.firmware_after or known[-1].opened.unit.firmware
                _hold(told == VERSION, f"{slot}: {last.outcome.value} with {told}")

    def check_finished(self, modules: Mapping[str, Module]) -> None:
        """Nothing is left open, and every module's last verdict is a good one."""
        _hold(not self.left_open, f"{len(self.left_open)} attempts are left open")
        for slot, module in modules.items():
            known = self.of_module(module)
            last = known[-1].closed if known else None
            _hold(last is not None and last.outcome.is_good, f"{slot} ended with {last}")

    def _check_evidence(self, name: str, closed: AttemptClosed) -> None:
        for kept in closed.evidence:
            try:
                self._cabinet.read(kept)
            except StationError as damaged:
                raise Broken(f"{name}: {damaged}") from damaged


def _check_file(database: Path) -> None:
    """SQLite finds it sound; its log is taken into account, as at any start."""
    with closing(sqlite3.connect(database)) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        _hold(said == ["ok"], f"SQLite says of the record: {said[:3]}")
        strays = connection.execute("PRAGMA foreign_key_check").fetchall()
        _hold(not strays, f"rows without the row they belong to: {strays[:3]}")


def _hold(true: object, else_: str) -> None:
    if not true:
        raise Broken(else_)
