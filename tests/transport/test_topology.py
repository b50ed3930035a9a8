"""The USB tree read from a sysfs in real folders and links."""

import shutil
from pathlib import Path

import pytest

from station.places import Location, PortPath
from station.transport.topology import HubPort, Topology, read_topology
from tests.fakes.sysfs import SysfsTree

INTEL = "pci-0000:00:14.0"


def path(text: str) -> PortPath:
    return PortPath.parse(text)


def place(text: str) -> Location:
    return Location.parse(text)


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    """An xHCI controller with a USB 3 hub (two hubs to the kernel), and a vhci controller."""
    tree = SysfsTree(tmp_path / "sys")
    intel = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    tree.root_hub(intel, bus=1, ports=4)
    tree.root_hub(intel, bus=2, ports=2, version="3.00", speed="5000")
    tree.peer("usb1", 3, "usb2", 1)
    tree.hub("1-3", ports=4, serial="HUB-A")
    tree.hub("2-1", ports=4, usb_id="05e3:0612", speed="5000")
    for number in range(1, 5):
        tree.peer("1-3", number, "2-1", number)
    tree.device("1-3.2", "2c7c:0125", drivers=("option", "option", None, "qmi_wwan"), endpoints=3)
    vhci = tree.controller("platform/vhci_hcd.0", "platform", "vhci_hcd")
    tree.root_hub(vhci, bus=3, ports=8)
    return tree


@pytest.fixture
def topology(tree: SysfsTree) -> Topology:
    return read_topology(tree.root)


def port(topology: Topology, text: str) -> HubPort:
    found = topology.port(path(text))
    assert found is not None
    return found


def test_controllers_are_named_as_udev_names_them(topology: Topology) -> None:
    assert [(c.name, c.driver, c.buses) for c in topology.controllers] == [
        (INTEL, "xhci_hcd", (1, 2)),
        ("platform-vhci_hcd.0", "vhci_hcd", (3,)),
    ]
    assert topology.controllers[0].sysfs.name == "0000:00:14.0"


def test_hubs_with_what_tells_them_apart(topology: Topology) -> None:
    assert [(h.name, str(h.location), h.usb_id, h.ports, h.serial) for h in topology.hubs] == [
        ("usb1", f"{INTEL}-usbv2-0:0", "1d6b:0002", 4, None),
        ("1-3", f"{INTEL}-usbv2-0:3", "05e3:0608", 4, "HUB-A"),
        ("usb2", f"{INTEL}-usbv3-0:0", "1d6b:0003", 2, None),
        ("2-1", f"{INTEL}-usbv3-0:1", "05e3:0612", 4, None),
        ("usb3", "platform-vhci_hcd.0-usbv2-0:0", "1d6b:0002", 8, None),
    ]
    assert [hub.is_root for hub in topology.hubs] == [True, False, True, False, True]


def test_every_port_is_there_empty_or_not(topology: Topology) -> None:
    assert len(topology.ports) == 4 + 4 + 2 + 4 + 8
    empty = port(topology, "1-3.4")
    assert (empty.hub, empty.number, empty.state) == ("1-3", 4, "not attached")
    assert (empty.over_current_count, empty.connect_type) == (0, "hotplug")
    assert empty.disable is not None
    assert empty.disable.read_text() == "0\n"
    assert topology.device(empty.path) is None
    assert topology.port(place(f"{INTEL}-usbv2-0:3.4")) == empty


def test_companions_need_not_have_the_same_number(topology: Topology) -> None:
    assert port(topology, "1-3").peer == path("2-1")
    assert port(topology, "2-1").peer == path("1-3")
    assert port(topology, "1-3.2").peer == path("2-1.2")
    assert port(topology, "1-1").peer is None


def test_a_peer_that_does_not_say_the_same_is_none(tree: SysfsTree) -> None:
    tree.half_peer("usb1", 1, "usb2", 2)
    tree.half_peer("usb2", 2, "usb1", 4)
    tree.half_peer("usb3", 1, "usb3", 1)
    topology = read_topology(tree.root)
    assert port(topology, "1-1").peer is None
    assert port(topology, "1-1").claimed_peer == path("2-2")
    assert port(topology, "3-1").peer is None


def test_a_device_with_drivers_and_endpoints(topology: Topology) -> None:
    module = topology.device(path("1-3.2"))
    assert module is not None
    assert (module.usb_id, module.speed_mbps, module.version) == ("2c7c:0125", 480.0, "2.00")
    assert [face.driver for face in module.interfaces] == ["option", "option", None, "qmi_wwan"]
    assert module.endpoints == 1 + 4 * 3
    assert not module.is_hub
    assert topology.device(module.location) == module
    intel = topology.controller(INTEL)
    assert intel is not None
    assert [str(device.path) for device in topology.under(intel)] == ["1-3", "1-3.2", "2-1"]


def test_ports_by_location(topology: Topology) -> None:
    assert topology.paths_of(place(f"{INTEL}-usbv2-0:3.2")) == (path("1-3.2"),)
    assert topology.paths_of(place(f"{INTEL}-usbv3-0:1.2")) == (path("2-1.2"),)
    assert topology.paths_of(place(f"{INTEL}-usb-0:3.2")) == (path("1-3.2"), path("2-1.2"))
    assert topology.paths_of(place(f"{INTEL}-usb-0:1")) == (path("1-1"),)
    assert topology.paths_of(place(f"{INTEL}-usb-0:3.9")) == ()
    assert topology.paths_of(place("pci-0000:99:00.0-usb-0:1")) == ()


def test_the_location_of_a_port_that_is_not_there_yet(topology: Topology) -> None:
    assert topology.location_of(path("2-1.4.4")) == place(f"{INTEL}-usbv3-0:1.4.4")
    assert topology.location_of(path("9-1")) is None


def test_a_port_carries_a_hub_on_either_side(topology: Topology) -> None:
    carrying = [str(p.path) for p in topology.ports if topology.carries_hub(p)]
    assert carrying == ["1-3", "2-1"]


def test_a_controller_behind_bridges_and_buses(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    nested = tree.controller("pci0000:00/0000:00:1c.0/0000:03:00.2", "pci", "xhci_hcd")
    tree.root_hub(nested, bus=1, ports=1)
    [controller] = read_topology(tree.root).controllers
    assert controller.name == "pci-0000:03:00.2"


def test_a_pci_controller_of_a_single_board_computer(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    tree.controller("platform/scb/fd500000.pcie", "platform", "brcm-pcie")
    below = "platform/scb/fd500000.pcie/pci0000:00/0000:01:00.0"
    home = tree.controller(below, "platform", "xhci_hcd")
    (home / "subsystem").unlink()
    (home / "subsystem").symlink_to(tree.root / "bus" / "pci")
    (tree.root / "bus" / "pci").mkdir()
    tree.root_hub(home, bus=1, ports=1)
    [controller] = read_topology(tree.root).controllers
    assert controller.name == "platform-fd500000.pcie-pci-0000:01:00.0"


def test_no_usb_is_an_empty_tree(tmp_path: Path) -> None:
    assert read_topology(tmp_path / "nowhere") == Topology()


def test_what_leaves_while_it_is_read_is_left_out(tree: SysfsTree) -> None:
    shutil.rmtree(tree.home("1-3.2"))  # its link is still there
    shutil.rmtree(tree.port("1-3", 4))
    (tree.home("2-1") / "idVendor").unlink()
    topology = read_topology(tree.root)
    assert [str(device.path) for device in topology.devices] == ["1-3"]
    assert port(topology, "1-3.4").state is None
    assert port(topology, "1-3.1").peer is None


def test_what_devices_say_does_no_harm(tree: SysfsTree) -> None:
    tree.write("1-3", "serial", b"\xff\x1b[2J\x00evil\n" + b"A" * 9000)
    tree.write("1-3", "maxchild", "99999999")
    tree.write("1-3.2", "speed", "fast")
    tree.write("1-3.2", "devnum", "-3")
    (tree.home("1-3.2") / "1-3.2:1.0" / "bNumEndpoints").write_text("ff\n")
    loop = tree.port("usb1", 1) / "peer"
    loop.symlink_to(loop)
    for odd in ("1-3.300", "9-1", "usb0", "usb1234", "nonsense", "1-1.1.1.1.1.1.1.1"):
        (tree.flat / odd).symlink_to(tree.home("1-3.2"))
    (tree.flat / "usb9").write_text("not a link")
    topology = read_topology(tree.root)
    assert [str(d.path) for d in topology.devices] == ["1-3", "1-3.2", "2-1"]
    hub = topology.device(path("1-3"))
    assert hub is not None
    assert (hub.maxchild, hub.is_hub) == (0, True)
    module = topology.device(path("1-3.2"))
    assert module is not None
    assert (module.speed_mbps, module.devnum, module.endpoints) == (None, 0, 1 + 3 * 3)


def test_a_serial_is_one_printable_line(tree: SysfsTree) -> None:
    tree.write("1-3", "serial", b"\xff\x1b[2J\x00evil\nline\n" + b"A" * 9000)
    hub = read_topology(tree.root).hub("1-3")
    assert hub is not None
    assert hub.serial is not None
    assert hub.serial.startswith("\ufffd?[2J?evil?line?AAA")
    assert len(hub.serial) == 4096
