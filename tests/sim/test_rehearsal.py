"""What hands and eyes do to a tray that is exported."""

from hashlib import sha256
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from station.errors import ConfigError, DiskTrouble, NotNow, UsageError
from station.sim.factory import Factory
from station.sim.rehearsal import Rehearsal, ports_for
from station.sim.usbip_server import UsbipServer
from tests.mock_time import time_passes
from tests.sim import units

DIAG_SWITCH = bytes.fromhex("4b650100540f7e")


class Stage:
    def __init__(self, **faults: str) -> None:
        self.ports = ports_for(["A1", "A2"])
        self.server = UsbipServer(list(self.ports.values()))
        factory = Factory("ec25", size_mb=1, seed=7)
        self.rehearsal = Rehearsal(self.server, self.ports, factory, faults=faults)

    def seen(self) -> list[str | None]:
        devices = [port.device(trio.current_time()) for port in self.ports.values()]
        return [None if device is None else device.usb_id for device in devices]


@pytest.mark.trio
async def test_hands(autojump_clock: MockClock) -> None:
    at = Stage()
    assert at.seen() == [None, None]
    at.rehearsal.fill()
    assert at.seen() == ["2c7c:0125", "2c7c:0125"]
    at.rehearsal.unplug("A1")
    assert at.seen() == [None, "2c7c:0125"]
    before = at.rehearsal.status()[0]["imei"]
    at.rehearsal.plug("A1")
    assert at.rehearsal.status()[0]["imei"] == before
    at.rehearsal.unplug("A1")
    at.rehearsal.plug("A1", "arrives-in-edl")
    assert at.seen() == ["05c6:9008", "2c7c:0125"]
    assert at.rehearsal.status()[0]["imei"] != before


@pytest.mark.trio
async def test_power_brings_back_a_module_that_is_lost(autojump_clock: MockClock) -> None:
    at = Stage(A1="no-edl")
    at.rehearsal.fill()
    port = at.ports["A1"]
    port.control(1, 0x21, 0x22, 3, 0, trio.current_time())
    port.write(1, 0, DIAG_SWITCH, trio.current_time())
    await time_passes(60)
    assert at.seen() == [None, "2c7c:0125"]
    at.rehearsal.power("A1", "cycle")
    assert at.seen() == ["2c7c:0125", "2c7c:0125"]
    assert [slot["enumerations"] for slot in at.rehearsal.status()] == [2, 1]


@pytest.mark.trio
async def test_power_and_plug_are_two_things(autojump_clock: MockClock) -> None:
    at = Stage()
    at.rehearsal.power("A1", "off")
    at.rehearsal.fill()
    assert at.seen() == [None, "2c7c:0125"]
    at.rehearsal.unplug("A1")
    at.rehearsal.power("A1", "on")
    assert at.seen() == [None, "2c7c:0125"]
    at.rehearsal.plug("A1")
    at.rehearsal.power("A1", "on")
    assert [slot["enumerations"] for slot in at.rehearsal.status()] == [1, 1]


@pytest.mark.trio
async def test_what_cannot_be_is_refused_in_words(autojump_clock: MockClock) -> None:
    at = Stage()
    at.rehearsal.fill()
    with pytest.raises(NotNow, match="A1 already"):
        at.rehearsal.plug("A1")
    at.rehearsal.unplug("A1")
    with pytest.raises(NotNow, match="no module in slot A1"):
        at.rehearsal.unplug("A1")
    with pytest.raises(ConfigError, match="did you mean nak"):
        at.rehearsal.plug("A1", "nack")
    assert at.rehearsal.status()[0]["plugged"] is False
    with pytest.raises(UsageError, match="no slot 'A9'"):
        at.rehearsal.unplug("A9")
    with pytest.raises(UsageError, match="'twice'"):
        at.rehearsal.power("A1", "twice")
    with pytest.raises(UsageError, match="A7, which is no slot"):
        Stage(A7="nak")


@pytest.mark.trio
async def test_a_dump_is_what_the_flash_holds(tmp_path: Path, autojump_clock: MockClock) -> None:
    at = Stage()
    layout = units.FACTORIES["ec25"].layout
    contents = {each.name: each for each in at.rehearsal.dump("A1", tmp_path / "a1")}
    assert list(contents) == [part.name for part in layout.parts]
    assert contents["misc"].length_bytes == 0
    system = (tmp_path / "a1" / "system.bin").read_bytes()
    assert system.startswith(b"SIM-FIRMWARE " + layout.older_version.encode())
    assert contents["system"].sha256 == sha256(system).hexdigest()
    assert len(system) == contents["system"].length_bytes
    assert contents["EFS2"].length_bytes == 2 * layout.block_size_bytes
    with pytest.raises(DiskTrouble, match="a1 cannot be written"):
        at.rehearsal.dump("A1", tmp_path / "a1")


@pytest.mark.trio
async def test_breaches_and_calibration(autojump_clock: MockClock) -> None:
    at = Stage()
    at.rehearsal.fill()
    assert at.rehearsal.breaches("A1") == []
    at.ports["A1"].write(1, 9, b"?", trio.current_time())
    assert at.rehearsal.breaches("A1") == [
        {"where": "usb", "what": "a transfer for interface 9, which is not there"}
    ]
    assert at.rehearsal.calibration("A1")
    module = at.ports["A1"].module
    assert isinstance(module, type(units.module()))
    module.nand.erase(module.layout.part("EFS2").start_block, 1)
    assert not at.rehearsal.calibration("A1")
    assert at.rehearsal.calibration("A2")
