"""Modules that do not arrive in normal mode."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from station.engine.world import Order
from station.model import Endpoint, Interface, Mode, Outcome
from station.sim.faults import FAULTS, Arrival, Traits
from station.sim.mishap import Mishap, What
from station.sim.odd import ODDITIES
from station.sim.port import Face, Reaction, Taken
from tests.engine.tray import by_slot, code_of, make_line, no_breaches, step_named

NAMED = Order("test", recipe="ec25-demo", names_slot=True)


@pytest.mark.trio
@pytest.mark.parametrize("fault", ["arrives-in-edl", "arrives-programmer-running"])
async def test_a_stranger_in_edl_is_left_alone_until_it_is_named(
    tmp_path: Path, tray_clock: object, fault: str
) -> None:
    line = make_line(tmp_path, faults={"A1": fault})
    module = line.tray.modules["A1"]
    with no_breaches(line.tray):
        for _ in range(3):
            refused = by_slot(await line.flash())["A1"]
            assert code_of(refused) == "D212"
            assert refused.closed is not None
            assert refused.closed.outcome is Outcome.BLOCKED
        assert module.out_log.entries == []
        flashed = by_slot(await line.flash(order=NAMED))["A1"]
    assert flashed.closed is not None
    assert flashed.closed.outcome is Outcome.PASS, flashed.closed.failure
    identity = module.identity
    assert flashed.closed.unit.imei == identity.imei
    for found in (line.recorded(imei=identity.imei), line.recorded(serial=identity.serial)):
        assert flashed.opened.attempt_id in [row.opened.attempt_id for row in found]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("traits", "code"),
    [
        (Traits(keeps_version=True), "D207"),
        (Traits(functionality_after_flash=5), "D209"),
        (Traits(other_geometry=True), "D204"),
        (FAULTS["refuses-command-mode"].traits, None),
        (FAULTS["sahara-v1"].traits, None),
    ],
)
async def test_whatever_becomes_of_a_stranger_it_is_found_by_its_names(
    tmp_path: Path, tray_clock: object, traits: Traits, code: str | None
) -> None:
    line = make_line(tmp_path)
    module = line.tray.modules["A1"]
    module.traits = replace(traits, arrival=Arrival.EDL)
    record = by_slot(await line.flash(order=NAMED))["A1"]
    assert code_of(record) == code
    assert [r.opened.attempt_id for r in line.recorded(imei=module.identity.imei)] == [
        record.opened.attempt_id
    ]


@pytest.mark.trio
async def test_a_stranger_with_a_label_gets_no_other_recipe(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "arrives-in-edl"})
    record = by_slot(await line.flash(order=replace(NAMED, label="RM500Q-GL")))["A1"]
    assert code_of(record) == "R304"
    assert line.tray.modules["A1"].out_log.entries == []
    agreed = by_slot(await line.flash(order=replace(NAMED, label="EC25EFA-512")))["A1"]
    assert code_of(agreed) is None
    assert agreed.opened.unit.sku == "EC25EFA-512"


@pytest.mark.trio
async def test_a_module_known_by_its_chip_serial_is_flashed_from_edl(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "nak"})
    first = by_slot(await line.flash())["A1"]
    assert code_of(first) == "P112"
    assert first.closed is not None
    assert first.closed.final_mode is Mode.EDL
    module = line.tray.modules["A1"]
    module.traits = Traits()
    line.backend.plug(line.tray.ports["A1"], module)
    again = by_slot(await line.flash(wait_s=10))["A1"]
    assert again.closed is not None
    assert again.closed.outcome is Outcome.PASS, again.closed.failure
    assert again.opened.unit.imei == first.opened.unit.imei
    assert again.opened.unit.firmware is None, "half written: what it runs is not known"


@pytest.mark.trio
async def test_a_crashed_module_is_started_anew_and_flashed(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path, faults={"A1": "arrives-900e"})
    with no_breaches(line.tray):
        record = by_slot(await line.flash())["A1"]
    assert code_of(record) is None
    assert step_named(record, "recover").detail["rung"] == "wait for its return"


@pytest.mark.trio
async def test_one_that_crashes_again_and_again_gets_a_verdict_that_says_what_to_do(
    tmp_path: Path, tray_clock: object
) -> None:
    line = make_line(tmp_path)
    line.befall("A1", Mishap(What.CRASHES, "identify", times=99))
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "D202"
    assert record.closed is not None
    assert record.closed.failure is not None
    assert "Power-cycle" in record.closed.failure.remedy
    assert record.closed.final_mode is Mode.CRASHED


@dataclass
class Stranger:
    """Something else on the port, that nobody may speak to."""

    face: Face
    received: list[bytes] = field(default_factory=list)

    def power_on(self) -> tuple[Face, tuple[Reaction, ...]]:
        return self.face, ()

    def enumerated(self, face: Face) -> tuple[Reaction, ...]:
        raise AssertionError(face)

    def bus_reset(self) -> tuple[Reaction, ...]:
        return ()

    def receive(self, interface: int, data: bytes) -> Taken:
        self.received.append(data)
        return Taken()

    def control(self, request_type: int, request: int, value: int, index: int) -> None:
        raise AssertionError(request)


PAIR = (Endpoint(0x81, 2, 512), Endpoint(0x01, 2, 512))
ONE = (Interface(0, 0xFF, 0xFF, 0xFF, PAIR),)
FIVE = tuple(Interface(n, 0xFF, 0, 0, (Endpoint(0x90 + n, 3, 10), *PAIR)) for n in range(5))


@pytest.mark.trio
@pytest.mark.parametrize(
    ("face", "code", "said"),
    [
        (Face(0x2C7C, 0x6005, FIVE), "D213", "ASR"),
        (Face(0x046D, 0xC31C, FIVE), "D201", "unknown"),
        (Face(0x2C7C, 0x0125, ONE), "D201", "old download protocol"),
        (Face(0x05C6, 0x9008, FIVE), "D201", "05c6:9008"),
    ],
)
async def test_what_the_station_cannot_flash_is_named_and_left_alone(
    tmp_path: Path, tray_clock: object, face: Face, code: str, said: str
) -> None:
    line = make_line(tmp_path)
    stranger = Stranger(face)
    line.plugged = True
    line.tray.ports["A1"].plug(stranger, trio.current_time())
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == code
    assert record.closed is not None
    assert record.closed.outcome is Outcome.BLOCKED
    assert record.closed.failure is not None
    assert said in record.closed.failure.cause
    assert stranger.received == []


@pytest.mark.trio
async def test_a_running_module_that_never_answers_fails_in_time(
    tmp_path: Path, tray_clock: object
) -> None:
    class Mute(Stranger):
        def control(self, request_type: int, request: int, value: int, index: int) -> None:
            assert (request_type, request, value) == (0x21, 0x22, 3)

    line = make_line(tmp_path)
    mute = Mute(Face(0x2C7C, 0x0125, FIVE))
    line.plugged = True
    line.tray.ports["A1"].plug(mute, trio.current_time())
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "P132"
    assert record.closed is not None
    assert record.closed.duration_us < 2 * 31_000_000  # asked again after a reset of its port
    assert set(mute.received) == {b"ATE0\r"}


@pytest.mark.trio
async def test_a_device_without_a_modules_ports_is_told_at_once(
    tmp_path: Path, tray_clock: object
) -> None:
    """Nothing that passes: no power cycle, and nobody waits for ports that it does not have."""
    line = make_line(tmp_path)
    line.switch_power()
    line.backend.plug(line.tray.ports["A1"], ODDITIES["no-endpoints"].make())
    line.plugged = True
    began_s = trio.current_time()
    record = by_slot(await line.flash())["A1"]
    assert code_of(record) == "U112"
    assert trio.current_time() - began_s < 2
    assert "recover" not in [step.name for step in record.steps]
