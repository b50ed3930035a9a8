"""Simulated sockets lose their power as real ones do."""

import pytest
import trio
from trio.testing import MockClock

from station.model import Slot
from station.places import PortPath
from station.sim.backend import SimBackend
from station.sim.power import SimPower
from station.sim.tray import SimTray, make_tray
from station.transport.base import Power, Switched

pytestmark = pytest.mark.trio

A1 = PortPath.parse("1-1.1")
A2 = PortPath.parse("1-1.2")


@pytest.fixture
def tray(autojump_clock: MockClock) -> SimTray:
    slots = (Slot("A1", frozenset({A1})), Slot("A2", frozenset({A2})))
    return make_tray(slots, size_mb=1)


async def test_the_same_module_boots_again(tray: SimTray) -> None:
    backend = SimBackend(tuple(tray.ports.values()))
    tray.plug(trio.current_time())
    before = {device.path: device.generation for device in await backend.scan()}
    power: Power = SimPower(backend, tuple(tray.ports.values()))
    proof = await power.cycle((A1,), off_s=2)
    after = {device.path: device.generation for device in await backend.scan()}
    assert proof.verdict is Switched.SWITCHES
    assert after[A1] > before[A1]
    assert after[A2] == before[A2]
    assert tray.ports["A1"].module is tray.modules["A1"]


async def test_cancelled_it_is_on_again(tray: SimTray) -> None:
    backend = SimBackend(tuple(tray.ports.values()))
    tray.plug(trio.current_time())
    with trio.move_on_after(1) as scope:
        await SimPower(backend, tuple(tray.ports.values())).cycle((A1,), off_s=60)
    assert scope.cancelled_caught
    assert tray.ports["A1"].module is tray.modules["A1"]


async def test_what_does_not_switch(tray: SimTray) -> None:
    ports = tuple(tray.ports.values())
    backend = SimBackend(ports)
    power = SimPower(backend, ports, pretending=[A2])
    assert (await power.cycle((A1,), off_s=1)).verdict is Switched.EMPTY
    tray.plug(trio.current_time())
    before = tray.ports["A2"].generation
    assert (await power.cycle((A2,), off_s=1)).verdict is Switched.PRETENDS
    assert tray.ports["A2"].generation == before
    nowhere = PortPath.parse("9-9")
    assert (await power.cycle((nowhere,), off_s=1)).verdict is Switched.NOT_SWITCHABLE
