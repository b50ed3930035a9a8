"""The USB tree of a real kernel: an xHCI controller with a hub of QEMU's, and vhci's root hubs."""

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn, TextIO

import pytest

from station.commands.slots import list_slots, located
from station.config import HubMark, load_settings, slot_map_text
from station.model import Slot
from station.places import Location, PortPath, parse_place
from station.transport.topology import Hub, Topology, UsbDevice, read_topology
from tests.demo_line import demo_line
from tests.kernel.kernel import DEVICES, until
from tests.kernel.qmp import Monitor, monitor
from tests.kernel.rehearsal import Line

PORTS = 8
"""Of QEMU's usb-hub, and of each root hub of the guest's xHCI controller."""


@pytest.fixture(scope="module")
def qemu() -> Iterator[Monitor]:
    """A hub with serial HUB-A and a mouse in its third port."""
    with monitor() as hands:
        hands.plug("usb-hub", "hub", "xhci", "1", serial="HUB-A")
        hands.plug("usb-mouse", "mouse", "xhci", "1.3")
        bus = xhci_root(read_topology()).name.removeprefix("usb")
        try:
            assert until((DEVICES / f"{bus}-1.3:1.0").exists)
            yield hands
        finally:
            hands.unplug("mouse")
            hands.unplug("hub")
            assert until(lambda: not (DEVICES / f"{bus}-1").exists())


def xhci_root(topology: Topology) -> Hub:
    """The USB 2 root hub of the only PCI controller."""
    [root] = [
        hub
        for hub in topology.hubs
        if hub.is_root and hub.location.controller.startswith("pci-") and hub.location.revision == 2
    ]
    return root


def hub_of(topology: Topology, chain: str = "1") -> Hub:
    root = xhci_root(topology)
    hub = topology.hub(f"{root.name.removeprefix('usb')}-{chain}")
    assert hub is not None
    return hub


def device_at(topology: Topology, path: PortPath) -> UsbDevice:
    device = topology.device(path)
    assert device is not None
    return device


def udev_path(device: Path) -> str:
    asked = ["udevadm", "info", "--query=property", "--property=ID_PATH", "--value"]
    done = subprocess.run([*asked, f"--path={device}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.usefixtures("qemu")
def test_a_hub_its_ports_and_what_is_in_them() -> None:
    topology = read_topology()
    hub = hub_of(topology)
    assert (hub.usb_id, hub.ports, hub.serial) == ("0409:55aa", PORTS, "HUB-A")
    ports = topology.ports_of(hub)
    assert [port.number for port in ports] == list(range(1, PORTS + 1))
    assert all(port.sysfs.is_dir() for port in ports)
    assert all(port.disable is not None for port in ports)
    taken = [port.number for port in ports if topology.device(port.path)]
    assert taken == [3]
    mouse = device_at(topology, ports[2].path)
    assert [(face.usb_class, face.driver) for face in mouse.interfaces] == [(3, "usbhid")]
    assert (mouse.usb_id, mouse.speed_mbps, mouse.endpoints) == ("0627:0001", 12.0, 2)
    assert topology.carries_hub(topology.ports_of(xhci_root(topology))[0])


@pytest.mark.usefixtures("qemu")
def test_places_are_named_as_udev_names_them() -> None:
    topology = read_topology()
    for device in topology.devices:
        named = udev_path(device.sysfs)
        meant = Location.parse(named)
        assert topology.paths_of(meant)[0] == device.path
        assert parse_place(str(device.sysfs)) == device.path
        assert parse_place(str(DEVICES / str(device.path))) == device.path
        assert topology.location_of(device.path) == device.location
    assert len(topology.devices) >= 2


def test_vhci_has_fifteen_sockets_of_two_ports_each() -> None:
    topology = read_topology()
    vhci = topology.controller("platform-vhci_hcd.0")
    assert vhci is not None
    assert vhci.driver == "vhci_hcd"
    two, three = vhci.buses
    sockets = [topology.paths_of(Location(vhci.name, None, (number,))) for number in range(1, 16)]
    assert sockets == [
        (PortPath(two, (number,)), PortPath(three, (number,))) for number in range(1, 16)
    ]
    assert udev_path(DEVICES / f"usb{two}") == vhci.name


def test_peers_are_as_the_kernel_links_them() -> None:
    topology = read_topology()
    assert any(port.peer for port in topology.ports)
    for port in topology.ports:
        link = port.sysfs / "peer"
        assert port.peer == port.claimed_peer
        assert (port.peer is None) == (not link.is_symlink())
        if port.peer is not None:
            assert parse_place(str(link.resolve())) == port.peer


def tray(folder: Path, hub: Hub) -> Path:
    """Settings whose slots A1, A2 are on the hub that is there now, and B1 is one of vhci's."""
    config = demo_line(folder / "line", ["A1", "A2", "B1"])
    slots = [
        Slot("A1", frozenset(), None, frozenset({hub.location.port(1)})),
        Slot("A2", frozenset(), None, frozenset({hub.location.port(3)})),
        Slot("B1", frozenset(), None, frozenset({Location("platform-vhci_hcd.0", None, (9,))})),
    ]
    mark = HubMark("A", hub.location, hub.usb_id, hub.ports, hub.serial)
    (config.parent / "slots.yaml").write_text(slot_map_text(slots, [mark]))
    head, _, _ = config.read_text().partition("slots:")
    config.write_text(f"{head}slots: slots.yaml\n")
    return config


def listed(config: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    list_slots(config, as_json=True)
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.usefixtures("qemu")
def test_the_list_has_slots_and_empty_ports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = hub_of(read_topology())
    config = tray(tmp_path, hub)
    list_slots(config, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert f"      {hub.name}.1  A1  empty" in lines
    assert f"      {hub.name}.2  -  empty" in lines
    assert f"      {hub.name}.3  A2  0627:0001 12 Mbit/s usbhid  FULL SPEED" in lines
    assert any("  -  hub A 0409:55aa, 8 ports, serial HUB-A" in line for line in lines)
    told = listed(config, capsys)
    [xhci] = [c for c in told["controllers"] if c["name"].startswith("pci-")]
    assert xhci["devices"]["used"] == 2
    assert len(xhci["ports"]) == 3 * PORTS
    assert told["disabled"] == told["absent"] == []


@pytest.mark.usefixtures("qemu")
def test_somebody_without_any_right_may_list(tmp_path: Path) -> None:
    config = tray(tmp_path, hub_of(read_topology()))
    for folder in (*config.parents, config.parent / "slots.yaml", config):
        if folder.is_relative_to("/tmp"):  # noqa: S108 - pytest's, in the guest's memory
            folder.chmod(0o755)
    shown = tmp_path / "shown"
    child = os.fork()  # a new Python takes ten seconds to begin here
    if child == 0:
        _list_as_nobody(config, shown.open("w"))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "hub A 0409:55aa, 8 ports, serial HUB-A" in shown.read_text()


def _list_as_nobody(config: Path, out: TextIO) -> NoReturn:
    """Ends this process, with 0 if all went well."""
    try:
        os.setgroups([])
        os.setgid(pwd.getpwnam("nobody").pw_gid)
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        with redirect_stdout(out), out:
            list_slots(config, as_json=False)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_hub_in_another_socket_blocks_its_slots_and_no_other(
    qemu: Monitor, tmp_path: Path
) -> None:
    config = tray(tmp_path, hub_of(read_topology()))
    with elsewhere(qemu):
        moved = hub_of(read_topology(), "4")
        slots = located(load_settings(config)).slots
        doubts = {slot.name: slot.barred.cause for slot in slots if slot.barred is not None}
        assert doubts.keys() == {"A1", "A2"}
        assert doubts["A1"].endswith(f"it is at {moved.location} ({moved.name})")

        code, attempts = Line(config).flash()

    found = {
        slot: (attempt["outcome"], attempt["failure"]["code"]) for slot, attempt in attempts.items()
    }
    assert code == 1
    assert found == {
        "A1": ("BLOCKED", "U120"),
        "A2": ("BLOCKED", "U120"),
        "B1": ("BLOCKED", "U101"),
    }


@contextmanager
def elsewhere(qemu: Monitor) -> Iterator[None]:
    """The hub in the fourth port of its controller, and back again."""
    root = xhci_root(read_topology()).name.removeprefix("usb")
    _replug(qemu, root, "1", "4")
    try:
        yield
    finally:
        _replug(qemu, root, "4", "1")


def _replug(qemu: Monitor, bus: str, before: str, after: str) -> None:
    qemu.unplug("mouse")
    qemu.unplug("hub")
    assert until(lambda: not (DEVICES / f"{bus}-{before}").exists())
    qemu.plug("usb-hub", "hub", "xhci", after, serial="HUB-A")
    qemu.plug("usb-mouse", "mouse", "xhci", f"{after}.3")
    assert until((DEVICES / f"{bus}-{after}.3:1.0").exists)
