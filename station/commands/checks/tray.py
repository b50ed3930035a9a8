"""The slots: are their ports there, are the two of each one socket, is the link as fast as it
could be?"""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, ok, warn
from station.commands.checks.ground import Ground
from station.model import PortPath, Slot
from station.transport.topology import Topology, UsbDevice

HIGH_SPEED_MBPS = 480.0
SUPER_SPEED_VERSION = (2, 10)
"""A device that says so over USB 2 may do better over USB 3. Ref: USB 3.2, 9.6.1."""

_LEARN = "`station slots learn` writes the slots anew."


def tray(ground: Ground) -> Iterator[Finding]:
    """One finding for each thing wrong, one for all slots that are right."""
    good = []
    for slot in ground.settings.slots:
        found = [*_ports(slot, ground.topology), *_links(slot, ground)]
        yield from found
        if not found:
            good.append(slot.name)
    if good:
        yield ok(f"{len(good)} slots have their ports", ", ".join(good))


def _ports(slot: Slot, topology: Topology) -> Iterator[Finding]:
    name = f"slot {slot.name}"
    absent = frozenset(path for path in slot.ports if topology.port(path) is None)
    if absent:
        yield bad(
            f"{name}: there is no port {_list(absent)}",
            name,
            why="a hub is missing or moved; the slot stays dark",
            remedy=f"Put the hub back where it was. {_LEARN}",
        )
    for port in filter(None, map(topology.port, sorted(slot.ports))):
        path, others = port.path, slot.ports - {port.path}
        if port.peer is not None and others and port.peer not in others:
            yield bad(
                f"{name}: {path} and {_list(others)} are not one socket; its other side is "
                f"{port.peer}",
                name,
                why="the module comes back on the side that is not the slot's, and is lost",
                remedy=f"Write {path} and {port.peer} for this slot. {_LEARN}",
            )
        elif topology.carries_hub(port):
            yield bad(
                f"{name}: a hub is plugged into {path}",
                name,
                why="a slot is a port for one module",
                remedy=f"Give the slot a port of that hub. {_LEARN}",
            )


def _links(slot: Slot, ground: Ground) -> Iterator[Finding]:
    for device in (ground.topology.device(path) for path in sorted(slot.ports)):
        if device is None or device.speed_mbps is None or device.is_hub:
            continue
        if device.speed_mbps < HIGH_SPEED_MBPS:
            yield warn(
                f"slot {slot.name}: {device.usb_id} runs at {device.speed_mbps:g} Mbit/s only",
                device.path,
                why="a flash takes forty times as long",
                remedy="Clean the slot's contacts; try another cable.",
            )
        elif _could_be_faster(device, slot, ground.topology):
            yield warn(
                f"slot {slot.name}: {device.usb_id} knows USB 3 and runs on USB 2",
                device.path,
                why="the slot's USB 3 contacts are bad",
                remedy="Clean the slot's contacts; try another cable.",
            )


def _could_be_faster(device: UsbDevice, slot: Slot, topology: Topology) -> bool:
    """On the USB 2 side of a slot that has both sides."""
    port = topology.port(device.path)
    knows = _version(device) >= SUPER_SPEED_VERSION
    return (
        knows
        and device.speed_mbps == HIGH_SPEED_MBPS
        and port is not None
        and port.peer is not None
        and port.peer in slot.ports
    )


def _version(device: UsbDevice) -> tuple[int, int]:
    major, _, minor = (device.version or "").strip().partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _list(paths: frozenset[PortPath]) -> str:
    return ", ".join(str(path) for path in sorted(paths))
