"""Which devices the kernel may have locked just now, and what must wait until that is over.

usbfs holds the lock of a device while it takes a transfer back, clears a halt or gives an interface
up, and every other call about that device waits for it: a submission in trio's thread would stop
the whole station. So nothing is asked of a device meanwhile, even if the kernel never ends.
Ref: Linux drivers/usb/core/devio.c (usbdev_do_ioctl; proc_unlinkurb: usb_kill_urb has no end).
"""

import contextlib
import threading
from collections.abc import Callable, Hashable

import trio

from station.errors import UsbBroken

SETTLE_S = 2.0
"""So long may a recalled transfer take to end. The kernel of a healthy machine needs less than
a millisecond; over USB/IP it is the answer of the far side."""


class DeviceLocks:
    """`take` in trio's thread, `release` in the thread that really was at it, the rest in trio's.
    A device is whatever names one enumeration."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken: dict[Hashable, int] = {}
        """By how many threads; only who is in trio's thread may look."""
        self._later: dict[Hashable, list[Callable[[], None]]] = {}
        self._lot = trio.lowlevel.ParkingLot()

    def __bool__(self) -> bool:
        return bool(self.taken)

    def is_taken(self, device: Hashable) -> bool:
        """Whether a call about this device might wait."""
        return device in self.taken

    def take(self, device: Hashable) -> None:
        with self._lock:
            self.taken[device] = self.taken.get(device, 0) + 1

    def release(self, device: Hashable, token: trio.lowlevel.TrioToken) -> None:
        """The last one also does what was put off."""
        with self._lock:
            left = self.taken[device] - 1
            later = [] if left else self._later.pop(device, [])
            if left:
                self.taken[device] = left
            else:
                del self.taken[device]
        for work in later:
            work()
        with contextlib.suppress(trio.RunFinishedError):  # nobody is left who would wait
            token.run_sync_soon(self._lot.unpark_all)

    def put_off(self, device: Hashable, work: Callable[[], None]) -> bool:
        """Have it done when the kernel lets go. False: it has already, do it now."""
        with self._lock:
            if device not in self.taken:
                return False
            self._later.setdefault(device, []).append(work)
            return True

    async def released(self, device: Hashable, doing: str) -> None:
        """Wait until the device may be asked. Raises UsbBroken after SETTLE_S."""
        if not self.is_taken(device):  # as nearly always, and this is asked for every read
            return
        with trio.move_on_after(SETTLE_S):
            while self.is_taken(device):
                await self._lot.park()
        if self.is_taken(device):
            raise never_ended(doing)


def never_ended(doing: str) -> UsbBroken:
    return UsbBroken(
        f"{doing}: the kernel did not end an earlier transfer of this module; pull the module "
        "out, and restart this computer if the slot stays so"
    )
