"""What a hub is asked and told about one of its ports: class requests on its control pipe.

    bmRequestType  bRequest            wValue            wIndex
    0xA0           6 GET_DESCRIPTOR    0x2900 | 0x2A00   0       hub descriptor, USB 2 | USB 3
    0xA3           0 GET_STATUS        0                 port    wPortStatus, wPortChange
    0x23           3 SET_FEATURE       8 PORT_POWER      port    power on
    0x23           1 CLEAR_FEATURE     8 PORT_POWER      port    power off

The kernel's hub driver stays bound: requests to "other" recipients claim nothing. A request waits
while the kernel enumerates behind that hub, which it does under the hub's lock.

Ref: USB 2.0 11.23.2, 11.24.2; USB 3.2 10.15.2, 10.16.2 (PORT_POWER moves from bit 8 to bit 9);
Linux drivers/usb/core/devio.c (check_ctrlrecip), include/uapi/linux/usb/ch11.h.
"""

import contextlib
import struct
from array import array
from dataclasses import dataclass
from enum import Enum
from typing import Self

import usb.backend
import usb.core

from station.errors import Disconnected, UsbBroken, UsbStall
from station.transport.usb_errors import usb_error

TIMEOUT_MS = 1000

_GET_DESCRIPTOR = (0xA0, 6)
_GET_STATUS = (0xA3, 0)
_SET_FEATURE = (0x23, 3)
_CLEAR_FEATURE = (0x23, 1)
_PORT_POWER = 8
_DESCRIPTOR_USB2 = 0x29
_DESCRIPTOR_USB3 = 0x2A

_HEAD = struct.Struct("<BBBH")
"""bDescLength, bDescriptorType, bNbrPorts, wHubCharacteristics: alike for both kinds of hub."""
_DESCRIPTOR_BYTES = 71
"""The longest there is: 7 and two bit maps of 256 ports."""


class Switching(Enum):
    """What a hub says of its power switches (wHubCharacteristics, bits 0 and 1)."""

    GANGED = "ganged"
    INDIVIDUAL = "individual"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class HubTraits:
    """The part of a hub descriptor that matters here."""

    ports: int
    switching: Switching

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises UsbBroken for what is no hub descriptor."""
        if len(data) < _HEAD.size:
            raise UsbBroken(f"a hub descriptor of {len(data)} bytes")
        _, kind, ports, characteristics = _HEAD.unpack_from(data)
        if kind not in (_DESCRIPTOR_USB2, _DESCRIPTOR_USB3):
            raise UsbBroken(f"a hub descriptor of type {kind:#04x}")
        switching = (Switching.GANGED, Switching.INDIVIDUAL, Switching.NONE, Switching.NONE)
        return cls(ports, switching[characteristics & 0b11])


@dataclass(frozen=True, slots=True)
class PortStatus:
    """What the hub says of a port. Hubs that pretend say `powered=False` and lie."""

    connected: bool
    over_current: bool
    powered: bool

    @classmethod
    def decode(cls, data: bytes, *, superspeed: bool) -> Self:
        """From the four bytes of GET_STATUS. Raises UsbBroken for less."""
        if len(data) < 4:
            raise UsbBroken(f"a port status of {len(data)} bytes")
        bits = int.from_bytes(data[:2], "little")
        return cls(
            connected=bool(bits & 1 << 0),
            over_current=bool(bits & 1 << 3),
            powered=bool(bits & 1 << (9 if superspeed else 8)),
        )


class HubPipe:
    """A hub that was opened to be asked. Calls block, each for a second and the hub's lock.

    Raises UsbAccess, Disconnected, Timeout, UsbStall, UsbBroken.
    """

    def __init__(self, backend: usb.backend.IBackend, handle: object, name: str) -> None:
        self._backend = backend
        self._handle = handle
        self._name = name

    def traits(self, *, superspeed: bool) -> HubTraits:
        kind = _DESCRIPTOR_USB3 if superspeed else _DESCRIPTOR_USB2
        data = self._ask(_GET_DESCRIPTOR, kind << 8, 0, _DESCRIPTOR_BYTES)
        return HubTraits.decode(data)

    def status(self, port: int, *, superspeed: bool) -> PortStatus:
        return PortStatus.decode(self._ask(_GET_STATUS, 0, port, 4), superspeed=superspeed)

    def set_power(self, port: int, *, on: bool) -> None:
        """Ask for it. A stall is no answer: there are hubs that stall the request and obey, as
        there are hubs that take it and do nothing."""
        with contextlib.suppress(UsbStall):
            self._ask(_SET_FEATURE if on else _CLEAR_FEATURE, _PORT_POWER, port, 0)

    def close(self) -> None:
        with contextlib.suppress(usb.core.USBError, NotImplementedError):
            self._backend.close_device(self._handle)

    def _ask(self, request: tuple[int, int], value: int, index: int, length_bytes: int) -> bytes:
        buffer = array("B", bytes(length_bytes))
        try:
            got = self._backend.ctrl_transfer(
                self._handle, *request, value, index, buffer, TIMEOUT_MS
            )
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, f"ask hub {self._name}") from error
        return buffer[:got].tobytes()


def open_hub(backend: usb.backend.IBackend, bus: int, devnum: int, name: str) -> HubPipe:
    """Open the hub with that number on its bus. Raises UsbAccess, Disconnected."""
    doing = f"open hub {name}"
    try:
        for raw in backend.enumerate_devices():
            device = usb.core.Device(raw, backend)
            if (device.bus, device.address) == (bus, devnum):
                return HubPipe(backend, backend.open_device(raw), name)
    except (usb.core.USBError, NotImplementedError) as error:
        raise usb_error(error, doing) from error
    raise Disconnected(f"{doing}: it has left")
