"""Modules of another machine, held in the ports of a kernel that is played."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from station.errors import NoExporter
from station.sim.port import Module
from station.sim.rehearsal import ports_for
from station.sim.usbip_import import Exporter, keep_imported
from station.sim.usbip_server import UsbipServer, listen_tcp
from tests.mock_time import time_passes
from tests.sim import units
from tests.sim.kernel import Kernel
from tests.transport.loopback import Loopback


@dataclass
class Elsewhere:
    """A machine that exports modules in slots A1, A2, ..."""

    modules: tuple[Module, ...]
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [f"A{number + 1}" for number in range(len(self.modules))]
        self.ports = ports_for(names)
        self.server = UsbipServer(list(self.ports.values()), self.told.append)
        for port, module in zip(self.ports.values(), self.modules, strict=True):
            self.server.plug(port, module)


@asynccontextmanager
async def listening(elsewhere: Elsewhere) -> AsyncIterator[Exporter]:
    listeners = await listen_tcp(0)
    async with trio.open_nursery() as nursery:
        await nursery.start(elsewhere.server.serve, listeners)
        yield Exporter("127.0.0.1", listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def attached(
    exporter: Exporter, kernel: Kernel, count: int, tell: Callable[[str], None] = lambda _: None
) -> AsyncIterator[trio.CancelScope]:
    pairs = {f"1-{place}": pair for place, pair in enumerate(kernel.pairs()[:count], start=1)}
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(keep_imported, exporter, kernel, pairs, tell))
        yield nursery.cancel_scope
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_every_module_has_its_port_and_keeps_it(autojump_clock: MockClock) -> None:
    there = Elsewhere((Loopback(), Loopback()))
    async with trio.open_nursery() as world, listening(there) as exporter:
        kernel = Kernel(world)
        async with attached(exporter, kernel, 2):
            assert sorted(await kernel.saw(2)) == [("1-1", "2c7c:0125"), ("1-2", "2c7c:0125")]
            there.server.unplug(there.ports["A2"])
            await kernel.lost(1)
            there.server.plug(there.ports["A2"], Loopback())
            assert (await kernel.saw(3))[2] == ("1-2", "2c7c:0125")
        assert kernel.taken == set()


@pytest.mark.trio
async def test_a_superspeed_module_changes_to_the_companion(autojump_clock: MockClock) -> None:
    there = Elsewhere((units.module(family="rm500q"),))
    async with trio.open_nursery() as world, listening(there) as exporter:
        kernel = Kernel(world)
        async with attached(exporter, kernel, 1):
            assert await kernel.saw(1) == [("2-1", "2c7c:0800")]
            now_s, port = trio.current_time(), there.ports["A1"]
            port.control(1, 0x21, 0x22, 3, 0, now_s)
            port.write(1, 0, bytes.fromhex("4b650100540f7e"), now_s)
            there.server.ring(port)
            assert (await kernel.saw(2))[1] == ("1-1", "05c6:9008")


@pytest.mark.trio
async def test_the_next_machine_gets_what_the_last_one_left(autojump_clock: MockClock) -> None:
    there = Elsewhere((Loopback(),))
    async with trio.open_nursery() as world, listening(there) as exporter:
        for _ in range(2):
            kernel = Kernel(world)
            async with attached(exporter, kernel, 1):
                assert await kernel.saw(1) == [("1-1", "2c7c:0125")]


@pytest.mark.trio
async def test_nobody_there_is_told_at_once(autojump_clock: MockClock) -> None:
    nobody = await listen_tcp(0)
    exporter = Exporter("127.0.0.1", nobody[0].socket.getsockname()[1])
    await nobody[0].aclose()
    async with trio.open_nursery() as world:
        with pytest.RaisesGroup(pytest.RaisesExc(NoExporter, match="nobody exports modules at")):
            async with attached(exporter, Kernel(world), 1):
                pass


@pytest.mark.trio
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "ended after 0 of 8 bytes"),
        (b"HTTP/1.1", "no answer to an import"),
        (bytes.fromhex("0111 0003 00000000"), "ended after 0 of 312 bytes"),
        (bytes.fromhex("0111 0003 00000000") + bytes(312), "a device of speed 0"),
    ],
)
async def test_what_is_no_exporter_is_told_and_asked_again(
    autojump_clock: MockClock, answer: bytes, words: str
) -> None:
    async def lie(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(64)
            await stream.send_all(answer)

    told: list[str] = []
    listeners = await listen_tcp(0)
    async with trio.open_nursery() as world:
        await world.start(trio.serve_listeners, lie, listeners)
        exporter = Exporter("127.0.0.1", listeners[0].socket.getsockname()[1])
        async with attached(exporter, Kernel(world), 1, told.append):
            await time_passes(3)
        world.cancel_scope.cancel()
    assert len([line for line in told if words in line]) >= 2, told
