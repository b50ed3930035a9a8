"""People who stop things, databases that fail, modules that are pulled."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from station.engine.once import Tally
from station.engine.world import Order
from station.errors import DatabaseError, UsbAccess
from station.model import (
    AttemptClosed,
    AttemptEnded,
    DeviceInfo,
    Mode,
    Outcome,
    SlotFailed,
    StepStarted,
)
from station.sim.backend import SimPipe
from station.store.facts import Facts
from station.store.writer import Store
from tests.engine.tray import Line, by_slot, code_of, make_line, no_breaches, step_named
from tests.mock_time import time_passes


async def flash_until(
    line: Line, step: str, then: Callable[[], object], order: Order | None = None
) -> Tally:
    """Flash, and do something the moment slot A1 begins this step."""
    done = False

    def watch(event: object) -> None:
        nonlocal done
        if not done and isinstance(event, StepStarted) and (event.slot, event.step) == ("A1", step):
            done = True
            then()

    line.tell = watch
    return await line.flash(order=order)


def stop_now(line: Line) -> None:
    """Ctrl-C, twice."""
    line.stop.gently.set()
    line.stop.now.set()


async def dies_in(line: Line, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The station is gone in this step of slot A1: its attempt is left open in the record."""

    async def die(self: Store, closed: AttemptClosed) -> None:
        raise DatabaseError("the process is gone")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "close_attempt", die)
        patched.setattr(Store, "keep", die)
        await flash_until(line, step, lambda: stop_now(line))


@pytest.mark.trio
@pytest.mark.parametrize("step", ["identify", "preflight", "load_programmer", "partition_table"])
async def test_an_abort_before_the_first_erase_gives_the_module_back(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    line = make_line(tmp_path, slots=2)
    flash_before = line.fingerprint("A1")
    with no_breaches(line.tray):
        records = by_slot(await flash_until(line, step, lambda: line.stop.gently.set()))
    for record in records.values():
        assert record.closed is not None
        assert (record.closed.outcome, code_of(record)) == (Outcome.ABORTED, "X902")
        assert record.closed.final_mode is Mode.RUNTIME, step
    assert line.fingerprint("A1") == flash_before
    assert len(line.recorded(slot="A1")) == 1


@pytest.mark.trio
async def test_an_abort_while_a_module_is_given_back_costs_neither_module_nor_record(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "wrong-programmer"})
    record = by_slot(await flash_until(line, "give_back", lambda: line.stop.gently.set()))["A1"]
    assert code_of(record) == "D203"
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME
    assert len(line.recorded(slot="A1")) == 1


@pytest.mark.trio
async def test_a_bug_while_a_module_is_given_back_still_ends_in_a_verdict(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path, faults={"A1": "wrong-programmer"})

    def break_reset(timeout_s: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("station.flash.confirm.sahara.reset", break_reset)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D203"
    assert record.closed is not None
    assert record.closed.failure is not None
    assert "could not be brought back" in record.closed.failure.cause


@pytest.mark.trio
async def test_a_module_that_was_swapped_after_it_was_checked_is_not_flashed(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=2)
    other = line.tray.modules["A2"]
    before = line.fingerprint("A2")

    def swap() -> None:
        line.unplug("A2")
        line.backend.plug(line.tray.ports["A1"], other)

    record = by_slot(await flash_until(line, "preflight", swap))["A1"]
    assert code_of(record) == "D218"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.BLOCKED
    assert line.fingerprint("A2") == before


@pytest.mark.trio
async def test_a_module_that_restarts_by_itself_before_the_switch_is_asked_again(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    module, port = line.tray.modules["A1"], line.tray.ports["A1"]
    record = by_slot(await flash_until(line, "preflight", lambda: line.backend.plug(port, module)))
    assert code_of(record["A1"]) is None


@pytest.mark.trio
async def test_eyes_that_are_shut_cost_no_module(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path, slots=2)

    def broken(event: object) -> None:
        raise BrokenPipeError

    line.tell = broken
    records = by_slot(await line.flash())
    assert [code_of(record) for record in records.values()] == [None, None]


@pytest.mark.trio
async def test_a_scan_that_fails_now_and_then_ends_no_attempt(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    scan, count = line.backend.scan, 0

    async def moody() -> tuple[DeviceInfo, ...]:
        nonlocal count
        count += 1
        if count % 3 == 2:
            raise ValueError("an odd descriptor")
        return await scan()

    monkeypatch.setattr(line.backend, "scan", moody)
    assert code_of(by_slot(await line.flash())["A1"]) is None
    assert count > 3


@pytest.mark.trio
async def test_a_port_that_is_closed_to_us_for_a_while_is_waited_for(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev sets the rights of a device some time after it shows up."""
    line = make_line(tmp_path)
    opening, first_seen = line.backend.open, dict[DeviceInfo, float]()

    async def slow_udev(device: DeviceInfo, interface: int, *, line_state: bool) -> SimPipe:
        seen = first_seen.setdefault(device, trio.current_time())
        if trio.current_time() < seen + 6:
            raise UsbAccess("no rights yet")
        return await opening(device, interface, line_state=line_state)

    monkeypatch.setattr(line.backend, "open", slow_udev)
    assert code_of(by_slot(await line.flash())["A1"]) is None


@pytest.mark.trio
async def test_a_stop_during_the_commit_before_the_first_erase_takes_effect_there(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is not cut off by a stop, so the next step begins with the stop pending."""
    line = make_line(tmp_path)
    before = line.fingerprint("A1")
    save = Store.save

    async def stop_inside(self: Store, facts: Facts, **how: float) -> None:
        if facts.steps[-1].name == "partition_table":
            line.stop.gently.set()
            with trio.CancelScope(shield=True):
                await time_passes(1)  # the mock clock's second: the stop is noticed meanwhile
                await save(self, facts, **how)
        else:
            await save(self, facts, **how)

    monkeypatch.setattr(Store, "save", stop_inside)
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "X902"
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME
    assert line.fingerprint("A1") == before


@pytest.mark.trio
async def test_a_gentle_stop_finishes_what_is_being_written(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    tally = await flash_until(line, "program", lambda: line.stop.gently.set())
    assert tally.aborted
    assert code_of(by_slot(tally)["A1"]) is None


@pytest.mark.trio
async def test_a_second_stop_is_recorded_with_the_mode_it_left(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    record = by_slot(await flash_until(line, "program", lambda: stop_now(line)))["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ABORTED
    assert record.closed.final_mode is Mode.EDL


@pytest.mark.trio
async def test_a_stop_while_the_tray_is_awaited_ends_the_wait(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=2)
    line.unplug("A1")
    line.stop_at_once = True
    began = trio.current_time()
    tally = await line.flash(wait_s=3600)
    assert trio.current_time() - began < 60
    assert tally.aborted


@pytest.mark.trio
@pytest.mark.parametrize("step", ["identify", "enter_edl", "erase", "verify", "confirm"])
async def test_a_pulled_module_ends_its_own_attempt_only(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    line = make_line(tmp_path, slots=2)
    records = by_slot(await flash_until(line, step, lambda: line.unplug("A1")))
    assert records["A1"].closed is not None
    assert records["A1"].closed.outcome in (Outcome.FAIL, Outcome.BLOCKED)
    assert records["A1"].closed.final_mode is Mode.ABSENT
    assert records["A1"].opened.port_path == "1-1.1"
    assert code_of(records["A1"]) == {"confirm": "D206"}.get(step, "U110")
    assert code_of(records["A2"]) is None


@pytest.mark.trio
async def test_a_verdict_that_was_refused_once_is_recorded_a_moment_later(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path, slots=2)
    told: list[object] = []
    line.tell = told.append
    close = Store.close_attempt

    async def refuse_first(self: Store, closed: AttemptClosed, facts: Facts) -> None:
        if not refused:
            refused.append(closed)
            raise DatabaseError("the disk is full")
        await close(self, closed, facts)

    refused: list[AttemptClosed] = []
    monkeypatch.setattr(Store, "close_attempt", refuse_first)
    tally = await line.flash()
    assert (len(tally.records), tally.lost, tally.unrecorded) == (2, {}, None)
    (refusal,) = [seen for seen in told if isinstance(seen, SlotFailed)]
    assert refusal.failure.code == "S530"
    ends = [seen for seen in told if isinstance(seen, AttemptEnded)]
    assert [end.slot for end in ends[-1:]] == [refusal.slot]
    (row,) = line.recorded(slot=refusal.slot)
    assert row.closed is not None
    assert ends[-1].record.closed is not None
    assert row.closed.duration_us == ends[-1].record.closed.duration_us


@pytest.mark.trio
async def test_a_verdict_that_stays_refused_waits_for_the_next_start(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)

    def refuse(*_: object) -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "close_attempt", refuse)
        patched.setattr(Store, "_record_blocking", refuse)
        tally = await line.flash()
    assert tally.records == []
    assert tally.lost["A1"].code == "S530"
    assert str(tally.unrecorded).startswith("1 not recorded yet: the disk is full")
    (row,) = line.recorded(slot="A1")
    assert row.closed is None

    line.unplug("A1")
    await line.flash()
    first, second = line.recorded(slot="A1")
    assert first.closed is not None
    assert first.closed.outcome is Outcome.PASS
    assert first.steps[: len(row.steps)] == row.steps
    assert code_of(second) == "U101"


@pytest.mark.trio
async def test_a_database_that_fails_in_mid_write_costs_no_module(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that could not be saved while the module was half written come with the verdict."""
    line = make_line(tmp_path)
    save_ = Store.save
    failing = trio.Event()

    async def save(self: Store, facts: Facts, **how: float) -> None:
        if failing.is_set():
            raise DatabaseError("locked")
        await save_(self, facts, **how)

    monkeypatch.setattr(Store, "save", save)

    def watch(event: object) -> None:
        nonlocal failing
        if isinstance(event, StepStarted) and event.step == "erase":
            failing.set()
        if isinstance(event, StepStarted) and event.step == "confirm":
            failing = trio.Event()

    line.tell = watch
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    (row,) = line.recorded(slot="A1")
    assert [s.name for s in row.steps] == [s.name for s in record.steps]
    assert row.images == record.images
    assert len(row.images) > 5


@pytest.mark.trio
async def test_an_attempt_left_open_by_a_dead_engine_is_closed_as_interrupted(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    await dies_in(line, "program", monkeypatch)
    (row,) = line.recorded(slot="A1")
    assert row.closed is None
    await line.flash("A2")
    (row,) = line.recorded(slot="A1")
    assert row.closed is not None
    assert (row.closed.outcome, code_of(row)) == (Outcome.INTERRUPTED, "X903")
    assert "enter_edl" in [step.name for step in row.steps]


@pytest.mark.trio
async def test_a_bug_in_one_slot_is_an_error_there_and_nowhere_else(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path, slots=2)
    module = line.tray.modules["A1"]
    monkeypatch.setattr(module, "receive", lambda *_: 1 / 0)
    records = by_slot(await line.flash())
    assert code_of(records["A1"]) == "X901"
    assert records["A1"].closed is not None
    assert records["A1"].closed.outcome is Outcome.ERROR
    assert code_of(records["A2"]) is None
    assert step_named(records["A1"], "identify").outcome.value == "FAILED"


@pytest.mark.trio
async def test_a_port_that_somebody_holds_is_told_as_that(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, slots=2)
    line.tray.plug(trio.current_time())
    line.plugged = True
    (held, _) = await line.backend.scan()
    pipe = await line.backend.open(held, 2, line_state=False)
    records = by_slot(await line.flash())
    await pipe.aclose()

    assert code_of(records["A1"]) == "U104"
    assert code_of(records["A2"]) is None


@pytest.mark.trio
@pytest.mark.parametrize(("echoes", "code"), [(2, None), (5, None), (99, "P114")])
async def test_a_hello_sent_back_to_its_module_costs_a_reset_not_the_module(
    tmp_path: Path, tray_clock: object, echoes: int, code: str | None
) -> None:
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, echoed_hellos=echoes)
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]

    assert code_of(record) == code
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME
    assert (line.fingerprint("A1") == before) is (code is not None)


@pytest.mark.trio
@pytest.mark.parametrize("step", ["erase", "program", "verify", "reset"])
async def test_a_module_that_was_cut_off_is_flashed_when_it_is_put_back(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    line = make_line(tmp_path)
    port, module = line.tray.ports["A1"], line.tray.modules["A1"]
    record = by_slot(await flash_until(line, step, lambda: line.unplug("A1")))["A1"]
    assert record.closed is not None
    assert not record.closed.outcome.is_good
    line.backend.plug(port, module)

    record = by_slot(await line.flash())["A1"]
    assert record.closed is not None
    assert record.closed.outcome.is_good, record.closed.failure
    assert module.breaches == []


@pytest.mark.trio
async def test_a_stranger_without_a_table_is_left_alone(tmp_path: Path, tray_clock: object) -> None:
    """Nothing tells where its calibration lies."""
    line = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    module = line.tray.modules["A1"]
    table = next(part for part in module.layout.parts if part.name == "MIBIB")
    module.nand.erase(table.start_block, table.num_blocks)
    before = line.fingerprint("A1")

    order = Order("test", recipe="ec25-demo", names_slot=True)
    record = by_slot(await line.flash(order=order))["A1"]
    assert code_of(record) == "D205"
    assert line.fingerprint("A1") == before


@pytest.mark.trio
@pytest.mark.parametrize("tells_by_usb", [True, False])
async def test_a_stranger_that_was_cut_off_is_known_by_its_chip_the_next_time(
    tmp_path: Path, tray_clock: object, *, tells_by_usb: bool
) -> None:
    """Its variant was never known, and its partition table is erased: the record has seen it. Some
    tell their chip serial to the boot ROM alone."""
    line = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    module, port = line.tray.modules["A1"], line.tray.ports["A1"]
    module.traits = replace(module.traits, serial_in_product=tells_by_usb)
    order = Order("test", recipe="ec25-demo", names_slot=True)
    await flash_until(line, "program", lambda: line.unplug("A1"), order)
    line.backend.plug(port, module)
    record = by_slot(await line.flash(order=order))["A1"]
    assert record.closed is not None
    assert record.closed.outcome is Outcome.PASS, record.closed.failure
    assert step_named(record, "partition_table").detail == {"partition_table": "erased already"}
