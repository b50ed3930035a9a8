"""The kernel's virtual USB host controller: its ports, and how a device gets into one.

Each controller has two root hubs, USB 2 and USB 3, with as many ports each; a port of one and
the port of the same place of the other are one pair. Ports are numbered through all controllers,
first the USB 2 side of one, then its USB 3 side:

    hub port sta spd dev      sockfd local_busid        /sys/devices/platform/vhci_hcd.0/status
    hs  0000 006 003 00010001 000003 1-1
    ss  0015 004 000 00000000 000000 0-0

`sta`: 4 is free, 5 attached, 6 enumerated, 7 broken. The second controller's table is `status.1`,
and so on, all beside the first. A device gets in by `port socket device-id speed` to `attach`; its
connection's end takes it out, and so does `port` to `detach`.

Ref: drivers/usb/usbip/vhci_sysfs.c and usbip_common.h of the Linux kernel.
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from station.errors import NeedsRoot, NoVhci, VhciTaken
from station.model import PortPath
from station.sim.usbip_wire import Speed

PLATFORM = Path("/sys/devices/platform")
MAX_CONTROLLERS = 64
MAX_PORTS = 256
"""Of one controller; far more than any kernel is built with."""

_MAX_BYTES = 1 << 16
_FREE = 4
_LINE = re.compile(r"(hs|ss) +([0-9]{4,5}) +([0-9]{3}) +[0-9]{3} .*")
_HIGH_SPEED_MBPS = 480


@dataclass(frozen=True, slots=True)
class VhciPort:
    """`number` is the kernel's for `attach`; `path` where devices appear."""

    number: int
    controller: int
    path: PortPath


@dataclass(frozen=True, slots=True)
class PortPair:
    """Both sides of one place: USB 2 and its USB 3 companion."""

    high: VhciPort
    super: VhciPort

    def side(self, speed: Speed) -> VhciPort:
        """Where a device of this speed connects."""
        return self.super if speed is Speed.SUPER else self.high


def parse_status(text: str) -> list[tuple[bool, int, int]]:
    """Rows of a `status` file: is USB 3, port number, state. Raises NoVhci for anything else."""
    head, *lines = text.splitlines() or [""]
    if not head.startswith("hub port sta"):
        raise NoVhci(f"the kernel's list of virtual ports begins with {head[:40]!r}")
    if len(lines) > MAX_PORTS:
        raise NoVhci(f"the kernel's list of virtual ports has {len(lines)} lines")
    rows = []
    for line in lines:
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise NoVhci(f"the kernel's list of virtual ports has the line {line[:80]!r}")
        rows.append((match[1] == "ss", int(match[2]), int(match[3])))
    return rows


class Vhci:
    """The controllers below `platform`. Reads and writes take microseconds and never wait."""

    def __init__(self, platform: Path = PLATFORM) -> None:
        self._platform = platform
        self._first = platform / "vhci_hcd.0"

    def pairs(self) -> tuple[PortPair, ...]:
        """All ports in the kernel's order. Raises NoVhci if the module is not loaded."""
        return tuple(
            pair
            for controller in range(MAX_CONTROLLERS)
            if self._status(controller).exists() or controller == 0
            for pair in self._pairs_of(controller)
        )

    def is_free(self, port: VhciPort) -> bool:
        """Nothing is attached, and the kernel has seen the device before it go. A port that is
        taken again before that looks to the kernel as if nothing had happened."""
        states = {number: state for _, number, state in self._rows(port.controller)}
        if port.number not in states:
            raise NoVhci(f"the kernel has no virtual port {port.number} any more")
        root = f"vhci_hcd.{port.controller}/usb{port.path.bus}"
        return states[port.number] == _FREE and not (
            (self._platform / root / str(port.path)).exists()
        )

    def attach(self, port: VhciPort, socket_fd: int, device_id: int, speed: Speed) -> None:
        """Give the kernel a connection whose other end is the device. It keeps its own reference.

        Raises NeedsRoot, VhciTaken, NoVhci.
        """
        self._write("attach", f"{port.number} {socket_fd} {device_id} {speed.value}", port)

    def detach(self, port: VhciPort) -> None:
        """Take out what is there; the kernel closes its connection. Raises as `attach` does."""
        self._write("detach", str(port.number), port)

    def check_access(self) -> None:
        """Raises NeedsRoot, NoVhci before anything is tried."""
        self._rows(0)
        if not os.access(self._first / "attach", os.W_OK):
            raise NeedsRoot("this user may not attach devices to the kernel's virtual USB ports")

    def _write(self, name: str, text: str, port: VhciPort) -> None:
        try:
            file = os.open(self._first / name, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
        except PermissionError as error:
            raise NeedsRoot(f"this user may not write to {self._first / name}") from error
        except FileNotFoundError as error:
            raise NoVhci(f"there is no {self._first / name}") from error
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise VhciTaken(f"virtual port {port.number} ({port.path}) is taken") from error
            raise NoVhci(
                f"the kernel refused {text!r} for {name}: {error.strerror or error}"
            ) from error

    def _status(self, controller: int) -> Path:
        return self._first / (f"status.{controller}" if controller else "status")

    def _rows(self, controller: int) -> list[tuple[bool, int, int]]:
        return parse_status(_read(self._status(controller)))

    def _pairs_of(self, controller: int) -> Iterator[PortPair]:
        rows = self._rows(controller)
        high = [number for is_super, number, _ in rows if not is_super]
        super_ = [number for is_super, number, _ in rows if is_super]
        if len(high) != len(super_):
            raise NoVhci(f"virtual controller {controller} has {len(high)} and {len(super_)} ports")
        buses = self._buses(controller)
        for place, numbers in enumerate(zip(high, super_, strict=True), start=1):
            sides = (
                VhciPort(number, controller, PortPath(bus, (place,)))
                for number, bus in zip(numbers, buses, strict=True)
            )
            yield PortPair(*sides)

    def _buses(self, controller: int) -> tuple[int, int]:
        """Bus numbers of the controller's root hubs, USB 2 and USB 3."""
        found: dict[bool, int] = {}
        for hub in (self._platform / f"vhci_hcd.{controller}").glob("usb[0-9]*"):
            speed, bus = _read(hub / "speed").strip(), _read(hub / "busnum").strip()
            if not (speed.isdecimal() and bus.isdecimal()):
                raise NoVhci(f"the root hub {hub.name} says speed {speed!r}, bus {bus!r}")
            found[int(speed) > _HIGH_SPEED_MBPS] = int(bus)
        if set(found) != {False, True}:
            raise NoVhci(f"virtual controller {controller} does not show its two root hubs")
        return found[False], found[True]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise NoVhci(f"{path} cannot be read: {error.strerror or error}") from error
