"""What a controller can take: read where it can be, else marked as assumed."""

from pathlib import Path

import pytest

from station.transport.capacity import Capacity, capacity
from station.transport.topology import read_topology
from tests.fakes.sysfs import SysfsTree


def _capacity(tree: SysfsTree) -> Capacity:
    topology = read_topology(tree.root)
    return capacity(topology.controllers[0], topology)


@pytest.mark.parametrize(
    ("vendor", "devices", "endpoints"), [("0x8086", 64, 96), ("0x1b21", 32, None)]
)
def test_xhci_by_what_is_common(
    tmp_path: Path, vendor: str, devices: int, endpoints: int | None
) -> None:
    tree = SysfsTree(tmp_path / "sys")
    home = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    (home / "vendor").write_text(f"{vendor}\n")
    tree.root_hub(home, 1, 8)
    tree.hub("1-1", 4)
    tree.device("1-1.1", "2c7c:0125", drivers=("option",) * 4, endpoints=3)
    assert _capacity(tree) == Capacity(2, devices, 2 + 13, endpoints, assumed=True)


def test_six_modules_in_normal_mode_fill_an_intel_controller(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    home = tree.controller("pci0000:00/0000:00:14.0", "pci", "xhci_hcd")
    (home / "vendor").write_text("0x8086\n")
    tree.root_hub(home, 1, 8)
    for port in range(1, 7):
        assert not _capacity(tree).is_full
        tree.device(f"1-{port}", "2c7c:0125", drivers=("option",) * 5, endpoints=3)
    assert _capacity(tree).is_full


def test_vhci_has_its_ports(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    home = tree.controller("platform/vhci_hcd.0", "platform", "vhci_hcd")
    tree.root_hub(home, 1, 15)
    tree.root_hub(home, 2, 15, version="3.00", speed="5000")
    assert _capacity(tree) == Capacity(0, 30, 0, None, assumed=False)


def test_usb_2_has_127_addresses_and_others_are_unknown(tmp_path: Path) -> None:
    tree = SysfsTree(tmp_path / "sys")
    tree.root_hub(tree.controller("pci0000:00/0000:00:1d.0", "pci", "ehci-pci"), 1, 2)
    assert _capacity(tree).most_devices == 127
    other = SysfsTree(tmp_path / "other")
    other.root_hub(other.controller("platform/odd.0", "platform", "odd-hcd"), 1, 2)
    assert _capacity(other) == Capacity(0, None, 0, None, assumed=False)
    assert not _capacity(other).is_full
