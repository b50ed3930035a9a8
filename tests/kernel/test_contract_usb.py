"""The contract of `tests.transport.test_contract` on a real kernel: usbfs, its drivers bound."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from station.model import DeviceInfo
from station.sim.port import Module, SimPort
from station.sim.usbip_server import UsbipServer
from station.transport.libusb import LibusbBackend, wheel_libusb
from tests.kernel.attach import hold, vhci_path
from tests.transport.conftest import HIGH_SPEED, World
from tests.transport.loopback import Loopback
from tests.transport.test_contract import *  # noqa: F403 - they are what is collected here

_PORT = 0


@dataclass(frozen=True)
class KernelWorld(World):
    """Enumeration takes its time here."""

    async def plugged(self, module: Module) -> DeviceInfo:
        before = {device.generation for device in await self.backend.scan()}
        self.plug(module)
        return await self.seen(
            lambda device: device.path == self.path and device.generation not in before
        )


@pytest.fixture(params=["async", "threads"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    port = SimPort(HIGH_SPEED)
    server = UsbipServer([port])
    socket_path = str(tmp_path / "usbip")
    backend = LibusbBackend() if request.param == "async" else LibusbBackend(wheel_libusb())
    socket = trio.socket.socket(trio.socket.AF_UNIX)
    await socket.bind(socket_path)
    socket.listen()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [trio.SocketListener(socket)])
        nursery.start_soon(hold, socket_path, str(port.high_speed), _PORT)
        yield KernelWorld(
            backend,
            port,
            lambda module: server.plug(port, module),
            lambda: server.unplug(port),
            vhci_path(_PORT),
        )
        nursery.cancel_scope.cancel()


@pytest.fixture
def module() -> Loopback:
    return Loopback()
