"""What must hold of a record, its evidence and the modules' own flash, whoever died when.

Pure looks at what was read from outside; each raises Broken with what is wrong.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from station.model import LAYOUT_STEP
from station.sim.layouts import layout_of
from tests.crash.bench import Module
from tests.crash.record import Attempt, Record
from tests.holding import hold

GOOD = ("PASS", "NO_CHANGE")
INTERRUPTED = ("INTERRUPTED", "X903")
IN_EDL = "05c6:9008"

_LAYOUT = layout_of("ec25")


@dataclass(frozen=True)
class Look:
    """All that was seen at one moment with no engine alive. `spools`: attempts of which something
    had been heard and put on the disk."""

    record: Record
    modules: Mapping[str, Module]
    spools: frozenset[str]

    def attempts(self, slot: str) -> list[Attempt]:
        """Those on the module that is in the slot, in the order they began."""
        module = self.modules[slot]
        return self.record.of_module(module.imei, module.chip_serial)

    def newest(self, slot: str) -> Attempt | None:
        return next(reversed(self.attempts(slot)), None)

    def certain(self, slot: str) -> Attempt | None:
        """The attempt that was cut off and has certainly left the module in EDL, half written or
        about to be: it is to be resumed by whatever engine comes next, also if others that were to
        do so were cut off, too."""
        module = self.modules[slot]
        if module.device != IN_EDL or module.is_nameless:
            return None
        for attempt in reversed(self.attempts(slot)):
            if attempt.outcome not in (None, "INTERRUPTED"):
                return None
            if attempt.has_passed(LAYOUT_STEP):
                return attempt if self.record.knows_chip(attempt, module.chip_serial) else None
        return None


def is_flashed(module: Module, package: Mapping[str, tuple[int, str]]) -> bool:
    return all(module.flash[name] == content for name, content in package.items())


# --- the record -------------------------------------------------------------------------------


def check_record(record: Record, earlier: Record, told: Mapping[str, str]) -> None:
    """SQLite finds nothing wrong, nothing that was committed is gone or changed, and every verdict
    that somebody was shown is there. `told`: attempt -> outcome."""
    hold(not record.complaints, f"the file is damaged: {record.complaints[:3]}")
    lost = record.lost_from(earlier)
    hold(not lost, f"committed rows are gone: {lost[:2]}")
    for attempt in record.attempts:
        hold(len(attempt.closed) <= 1, f"{attempt.id} has {len(attempt.closed)} verdicts")
    verdicts = {attempt.id: attempt.outcome for attempt in record.attempts}
    for attempt_id, outcome in told.items():
        found = verdicts.get(attempt_id)
        hold(found == outcome, f"{attempt_id} was shown as {outcome} and is {found}")


def check_ended(record: Record, cut: Iterable[Attempt]) -> None:
    """No attempt is open, and those that were when an engine died say so."""
    left = [attempt.id for attempt in record.attempts if not attempt.closed]
    hold(not left, f"still open: {left}")
    verdicts = {attempt.id: attempt.closed[0] for attempt in record.attempts}
    for attempt in cut:
        row = verdicts[attempt.id]
        verdict = (row["outcome"], row["failure_code"])
        hold(verdict == INTERRUPTED, f"{attempt.id} was cut off, and its verdict is {verdict}")


def check_evidence(record: Record, root: Path) -> None:
    """Every file that a row names is there, whole, and about that attempt."""
    for attempt in record.attempts:
        for row in attempt.evidence:
            _check_file(root / row["sha256"][:2] / f"{row['sha256']}.jsonl.gz", row)


def check_spools(record: Record, spooled: Iterable[str]) -> None:
    """What had been heard of these attempts when their engine died was kept."""
    forgotten = set(spooled) - {attempt.id for attempt in record.attempts if attempt.evidence}
    hold(not forgotten, f"what was heard of {forgotten} is gone")


def _check_file(path: Path, row: Mapping[str, object]) -> None:
    hold(path.is_file(), f"there is no {path.name}, which {row['attempt_id']} names")
    packed = path.read_bytes()
    hold(hashlib.sha256(packed).hexdigest() == row["sha256"], f"{path.name} is damaged")
    hold(len(packed) == row["stored_bytes"], f"{path.name} has {len(packed)} bytes")
    lines = gzip.decompress(packed)
    hold(len(lines) == row["length_bytes"], f"{path.name} unpacks to {len(lines)} bytes")
    first, *_ = [json.loads(line) for line in lines.splitlines()]
    hold(first["attempt"] == row["attempt_id"], f"{path.name} is about {first['attempt']}")


# --- the modules ------------------------------------------------------------------------------


def check_modules(look: Look, earlier: Look, package: Mapping[str, tuple[int, str]]) -> None:
    """Calibration is untouched, a good verdict is true, and no module was changed unrecorded."""
    for slot, module in look.modules.items():
        hold(module.is_calibrated, f"{slot}: the calibration is damaged")
        attempt = look.newest(slot)
        if attempt is not None and attempt.outcome in GOOD:
            hold(is_flashed(module, package), f"{slot}: {attempt.outcome}, and its flash is not")
            version = attempt.closed[0]["firmware_after"]
            hold(version == _LAYOUT.newer_version, f"{slot}: {attempt.outcome} with {version}")
        if _was_changed(module, earlier.modules[slot]):
            before = earlier.newest(slot)
            is_told = attempt is not None and (before is None or before.id != attempt.id or
                                               not before.closed)  # fmt: skip
            hold(is_told, f"{slot}: the module was changed, and the record does not know")


def _was_changed(module: Module, before: Module) -> bool:
    """Its flash, or it was switched to EDL."""
    if module.imei != before.imei:
        return False
    is_new_there = module.device == IN_EDL and before.device not in (IN_EDL, None)
    return (is_new_there and not module.comes_in_edl) or module.flash != before.flash


def check_resumed(look: Look, killed: Look, *, by_itself: bool) -> None:
    """What was certain when the engine died was taken up again and is good. `by_itself`: nobody
    ordered anything, so nothing else was begun on a module that stayed where it was."""
    for slot in look.modules:
        cut = killed.certain(slot)
        now = look.newest(slot)
        if cut is not None:
            resumed = [a for a in look.record.attempts if _resumes(a) == cut.id]
            hold(resumed, f"{slot}: {cut.id} was certain, and nobody took it up again")
            hold(resumed[-1].outcome in GOOD, f"{slot}: resumed, and {resumed[-1].closed}")
        elif by_itself and _stayed(look.modules[slot], killed.modules[slot]):
            was = killed.newest(slot)
            begun = (now and now.id) != (was and was.id)
            hold(not begun, f"{slot}: begun by itself, and nothing was certain")


def _stayed(module: Module, before: Module) -> bool:
    return before.device is not None and module.enumerations == before.enumerations


def _resumes(attempt: Attempt) -> str | None:
    details = [json.loads(s["detail"]) for s in attempt.steps if s["name"] == "select"]
    return next((detail.get("resumes") for detail in details), None)


def check_good(look: Look, package: Mapping[str, tuple[int, str]]) -> None:
    """In the end each module is flashed, and on record as good."""
    for slot, module in look.modules.items():
        attempt = look.newest(slot)
        good = attempt is not None and attempt.outcome in GOOD
        hold(good, f"{slot}: in the end it is {attempt and attempt.closed}")
        hold(is_flashed(module, package), f"{slot}: in the end its flash is not the package")
