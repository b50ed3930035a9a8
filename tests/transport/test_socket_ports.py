"""Which ports are switched together, and which never."""

from pathlib import Path

import pytest

from station.places import PortPath
from station.transport.socket_ports import NotSwitchable, ports_of_socket
from station.transport.topology import read_topology
from tests.fakes.sysfs import SysfsTree


@pytest.fixture
def tree(tmp_path: Path) -> SysfsTree:
    tree = SysfsTree(tmp_path / "sys")
    intel = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    tree.root_hub(intel, bus=1, ports=6)
    tree.root_hub(intel, bus=2, ports=4, version="3.00", speed="5000")
    tree.peer("usb1", 3, "usb2", 1)
    tree.peer("usb1", 4, "usb2", 2)
    tree.half_peer("usb1", 5, "usb2", 3)
    tree.hub("1-3", ports=4)
    tree.hub("2-1", ports=4, speed="5000")
    for number in range(1, 5):
        tree.peer("1-3", number, "2-1", number)
    tree.hub("1-3.4", ports=2)
    old = tree.controller("pci0000:00/0000:00:1d.0", "pci", "ehci-pci")
    tree.root_hub(old, bus=3, ports=2)
    tree.device("1-3.2", "2c7c:0125")
    return tree


def chosen(tree: SysfsTree, *paths: str) -> list[str]:
    ports = ports_of_socket(read_topology(tree.root), [PortPath.parse(path) for path in paths])
    return [str(port.path) for port in ports]


def test_the_companion_comes_along_and_comes_first(tree: SysfsTree) -> None:
    for named in (("1-3.2",), ("2-1.2",), ("1-3.2", "2-1.2")):
        assert chosen(tree, *named) == ["2-1.2", "1-3.2"]


def test_a_port_without_companion(tree: SysfsTree) -> None:
    assert chosen(tree, "3-1") == ["3-1"]
    assert chosen(tree, "1-3.4.1") == ["1-3.4.1"]


def test_a_port_of_the_machine_whose_companion_is_known(tree: SysfsTree) -> None:
    assert chosen(tree, "1-4") == ["2-2", "1-4"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("1-3",), "port 1-3 carries a hub"),
        (("2-1",), "carries a hub"),
        (("1-3.4",), "carries a hub"),
        (("2-1.4",), "carries a hub"),
        (("1-6",), "nobody knows the companion of 1-6"),
        (("1-5",), "ports 1-5 and 2-3 disagree on being one socket"),
        (("1-3.1", "2-1.2"), "the slot has 1-3.1 and 2-1.2, but 1-3.1 is with 2-1.1"),
        (("1-3.9",), "there is no port 1-3.9"),
        (("9-1",), "there is no port 9-1"),
    ],
)
def test_refused(tree: SysfsTree, paths: tuple[str, ...], words: str) -> None:
    with pytest.raises(NotSwitchable) as refusal:
        chosen(tree, *paths)
    assert words in refusal.value.why
