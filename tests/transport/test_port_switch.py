"""A port's switch: a hub that is asked and a file of the kernel, both of them fakes."""

import errno
import os
import threading
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from station.errors import Disconnected, UsbAccess, UsbBroken
from station.model import DeviceInfo
from station.places import PortPath
from station.transport.hub_requests import Switching
from station.transport.port_switch import CLOSE_S, UsbHubs, UsbPortSwitch
from station.transport.power import RESTORE_S, PortPower
from station.transport.topology import HubPort, Topology, read_topology
from tests.fakes.pyusb_hub import FakeHub, HubNode
from tests.fakes.sysfs import SysfsTree

pytestmark = pytest.mark.trio


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    tree = SysfsTree(tmp_path / "sys")
    controller = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    tree.root_hub(controller, bus=1, ports=4)
    tree.hub("1-3", ports=4)
    tree.write("1-3", "devnum", "5")
    (tree.port("1-3", 2) / "disable").write_text("0\n")
    return tree


def looked_up(tree: SysfsTree, path: str = "1-3.2") -> tuple[Topology, HubPort]:
    topology = read_topology(tree.root)
    port = topology.port(PortPath.parse(path))
    assert port is not None
    return topology, port


async def test_the_hub_is_asked_and_the_kernel_is_told(tree: SysfsTree) -> None:
    hub = FakeHub()
    disable = tree.port("1-3", 2) / "disable"
    switch = await UsbHubs(hub).open(*looked_up(tree))
    assert await switch.switching() is Switching.INDIVIDUAL
    await switch.cut()
    assert not hub.powered[2]
    assert disable.read_text().strip() == "0", "the kernel would remove the device by itself"
    assert await switch.hold()
    assert disable.read_text().strip() == "1"
    await switch.restore()
    assert disable.read_text().strip() == "0"
    assert hub.powered[2]
    assert (await switch.status()).connected
    await switch.aclose()
    assert hub.open_handles == 0


async def test_where_the_kernel_has_no_such_file_nothing_is_held(tree: SysfsTree) -> None:
    (tree.port("1-3", 2) / "disable").unlink()
    hub = FakeHub()
    switch = await UsbHubs(hub).open(*looked_up(tree))
    await switch.cut()
    assert not await switch.hold()
    await switch.restore()
    assert hub.powered[2]
    assert not (tree.port("1-3", 2) / "disable").exists()
    await switch.aclose()


async def test_a_file_that_went_away_is_no_error(tree: SysfsTree) -> None:
    found = looked_up(tree)
    switch = await UsbHubs(FakeHub()).open(*found)
    (tree.port("1-3", 2) / "disable").unlink()
    assert not await switch.hold()
    await switch.restore()
    await switch.aclose()


async def test_a_hub_nobody_may_open(tree: SysfsTree) -> None:
    with pytest.raises(UsbAccess):
        await UsbHubs(FakeHub(failure=errno.EACCES)).open(*looked_up(tree))


async def test_a_root_hub_is_the_first_device_of_its_bus(tree: SysfsTree) -> None:
    hub = FakeHub(node=HubNode(1, 1))
    switch = await UsbHubs(hub).open(*looked_up(tree, "1-1"))
    await switch.cut()
    assert not hub.powered[1]
    await switch.aclose()


async def test_a_hub_that_left_between_the_look_and_the_opening(tree: SysfsTree) -> None:
    with pytest.raises(Disconnected):
        await UsbHubs(FakeHub(node=HubNode(1, 77))).open(*looked_up(tree))


# --- a kernel that does not answer ------------------------------------------------------------

PIPE_BYTES = 65536


async def left_at_once(call: Callable[[], Awaitable[object]]) -> None:
    """Whoever asks is out of patience before it begins."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await call()
    assert scope.cancelled_caught


async def test_a_call_that_was_left_is_done_and_the_power_is_given_back_after_it(
    tree: SysfsTree, tmp_path: Path
) -> None:
    """The write that keeps the kernel away hangs; once it goes through, the port is not off."""
    disable = tmp_path / "disable"
    os.mkfifo(disable)
    full = os.open(disable, os.O_RDWR | os.O_NONBLOCK)
    hub = FakeHub()
    try:
        os.write(full, bytes(PIPE_BYTES))
        topology, port = looked_up(tree)
        switch = await UsbHubs(hub).open(topology, replace(port, disable=disable))
        await switch.cut()
        await left_at_once(switch.hold)
        await left_at_once(switch.restore)
        assert not hub.powered[2]
        assert os.read(full, PIPE_BYTES) == bytes(PIPE_BYTES)
        assert (await switch.status()).connected
        assert os.read(full, PIPE_BYTES) == b"10"
        await switch.aclose()
    finally:
        os.close(full)
    assert (hub.powered[2], hub.open_handles) == (True, 0)


class SlowHub(FakeHub):
    """It is asked to switch a port on, and does not answer until `answers` is set."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked = threading.Event()
        self.answers = threading.Event()

    def ctrl_transfer(
        self,
        dev_handle: HubNode,
        bm_request_type: int,
        b_request: int,
        w_value: int,
        w_index: int,
        data: "array[int]",
        timeout: int,
    ) -> int:
        if (bm_request_type, b_request) == (0x23, 3):
            self.asked.set()
            self.answers.wait()
        return super().ctrl_transfer(
            dev_handle, bm_request_type, b_request, w_value, w_index, data, timeout
        )


class OneModule:
    """What sits on the port, as the kernel says, which is told of no departure."""

    async def scan(self) -> tuple[DeviceInfo, ...]:
        await trio.lowlevel.checkpoint()
        return (DeviceInfo(PortPath.parse("1-3.2"), 0x2C7C, 0x0125, (), 1),)


async def test_a_port_is_not_waited_for_without_end(tree: SysfsTree, mock_clock: MockClock) -> None:
    hub = SlowHub()
    hubs, found = UsbHubs(hub), looked_up(tree)
    opened: list[UsbPortSwitch] = []
    causes: list[str] = []

    async def look() -> Topology:
        await trio.lowlevel.checkpoint()
        return found[0]

    async def open_switch(tree: Topology, port: HubPort) -> UsbPortSwitch:
        opened.append(await hubs.open(tree, port))
        return opened[-1]

    async def cycle() -> None:
        power = PortPower(OneModule(), look, open_switch)  # type: ignore[arg-type]  # it opens no pipe
        with pytest.raises(UsbBroken) as broken:
            await power.cycle((found[1].path,), off_s=0)
        causes.append(broken.value.cause)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cycle)
        try:
            await trio.to_thread.run_sync(hub.asked.wait)
            for passing_s in (RESTORE_S, CLOSE_S):
                await wait_all_tasks_blocked()
                mock_clock.jump(passing_s)
            await wait_all_tasks_blocked()
            assert causes, "it still waits"
            with pytest.raises(UsbBroken, match="1-3 has not answered an earlier request"):
                await hubs.open(*found)
            assert hub.open_handles == 1, "it is still in use"
        finally:
            hub.answers.set()
    assert "within 10 s; port 1-3.2 may be without power" in causes[0]
    await opened[0].status()  # in its turn, after what was left
    assert (hub.powered[2], hub.open_handles) == (True, 0)
    await (await hubs.open(*found)).aclose()
