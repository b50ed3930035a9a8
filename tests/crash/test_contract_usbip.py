"""The contract of `tests.transport.test_contract`, kept by the backend of the crash test."""

from collections.abc import AsyncIterator

import pytest
import trio

from station.model import PortPath
from station.sim.port import SimPort
from station.sim.usbip_server import UsbipServer, listen_tcp
from tests.crash.usbip_backend import UsbipBackend
from tests.transport.conftest import HIGH_SPEED, World
from tests.transport.loopback import Loopback
from tests.transport.test_contract import *  # noqa: F403 - they are what is collected here


@pytest.fixture
async def world() -> AsyncIterator[World]:
    port = SimPort(HIGH_SPEED)
    server = UsbipServer([port])
    listeners = await listen_tcp(0)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        backend = UsbipBackend(
            listeners[0].socket.getsockname(),
            {str(HIGH_SPEED): (HIGH_SPEED, PortPath(2, HIGH_SPEED.chain))},
        )
        yield World(
            backend,
            port,
            lambda module: server.plug(port, module),
            lambda: server.unplug(port),
        )
        nursery.cancel_scope.cancel()


@pytest.fixture
def module() -> Loopback:
    return Loopback()
