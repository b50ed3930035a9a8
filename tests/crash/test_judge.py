"""The judge can fail: each thing that must hold, once as it is and once broken."""

import gzip
import hashlib
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from station.model import LAYOUT_STEP
from station.sim.layouts import layout_of
from station.store.database import sqlite_url
from station.store.revision import create_if_missing
from tests.crash import judge
from tests.crash.bench import Module
from tests.crash.judge import IN_EDL, Look
from tests.crash.record import Record, Row, read_record
from tests.holding import Broken
from tests.store.samples import event, recorded

IMEI, CHIP = "866866040000000", "0badcafe"
OLD, NEW = (10, "01d"), (20, "4e3")
PACKAGE = {"system": NEW}
VERSION = layout_of("ec25").newer_version

Halves = tuple[Row, Row | None]
"""An attempt, opened and closed."""


def module(flash: tuple[int, str] = NEW, **changes: Any) -> Module:  # noqa: ANN401 - any field
    made = Module(IMEI, CHIP, "2c7c:0125", 1, {"system": flash}, True, False, False)
    return replace(made, **changes)


def record(*attempts: Halves, **tables: tuple[Row, ...]) -> Record:
    """All of one unit, whose names are known."""
    names = ({"unit_id": "u", "kind": "imei", "value": IMEI},
             {"unit_id": "u", "kind": "chip", "value": CHIP})  # fmt: skip
    rows: dict[str, tuple[Row, ...]] = {
        "unit_identifier": names,
        "attempt_opened": tuple(opened for opened, _ in attempts),
        "attempt_closed": tuple(closed for _, closed in attempts if closed is not None),
        "step": (),
        "evidence": (),
    }
    return Record(rows | tables, ())


def attempt(name: str, outcome: str | None, began_us: int = 0, **more: str) -> Halves:
    opened = {"id": name, "started_utc_us": began_us, "unit_id": "u"}
    if outcome is None:
        return opened, None
    closed = {"attempt_id": name, "outcome": outcome, "unit_id": "u", "failure_code": None}
    return opened, closed | {"firmware_after": VERSION} | more


def look(made: Record, found: Module) -> Look:
    return Look(made, {"A1": found}, frozenset())


def step(name: str, of: str, **detail: str) -> Row:
    return {"attempt_id": of, "ordinal": 1, "name": name, "outcome": "OK",
            "detail": json.dumps(detail)}  # fmt: skip


PASSED = record(attempt("a", "PASS"))
NOTHING = record()

# --- the record -------------------------------------------------------------------------------


def test_a_committed_row_may_not_go_or_change() -> None:
    judge.check_record(PASSED, PASSED, {"a": "PASS"})
    for other in (NOTHING, record(attempt("a", "FAIL"))):
        with pytest.raises(Broken, match="rows are gone"):
            judge.check_record(other, PASSED, {})


def test_a_verdict_that_was_shown_is_on_record() -> None:
    with pytest.raises(Broken, match="was shown as PASS and is None"):
        judge.check_record(record(attempt("a", None)), NOTHING, {"a": "PASS"})


def test_a_damaged_file_is_seen() -> None:
    with pytest.raises(Broken, match="damaged"):
        judge.check_record(replace(PASSED, complaints=("row 7 missing from index",)), NOTHING, {})


def test_whatever_was_cut_off_says_so() -> None:
    cut = record(attempt("a", None)).attempts
    judge.check_ended(record(attempt("a", "INTERRUPTED", failure_code="X903")), cut)
    with pytest.raises(Broken, match="still open"):
        judge.check_ended(record(attempt("a", None)), cut)
    with pytest.raises(Broken, match="was cut off, and its verdict is"):
        judge.check_ended(PASSED, cut)


def test_a_record_that_was_left_behind_is_read_with_its_log(tmp_path: Path) -> None:
    """And left as it was: replaying the log is for the next engine."""
    living, dead = tmp_path / "living.sqlite", tmp_path / "dead.sqlite"
    create_if_missing(sqlite_url(living))
    connection = sqlite3.connect(living)
    connection.execute("SELECT * FROM unit").fetchall()  # while somebody looks, the log stays
    recorded(sqlite_url(living), event())
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{living}{suffix}", f"{dead}{suffix}")
    connection.close()
    log = Path(f"{dead}-wal").read_bytes()
    found = read_record(dead)
    assert len(found.tables["station_event"]) == 1
    assert found.complaints == ()
    assert Path(f"{dead}-wal").read_bytes() == log


# --- evidence ---------------------------------------------------------------------------------


def test_evidence_is_there_and_whole(tmp_path: Path) -> None:
    lines = b'{"attempt": "a"}\n'
    packed = gzip.compress(lines, mtime=0)
    sha256 = hashlib.sha256(packed).hexdigest()
    row = {"attempt_id": "a", "sha256": sha256, "length_bytes": len(lines),
           "stored_bytes": len(packed)}  # fmt: skip
    kept = record(attempt("a", "PASS"), evidence=(row,))
    path = tmp_path / sha256[:2] / f"{sha256}.jsonl.gz"
    with pytest.raises(Broken, match="there is no"):
        judge.check_evidence(kept, tmp_path)
    path.parent.mkdir()
    path.write_bytes(packed)
    judge.check_evidence(kept, tmp_path)
    judge.check_spools(kept, ["a"])
    path.write_bytes(packed[:-1])
    with pytest.raises(Broken, match="is damaged"):
        judge.check_evidence(kept, tmp_path)
    with pytest.raises(Broken, match="is gone"):
        judge.check_spools(PASSED, ["a"])


# --- modules ----------------------------------------------------------------------------------


def test_a_good_verdict_is_true() -> None:
    judge.check_modules(look(PASSED, module()), look(NOTHING, module(OLD)), PACKAGE)
    judge.check_good(look(PASSED, module()), PACKAGE)
    with pytest.raises(Broken, match="PASS, and its flash is not"):
        judge.check_modules(look(PASSED, module(OLD)), look(NOTHING, module(OLD)), PACKAGE)
    old = record(attempt("a", "PASS", firmware_after="EC25EFAR06A01"))
    with pytest.raises(Broken, match="PASS with EC25"):
        judge.check_modules(look(old, module()), look(NOTHING, module(OLD)), PACKAGE)


def test_calibration_stays() -> None:
    spoilt = look(PASSED, module(is_calibrated=False))
    with pytest.raises(Broken, match="calibration"):
        judge.check_modules(spoilt, look(PASSED, module()), PACKAGE)


@pytest.mark.parametrize("changed", [module(), module(OLD, device=IN_EDL)], ids=["flash", "edl"])
def test_no_module_is_changed_without_a_row(changed: Module) -> None:
    before = look(NOTHING, module(OLD))
    judge.check_modules(look(record(attempt("a", None)), changed), before, PACKAGE)
    came = module(OLD, device=IN_EDL, comes_in_edl=True)
    judge.check_modules(look(NOTHING, came), before, PACKAGE)
    with pytest.raises(Broken, match="the record does not know"):
        judge.check_modules(look(NOTHING, changed), before, PACKAGE)


def test_what_is_certain_is_resumed_and_nothing_else() -> None:
    edl = module(OLD, device=IN_EDL)
    cut = attempt("a", "INTERRUPTED")
    layout = step(LAYOUT_STEP, "a")
    killed = look(record(cut, step=(layout,)), edl)
    again = attempt("b", "PASS", 1)
    resumed = record(cut, again, step=(layout, step("select", "b", resumes="a")))
    judge.check_resumed(look(resumed, module()), killed, by_itself=True)
    with pytest.raises(Broken, match="nobody took it up again"):
        judge.check_resumed(killed, killed, by_itself=True)
    unproven = look(record(cut), edl)
    with pytest.raises(Broken, match="nothing was certain"):
        judge.check_resumed(look(record(cut, again), edl), unproven, by_itself=True)
