"""Read the USB tree from sysfs; see `station.transport.usb_tree` for its layout.

The strings of a device (`serial`) and nothing else here wait for the device's lock, which the
kernel holds while a hub enumerates what was plugged in, for seconds if that does not answer. So
only hubs are asked for theirs. Where others must not wait, call this in a thread.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from station.errors import ConfigError
from station.places import Location, PortPath
from station.transport import sysfs
from station.transport.usb_tree import (
    Controller,
    Hub,
    HubPort,
    Topology,
    UsbDevice,
    UsbInterface,
)

__all__ = [
    "Controller",
    "Hub",
    "HubPort",
    "Topology",
    "UsbDevice",
    "UsbInterface",
    "read_topology",
]

MAX_PORTS = 255
MAX_INTERFACES = 64

_ROOT = re.compile(r"usb([1-9]\d{0,2})", re.ASCII)
_PORT = re.compile(r"(?P<hub>usb[1-9]\d{0,2}|[1-9]\d{0,2}-[\d.]{1,32})-port\d{1,3}", re.ASCII)
_FACE = re.compile(r"[\d.-]{1,40}:\d{1,3}\.(\d{1,3})", re.ASCII)

_NAMED_SUBSYSTEMS = ("pci", "platform", "acpi")
"""Those whose devices udev names in ID_PATH; a chain of the same kind counts once, innermost."""


def read_topology(root: Path = Path("/sys")) -> Topology:
    """The USB tree as it is now. Never raises for what devices or the kernel say; a machine
    without USB has an empty tree. Blocks as long as sysfs does."""
    folder = root / "bus" / "usb" / "devices"
    entries = sysfs.names(folder)
    roots = {}
    for name in entries:
        match = _ROOT.fullmatch(name)
        home = sysfs.link(folder / name) if match else None
        if match and home is not None:
            roots[int(match[1])] = _Root(root, name, home)
    reader = _Reader(roots)
    for one in roots.values():
        reader.add_hub(one.name, None, one.location, one.home)
    for name in entries:
        path = _path(name)
        home = sysfs.link(folder / name) if path is not None and path.bus in roots else None
        if path is not None and home is not None:
            reader.add_device(name, path, home)
    return reader.topology()


class _Root:
    """A root hub and the controller that it belongs to."""

    def __init__(self, root: Path, name: str, home: Path) -> None:
        self.name = name
        self.home = home
        version = sysfs.text(home / "version") or ""
        revision = int(version[0]) if version[:1] in ("1", "2", "3") else 2
        self.location = Location(_controller_name(home.parent, root.resolve()), revision, ())


class _Reader:
    def __init__(self, roots: Mapping[int, _Root]) -> None:
        self._roots = roots
        self._hubs: list[Hub] = []
        self._ports: list[HubPort] = []
        self._devices: list[UsbDevice] = []

    def add_device(self, name: str, path: PortPath, home: Path) -> None:
        """A device, which may be a hub. One that left meanwhile has no ids and is left out."""
        root = self._roots[path.bus].location
        location = Location(root.controller, root.revision, path.chain)
        vid, pid = _ids(home)
        if vid is None or pid is None:
            return
        device = UsbDevice(
            path=path,
            location=location,
            sysfs=home,
            vid=vid,
            pid=pid,
            version=sysfs.text(home / "version"),
            speed_mbps=_speed(home),
            devnum=sysfs.number(home / "devnum", most=255) or 0,
            maxchild=sysfs.number(home / "maxchild", most=MAX_PORTS) or 0,
            interfaces=_interfaces(name, home),
        )
        self._devices.append(device)
        if device.maxchild:
            self.add_hub(name, path, location, home)

    def add_hub(self, name: str, path: PortPath | None, location: Location, home: Path) -> None:
        vid, pid = _ids(home)
        hub = Hub(
            name=name,
            path=path,
            location=location,
            sysfs=home,
            vid=vid or 0,
            pid=pid or 0,
            ports=sysfs.number(home / "maxchild", most=MAX_PORTS) or 0,
            speed_mbps=_speed(home),
            serial=None if path is None else sysfs.text(home / "serial"),
        )
        self._hubs.append(hub)
        bus = path.bus if path is not None else int(name.removeprefix("usb"))
        for number in range(1, hub.ports + 1):
            self._ports.append(_port(hub, PortPath(bus, (*location.chain, number))))

    def topology(self) -> Topology:
        claims = {port.path: port.claimed_peer for port in self._ports}
        return Topology(
            controllers=self._controllers(),
            hubs=tuple(sorted(self._hubs, key=lambda hub: _order(hub.name))),
            ports=tuple(
                replace(port, peer=_mutual(port, claims))
                for port in sorted(self._ports, key=lambda port: port.path)
            ),
            devices=tuple(sorted(self._devices, key=lambda device: device.path)),
        )

    def _controllers(self) -> tuple[Controller, ...]:
        buses: dict[str, list[int]] = {}
        homes: dict[str, Path] = {}
        for bus, root in sorted(self._roots.items()):
            buses.setdefault(root.location.controller, []).append(bus)
            homes[root.location.controller] = root.home.parent
        return tuple(
            Controller(name, home, sysfs.link_name(home / "driver"), tuple(buses[name]))
            for name, home in homes.items()
        )


def _controller_name(home: Path, root: Path) -> str:
    """As udev's path_id has it: `pci-0000:00:14.0`, `platform-vhci_hcd.0`."""
    parts: list[str] = []
    last = None
    for folder in (home, *home.parents):
        if folder in (root, root / "devices"):
            break
        subsystem = sysfs.link_name(folder / "subsystem")
        if subsystem in _NAMED_SUBSYSTEMS and subsystem != last:
            parts.insert(0, f"{subsystem}-{folder.name}")
        last = subsystem if subsystem is not None else last
    return "-".join(parts) or f"unknown-{home.name}"


def _interfaces(name: str, home: Path) -> tuple[UsbInterface, ...]:
    found: list[UsbInterface] = []
    for entry in sysfs.names(home):
        match = _FACE.fullmatch(entry)
        if match and entry.startswith(f"{name}:") and len(found) < MAX_INTERFACES:
            face = home / entry
            found.append(
                UsbInterface(
                    number=int(match[1]),
                    usb_class=sysfs.number(face / "bInterfaceClass", base=16, most=255) or 0,
                    driver=sysfs.link_name(face / "driver"),
                    endpoints=sysfs.number(face / "bNumEndpoints", base=16, most=30) or 0,
                )
            )
    return tuple(sorted(found, key=lambda interface: interface.number))


def _port(hub: Hub, path: PortPath) -> HubPort:
    """A port by its folder, which the kernel makes while the hub's driver is bound."""
    bus, number = path.bus, path.chain[-1]
    face = f"{bus}-0:1.0" if hub.path is None else f"{hub.name}:1.0"
    home = hub.sysfs / face / f"{hub.name}-port{number}"
    peer = sysfs.link_name(home / "peer")
    disable = home / "disable"
    return HubPort(
        path=path,
        location=hub.location.port(number),
        hub=hub.name,
        number=number,
        sysfs=home,
        peer=None,
        claimed_peer=None if peer is None or not _PORT.fullmatch(peer) else _path(peer),
        disable=disable if disable.is_file() else None,
        state=sysfs.text(home / "state"),
        over_current_count=sysfs.number(home / "over_current_count"),
        connect_type=sysfs.text(home / "connect_type"),
    )


def _mutual(port: HubPort, claims: Mapping[PortPath, PortPath | None]) -> PortPath | None:
    peer = port.claimed_peer
    return peer if peer is not None and claims.get(peer) == port.path != peer else None


def _path(name: str) -> PortPath | None:
    """A device's or a port's own name; interfaces have a colon."""
    if ":" in name or "/" in name:
        return None
    try:
        return PortPath.parse(name)
    except ConfigError:
        return None


def _ids(home: Path) -> tuple[int | None, int | None]:
    return (
        sysfs.number(home / "idVendor", base=16, most=0xFFFF),
        sysfs.number(home / "idProduct", base=16, most=0xFFFF),
    )


def _speed(home: Path) -> float | None:
    """Mbit/s; the kernel writes `1.5`, `12`, `480`, `5000`, `10000`, `20000` or `unknown`."""
    said = sysfs.text(home / "speed") or ""
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d{1,3})?", said, re.ASCII) else None


def _order(hub: str) -> tuple[int, tuple[int, ...]]:
    path = _path(hub)
    return (path.bus, path.chain) if path is not None else (int(hub.removeprefix("usb")), ())
