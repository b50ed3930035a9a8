"""The USB tree with the slots in it, as lines for people and as JSON. Pure but for `capacity`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from station.config import HubMark, Settings
from station.model import Failure, PortPath, Slot
from station.transport.capacity import Capacity, capacity
from station.transport.hub_marks import hub_at
from station.transport.locate import Located
from station.transport.usb_tree import Controller, Hub, HubPort, Topology, UsbDevice

_FULL_SPEED_MBPS = 12.0
_HIGH_SPEED_MBPS = 480.0


@dataclass(frozen=True, slots=True)
class SlotTree:
    """One look: the tree, and what the settings make of it. `settings` None: nobody said."""

    topology: Topology
    located: Located
    settings: Settings | None

    @property
    def marks(self) -> tuple[HubMark, ...]:
        return () if self.settings is None else self.settings.hubs

    def owners(self) -> dict[PortPath, str]:
        return {path: slot.name for slot in self.located.slots for path in slot.ports}

    def absent(self) -> tuple[Slot, ...]:
        """Slots of which no port is in the tree."""
        known = {port.path for port in self.topology.ports}
        return tuple(s for s in self.located.slots if s.barred is None and not s.ports & known)


# --- for people -------------------------------------------------------------------------------


def tree_lines(tree: SlotTree) -> Iterator[str]:
    """One line per port, indented by its depth."""
    if not tree.topology.controllers:
        yield "no USB controller is here"
    for controller in tree.topology.controllers:
        yield from _controller_lines(tree, controller)
    for slot in tree.located.slots:
        if slot.barred is not None:
            why = slot.barred
            yield f"disabled: {slot.name}: {why.code} {why.headline}: {why.cause} -> {why.remedy}"
    for slot in tree.absent():
        yield f"not in the tree: {slot.name}: {', '.join(map(str, sorted(slot.ports)))}"


def _controller_lines(tree: SlotTree, controller: Controller) -> Iterator[str]:
    room = capacity(controller, tree.topology)
    full = ", FULL" if room.is_full else ""
    yield (
        f"{controller.name} ({controller.driver or 'no driver'}): "
        f"{_used(room.devices, room.most_devices, room.assumed)} devices, "
        f"{_used(room.endpoints, room.most_endpoints, room.assumed)} endpoints{full}"
    )
    for bus in controller.buses:
        root = tree.topology.hub(f"usb{bus}")
        if root is not None:
            yield f"  {root.name}: USB {root.location.revision}, {root.ports} ports"
            yield from _port_lines(tree, root, "    ")


def _used(used: int, most: int | None, assumed: bool) -> str:
    if most is None:
        return f"{used} of ?"
    return f"{used} of {most}{' (assumed)' if assumed else ''}"


def _port_lines(tree: SlotTree, hub: Hub, indent: str) -> Iterator[str]:
    owners = tree.owners()
    for port in tree.topology.ports_of(hub):
        device = tree.topology.device(port.path)
        slot = owners.get(port.path, "-")
        peer = "" if port.peer is None else f" = {port.peer}"
        words = [f"{indent}{port.path}{peer}", slot, _device_words(tree, device)]
        yield "  ".join(words + [flag.upper() for flag in flags(tree, port, device)])
        below = tree.topology.hub(port.path)
        if below is not None:
            yield from _port_lines(tree, below, indent + "  ")


def _device_words(tree: SlotTree, device: UsbDevice | None) -> str:
    if device is None:
        return "empty"
    speed = "" if device.speed_mbps is None else f" {device.speed_mbps:g} Mbit/s"
    if device.is_hub:
        hub = tree.topology.hub(device.path)
        serial = "" if hub is None or hub.serial is None else f", serial {hub.serial[:40]}"
        return f"{_hub_words(tree, hub)} {device.usb_id}, {device.maxchild} ports{serial}{speed}"
    return f"{device.usb_id}{speed} {drivers(device)}".rstrip()


def _hub_words(tree: SlotTree, hub: Hub | None) -> str:
    """As the slot map calls the hubs that belong here."""
    marks = [mark for mark in tree.marks if hub is not None and hub_at(mark, tree.topology) == hub]
    return ", ".join(mark.words for mark in marks) or "hub"


def drivers(device: UsbDevice) -> str:
    """`option x4, qmi_wwan, 1 without`."""
    counts: dict[str, int] = {}
    for interface in device.interfaces:
        name = interface.driver or ""
        counts[name] = counts.get(name, 0) + 1
    bare = counts.pop("", 0)
    words = [name if count == 1 else f"{name} x{count}" for name, count in counts.items()]
    return ", ".join(words + ([f"{bare} without"] if bare else []))


def flags(tree: SlotTree, port: HubPort, device: UsbDevice | None) -> list[str]:
    """What a person should look at."""
    found = []
    if port.over_current_count:
        found.append(f"over-current x{port.over_current_count}")
    if port.claimed_peer is not None and port.peer is None:
        found.append(f"companion {port.claimed_peer} does not agree")
    if device is None:
        return found
    if device.speed_mbps is not None and device.speed_mbps <= _FULL_SPEED_MBPS:
        found.append("full speed" if device.speed_mbps == _FULL_SPEED_MBPS else "low speed")
    if _could_be_usb_3(port, device):
        found.append("usb 2 where usb 3 is possible")
    if not device.is_hub and tree.settings is not None and port.path not in tree.owners():
        found.append("unknown port")
    return found


def _could_be_usb_3(port: HubPort, device: UsbDevice) -> bool:
    """Hubs use both sides at once."""
    knows = device.knows_usb_3 and not device.is_hub
    return knows and device.speed_mbps == _HIGH_SPEED_MBPS and port.peer is not None


# --- for programs -----------------------------------------------------------------------------


def tree_json(tree: SlotTree) -> dict[str, Any]:
    """The same as one object; keys are stable."""
    return {
        "controllers": [_controller_json(tree, c) for c in tree.topology.controllers],
        "disabled": [
            {"slot": slot.name, **_failure_json(Failure.of(slot.barred))}
            for slot in tree.located.slots
            if slot.barred is not None
        ],
        "absent": [
            {"slot": slot.name, "ports": [str(path) for path in sorted(slot.ports)]}
            for slot in tree.absent()
        ],
    }


def _failure_json(failure: Failure) -> Mapping[str, str]:
    return {
        "code": failure.code,
        "headline": failure.headline,
        "cause": failure.cause,
        "remedy": failure.remedy,
    }


def _controller_json(tree: SlotTree, controller: Controller) -> dict[str, Any]:
    room: Capacity = capacity(controller, tree.topology)
    return {
        "name": controller.name,
        "driver": controller.driver,
        "buses": list(controller.buses),
        "devices": {"used": room.devices, "most": room.most_devices, "assumed": room.assumed},
        "endpoints": {
            "used": room.endpoints,
            "most": room.most_endpoints,
            "assumed": room.assumed,
        },
        "ports": [
            _port_json(tree, port)
            for port in tree.topology.ports
            if port.path.bus in controller.buses
        ],
    }


def _port_json(tree: SlotTree, port: HubPort) -> dict[str, Any]:
    device = tree.topology.device(port.path)
    return {
        "path": str(port.path),
        "location": str(port.location),
        "hub": port.hub,
        "peer": None if port.peer is None else str(port.peer),
        "slot": tree.owners().get(port.path),
        "state": port.state,
        "device": None if device is None else _device_json(tree, device),
        "flags": flags(tree, port, device),
    }


def _device_json(tree: SlotTree, device: UsbDevice) -> dict[str, Any]:
    hub = tree.topology.hub(device.path)
    return {
        "usb_id": device.usb_id,
        "speed_mbps": device.speed_mbps,
        "version": device.version,
        "hub_ports": device.maxchild,
        "serial": None if hub is None else hub.serial,
        "drivers": [interface.driver for interface in device.interfaces],
        "endpoints": device.endpoints,
    }
