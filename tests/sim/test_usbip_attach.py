"""Modules held in their ports, by a kernel that is played."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from station.errors import VhciTaken
from station.sim import usbip_attach
from station.sim.port import Module
from station.sim.rehearsal import ports_for
from station.sim.usbip_attach import Berth, keep_attached
from station.sim.usbip_server import UsbipServer
from station.sim.vhci_keep import CALM_S, START_S
from tests.mock_time import time_passes
from tests.sim import units
from tests.sim.kernel import Kernel
from tests.transport.loopback import Loopback


@dataclass
class Hall:
    """Slots A1, A2, ... whose ports a kernel is given."""

    kernel: Kernel
    count: int
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ports = ports_for([f"A{number + 1}" for number in range(self.count)])
        self.server = UsbipServer(list(self.ports.values()), self.told.append)
        self.berths = [
            Berth(name, port, pair)
            for (name, port), pair in zip(self.ports.items(), self.kernel.pairs(), strict=False)
        ]

    async def seen(self, count: int) -> list[tuple[str, str]]:
        """What the kernel saw, once it is so much."""
        with trio.fail_after(60):
            while len(self.kernel.seen) < count:
                await self.kernel.looked.park()
        return self.kernel.seen


@asynccontextmanager
async def hall(*modules: Module) -> AsyncIterator[Hall]:
    async with trio.open_nursery() as world, trio.open_nursery() as nursery:
        made = Hall(Kernel(world), len(modules))
        await nursery.start(
            partial(keep_attached, made.server, made.kernel, made.berths, made.told.append)
        )
        for port, module in zip(made.ports.values(), modules, strict=True):
            made.server.plug(port, module)
        yield made
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_every_module_has_its_port_and_keeps_it(autojump_clock: MockClock) -> None:
    async with hall(Loopback(), Loopback(), Loopback()) as at:
        runtime = [(f"1-{number}", "2c7c:0125") for number in (1, 2, 3)]
        assert sorted(await at.seen(3)) == runtime
        at.server.unplug(at.ports["A1"])
        at.server.unplug(at.ports["A3"])
        at.server.plug(at.ports["A3"], Loopback())
        at.server.plug(at.ports["A1"], Loopback())
        assert sorted((await at.seen(5))[3:]) == [runtime[0], runtime[2]]


@pytest.mark.trio
async def test_a_superspeed_module_changes_to_the_companion_and_back(
    autojump_clock: MockClock,
) -> None:
    async with hall(units.module(family="rm500q")) as at:
        assert await at.seen(1) == [("2-1", "2c7c:0800")]
        now_s = trio.current_time()
        at.ports["A1"].control(1, 0x21, 0x22, 3, 0, now_s)
        at.ports["A1"].write(1, 0, bytes.fromhex("4b650100540f7e"), now_s)
        at.server.ring(at.ports["A1"])
        assert (await at.seen(2))[1] == ("1-1", "05c6:9008")


@pytest.mark.trio
async def test_what_leaves_and_returns_at_once_is_seen_twice(autojump_clock: MockClock) -> None:
    async with hall(Loopback()) as at:
        await at.seen(1)
        at.server.plug(at.ports["A1"], Loopback())
        assert await at.seen(2) == [("1-1", "2c7c:0125")] * 2


@pytest.mark.trio
async def test_at_the_end_the_kernel_has_let_everything_go(autojump_clock: MockClock) -> None:
    async with hall(Loopback(), Loopback()) as at:
        await at.seen(2)
        kernel = at.kernel
        assert kernel.taken == {0, 1}
    assert kernel.taken == set()


@pytest.mark.trio
async def test_a_port_that_is_taken_is_refused_before_anything(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as world:
        made = Hall(Kernel(world, taken={16}), 2)
        began_s = trio.current_time()
        with pytest.RaisesGroup(pytest.RaisesExc(VhciTaken, match="virtual port 16")):
            async with trio.open_nursery() as nursery:
                await nursery.start(
                    partial(keep_attached, made.server, made.kernel, made.berths, print)
                )
        assert trio.current_time() - began_s == pytest.approx(START_S)
        assert made.kernel.seen == []


@pytest.mark.trio
async def test_what_the_kernel_drops_is_offered_again_but_calmly(
    autojump_clock: MockClock,
) -> None:
    async with hall(Loopback()) as at:
        at.kernel.drops = True
        began_s = trio.current_time()
        await at.seen(5)
        assert trio.current_time() - began_s > 3.5
        assert any("let go" in line for line in at.told)


@pytest.mark.trio
@pytest.mark.parametrize("failing", ["socketpair", "attach"])
async def test_no_descriptor_left_is_one_modules_trouble_for_a_while(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    left = [2]

    def failing_twice(*args: object) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return works(*args)

    async with hall(Loopback(), Loopback()) as at:
        await at.seen(2)
        at.server.unplug(at.ports["A1"])
        where: Any = usbip_attach if failing == "socketpair" else at.kernel
        works = getattr(where, failing)
        monkeypatch.setattr(where, failing, failing_twice)
        at.server.plug(at.ports["A1"], Loopback())
        began_s = trio.current_time()
        assert (await at.seen(3))[2:] == [("1-1", "2c7c:0125")]
        assert trio.current_time() - began_s >= 2 * CALM_S
        assert at.kernel.taken == {0, 1}, "A2 stayed where it was"
    assert [line for line in at.told if "tried again" in line] == [
        "A1 could not be attached, and is tried again: Too many open files "
        "(raise the limit: `ulimit -n`)"
    ] * 2


@pytest.mark.trio
async def test_a_port_that_stays_taken_is_one_modules_trouble(autojump_clock: MockClock) -> None:
    async with hall(Loopback(), Loopback()) as at:
        await at.seen(2)
        at.kernel.taken.add(15)
        at.server.unplug(at.ports["A1"])
        await time_passes(1)
        at.kernel.taken.add(0)
        at.server.plug(at.ports["A1"], Loopback())
        at.server.plug(at.ports["A2"], Loopback())
        await at.seen(3)
        await time_passes(40)
        assert any(line.startswith("A1: virtual port 0") for line in at.told)
        at.kernel.taken.clear()
        assert (await at.seen(4))[3] == ("1-1", "2c7c:0125")
