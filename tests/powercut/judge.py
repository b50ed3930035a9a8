"""What must hold after a cut, whatever was under way: said of a copy of the record, of what the
station told before, and of the modules' own flash."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from station.sim.layouts import layout_of
from tests.crash.judge import GOOD, check_evidence, check_record
from tests.crash.record import Record, read_record
from tests.holding import hold
from tests.powercut.bench import Module
from tests.powercut.told import Told

VERSION = layout_of("ec25").newer_version


def found_in(folder: Path, earlier: Record, told: Told | None) -> Record:
    """The record in a folder with a copy of database and evidence, against the one before and what
    was shown since. Raises Broken."""
    record = read_record(folder / "station.sqlite")
    shown = {} if told is None else told.verdicts
    check_record(record, earlier, {name: outcome.value for name, outcome in shown.items()})
    check_evidence(record, folder / "evidence")
    names = {attempt.id for attempt in record.attempts}
    for name, slot in ({} if told is None else told.committed).items():
        hold(name in names, f"{slot}: {name} was shown as begun and is not on record")
    open_in = Counter(a.opened["slot"] for a in record.attempts if not a.closed)
    hold(max(open_in.values(), default=0) <= 1, f"open at once: {dict(open_in)}")
    return record


def check_modules(record: Record, modules: Mapping[str, Module]) -> None:
    """A PASS is in the module's flash; a module that was changed has an attempt on record."""
    for slot, module in modules.items():
        hold(module.is_calibrated, f"{slot}: the calibration is damaged")
        known = record.of_module(module.imei, module.chip_serial)
        untouched = module.flash == "old" and module.mode == "runtime"
        hold(known or untouched, f"{slot}: nothing is on record of {module}")
        if known and known[-1].outcome in GOOD:
            hold(module.flash == "new", f"{slot}: {known[-1].outcome}, and {module}")
            version = known[-1].closed[0]["firmware_after"]
            hold(version == VERSION, f"{slot}: {known[-1].outcome} with {version}")


def check_finished(record: Record, modules: Mapping[str, Module]) -> None:
    """Nothing is left open, and every module's last verdict is a good one."""
    left = [attempt.id for attempt in record.attempts if not attempt.closed]
    hold(not left, f"left open: {left}")
    for slot, module in modules.items():
        known = record.of_module(module.imei, module.chip_serial)
        hold(known and known[-1].outcome in GOOD, f"{slot} ended with {known[-1:]}")
