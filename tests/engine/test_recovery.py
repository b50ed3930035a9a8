"""What may pass is got over, within one attempt, on record; what may not is not tried again.

Every mishap at every step, and what comes of it: `tests/faults/table.txt`.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from station.engine.world import Order
from station.errors import DatabaseError, NoUsbMemory, StationError, UsbAccess, UsbBusy
from station.flash.ladder import Rung
from station.model import AttemptRecord, DeviceInfo, Event, Mode, Outcome, StepOutcome, StepStarted
from station.places import PortPath
from station.protocols.sahara import Status
from station.sim.backend import SimPipe
from station.sim.faces import CRASHED_PID
from station.sim.faults import FAULTS, Arrival, Traits
from station.sim.mishap import Cure, Fate, Mishap, What
from station.sim.module import SimModule
from station.sim.port import SimPort
from station.sim.power import SimPower
from station.store.writer import Store
from station.transport.base import PowerProof
from tests.engine.test_trouble import flash_until
from tests.engine.tray import Line, by_slot, code_of, make_line, no_breaches, step_named
from tests.mock_time import time_passes

pytestmark = pytest.mark.trio

NAMED = Order("test", recipe="ec25-demo", names_slot=True)


def rungs(record: AttemptRecord) -> list[object]:
    """Those that helped. The last one is what brought it back."""
    taken = [step for step in record.steps if step.name == "recover"]
    return [step.detail["rung"] for step in taken if step.outcome is StepOutcome.OK]


async def test_a_module_that_stays_away_costs_one_power_cycle(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, 2, faults={"A1": "no-return", "A2": "no-return-once"})
    line.switch_power()
    records = by_slot(await line.flash())
    assert code_of(records["A1"]) == "D206"
    tried = [step for step in records["A1"].steps if step.name == "recover"]
    assert [(step.outcome, step.detail["rung"]) for step in tried] == [
        (StepOutcome.FAILED, "cycle the power")
    ]
    assert code_of(records["A2"]) is None
    assert rungs(records["A2"]) == ["cycle the power"]


async def test_a_module_that_is_given_back_and_stays_away_gets_its_power_cycled(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "wrong-geometry"})
    line.switch_power()
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, returns_after_flash=False, returns_by_power=True)
    module.flashed = True  # by somebody, before: a reset does not bring it back
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D204", "the verdict stays"
    assert rungs(record) == ["cycle the power"]
    assert record.closed is not None
    assert record.closed.final_mode is Mode.RUNTIME
    last = record.steps[-1]
    assert (last.name, last.outcome) == ("give_back", StepOutcome.OK)


async def test_a_boot_loop_is_over_once_the_programmer_runs(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "boot-loop"})
    with no_breaches(line.tray):
        record = by_slot(await line.flash(order=NAMED))["A1"]
    assert code_of(record) is None, record.closed


@pytest.mark.parametrize("late_s", [12.0, 13.0, 14.0, 15.0])
async def test_one_that_is_found_late_is_caught_in_the_next_window(
    tmp_path: Path, tray_clock: object, late_s: float
) -> None:
    line = make_line(tmp_path, faults={"A1": "boot-loop"})
    line.tray.plug(trio.current_time())
    line.plugged = True
    await time_passes(late_s)
    record = by_slot(await line.flash(order=NAMED, wait_s=10))["A1"]
    assert code_of(record) is None, record.closed


async def test_a_stranger_in_a_boot_loop_was_chosen_by_its_slot(
    tmp_path: Path, tray_clock: object
) -> None:
    """Its chip serial is read for the first time in the second window."""
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    module.traits = replace(FAULTS["boot-loop"].traits, serial_in_product=False)
    module.fate = Fate(Mishap(What.DIPS, "load_programmer"))
    record = by_slot(await line.flash(order=NAMED))["A1"]
    assert code_of(record) is None, record.closed
    assert rungs(record) == ["wait for its return"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("wrong-programmer", "D203"),
        ("wrong-geometry", "D204"),
        ("mibib-moved", "D205"),
        ("wrong-variant", "R302"),
        ("edl-read-refused", "P112"),
        ("corrupt-write", "D210"),
    ],
)
async def test_what_does_not_pass_is_not_tried_again(
    tmp_path: Path, tray_clock: object, fault: str, code: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    line.switch_power()
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == code
    assert [step.name for step in record.steps if step.name == "recover"] == []


LOST = Traits(refuses_with=Status.HARDWARE_BULK_TRANSFER_ERROR)
"""Its boot ROM ends the image so."""


async def test_an_image_that_is_lost_on_its_way_to_the_boot_rom_is_sent_again(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    module.traits = LOST

    def pass_by(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "recover":
            module.traits = Traits()

    line.tell = pass_by
    [record] = (await line.flash()).records
    assert code_of(record) is None, record.closed
    assert rungs(record) == [Rung.REOPEN.value]


async def test_one_whose_boot_rom_loses_each_image_is_given_back(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    line.switch_power()
    line.tray.modules["A1"].traits = LOST
    before = line.fingerprint("A1")
    first, second = (await line.flash()).records
    for record in (first, second):
        assert code_of(record) == "P101"
        assert record.closed is not None
        assert record.closed.final_mode is Mode.RUNTIME
        assert rungs(record) == [rung.value for rung in (Rung.REOPEN, Rung.USB_RESET, Rung.POWER)]
    assert line.fingerprint("A1") == before


async def test_a_programmer_that_wants_digest_tables_is_not_tried_again(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    line.switch_power()
    module = line.tray.modules["A1"]
    module.traits = replace(module.traits, wants_tables=True)
    before = line.fingerprint("A1")
    with no_breaches(line.tray):
        [record] = (await line.flash()).records
    assert code_of(record) == "P115"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.FAIL
    assert record.closed.final_mode is Mode.RUNTIME
    assert rungs(record) == []
    assert step_named(record, "give_back").outcome is StepOutcome.OK
    assert line.fingerprint("A1") == before


@pytest.mark.parametrize("what", [What.MUTE, What.GARBAGE])
@pytest.mark.parametrize("after", [1, 2, 3, 6, 12, 30])
async def test_a_transfer_lost_amid_an_image_is_got_over(
    tmp_path: Path, tray_clock: object, what: What, after: int
) -> None:
    """Whether the module waits for it in silence or refuses what comes behind it."""
    line = make_line(tmp_path)
    line.befall("A1", Mishap(what, "program", after=after))
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None, record.closed
    assert rungs(record) == [Rung.REOPEN.value]


@pytest.mark.parametrize("fault", ["nak", "early-nak"])
async def test_what_is_refused_after_its_data_is_sent_once_more_and_no_more(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    """The flash memory is no good: neither a reset of any kind nor another attempt helps it."""
    line = make_line(tmp_path, faults={"A1": fault})
    line.switch_power()
    [record] = (await line.flash()).records
    assert code_of(record) == "P112"
    assert record.closed is not None
    assert record.closed.final_mode is Mode.EDL
    assert [step.detail["rung"] for step in record.steps if step.name == "recover"] == [
        Rung.REOPEN.value
    ]
    assert [step.name for step in record.steps].count("program") == 2


async def test_a_station_short_of_usb_memory_asks_again_and_leaves_the_module_alone(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    line.switch_power()

    async def crowded(self: SimPipe, *_: object, **__: object) -> None:
        raise NoUsbMemory("the kernel's memory for USB transfers is used up")

    with monkeypatch.context() as patched:
        patched.setattr(SimPipe, "write_span", crowded)
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "U113"
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ERROR
    assert rungs(record) == [Rung.REOPEN.value]
    assert code_of(by_slot(await line.flash())["A1"]) is None


@pytest.mark.parametrize("trouble", [UsbAccess, UsbBusy, NoUsbMemory])
async def test_a_module_is_not_blamed_when_the_station_cannot_ask_it_again(
    tmp_path: Path,
    tray_clock: object,
    monkeypatch: pytest.MonkeyPatch,
    trouble: type[StationError],
) -> None:
    line = make_line(tmp_path)

    async def closed(*_: object, **__: object) -> SimPipe:
        raise trouble("not for us")

    def shut(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "confirm":
            monkeypatch.setattr(line.backend, "open", closed)

    line.tell = shut
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == trouble.code
    assert record.closed is not None
    assert record.closed.outcome is Outcome.ERROR


@pytest.mark.parametrize("step", ["erase", "program", "verify"])
async def test_another_module_in_its_place_is_never_written(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    line = make_line(tmp_path, 2)
    line.switch_power()
    port, other = line.tray.ports["A1"], line.tray.modules["A2"]
    other.traits = other.traits.__class__(arrival=other.traits.arrival.EDL)
    before = line.fingerprint("A2")

    def swap(event: Event) -> None:
        if isinstance(event, StepStarted) and (event.slot, event.step) == ("A1", step):
            line.backend.plug(port, other)

    line.tell = swap
    record = by_slot(await line.flash("A1"))["A1"]
    assert record.closed is not None
    assert record.closed.failure is not None
    assert code_of(record) == "U110"
    assert "another is in its place" in record.closed.failure.cause
    assert record.closed.outcome is Outcome.FAIL
    assert line.fingerprint("A2") == before


class Exchanged:
    """The power of slot A1: a hand puts another module there while it is off."""

    def __init__(self, line: Line, other: SimModule) -> None:
        self._line, self._other = line, other
        self._port = line.tray.ports["A1"]
        self._power = SimPower(line.backend, (self._port,))

    async def cycle(self, ports: Collection[PortPath], *, off_s: float, **_: object) -> PowerProof:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._exchange, off_s / 2)
            return await self._power.cycle(ports, off_s=off_s)

    async def _exchange(self, after_s: float) -> None:
        await time_passes(after_s)
        self._line.backend.plug(self._port, self._other)


TELLS_THE_BUS = (
    Traits(sahara_version=1),
    Traits(answers_commands=False),
    Traits(refuses_commands=True),
)
"""Their chip serial is in their product string alone."""
TELLS_THE_BOOT_ROM = Traits(serial_in_product=False)
TELLS_NOBODY = Traits(serial_in_product=False, sahara_version=1)


def a_line_with_another(folder: Path, traits: Traits, mishap: Mishap) -> tuple[Line, SimModule]:
    """Slot A1 with its mishap; the other, alike, comes up in EDL and is put there by a hand while
    the power is off."""
    line = make_line(folder, 2)
    line.befall("A1", mishap).traits = traits
    other = line.tray.modules["A2"]
    other.traits = replace(traits, arrival=Arrival.EDL)
    line.power = Exchanged(line, other)
    return line, other


@pytest.mark.parametrize("arrival", [Arrival.FLASH, Arrival.EDL])
@pytest.mark.parametrize("traits", [Traits(), *TELLS_THE_BUS, TELLS_THE_BOOT_ROM])
async def test_another_module_that_came_while_the_power_was_off_is_never_written(
    tmp_path: Path, tray_clock: object, traits: Traits, arrival: Arrival
) -> None:
    """It was back as quickly as the one before would have been; its chip serial is another."""
    hangs = Mishap(What.HANGS, "program", Cure.POWER, after=3)
    line, _ = a_line_with_another(tmp_path, replace(traits, arrival=arrival), hangs)
    before = line.fingerprint("A2")
    [record] = (await line.flash("A1", order=NAMED)).records
    assert record.closed is not None
    assert record.closed.failure is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.FAIL, "U110")
    assert "another is in its place" in record.closed.failure.cause
    assert rungs(record)[-1] == Rung.POWER.value
    assert line.fingerprint("A2") == before


@pytest.mark.parametrize("traits", [Traits(), *TELLS_THE_BUS, TELLS_THE_BOOT_ROM])
async def test_modules_exchanged_before_anything_was_written_are_both_left_as_they_were(
    tmp_path: Path, tray_clock: object, traits: Traits
) -> None:
    line, _ = a_line_with_another(tmp_path, traits, Mishap(What.HANGS, "configure", Cure.POWER))
    before = line.fingerprint("A1"), line.fingerprint("A2")
    [record] = (await line.flash("A1", order=NAMED)).records
    assert record.closed is not None
    assert (record.closed.outcome, code_of(record)) == (Outcome.BLOCKED, "D218")
    assert (line.fingerprint("A1"), line.fingerprint("A2")) == before


@pytest.mark.parametrize("traits", [*TELLS_THE_BUS, TELLS_THE_BOOT_ROM, TELLS_NOBODY])
async def test_one_that_left_and_came_with_its_power_is_gone_on_with(
    tmp_path: Path, tray_clock: object, traits: Traits
) -> None:
    """Whatever it tells of its chip, and though nothing says that it is the same."""
    line = make_line(tmp_path)
    line.switch_power()
    line.befall("A1", Mishap(What.HANGS, "program", Cure.POWER, after=3)).traits = traits
    [record] = (await line.flash()).records
    assert code_of(record) is None, record.closed
    assert rungs(record)[-1] == Rung.POWER.value


@pytest.mark.parametrize(("fault", "code"), [(None, None), ("no-serial-string", "U110")])
async def test_only_the_module_that_was_written_is_told_to_restart_once_more(
    tmp_path: Path, tray_clock: object, fault: str | None, code: str | None
) -> None:
    """It left and one came back into EDL by itself; its name there may say that it is the same."""
    line = make_line(tmp_path, faults={"A1": fault} if fault else {})
    module = line.befall("A1", Mishap(What.CONTACT, "reset"))
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == code
    assert module.mode == ("runtime" if code is None else "firehose")
    rungs = [step.detail["rung"] for step in record.steps if step.name == "recover"]
    assert rungs == ["reset the USB port"]


async def test_a_hub_that_only_pretends_is_on_record(tmp_path: Path, tray_clock: object) -> None:
    line = make_line(tmp_path)
    ports = tuple(line.tray.ports.values())
    line.power = SimPower(line.backend, ports, pretending=[ports[0].high_speed])
    line.befall("A1", Mishap(What.HANGS, "program", Cure.POWER))
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) is not None
    last = [step for step in record.steps if step.name == "recover"][-1]
    assert "PRETENDS" in str(last.detail["failure"])


async def test_one_that_took_the_switch_and_never_came_is_told_so(
    tmp_path: Path, tray_clock: object
) -> None:
    """Although the switch is asked for again, of nobody."""
    record = by_slot(await make_line(tmp_path, faults={"A1": "no-edl"}).flash())["A1"]
    assert code_of(record) == "D211"
    assert record.closed is not None
    assert record.closed.failure is not None
    assert record.closed.failure.cause.startswith("the module left after the switch")


async def test_nonsense_from_a_boot_rom_is_no_chip_serial(
    tmp_path: Path, tray_clock: object
) -> None:
    """Its name on the bus says another one; on record, the next one like it was a clash."""
    line = make_line(tmp_path, 2)
    modules = [
        line.befall(slot, Mishap(What.GARBAGE, "load_programmer", after=2)) for slot in ("A1", "A2")
    ]
    records = by_slot(await line.flash())
    for slot, module in zip(("A1", "A2"), modules, strict=True):
        closed = records[slot].closed
        assert module.fate.struck == 1
        assert closed is not None
        assert (closed.outcome, closed.failure) == (Outcome.PASS, None)
        assert closed.unit.chip_serial == module.identity.chip_serial


# --- a crash of which only the USB id can be read -----------------------------------------------


@pytest.mark.parametrize("step", ["identify", "program"])
async def test_a_crash_that_cannot_be_spoken_to_costs_one_power_cycle(
    tmp_path: Path, tray_clock: object, step: str
) -> None:
    line = make_line(tmp_path)
    line.switch_power()
    module = line.befall("A1", Mishap(What.CRASHES, step))
    module.traits = Traits(crash_readable=False)
    [record] = (await line.flash()).records
    assert code_of(record) is None, record.closed
    assert rungs(record) == [Rung.POWER.value]


@pytest.mark.parametrize(("step", "codes"), [("identify", ["D202"]), ("program", ["U102", "D202"])])
async def test_where_no_power_can_be_switched_the_crash_is_the_verdict(
    tmp_path: Path, tray_clock: object, step: str, codes: list[str]
) -> None:
    line = make_line(tmp_path)
    line.befall("A1", Mishap(What.CRASHES, step)).traits = Traits(crash_readable=False)
    records = (await line.flash()).records
    assert [code_of(record) for record in records] == codes
    for record in records:
        assert record.closed is not None
        assert record.closed.final_mode is Mode.CRASHED


async def test_one_whose_interfaces_are_read_a_moment_later_is_told_to_start_anew(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path)
    line.befall("A1", Mishap(What.CRASHES, "identify"))
    is_read, shown = False, SimPort.device

    def device(self: SimPort, now_s: float) -> DeviceInfo | None:
        found = shown(self, now_s)
        is_hidden = found is not None and found.pid == CRASHED_PID and not is_read
        return replace(found, interfaces=()) if found is not None and is_hidden else found

    def read_it(event: Event) -> None:
        nonlocal is_read
        is_read = is_read or (isinstance(event, StepStarted) and event.step == "recover")

    monkeypatch.setattr(SimPort, "device", device)
    line.tell = read_it
    [record] = (await line.flash()).records
    assert code_of(record) is None, record.closed
    assert rungs(record) == [Rung.AWAIT.value]


# --- a record that fails ------------------------------------------------------------------------


def fails_amid_the_writing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record neither takes nor tells anything from the first image on, until the module is
    written."""
    is_down = False

    def watch(event: Event) -> None:
        nonlocal is_down
        if isinstance(event, StepStarted) and event.step in ("program", "reset"):
            is_down = event.step == "program"

    for name in ("_ask", "_commit"):
        works = getattr(Store, name)

        async def ask(self: Store, what: object, works: Callable[..., Any] = works) -> object:
            if is_down:
                raise DatabaseError("locked")
            return await works(self, what)

        monkeypatch.setattr(Store, name, ask)
    line.tell = watch


async def test_a_chip_serial_that_is_told_late_may_wait_for_the_record(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told when the module is half written, and nothing must end that then."""
    line = make_line(tmp_path)
    line.switch_power()
    module = line.befall("A1", Mishap(What.HANGS, "program", Cure.POWER, after=3))
    module.traits = replace(TELLS_THE_BOOT_ROM, sahara_version=1)
    fails_amid_the_writing(line, monkeypatch)
    watch = line.tell

    def tell_it_later(event: Event) -> None:
        watch(event)
        if isinstance(event, StepStarted) and event.step == "program":
            module.traits = TELLS_THE_BOOT_ROM

    line.tell = tell_it_later
    [record] = (await line.flash()).records
    assert code_of(record) is None, record.closed
    assert rungs(record)[-1] == Rung.POWER.value
    [found] = line.recorded(chip=module.identity.chip_serial)
    assert found.opened.attempt_id == record.opened.attempt_id


async def test_what_the_record_said_of_an_erased_table_is_not_asked_again(
    tmp_path: Path, tray_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    line.switch_power()
    module, port = line.tray.modules["A1"], line.tray.ports["A1"]
    await flash_until(line, "program", lambda: line.unplug("A1"), NAMED)
    line.backend.plug(port, module)
    line.befall("A1", Mishap(What.HANGS, "program", Cure.POWER))
    fails_amid_the_writing(line, monkeypatch)
    [record] = (await line.flash(order=NAMED)).records
    assert code_of(record) is None, record.closed
    looks = [step.detail for step in record.steps if step.name == "partition_table"]
    assert looks == [{"partition_table": "erased already"}] * 2
    assert rungs(record)[-1] == Rung.POWER.value
