"""Slots, and what is plugged into them."""

from dataclasses import dataclass
from enum import Enum

from station.errors import StationError
from station.places import Location, PortPath

# --- slots --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A named place on the tray and the port paths behind it (USB 2 and USB 3 companions).

    `locations` are ports known by their controller; where they are on this machine now is found
    out at start (`station.transport.locate`), which leaves `ports` only.
    """

    name: str
    ports: frozenset[PortPath]
    recipe: str | None = None
    locations: frozenset[Location] = frozenset()
    barred: StationError | None = None
    """Why nothing is flashed here: its place cannot be trusted. Such a slot has no ports."""


# --- USB devices --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` with the direction bit 0x80; `transfer` is the type: 2 bulk, 3 interrupt."""

    address: int
    transfer: int
    max_packet_bytes: int


@dataclass(frozen=True, slots=True)
class Interface:
    number: int
    usb_class: int
    usb_subclass: int
    usb_protocol: int
    endpoints: tuple[Endpoint, ...]

    @property
    def bulk_in(self) -> Endpoint | None:
        return next((e for e in self.endpoints if e.transfer == 2 and e.address & 0x80), None)

    @property
    def bulk_out(self) -> Endpoint | None:
        return next((e for e in self.endpoints if e.transfer == 2 and not e.address & 0x80), None)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What enumeration shows without opening the device.

    `generation` differs for each enumeration on a port: a device that left and returned
    between two scans is another device.
    """

    path: PortPath
    vid: int
    pid: int
    interfaces: tuple[Interface, ...]
    generation: int

    @property
    def usb_id(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


BOOT_ROM = (0x05C6, 0x9008)
"""Vendor and product of Qualcomm's boot ROM in emergency download, and of the programmer it runs;
of every family, as config/families.yaml says, too."""


class Mode(Enum):
    """What a module can do for us right now."""

    ABSENT = "absent"
    RUNTIME = "runtime"
    EDL = "edl"
    DLOAD = "dload"
    CRASHED = "crashed"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


FACTORY_TEST_MODE = 5
"""`AT+CFUN?` of a module that lost its radio data."""
