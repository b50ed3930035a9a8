"""Who sits on the bus, read from descriptors only: nothing is opened, nothing is sent.

libusb has no serial number for one enumeration. The kernel gives every enumeration of a bus the
next free device address, so another address or another id on a port means another enumeration;
so does a port that was seen empty in between.
"""

import itertools
from dataclasses import dataclass, replace

import usb.backend
import usb.core

from station.model import DeviceInfo, Endpoint, Interface, PortPath

_HUB_CLASS = 0x09
_PACKET_BYTES_MASK = 0x07FF
"""wMaxPacketSize: bits 0 to 10 are the size, above are extra transactions. Ref: USB 2.0 9.6.6."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device of the last look and what pyusb's backend calls it (`raw`, opaque)."""

    info: DeviceInfo
    address: int
    raw: object


class Census:
    """The devices of a bus over time. Not for two threads at once."""

    def __init__(self, backend: usb.backend.IBackend) -> None:
        self._backend = backend
        self._present: dict[PortPath, Found] = {}
        self._generations = itertools.count(1)

    def look(self) -> dict[PortPath, Found]:
        """Everything there is now. Raises USBError, NotImplementedError."""
        present: dict[PortPath, Found] = {}
        for raw in self._backend.enumerate_devices():
            device = usb.core.Device(raw, self._backend)
            path = _path_of(device)
            if path is not None:
                present[path] = self._recognise(path, device, raw)
        self._present = present
        return present

    def _recognise(self, path: PortPath, device: usb.core.Device, raw: object) -> Found:
        key = (device.address, device.idVendor, device.idProduct)
        known = self._present.get(path)
        if known is None or (known.address, known.info.vid, known.info.pid) != key:
            info = DeviceInfo(
                path, key[1], key[2], interfaces_of(device), generation=next(self._generations)
            )
        elif not known.info.interfaces:
            info = replace(known.info, interfaces=interfaces_of(device))
        else:
            info = known.info
        return Found(info, device.address, raw)


def _path_of(device: usb.core.Device) -> PortPath | None:
    """The topology path; None for hubs, root hubs and systems that tell no ports."""
    if device.bDeviceClass == _HUB_CLASS or not device.port_numbers or not device.bus:
        return None
    return PortPath(device.bus, tuple(device.port_numbers))


def interfaces_of(device: usb.core.Device) -> tuple[Interface, ...]:
    """The interfaces of the first configuration, alternate setting 0; empty when unreadable.

    Modules have one configuration; asking which one is active would open the device.
    """
    try:
        configuration = device[0]
        return tuple(
            _interface(configuration[(index, 0)]) for index in range(configuration.bNumInterfaces)
        )
    except (usb.core.USBError, NotImplementedError, IndexError):
        return ()


def _interface(descriptor: usb.core.Interface) -> Interface:
    return Interface(
        number=descriptor.bInterfaceNumber,
        usb_class=descriptor.bInterfaceClass,
        usb_subclass=descriptor.bInterfaceSubClass,
        usb_protocol=descriptor.bInterfaceProtocol,
        endpoints=tuple(
            Endpoint(
                address=endpoint.bEndpointAddress,
                transfer=endpoint.bmAttributes & 0x03,
                max_packet_bytes=endpoint.wMaxPacketSize & _PACKET_BYTES_MASK,
            )
            for endpoint in descriptor
        ),
    )
