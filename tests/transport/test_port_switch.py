"""A port's switch: a hub that is asked and a file of the kernel, both of them fakes."""

import errno
from pathlib import Path

import pytest

from station.errors import Disconnected, UsbAccess
from station.places import PortPath
from station.transport.hub_requests import Switching
from station.transport.port_switch import UsbHubs
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
