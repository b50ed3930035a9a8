"""What a recipe wants to be safe is safe before the module is switched, and before it is erased."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio
import yaml

from station.engine.world import Order
from station.errors import EvidenceNotKept
from station.evidence.cabinet import EFS2, Cabinet
from station.model import AttemptRecord, Mode, Outcome, StepOutcome, StepStarted
from station.sim.faults import Arrival
from station.sim.mishap import Cure, Fate, Mishap, What
from station.sim.module import SimModule
from station.sim.own_backup import OwnBackup
from tests.engine.tray import Line, by_slot, code_of, make_line, no_breaches, step_named

pytestmark = pytest.mark.trio

ASKED = [b"ATE0\r", b"AT+QPRTPARA=?\r", b"AT+QPRTPARA=4\r", b"AT+QPRTPARA=1\r", b"AT+QPRTPARA=4\r"]
BACK_UP = b"AT+QPRTPARA=1\r"
SWITCH = bytes.fromhex("4b650100540f7e")
READ_EFS2 = (
    b'<read PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="2048" num_partition_sectors="512" '
    b'physical_partition_number="0" start_sector="1280" />'
)
"""Its first eight blocks of 128 KiB."""


def backing_up(folder: Path, *backup: str, slots: int = 1) -> Line:
    line = make_line(folder, slots)
    line.edit_recipe(family="ec25", backup=list(backup))
    return line


def said(module: SimModule) -> list[bytes]:
    """All that the module was told, without image data, in order."""
    return [entry.data for entry in module.out_log.entries if isinstance(entry.data, bytes)]


def place(told: list[bytes], part: bytes) -> int:
    return next(at for at, data in enumerate(told) if part in data)


def efs2_of(module: SimModule) -> bytes:
    layout = module.layout
    part = next(part for part in layout.parts if part.name.casefold() == "efs2")
    start = layout.start_sector(part)
    return b"".join(map(module.nand.read, range(start, start + layout.num_sectors(part))))


def dumps(record: AttemptRecord) -> list[bytes]:
    """Digests of the dumps that the closing row names."""
    assert record.closed is not None
    return [bytes.fromhex(kept.sha256) for kept in record.closed.evidence if kept.kind == EFS2]


def left_as_it_was(line: Line, record: AttemptRecord, flash_before: bytes) -> None:
    """Whatever failed: nothing was erased, and the module is in normal mode."""
    assert line.fingerprint("A1") == flash_before
    assert not any(b"<erase" in data for data in said(line.tray.modules["A1"]))
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME


# --- both -------------------------------------------------------------------------------------


async def test_backup_then_switch_then_dump_then_erase(tmp_path: Path, tray_clock: object) -> None:
    line = backing_up(tmp_path, "module", "dump")
    module = line.tray.modules["A1"]
    efs2 = efs2_of(module)
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    told = said(module)
    order = [place(told, what) for what in (BACK_UP, SWITCH, READ_EFS2, b"<erase", b"<program")]
    assert order == sorted(order)
    assert told[order[0] - 3 : order[0] + 2] == ASKED
    assert told.count(BACK_UP) == 1
    assert not any(b"QPRTPARA=3" in data for data in told)
    assert (module.own_backup.backups, module.own_backup.restores) == (2, 0)
    backup = step_named(record, "backup")
    assert backup.detail == {"backups_before": 1, "backups_after": 2, "restores": 0}
    assert backup.duration_us > 8_000_000
    kept = step_named(record, "dump")
    assert kept.detail["efs2_sha256"] == hashlib.sha256(efs2).hexdigest()
    assert kept.bytes == len(efs2) == 0x88 * 131072
    assert efs2_of(module) == efs2
    (row,) = line.recorded(slot="A1")
    assert row.closed is not None
    dump, transcript = row.closed.evidence
    assert (dump.kind, transcript.kind) == ("efs2", "transcript")
    assert (dump.sha256, dump.length_bytes) == (kept.detail["file"], len(efs2))
    assert Cabinet(line.settings().evidence).read(dump) == efs2


async def test_what_is_not_asked_for_is_not_done(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    told = said(line.tray.modules["A1"])
    assert not any(b"QPRTPARA" in data for data in told)
    assert not any(READ_EFS2 in data for data in told)
    assert {"backup", "dump"}.isdisjoint(step.name for step in record.steps)


async def test_a_module_of_5g_keeps_its_efs2_too(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, family="rm500q")
    path = tmp_path / "recipes" / "rm500q-demo.yaml"
    recipe = yaml.safe_load(path.read_text()) | {"family": "rm500q", "backup": ["module", "dump"]}
    path.write_text(yaml.safe_dump(recipe))
    efs2 = efs2_of(line.tray.modules["A1"])
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    assert step_named(record, "dump").detail["efs2_sha256"] == hashlib.sha256(efs2).hexdigest()


async def test_in_edl_only_the_dump_can_be_made(tmp_path: Path, tray_clock: object) -> None:
    line = backing_up(tmp_path, "module", "dump")
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, arrival=Arrival.EDL)
    order = Order("test", recipe="ec25-demo", names_slot=True)
    with no_breaches(line.tray):
        record = by_slot(await line.flash(order=order))["A1"]
    assert code_of(record) is None
    backup = step_named(record, "backup")
    assert backup.outcome is StepOutcome.SKIPPED
    assert "in EDL" in str(backup.detail["backup"])
    assert BACK_UP not in said(module)
    assert len(dumps(record)) == 1


# --- the module's own backup ------------------------------------------------------------------


async def test_a_backup_that_is_not_counted_stops_before_the_switch(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module")
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, counts_backups=False)
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.failure is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.FAIL, "D220")
    assert "was 1 before and is 1 now" in record.closed.failure.cause
    assert SWITCH not in said(module)
    assert said(module).count(BACK_UP) == 1
    left_as_it_was(line, record, before)


@dataclass(slots=True)
class CountsLate(OwnBackup):
    """Says OK at once to what it has still to count."""

    asked_again: int = 0

    def answer(self, value: str) -> list[str] | None:
        if value == "1":
            self.asked_again = 4
            return []
        if value == "4" and self.asked_again:
            self.asked_again -= 1
            self.backups += self.asked_again == 0
        return OwnBackup.answer(self, value)


async def test_a_count_that_rises_late_is_waited_for(tmp_path: Path, tray_clock: object) -> None:
    line = backing_up(tmp_path, "module")
    module = line.tray.modules["A1"]
    module.own_backup = CountsLate(module.referee)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    assert step_named(record, "backup").detail["backups_after"] == 2
    assert said(module).count(BACK_UP) == 1


async def test_a_module_that_does_not_offer_it_is_not_told(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module")
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, offers_backup=False)
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.failure is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.BLOCKED, "D219")
    assert record.closed.failure.cause == "AT+QPRTPARA=? was answered ERROR"
    assert BACK_UP not in said(module)
    assert SWITCH not in said(module)
    left_as_it_was(line, record, before)


def without_the_backup(line: Line) -> None:
    """A table of families, for the engine alone, that does not know it of the EC25."""
    shipped = Path(__file__).parents[2] / "config" / "families.yaml"
    families = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    del families["families"]["ec25"]["module_backup"]
    (line.folder / "families.yaml").write_text(yaml.safe_dump(families))
    settings = yaml.safe_load(line.config.read_text()) | {"families": "families.yaml"}
    line.config.write_text(yaml.safe_dump(settings))


async def test_a_family_that_is_not_listed_is_never_told(
    tmp_path: Path, tray_clock: object
) -> None:
    """Not even where the recipe was read with another table of families."""
    line = backing_up(tmp_path, "module")
    without_the_backup(line)
    before = line.fingerprint("A1")
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D219"
    assert not any(b"QPRTPARA" in data for data in said(line.tray.modules["A1"]))
    left_as_it_was(line, record, before)


async def test_a_recipe_of_another_family_is_no_recipe_for_the_module(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module")
    line.edit_recipe(family="rm500q")
    before = line.fingerprint("A1")
    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.BLOCKED, "R305")
    assert not any(b"QPRTPARA" in data for data in said(line.tray.modules["A1"]))
    left_as_it_was(line, record, before)


async def test_one_that_falls_silent_in_its_backup_keeps_its_power_and_is_not_told_again(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module")
    line.switch_power()
    module = line.tray.modules["A1"]
    module.timing = replace(module.timing, backup_s=1e6)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D220"
    assert [step.name for step in record.steps].count("backup") == 1
    assert "recover" not in [step.name for step in record.steps]
    assert said(module).count(BACK_UP) == 1
    assert module.breaches == []


async def test_one_that_is_pulled_in_its_backup_is_not_taken_for_backed_up(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module")
    async with trio.open_nursery() as nursery:

        async def pull() -> None:
            with trio.fail_after(60):
                while not line.tray.modules["A1"].own_backup.under_way:
                    await line.backend.wait_change(0.5)
            line.unplug("A1")

        def tell(event: object) -> None:
            if isinstance(event, StepStarted) and event.step == "backup":
                nursery.start_soon(pull)

        line.tell = tell
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D220"
    assert record.closed is not None
    assert record.closed.final_mode is Mode.ABSENT
    assert SWITCH not in said(line.tray.modules["A1"])


# --- the dump ---------------------------------------------------------------------------------


async def test_what_cannot_be_read_stops_before_the_erase(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "dump")
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, refuses_efs_reads=True)
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.failure is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.FAIL, "D221")
    assert "EFS2 (sectors 1280 to 1791) cannot be read" in record.closed.failure.cause
    assert step_named(record, "give_back").detail["unchanged"] == "yes"
    assert dumps(record) == []
    assert list((line.settings().evidence / "open").iterdir()) == []
    left_as_it_was(line, record, before)


async def test_what_cannot_be_kept_stops_before_the_erase(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = backing_up(tmp_path, "dump")
    spool = Cabinet.spool

    def full(self: Cabinet, attempt_id: str, data: bytes, kind: str = "transcript") -> None:
        if kind == EFS2:
            raise EvidenceNotKept(f"{self.root}: No space left on device")
        spool(self, attempt_id, data, kind)

    monkeypatch.setattr(Cabinet, "spool", full)
    before = line.fingerprint("A1")
    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.ERROR, "S523")
    assert step_named(record, "give_back").detail["unchanged"] == "yes"
    left_as_it_was(line, record, before)


async def test_work_that_is_begun_anew_keeps_its_first_dump(
    tmp_path: Path, tray_clock: object
) -> None:
    line = backing_up(tmp_path, "module", "dump")
    line.befall("A1", Mishap(What.MUTE, "program"))
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    made = [(s.name, s.outcome.value) for s in record.steps if s.name in ("backup", "dump")]
    assert made == [("backup", "OK"), ("dump", "OK"), ("dump", "SKIPPED")]
    assert len(dumps(record)) == 1


async def test_the_good_backup_is_kept_after_a_flash_that_did_not_pass(
    tmp_path: Path, tray_clock: object
) -> None:
    """Whatever the first attempt did to the calibration, the second does not copy it."""
    line = backing_up(tmp_path, "module")
    module = line.tray.modules["A1"]
    line.befall("A1", Mishap(What.HANGS, "confirm", Cure.NONE, times=1_000_000))
    first = by_slot(await line.flash())["A1"]
    assert code_of(first) == "D206"
    assert module.own_backup.backups == 2
    module.fate = Fate()
    with no_breaches(line.tray):
        second = by_slot(await line.flash())["A1"]
    assert code_of(second) is None
    backup = step_named(second, "backup")
    assert backup.outcome is StepOutcome.SKIPPED
    assert first.opened.attempt_id in str(backup.detail["backup"])
    assert module.own_backup.backups == 2
    line.edit_recipe(family="ec25", backup=["module"], same_version="reflash")
    third = by_slot(await line.flash())["A1"]
    assert code_of(third) is None
    assert module.own_backup.backups == 3
