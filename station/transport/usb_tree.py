"""The USB tree as the kernel describes it: controllers, hubs, ports (empty ones too), devices.

Only files of sysfs are read, no device is opened or asked. Layout, below `/sys/devices/...`:

    0000:00:14.0/                      the controller
      usb1/                            root hub; `version` tells USB 2 from USB 3
        1-0:1.0/usb1-port1/            a port: `peer` -> companion, `disable`, `state`
        1-1/                           a hub: `maxchild` ports
          1-1:1.0/1-1-port3/           a port of it
          1-1.3/                       a device
            1-1.3:1.0/                 an interface: `driver` -> .., `bNumEndpoints`

Names are made by the kernel; what devices say of themselves (serials) is hostile.

Ref: Linux Documentation/ABI/testing/sysfs-bus-usb and stable/sysfs-bus-usb; `drivers/usb/core/
port.c` (`peer`, `disable` since 6.0, `state` since 6.5, `over_current_count`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from station.places import Location, PortPath

HUB_CLASS = 0x09
"""Class of a hub, as device and as interface. Ref: USB 2.0, 11.23.1."""
_SUPER_SPEED_VERSION = (2, 10)


@dataclass(frozen=True, slots=True)
class Controller:
    """A host controller. `name` is the first part of each `Location` below it."""

    name: str
    sysfs: Path
    driver: str | None
    """E.g. `xhci_hcd`, `vhci_hcd`; a PCI controller's driver is named as the bus has it."""
    buses: tuple[int, ...]
    """Numbers of its root hubs: with xHCI one for USB 2 and one for USB 3."""


@dataclass(frozen=True, slots=True)
class Hub:
    """`name` is the kernel's, `usb1` or `1-1`; `path` is None for a root hub."""

    name: str
    path: PortPath | None
    location: Location
    sysfs: Path
    vid: int
    pid: int
    ports: int
    """How many; `Topology.ports_of` has them."""
    speed_mbps: float | None
    serial: str | None
    """As the hub has it, if it has one. None for root hubs."""

    @property
    def is_root(self) -> bool:
        return self.path is None

    @property
    def usb_id(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


@dataclass(frozen=True, slots=True)
class HubPort:
    """A port of a hub, whether something is plugged in or not."""

    path: PortPath
    location: Location
    hub: str
    """The hub's `name`."""
    number: int
    sysfs: Path
    peer: PortPath | None
    """The same socket at the other speed, if both ports say so of each other."""
    claimed_peer: PortPath | None
    """What the port's own link says; differs from `peer` only if the other one disagrees."""
    disable: Path | None
    """Write 1 to switch the port off, 0 for on; None if this kernel or hub cannot."""
    state: str | None
    """The kernel's word, e.g. `not attached`, `configured`; None before Linux 6.5."""
    over_current_count: int | None
    connect_type: str | None
    """`hotplug`, `hardwired`, `not used` or `unknown`, as the firmware of the machine has it."""


@dataclass(frozen=True, slots=True)
class UsbInterface:
    """`endpoints` counts those of the current setting, without endpoint zero."""

    number: int
    usb_class: int
    driver: str | None
    endpoints: int


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A device that is no hub's root; hubs are devices, too."""

    path: PortPath
    location: Location
    sysfs: Path
    vid: int
    pid: int
    version: str | None
    """USB version it claims, e.g. `2.00`, `2.10`, `3.20`: 2.10 and more may know USB 3."""
    speed_mbps: float | None
    devnum: int
    maxchild: int
    """Number of ports if it is a hub, else 0."""
    interfaces: tuple[UsbInterface, ...]

    @property
    def usb_id(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"

    @property
    def is_hub(self) -> bool:
        return self.maxchild > 0 or any(face.usb_class == HUB_CLASS for face in self.interfaces)

    @property
    def knows_usb_3(self) -> bool:
        """A USB 3 device on its USB 2 wires says version 2.10. Ref: USB 3.2, 9.6.1."""
        major, _, minor = (self.version or "").strip().partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            return False
        return (int(major), int(minor)) >= _SUPER_SPEED_VERSION

    @property
    def endpoints(self) -> int:
        """All that the controller keeps for it, endpoint zero included."""
        return 1 + sum(interface.endpoints for interface in self.interfaces)


@dataclass(frozen=True, slots=True)
class Topology:
    """One look at the tree. Parts of devices that left in that moment may be missing."""

    controllers: tuple[Controller, ...] = ()
    hubs: tuple[Hub, ...] = ()
    ports: tuple[HubPort, ...] = ()
    devices: tuple[UsbDevice, ...] = ()

    def controller(self, name: str) -> Controller | None:
        return next((c for c in self.controllers if c.name == name), None)

    def hub(self, place: PortPath | Location | str) -> Hub | None:
        """By path, by location with revision, or by the kernel's name."""
        return next((h for h in self.hubs if place in (h.name, h.path, h.location)), None)

    def port(self, place: PortPath | Location) -> HubPort | None:
        return next((p for p in self.ports if place in (p.path, p.location)), None)

    def device(self, place: PortPath | Location) -> UsbDevice | None:
        return next((d for d in self.devices if place in (d.path, d.location)), None)

    def ports_of(self, hub: Hub) -> tuple[HubPort, ...]:
        return tuple(port for port in self.ports if port.hub == hub.name)

    def carries_hub(self, port: HubPort) -> bool:
        """Whether this port or its companion has a hub behind it, so that it is never switched."""
        paths = {port.path, port.peer, port.claimed_peer} - {None}
        return any(hub.path in paths for hub in self.hubs) or any(
            device.path in paths and device.is_hub for device in self.devices
        )

    def location_of(self, path: PortPath) -> Location | None:
        """Where this is by controller; None for a bus that is not there. The port need not be."""
        root = self.hub(f"usb{path.bus}")
        if root is None:
            return None
        return Location(root.location.controller, root.location.revision, path.chain)

    def paths_of(self, location: Location) -> tuple[PortPath, ...]:
        """The ports that are meant, USB 2 first: one, or without revision also its companion.

        Empty if there is no such port now.
        """
        for place in location.revisions:
            port = self.port(place)
            if port is not None:
                alone = location.revision is not None or port.peer is None
                return (port.path,) if alone or port.peer is None else (port.path, port.peer)
        return ()

    def under(self, controller: Controller) -> Iterator[UsbDevice]:
        """Its devices, hubs among them, root hubs not."""
        return (d for d in self.devices if d.path.bus in controller.buses)
