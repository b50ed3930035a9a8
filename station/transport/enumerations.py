"""Which enumeration sits where, as the kernel tells it in /sys: nothing is opened on the bus.

A device has a folder there for as long as one enumeration lasts. kernfs never uses an inode number
again on 64 bit, so the folder's inode names the enumeration; addresses are used again after 127.
Ref: Linux fs/kernfs/dir.c (kernfs_new_node: idr and generation), drivers/usb/core/sysfs.c.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from station.errors import ConfigError, NoDescriptors
from station.places import PortPath
from station.transport import descriptors
from station.transport.sysfs import names
from station.transport.usb_tree import HUB_CLASS

DEVICES = "bus/usb/devices"
_NUMBER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Enumeration:
    """One stay of a device on a port. `address` is what libusb calls it, until 127 later."""

    inode: int
    address: int
    vid: int
    pid: int


def enumerations(sysfs: Path) -> dict[PortPath, Enumeration] | None:
    """Every device but hubs by its port; None where the kernel shows no USB there.

    Raises NoDescriptors: then nobody has left, we cannot look.
    """
    folder = sysfs / DEVICES
    if not folder.is_dir():
        return None
    found: dict[PortPath, Enumeration] = {}
    for name in names(folder):
        path = device_path(name)
        there = None if path is None else _enumeration(folder / name)
        if path is not None and there is not None:
            found[path] = there
    return found


def device_path(name: str) -> PortPath | None:
    """`1-1.4`; None for root hubs (`usb1`), interfaces (`1-1.4:1.0`) and what is no path."""
    try:
        path = PortPath.parse(name)
    except ConfigError:
        return None
    return path if str(path) == name else None


def _enumeration(folder: Path) -> Enumeration | None:
    """All of one enumeration; None for a hub, or once it is gone. Raises NoDescriptors."""
    try:
        return _read(folder)
    except ValueError:
        return None
    except OSError as error:
        if descriptors.are_missing(error):
            raise NoDescriptors(f"read {folder}: no file can be opened any more") from error
        return None


def _read(folder: Path) -> Enumeration | None:
    """Once the enumeration is gone, reads below the open folder fail: raises OSError, ValueError.

    No attribute that is asked for waits for the device's lock, which its drivers' probing holds.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _number(opened, "bDeviceClass", 16, most=0xFF) == HUB_CLASS:
            return None
        return Enumeration(
            inode=os.fstat(opened).st_ino,
            address=_number(opened, "devnum", 10, most=0xFF),
            vid=_number(opened, "idVendor", 16, most=0xFFFF),
            pid=_number(opened, "idProduct", 16, most=0xFFFF),
        )
    finally:
        os.close(opened)


def _number(folder: int, name: str, base: int, *, most: int) -> int:
    """Raises OSError, ValueError."""
    opened = os.open(name, os.O_RDONLY, dir_fd=folder)
    try:
        value = int(os.read(opened, _NUMBER_BYTES), base)
    finally:
        os.close(opened)
    if not 0 <= value <= most:
        raise ValueError(f"{name} {value} is more than {most}")
    return value
