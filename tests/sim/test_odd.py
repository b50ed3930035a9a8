"""Strangers and liars: none of them upsets who exports them, nor who sees them in process."""

import pytest
from trio.testing import MockClock

from station.model import PortPath
from station.sim.backend import SimBackend
from station.sim.descriptors import Kind, descriptor
from station.sim.endpoint_zero import EndpointZero
from station.sim.odd import MANY, ODDITIES
from station.sim.port import SimPort
from station.sim.usbip_device import UsbipDevice
from station.sim.usbip_server import UsbipServer
from station.sim.usbip_wire import Setup, Submit, Unlink, devlist_answer
from tests.mock_time import time_passes

ID = 0x00010001


def submit(sequence: int, address: int, length: int, setup: str = "") -> Submit:
    data = bytes.fromhex(setup) or bytes(8)
    return Submit(sequence, ID, address >= 0x80, address & 0xF, 0, length, 0, 0, data)


@pytest.mark.parametrize("name", ODDITIES)
@pytest.mark.trio
async def test_it_is_seen_listed_and_looked_at(name: str, autojump_clock: MockClock) -> None:
    port = SimPort(PortPath.parse("1-1"))
    backend, server = SimBackend([port]), UsbipServer([port])
    server.plug(port, ODDITIES[name].make())
    (seen,) = await backend.scan()
    assert seen.vid
    device = await server.present(port)
    assert len(devlist_answer([device])) <= 12 + 312 + 4 * 255
    assert port.face is not None
    for kind in Kind:
        assert len(descriptor(port.face, kind, 0) or b"") < 1 << 16
    await time_passes(30)
    await backend.scan()


def test_what_the_liars_say() -> None:
    def said(name: str, kind: Kind, index: int = 0) -> bytes:
        return descriptor(ODDITIES[name].make().face, kind, index) or b""

    assert said("wrong-lengths", Kind.CONFIGURATION)[:4] == bytes.fromhex("09020f27")
    assert said("empty-strings", Kind.STRING, 2) == bytes((2, 3))
    assert said("no-endpoints", Kind.CONFIGURATION) == bytes.fromhex(
        "09023600050100a0fa"
    ) + b"".join(bytes((9, 4, number, 0, 0, 255, 255, 255, 0)) for number in range(5))
    many = said("many-interfaces", Kind.CONFIGURATION)
    assert (many[4], len(many)) == (255, 9 + 9 * MANY)
    mouse = EndpointZero(ODDITIES["mouse"].make().face)
    report = mouse.answer(Setup(0x81, 6, 0x2200, 0, 255), b"")
    assert report is not None
    assert said("mouse", Kind.CONFIGURATION)[18:27] == bytes(
        (9, 0x21, 0x11, 1, 0, 1, 0x22, len(report), 0)
    )


def test_a_mute_device_leaves_even_questions_open() -> None:
    port = SimPort(PortPath.parse("1-1"))
    port.plug(ODDITIES["mute-device"].make(), 0.0)
    assert port.face is not None
    device = UsbipDevice(port, port.face, ID)
    device.take(submit(1, 0x80, 18, "8006000100001200"), b"", 0.0)
    device.work(100.0)
    assert not device.answers
    device.take(Unlink(2, ID, 1), b"", 100.0)
    assert int.from_bytes(device.answers[0][20:24], "big", signed=True) == -104


def test_a_flood_gives_what_was_asked_for_and_no_more() -> None:
    port = SimPort(PortPath.parse("1-1"))
    port.plug(ODDITIES["flood"].make(), 0.0)
    assert port.face is not None
    device = UsbipDevice(port, port.face, ID)
    for sequence in range(4):
        device.take(submit(sequence, 0x81, 1024), b"", 1.0)
    for step in range(20):
        device.work(1.0 + step)
    assert [len(answer) for answer in device.answers] == [48 + 1024] * 4


def test_a_flood_goes_on_after_a_reset() -> None:
    port = SimPort(PortPath.parse("1-1"))
    port.plug(ODDITIES["flood"].make(), 0.0)
    port.reset(port.generation, 1.0)
    assert isinstance(port.read(port.generation, 2, 512, 2.0), bytes)


def test_two_devices_at_one_place() -> None:
    port = SimPort(PortPath.parse("1-1"))
    port.plug(ODDITIES["two-devices"].make(), 0.0)
    ids = [getattr(port.device(at_s), "usb_id", None) for at_s in (0.3, 0.42, 0.6, 9.0)]
    assert ids == ["2c7c:0125", None, "046d:c077", "046d:c077"]


def test_flapping_never_ends() -> None:
    port = SimPort(PortPath.parse("1-1"))
    port.plug(ODDITIES["flapping"].make(), 0.0)
    assert port.device(10.0) is not None or port.next_change_s(10.0) is not None
    assert port.generation > 40
