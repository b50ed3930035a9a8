"""A whole tray: eight good modules, eight bad ones, and what an auditor finds afterwards."""

from pathlib import Path

import pytest
import trio

from station.engine.journal import Journal
from station.model import AttemptClosed, AttemptOpened, IdKind, Mode, Outcome, VerifyKind
from station.protocols.at import READS
from station.sim.faults import FAULTS
from station.sim.referee import OutEntry
from tests.engine.tray import by_slot, code_of, make_line, no_breaches, step_named
from tests.mock_time import time_passes

EIGHT_FAULTS = {
    "A1": ("nak", "P112", Outcome.FAIL),
    "A2": ("wrong-programmer", "D203", Outcome.FAIL),
    "A3": ("unplug", "U110", Outcome.FAIL),
    "A4": ("silent-sahara", "P102", Outcome.FAIL),
    "A5": ("no-return", "D206", Outcome.FAIL),
    "A6": ("old-version", "D207", Outcome.FAIL),
    "A7": ("other-imei", "D208", Outcome.FAIL),
    "A8": ("ftm", "D209", Outcome.FAIL),
}

ENDS = {
    "arrives-in-edl": "BLOCKED D212, edl",
    "arrives-programmer-running": "BLOCKED D212, edl",
    "boot-loop": "BLOCKED D212, edl",
    "corrupt-write": "FAIL D210, edl",
    "default-imei": "BLOCKED D223, runtime",
    "early-nak": "FAIL P112, edl",
    "edl-read-refused": "FAIL P112, runtime",
    "ftm": "FAIL D209, runtime",
    "hung": "FAIL P132, runtime, twice",
    "mibib-moved": "FAIL D205, runtime",
    "nak": "FAIL P112, edl",
    "no-edl": "FAIL D211, absent",
    "no-return": "FAIL D206, absent",
    "no-return-once": "FAIL D206, absent",
    "old-version": "FAIL D207, runtime",
    "other-imei": "FAIL D208, runtime",
    "silent-sahara": "FAIL P102, edl, twice",
    "unplug": "FAIL U110, absent",
    "wide-payload": "BLOCKED D212, edl",
    "wrong-geometry": "FAIL D204, runtime",
    "wrong-programmer": "FAIL D203, runtime",
    "wrong-variant": "BLOCKED R302, runtime",
}
"""Where no hub can switch power: outcome, code, final mode, whether it was tried twice. With any
other named fault a module is flashed."""

STEPS = [
    "identify",
    "select",
    "preflight",
    "enter_edl",
    "load_programmer",
    "configure",
    "partition_table",
    "erase",
    "program",
    "verify",
    "reset",
    "confirm",
]


@pytest.mark.trio
async def test_eight_good_modules_pass_and_each_is_found_by_every_name(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=8)
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    assert sorted(records) == [f"A{n}" for n in range(1, 9)]
    for record in records.values():
        closed, opened = record.closed, record.opened
        assert closed is not None
        assert closed.outcome is Outcome.PASS, closed.failure
        assert closed.verify is VerifyKind.READBACK
        assert closed.final_mode is Mode.RUNTIME
        assert [step.name for step in record.steps] == STEPS
        assert opened.package is not None
        digests = {file.path: file.sha256 for file in opened.package.files}
        assert record.images
        for image in record.images:
            assert image.sha256_sent == digests[image.name]
        for found in (
            line.recorded(imei=opened.unit.imei),
            line.recorded(serial=opened.unit.serial),
            line.recorded(chip=closed.unit.chip_serial),
        ):
            assert [r.opened.attempt_id for r in found] == [opened.attempt_id]


@pytest.mark.trio
async def test_eight_faults_give_eight_codes_and_harm_no_neighbour(
    tmp_path: Path, tray_clock: object
) -> None:
    faults = {slot: fault for slot, (fault, _, _) in EIGHT_FAULTS.items()}
    line = make_line(tmp_path, slots=9, faults=faults)
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    for slot, (fault, code, outcome) in EIGHT_FAULTS.items():
        closed = records[slot].closed
        assert closed is not None
        assert (code_of(records[slot]), closed.outcome) == (code, outcome), (fault, closed.failure)
        assert closed.failure is not None
        assert closed.failure.cause
        assert closed.failure.remedy
    assert code_of(records["A9"]) is None
    assert len(line.recorded(slot="A1")) == 1


@pytest.mark.trio
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_each_fault_has_its_end_and_the_neighbour_passes(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    line = make_line(tmp_path, slots=2, faults={"A1": fault})
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    assert code_of(records["A2"]) is None
    *before, last = line.recorded(slot="A1")
    assert len(before) <= 1
    assert last.closed is not None
    assert records["A1"].closed is not None
    assert last.closed.outcome is records["A1"].closed.outcome
    if fault in ENDS:
        assert _end_of(last.closed, len(before)) == ENDS[fault], last.closed.failure
    else:
        assert (_end_of(last.closed, len(before)), last.closed.verify) == (
            "PASS None, runtime",
            VerifyKind.READBACK,
        ), last.closed.failure
    assert all(row.closed and row.closed.outcome is Outcome.FAIL for row in before)


def _end_of(closed: AttemptClosed, before: int) -> str:
    code = closed.failure and closed.failure.code
    end = f"{closed.outcome.value} {code}, {closed.final_mode.value}"
    return f"{end}, twice" if before else end


@pytest.mark.trio
async def test_before_the_commit_nothing_but_reading_at_commands_is_sent(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    before: list[OutEntry] = []
    commit = Journal.open

    async def look_then_commit(self: Journal, opened: AttemptOpened) -> None:
        before.extend(module.out_log.entries)
        await commit(self, opened)

    monkeypatch.setattr(Journal, "open", look_then_commit)
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    assert code_of(records["A1"]) is None
    assert before
    assert {entry.interface for entry in before} == {2}
    said = b"".join(entry.data for entry in before if isinstance(entry.data, bytes))
    assert {command.decode() for command in said.split(b"\r") if command} <= set(READS)
    assert bytes.fromhex("4b650100540f7e") in module.out_log.sent("runtime")


@pytest.mark.trio
async def test_a_module_that_leaves_while_another_is_awaited_has_as_long_to_come_back(
    tmp_path: Path, tray_clock: object
) -> None:
    """It may be in the reset that it was told by a station which died."""
    line = make_line(tmp_path, slots=2)
    line.tray.plug(trio.current_time())
    line.unplug("A2")

    async def move() -> None:
        await time_passes(1)
        line.unplug("A1")
        for slot in ("A2", "A1"):
            await time_passes(4)
            line.backend.plug(line.tray.ports[slot], line.tray.modules[slot])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(move)
        records = by_slot(await line.flash(wait_s=10))
    assert [code_of(records[slot]) for slot in ("A1", "A2")] == [None, None]


@pytest.mark.trio
async def test_an_empty_slot_is_no_usb_without_a_unit(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, slots=2)
    line.tray.plug(trio.current_time())
    line.unplug("A2")
    records = by_slot(await line.flash(wait_s=5))
    assert code_of(records["A1"]) is None
    assert code_of(records["A2"]) == "U101"
    opened = records["A2"].opened
    assert (opened.port_path, opened.unit.imei, opened.recipe) == (None, None, None)
    assert [row.opened.attempt_id for row in line.recorded(slot="A2")] == [opened.attempt_id]


@pytest.mark.trio
async def test_the_chip_serial_is_a_name_of_the_unit_with_its_source(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    records = by_slot(await line.flash())
    chip = step_named(records["A1"], "load_programmer").detail["chip_serial"]
    closed = records["A1"].closed
    assert closed is not None
    assert closed.unit.chip_serial == chip
    assert len(str(chip)) == 8
    (found,) = line.recorded(chip=str(chip))
    assert (IdKind.CHIP, chip, "sahara") in [
        (name.kind, name.value, name.source) for name in found.opened.identifiers
    ]


@pytest.mark.trio
async def test_a_superspeed_module_returns_on_the_companion_port(
    tmp_path: Path, tray_clock: object
) -> None:
    """RM500Q: SuperSpeed in normal mode, High-Speed in EDL, two ports of one socket."""
    line = make_line(tmp_path, slots=2, family="rm500q")
    with no_breaches(line.tray):
        records = by_slot(await line.flash())
    for slot, number in (("A1", 1), ("A2", 2)):
        record = records[slot]
        assert code_of(record) is None, record.closed
        assert record.opened.port_path == f"2-1.{number}"
        assert step_named(record, "enter_edl").detail["port"] == f"1-1.{number}"
        assert record.opened.recipe is not None
        assert record.opened.recipe.name == "rm500q-demo"
