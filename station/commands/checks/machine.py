"""The kernel, libusb, and how much of both the slots will want."""

import re
import resource
from collections.abc import Iterator

from station.commands.checks.finding import Finding, bad, cannot_tell, ok, warn
from station.commands.checks.ground import Ground
from station.errors import UsbUnavailable
from station.protocols.dialogue import RECEIVE_BYTES
from station.transport import sysfs
from station.transport.libusb import LibusbBackend
from station.transport.usb_burst import IN_FLIGHT_BYTES

FILES_PER_SLOT = 16
FILES_BESIDE = 128
"""Packages, database, screens, libusb. A guess with room to spare."""

SLOT_BYTES = max(IN_FLIGHT_BYTES, RECEIVE_BYTES)
"""What a slot has under way: it writes or reads."""
OTHERS_MB = 1
"""For AT ports, and for other programs."""

_MEMORY = "sys/module/usbcore/parameters/usbfs_memory_mb"
_POWER_SINCE = (6, 0)
"""`disable` of a port. Ref: Linux Documentation/ABI/testing/sysfs-bus-usb."""


def kernel(ground: Ground) -> Iterator[Finding]:
    """New enough to switch a port's power."""
    release = sysfs.text(ground.root / "proc/sys/kernel/osrelease") or ""
    version = re.match(r"(\d{1,3})\.(\d{1,3})", release)
    if version is None:
        yield cannot_tell("the kernel's version", release or "/proc", remedy="Look at `uname -r`.")
    elif (int(version[1]), int(version[2])) < _POWER_SINCE:
        yield warn(
            f"Linux {release} cannot switch a port off by itself",
            "kernel",
            why="a module that hangs is not power-cycled unless its hub obeys requests",
            remedy="Linux 6.0 or newer, e.g. Debian 12.",
        )
    else:
        yield ok(f"Linux {release}", "kernel")


def libusb(_: Ground) -> Iterator[Finding]:
    """It can be loaded."""
    try:
        LibusbBackend()
    except UsbUnavailable as error:
        yield bad(error.headline, "libusb", why=error.cause, remedy=error.remedy)
    else:
        yield ok("libusb is loaded", "libusb")


def usb_memory(ground: Ground) -> Iterator[Finding]:
    """What programs may have in flight over usbfs, all together; 0 is no limit.

    Ref: Linux drivers/usb/core/devio.c (usbfs_memory_mb).
    """
    limit_mb = sysfs.number(ground.root / _MEMORY)
    slots = len(ground.settings.slots)
    wanted_mb = -(-slots * SLOT_BYTES >> 20) + OTHERS_MB
    if limit_mb is None:
        yield cannot_tell("the kernel's limit of USB memory", f"/{_MEMORY}", remedy="Look there.")
    elif 0 < limit_mb < wanted_mb:
        yield bad(
            f"{limit_mb} MB of USB memory, {slots} slots may want {wanted_mb}",
            f"/{_MEMORY}",
            why="transfers fail for want of memory when the whole tray is written",
            remedy=f"echo {2 * wanted_mb} | sudo tee /{_MEMORY}; for good: the kernel argument "
            f"usbcore.usbfs_memory_mb={2 * wanted_mb}",
        )
    else:
        limit = "no limit" if limit_mb == 0 else f"{limit_mb} MB"
        yield ok(f"USB memory: {limit}, {slots} slots may want {wanted_mb} MB", f"/{_MEMORY}")


def open_files(ground: Ground) -> Iterator[Finding]:
    """The limit of a process started from here; a service has its own."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    slots = len(ground.settings.slots)
    wanted = FILES_PER_SLOT * slots + FILES_BESIDE
    if limit != resource.RLIM_INFINITY and limit < wanted:
        yield warn(
            f"{limit} open files, {slots} slots may want {wanted}",
            "ulimit -n",
            why="packages, ports or screens cannot be opened when the whole tray is in",
            remedy=f"LimitNOFILE={2 * wanted} in `systemctl edit station`, or `ulimit -n`.",
        )
    else:
        yield ok(f"open files: {slots} slots may want {wanted} of {limit}", "ulimit -n")
