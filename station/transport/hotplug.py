"""A wake-up when a USB device may have come or gone; a scan tells what it was.

udevd tells an event when its rules are through: rights and ModemManager's tags are set by then.
Where it does not run, the kernel's own events do; where neither can be heard, time does.
Ref: systemd man udev_monitor_new_from_netlink; Linux lib/kobject_uevent.c.
"""

import errno
import importlib
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

import trio

POLL_S = 0.1
UDEVD = Path("/run/udev/control")
"""The socket of a running udevd; libudev looks at it, too."""
_EVENTS_AT_ONCE = 1024
"""What is left after so many keeps the descriptor readable."""


class Changes(Protocol):
    """What came and went since a task looked last."""

    def looks(self) -> None:
        """The current task is about to scan: what happened until now it will see."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Return when something changed since the current task looked or waited last, at once if
        it did already, at the latest after `timeout_s`. For any number of tasks."""
        ...


class Polling:
    """Where nobody tells: every tenth of a second something may have changed."""

    def looks(self) -> None:
        """Nothing is remembered."""

    async def wait(self, timeout_s: float) -> None:
        await trio.sleep(min(timeout_s, POLL_S))


class EventSource(Protocol):
    """A descriptor that turns readable, and what is behind it."""

    def fileno(self) -> int: ...

    def poll(self, timeout: float) -> object | None:
        """The next event within `timeout`, None without one. Raises OSError."""
        ...


class Events:
    """Changes told by a descriptor that trio waits for. Outlives a run of trio.

    trio lets one task wait for a descriptor: whoever waits first reads for all, and hands over
    when it leaves. A count is compared, so an event between a scan and the wait is not lost.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._count = 0
        self._told: WeakKeyDictionary[trio.lowlevel.Task, int] = WeakKeyDictionary()
        self._waiting = trio.lowlevel.ParkingLot()
        self._has_reader = False
        self._is_deaf = False

    def looks(self) -> None:
        self._told[trio.lowlevel.current_task()] = self._count

    async def wait(self, timeout_s: float) -> None:
        task = trio.lowlevel.current_task()
        told = self._told.setdefault(task, self._count)
        with trio.move_on_after(min(timeout_s, POLL_S) if self._is_deaf else timeout_s):
            await trio.lowlevel.checkpoint()
            while self._count == told:
                await self._next()
        self._told[task] = self._count

    async def _next(self) -> None:
        """Return when somebody read, or stopped reading."""
        if self._is_deaf:
            await trio.sleep(POLL_S)
            self._count += 1
        elif self._has_reader:
            await self._waiting.park()
        else:
            self._has_reader = True
            try:
                await trio.lowlevel.wait_readable(self._source.fileno())
                self._read()
            finally:
                self._has_reader = False
                self._waiting.unpark_all()

    def _read(self) -> None:
        """Take what is there. An overrun (ENOBUFS) lost events, so something changed; any other
        failure would repeat for ever, so from then on time tells."""
        try:
            for _ in range(_EVENTS_AT_ONCE):
                if self._source.poll(0) is None:
                    return
                self._count += 1
        except OSError as error:
            self._count += 1
            self._is_deaf = error.errno != errno.ENOBUFS


def listen(udevd: Path = UDEVD) -> Changes:
    """Events of USB devices from now on; Polling where libudev or netlink is missing."""
    try:
        return Events(_monitor("udev" if udevd.exists() else "kernel"))
    except (ImportError, OSError):
        return Polling()


def _monitor(source: str) -> EventSource:
    """Raises ImportError without libudev, OSError without netlink."""
    pyudev = importlib.import_module("pyudev")  # Linux only, and loads libudev
    monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source)
    monitor.filter_by("usb", "usb_device")
    monitor.start()
    source_of_events: EventSource = monitor
    return source_of_events
