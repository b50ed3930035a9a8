"""The worlds the contract runs in: a port, a backend that sees it, and hands to plug with."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import trio

from station.model import DeviceInfo, PortPath
from station.sim.backend import SimBackend
from station.sim.port import Module, SimPort
from station.transport.base import Backend, Pipe
from station.transport.libusb import LibusbBackend
from tests.fakes.pyusb_backend import FakePyusb
from tests.fakes.usb_wire import FakeWire
from tests.transport.loopback import Loopback
from tests.transport.patience import patient

HIGH_SPEED = PortPath(1, (4, 2))


@dataclass(frozen=True)
class World:
    backend: Backend
    port: SimPort
    plug: Callable[[Module], None]
    unplug: Callable[[], None]
    path: PortPath = HIGH_SPEED
    """Where the backend shows the module."""

    @property
    def place(self) -> str:
        """The path as a pattern, for what errors say."""
        return re.escape(str(self.path))

    async def plugged(self, module: Module) -> DeviceInfo:
        self.plug(module)
        (device,) = await self.backend.scan()
        return device

    async def left(self) -> None:
        """What was pulled out is no longer shown."""
        with trio.fail_after(patient(5)):
            while any(device.path == self.path for device in await self.backend.scan()):
                await self.backend.wait_change(1.0)

    async def opened(self, module: Module, interface: int = 0) -> Pipe:
        return await self.backend.open(await self.plugged(module), interface, line_state=False)

    async def seen(self, accept: Callable[[DeviceInfo], bool]) -> DeviceInfo:
        """The first device that is accepted, waited for as the engine does."""
        with trio.fail_after(patient(5)):
            while True:
                for device in await self.backend.scan():
                    if accept(device):
                        return device
                await self.backend.wait_change(1.0)


def threads_world() -> World:
    """The station over synchronous pyusb."""
    port = SimPort(HIGH_SPEED)
    fake = FakePyusb([port])
    return _libusb_world(LibusbBackend(fake), fake, port)


def async_world() -> World:
    """The station over asynchronous libusb."""
    port = SimPort(HIGH_SPEED)
    fake = FakePyusb([port])
    return _libusb_world(LibusbBackend(fake, wire=FakeWire(fake)), fake, port)


def _libusb_world(backend: LibusbBackend, fake: FakePyusb, port: SimPort) -> World:
    return World(
        backend,
        port,
        lambda module: fake.plug(port, module),
        lambda: fake.unplug(port),
    )


def sim_world() -> World:
    port = SimPort(HIGH_SPEED)
    backend = SimBackend([port])
    return World(
        backend,
        port,
        lambda module: backend.plug(port, module),
        lambda: backend.unplug(port),
    )


@pytest.fixture(params=[threads_world, async_world, sim_world], ids=["threads", "async", "sim"])
def world(request: pytest.FixtureRequest) -> World:
    make: Callable[[], World] = request.param
    return make()


@pytest.fixture
def module() -> Loopback:
    return Loopback()
