"""The slots: are they where they were learned, is the link as fast as it could be?"""

from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, ok, warn
from station.commands.checks.ground import Ground
from station.errors import StationError
from station.model import Slot
from station.transport.topology import Topology, UsbDevice

HIGH_SPEED_MBPS = 480.0

_SIMULATED = "vhci_hcd"

_LEARN = "`station slots learn` writes the slots anew."


def tray(ground: Ground) -> Iterator[Finding]:
    """One finding for each thing wrong, one for all slots that are right."""
    slots = ground.slots
    yield from _misplaced(slots)
    good = []
    for slot in slots:
        found = [*_ports(slot, ground.topology), *_links(slot, ground.topology)]
        yield from found
        if not found and slot.barred is None:
            good.append(slot.name)
    if good:
        yield ok(f"{len(good)} slots have their ports", ", ".join(good))


def _misplaced(slots: tuple[Slot, ...]) -> Iterator[Finding]:
    """Slots that the engine will disable; one hub out of its place is told once."""
    whose: dict[tuple[str, str], tuple[StationError, list[str]]] = {}
    for slot in slots:
        why = slot.barred
        if why is not None:
            whose.setdefault((why.code, why.cause), (why, []))[1].append(slot.name)
    for why, names in whose.values():
        yield bad(
            f"{why.code} {why.headline}: nothing is flashed in {', '.join(names)}",
            "slots",
            why=why.cause,
            remedy=why.remedy,
        )


def bus_numbers(ground: Ground) -> Iterator[Finding]:
    """Slots written as `1-1.4` are another socket when the buses are found in another order."""
    drivers = {bus: c.driver for c in ground.topology.controllers for bus in c.buses}
    by_bus = [
        slot.name
        for slot in ground.settings.slots
        if any(drivers.get(path.bus, _SIMULATED) != _SIMULATED for path in slot.ports)
    ]
    if by_bus:
        yield warn(
            f"{len(by_bus)} slots are given by bus number",
            ", ".join(by_bus),
            why="bus numbers follow the order in which controllers are found, and may be others "
            "after a start: then the slots' names are on other sockets",
            remedy="`sudo station slots learn` writes the slots by controller.",
        )


def _ports(slot: Slot, topology: Topology) -> Iterator[Finding]:
    """What only a slot by port path can suffer, and a hub in a module's place."""
    name = f"slot {slot.name}"
    absent = [str(path) for path in sorted(slot.ports) if topology.port(path) is None]
    if absent:
        yield bad(
            f"{name}: there is no port {', '.join(absent)}",
            name,
            why="a hub is missing or moved, or the buses were found in another order",
            remedy=f"Put the hub back where it was. {_LEARN}",
        )
    for port in filter(None, map(topology.port, sorted(slot.ports))):
        if topology.carries_hub(port):
            yield bad(
                f"{name}: a hub is plugged into {port.path}",
                name,
                why="a slot is a port for one module",
                remedy=f"Give the slot a port of that hub. {_LEARN}",
            )


def _links(slot: Slot, topology: Topology) -> Iterator[Finding]:
    for device in map(topology.device, sorted(slot.ports)):
        if device is None or device.speed_mbps is None or device.is_hub:
            continue
        if device.speed_mbps < HIGH_SPEED_MBPS:
            yield warn(
                f"slot {slot.name}: {device.usb_id} runs at {device.speed_mbps:g} Mbit/s only",
                device.path,
                why="a flash takes forty times as long",
                remedy="Clean the slot's contacts; try another cable.",
            )
        elif _could_be_faster(device, slot, topology):
            yield warn(
                f"slot {slot.name}: {device.usb_id} knows USB 3 and runs on USB 2",
                device.path,
                why="the slot's USB 3 contacts are bad",
                remedy="Clean the slot's contacts; try another cable.",
            )


def _could_be_faster(device: UsbDevice, slot: Slot, topology: Topology) -> bool:
    """On the USB 2 side of a slot that has both sides."""
    port = topology.port(device.path)
    return (
        device.knows_usb_3
        and device.speed_mbps == HIGH_SPEED_MBPS
        and port is not None
        and port.peer in slot.ports
    )
