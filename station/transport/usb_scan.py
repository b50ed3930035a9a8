"""Who sits on the bus, read from descriptors only: nothing is opened, nothing is sent.

Two witnesses. libusb knows descriptors but has no name for one enumeration, and its list follows
the kernel's messages; sysfs names enumerations (`enumerations.py`) and is the kernel itself. They
belong together by the device's address. Where they disagree a device just came or went, or libusb
cannot read it: after a moment sysfs is right, and the device is shown without interfaces. So an
old generation never gets new descriptors.

Without sysfs: the kernel gives every enumeration of a bus the next free address, so another
address or id on a port means another enumeration; so does a port seen empty in between.

Ref: libusb core.c (libusb_get_device_list polls netlink first), os/linux_netlink.c.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import usb.backend
import usb.core

from station.model import DeviceInfo, Endpoint, Interface, PortPath
from station.transport.enumerations import Enumeration, enumerations
from station.transport.usb_tree import HUB_CLASS

_PACKET_BYTES_MASK = 0x07FF
"""wMaxPacketSize: bits 0 to 10 are the size, above are extra transactions. Ref: USB 2.0 9.6.6."""
_ENDPOINT_NUMBER_MASK = 0x0F
_MAX_INTERFACES = 32
_MAX_ENDPOINTS = 30
"""More than these is a lie. Ref: Linux include/linux/usb.h, drivers/usb/core/config.c."""
_LAG_S = 0.002
_LOOKS_AGAIN = 5
"""The kernel sends its message to one listener after the other; so long ours may be ahead."""

UNREADABLE = (
    usb.core.USBError,
    NotImplementedError,
    IndexError,
    ValueError,
    AttributeError,
    TypeError,
)
"""What pyusb raises on odd descriptors: libusb's refusal; an index that is not there; ctypes'
`NULL pointer access`, text that is none; fields that are missing or of another type."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device of the last look and what pyusb's backend calls it (`raw`, opaque; None: libusb
    does not know the device). `identity` is another one for each enumeration of the port."""

    info: DeviceInfo
    address: int
    raw: object
    identity: tuple[int, int, int]


class Census:
    """The devices of a bus over time. Not for two threads at once.

    `sysfs` is None where a backend shows devices that this kernel does not have.
    """

    def __init__(self, backend: usb.backend.IBackend, sysfs: Path | None = None) -> None:
        self._backend = backend
        self._sysfs = sysfs
        self._present: dict[PortPath, Found] = {}
        self._disputed: frozenset[tuple[PortPath, int, int]] = frozenset()
        self._generations = itertools.count(1)

    def look(self) -> dict[PortPath, Found]:
        """Everything there is now. Raises USBError, NotImplementedError."""
        kernel, listed = self._witnesses()
        self._present = {
            path: self._recognise(seen) for path, seen in _together(kernel, listed).items()
        }
        return self._present

    def _witnesses(self) -> "tuple[_Kernel | None, _Listed]":
        """sysfs and libusb's list, read again for a moment while they newly disagree."""
        kernel, listed = self._ask()
        for _ in range(_LOOKS_AGAIN):
            if _disputed(kernel, listed) <= self._disputed:
                break
            time.sleep(_LAG_S)  # in a worker thread; neither of the two rings a bell
            kernel, listed = self._ask()
        self._disputed = _disputed(kernel, listed)
        return kernel, listed

    def _ask(self) -> "tuple[_Kernel | None, _Listed]":
        kernel = None if self._sysfs is None else enumerations(self._sysfs)
        return kernel, self._listed()

    def _listed(self) -> "_Listed":
        """What libusb shows, but hubs. One odd device does not hide the others."""
        listed: _Listed = {}
        for raw in self._backend.enumerate_devices():
            with contextlib.suppress(*UNREADABLE):
                device = usb.core.Device(raw, self._backend)
                path = _path_of(device)
                if path is not None:
                    identity = (device.address, device.idVendor, device.idProduct)
                    listed[path] = _Seen(path, device.address, identity, device, raw)
        return listed

    def _recognise(self, seen: "_Seen") -> Found:
        known = self._present.get(seen.path)
        if known is None or known.identity != seen.identity:
            _, vid, pid = seen.identity
            generation = next(self._generations)
            info = DeviceInfo(seen.path, vid, pid, interfaces_of(seen.device), generation)
        elif not known.info.interfaces:
            info = replace(known.info, interfaces=interfaces_of(seen.device))
        else:
            info = known.info
        return Found(info, seen.address, seen.raw, seen.identity)


@dataclass(frozen=True, slots=True)
class _Seen:
    path: PortPath
    address: int
    identity: tuple[int, int, int]
    device: usb.core.Device | None
    raw: object


_Kernel = dict[PortPath, Enumeration]
_Listed = dict[PortPath, _Seen]


def _disputed(kernel: _Kernel | None, listed: _Listed) -> frozenset[tuple[PortPath, int, int]]:
    """Ports of which the two tell different stories, and the stories."""
    stories: set[tuple[PortPath, int, int]] = set()
    if kernel is None:
        return frozenset()
    for path in kernel.keys() | listed.keys():
        there, seen = kernel.get(path), listed.get(path)
        if there is None or seen is None or not _agree(there, seen):
            stories.add((path, there.inode if there else 0, seen.address if seen else 0))
    return frozenset(stories)


def _agree(there: Enumeration, seen: _Seen) -> bool:
    return seen.identity == (there.address, there.vid, there.pid)


def _together(kernel: _Kernel | None, listed: _Listed) -> _Listed:
    """sysfs says who is there, libusb adds what it knows of the same enumeration."""
    if kernel is None:
        return listed
    both: _Listed = {}
    for path, there in kernel.items():
        identity = (there.inode, there.vid, there.pid)
        seen = listed.get(path)
        if seen is not None and _agree(there, seen):
            both[path] = replace(seen, identity=identity)
        else:
            both[path] = _Seen(path, there.address, identity, None, None)
    return both


def _path_of(device: usb.core.Device) -> PortPath | None:
    """The topology path; None for hubs, root hubs and systems that tell no ports."""
    if device.bDeviceClass == HUB_CLASS or not device.port_numbers or not device.bus:
        return None
    return PortPath(device.bus, tuple(device.port_numbers))


# --- descriptors ------------------------------------------------------------------------------


def interfaces_of(device: usb.core.Device | None) -> tuple[Interface, ...]:
    """The interfaces of the first configuration, alternate setting 0; empty when unreadable.

    All or none: how many there are tells what a module is. Of two with one number the kernel
    takes the first, so do we. Modules have one configuration; asking which one is active would
    open the device.
    """
    if device is None:
        return ()
    try:
        configuration = device[0]
        count = configuration.bNumInterfaces
        if not 0 <= count <= _MAX_INTERFACES:
            return ()
        found = [_interface(configuration[(index, 0)]) for index in range(count)]
    except UNREADABLE:
        return ()
    return tuple({interface.number: interface for interface in reversed(found)}.values())[::-1]


def _interface(descriptor: usb.core.Interface) -> Interface:
    return Interface(
        number=descriptor.bInterfaceNumber,
        usb_class=descriptor.bInterfaceClass,
        usb_subclass=descriptor.bInterfaceSubClass,
        usb_protocol=descriptor.bInterfaceProtocol,
        endpoints=tuple(_endpoints(descriptor)),
    )


def _endpoints(descriptor: usb.core.Interface) -> Iterator[Endpoint]:
    """Those that a transfer can go to: endpoint 0 is no one's, and a packet holds something."""
    for endpoint in itertools.islice(descriptor, _MAX_ENDPOINTS):
        found = Endpoint(
            address=endpoint.bEndpointAddress,
            transfer=endpoint.bmAttributes & 0x03,
            max_packet_bytes=endpoint.wMaxPacketSize & _PACKET_BYTES_MASK,
        )
        if found.address & _ENDPOINT_NUMBER_MASK and found.max_packet_bytes:
            yield found
