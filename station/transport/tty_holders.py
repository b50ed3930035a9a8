"""Who holds the tty of an interface, found without root as far as the kernel lets it.

Three witnesses, cheapest first. A driver's module counts every open tty of the driver: none open
means nobody holds any. Links in /proc/PID/fd name the process, where they may be read: our own
user's, or all as root. inotify (`tty_opens.py`) tells of other users' opens, of ttys that appeared
since it listens. What none of them tells is not known, and nobody is accused.

Ref: Linux drivers/usb/serial/usb-serial.c (serial_install takes the module), tty_io.c
(tty_init_dev), man proc_pid_fd(5).
"""

import contextlib
import itertools
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from station.places import PortPath
from station.transport import sysfs as attributes
from station.transport.enumerations import DEVICES, device_path
from station.transport.tty_opens import TtyOpens

_TTY = re.compile(r"tty[A-Za-z]{1,16}\d{1,5}", re.ASCII)
_INTERFACE = re.compile(r"(?P<device>.{1,64}):\d{1,3}\.(?P<number>\d{1,3})", re.ASCII)
_PROCESSES_MAX = 65536
_LINKS_MAX = 500_000
_STALE_S = 0.5
"""Sixteen slots that wait for a port ask together, not each for itself."""


@dataclass(frozen=True, slots=True)
class Tty:
    """`name` in /dev; `driver` of the interface it belongs to."""

    name: str
    driver: str
    path: PortPath
    interface: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A tty that another process has open; `pid` and `program` where they can be seen."""

    tty: str
    driver: str
    path: PortPath
    interface: int
    pid: int | None = None
    program: str | None = None

    def __str__(self) -> str:
        who = "another program" if self.pid is None else f"{self.program} (process {self.pid})"
        return f"{self.tty} (driver {self.driver}) is held by {who}"


@dataclass(frozen=True, slots=True)
class _Open:
    """What /proc showed: tty names and who has them. `saw_all`: no process was hidden."""

    by_tty: dict[str, list[tuple[int, str]]]
    saw_all: bool
    noted: int
    seen_s: float


class TtyHolders:
    """The three witnesses. For any thread."""

    def __init__(
        self, sysfs: Path = Path("/sys"), proc: Path = Path("/proc"), dev: Path = Path("/dev")
    ) -> None:
        self._sysfs = sysfs
        self._proc = proc
        self._opens = _opens(dev)
        self._lock = threading.Lock()
        self._last: _Open | None = None

    def note(self) -> None:
        """Take what inotify has ready; once a second is enough."""
        if self._opens is not None:
            self._opens.open_ttys()

    def holder_of(self, path: PortPath, interface: int) -> Holder | None:
        """Who keeps us from this interface; None when nobody does, or it cannot be known."""
        mine = [tty for tty in self._ttys_of(path) if tty.interface == interface]
        return next(iter(self._held(mine)), None)

    def holders(self) -> tuple[Holder, ...]:
        """Everybody who is known to hold a tty of any USB device."""
        return tuple(self._held(self._ttys()))

    def _held(self, ttys: Iterable[Tty]) -> Iterator[Holder]:
        for tty in ttys:
            if self._opened(tty.driver) == 0:
                continue
            seen = self._search()
            for pid, program in seen.by_tty.get(tty.name, ()):
                yield Holder(tty.name, tty.driver, tty.path, tty.interface, pid, program)
            if tty.name not in seen.by_tty and not seen.saw_all and self._was_opened(tty):
                yield Holder(tty.name, tty.driver, tty.path, tty.interface)

    def _was_opened(self, tty: Tty) -> bool:
        """inotify says so; or it is the driver's only tty, and one is open."""
        if self._opens is not None and tty.name in self._opens.open_ttys():
            return True
        if not self._opened(tty.driver):
            return False
        return [other.name for other in self._ttys() if other.driver == tty.driver] == [tty.name]

    # --- sysfs --------------------------------------------------------------------------------

    def _opened(self, driver: str) -> int | None:
        """How many ttys of the driver are open (a probe counts for a moment); None if unknown.

        By the module of the driver's name: usb-serial registers its drivers for itself, so
        `bus/usb/drivers/option/module` is `usbserial`, which somebody always uses.
        """
        return attributes.number(self._sysfs / "module" / driver / "refcnt")

    def _ttys(self) -> Iterator[Tty]:
        for name in attributes.names(self._sysfs / DEVICES):
            yield from self._ttys_below(name)

    def _ttys_of(self, path: PortPath) -> Iterator[Tty]:
        for name in attributes.names(self._sysfs / DEVICES / str(path)):
            yield from self._ttys_below(name)

    def _ttys_below(self, interface: str) -> Iterator[Tty]:
        """usb-serial: `1-1.4:1.2/ttyUSB2`; cdc_acm: `1-1.4:1.0/tty/ttyACM0`."""
        match = _INTERFACE.fullmatch(interface)
        path = device_path(match["device"]) if match else None
        if match is None or path is None:
            return
        folder = self._sysfs / DEVICES / interface
        for name in (*attributes.names(folder), *attributes.names(folder / "tty")):
            if _TTY.fullmatch(name):
                driver = attributes.link_name(folder / "driver") or "unknown"
                yield Tty(name, driver, path, int(match["number"]))

    # --- /proc --------------------------------------------------------------------------------

    def _search(self) -> _Open:
        noted = 0
        if self._opens is not None:
            self._opens.open_ttys()
            noted = self._opens.noted
        with self._lock:
            last, now_s = self._last, time.monotonic()
            if last is None or last.noted != noted or now_s - last.seen_s > _STALE_S:
                by_tty, saw_all = _open_ttys(self._proc)
                last = self._last = _Open(by_tty, saw_all, noted, now_s)
            return last


def _open_ttys(proc: Path) -> tuple[dict[str, list[tuple[int, str]]], bool]:
    """Ttys by name with the processes that have them, but us; and whether all could be seen.

    Whoever may look into process 1 may look into every process of this namespace.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    saw_all = os.access(proc / "1/fd", os.R_OK)
    budget = itertools.repeat(None, _LINKS_MAX)
    for pid in sorted(itertools.islice(_processes(proc), _PROCESSES_MAX)):
        try:
            targets = _targets(proc / str(pid) / "fd", budget)
        except PermissionError:
            saw_all = False
            continue
        except OSError:  # it ended
            continue
        for tty in sorted(filter(_TTY.fullmatch, targets)):
            program = attributes.text(proc / str(pid) / "comm") or "a program"
            found.setdefault(tty, []).append((pid, program))
    return found, saw_all


def _processes(proc: Path) -> Iterator[int]:
    """All but us."""
    try:
        with os.scandir(proc) as entries:
            for entry in entries:
                name = entry.name
                if name.isascii() and name.isdecimal() and int(name) != os.getpid():
                    yield int(name)
    except OSError:
        return


def _targets(folder: Path, budget: Iterator[None]) -> set[str]:
    """The names in /dev that a process has open. A node that is gone reads `/dev/ttyUSB2
    (deleted)` and keeps nobody from its successor. Raises OSError."""
    targets = set()
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(opened) as links:
            for link, _ in zip(links, budget, strict=False):
                with contextlib.suppress(OSError):
                    targets.add(os.readlink(link.name, dir_fd=opened))
    finally:
        os.close(opened)
    return {target.removeprefix("/dev/") for target in targets if target.startswith("/dev/")}


def _opens(dev: Path) -> TtyOpens | None:
    try:
        return TtyOpens(dev)
    except OSError:
        return None
