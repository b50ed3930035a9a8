"""Data on its way out of one endpoint: several transfers under way, each off again as it lands.

The transfers point into the data itself; nothing is copied. The next chunk leaves from the
completion of an earlier one, so that trio's task is woken for every TELL_BYTES only.
"""

import errno
import time
from collections import deque
from collections.abc import Callable
from functools import partial

import trio
import usb.core

from station.errors import Timeout, UsbBroken, UsbClosed, UsbError
from station.model import Endpoint
from station.transport.usb_errors import usb_error
from station.transport.usb_events import EventPump, Transfer
from station.transport.usb_flight import Recall, Status, address_of, never_ended, status_error

IN_FLIGHT = 8
"""Transfers under way at most: at 8 KiB more make it no faster."""
IN_FLIGHT_BYTES = 512 << 10
"""And so many bytes: usbfs has 16 MiB for all devices together (usbfs_memory_mb)."""
TELL_BYTES = 128 << 10
"""Whoever counts and hashes what was taken does it in such pieces, while the wire is busy."""

_COMPLETED = int(Status.COMPLETED)


class _Slot:
    """A transfer and the chunk it carries."""

    __slots__ = ("has_landed", "length_bytes", "transfer")

    def __init__(self) -> None:
        self.transfer: Transfer
        self.length_bytes = 0
        self.has_landed = False

    def is_whole(self) -> bool:
        transfer = self.transfer
        return transfer.status == _COMPLETED and transfer.actual_bytes == self.length_bytes


class OutLane:
    """One OUT endpoint. Used by one task at a time."""

    def __init__(self, pump: EventPump, handle: object, endpoint: Endpoint, place: str) -> None:
        self._pump = pump
        self._handle = handle
        self._endpoint = (endpoint.address, endpoint.transfer)
        self._max_packet_bytes = endpoint.max_packet_bytes
        self._doing = f"write on {place}"
        self._slots: list[_Slot] = []
        self._flying: deque[_Slot] = deque()
        self._lot = trio.lowlevel.ParkingLot()
        self._recall = Recall(pump)
        self._data = b""
        self._base = 0
        self._chunk_bytes = 0
        self._zlp = False
        self._next = 0
        self._taken = 0
        self._told = 0
        self._progress_s = 0.0
        self._is_stopped = False
        self._is_torn = False
        self._failure: UsbError | None = None

    async def send(
        self,
        data: bytes,
        chunk_bytes: int,
        *,
        zlp: bool,
        timeout_s: float,
        taken: Callable[[int, int], object] | None = None,
    ) -> None:
        """All of `data` in transfers of `chunk_bytes`; no data is one empty transfer.

        `taken(begin, end)` is told in order what was taken whole. `timeout_s` without progress
        raises Timeout. On an error, or cancelled, what is still under way is recalled first.
        """
        self._pump.start()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check()
        self._begin(data, chunk_bytes, zlp)
        try:
            while self._flying and self._failure is None:
                silent_s = time.monotonic() - self._progress_s
                if silent_s >= timeout_s:
                    self._fail(status_error(Status.TIMED_OUT, self._doing))
                    break
                with trio.move_on_after(timeout_s - silent_s):
                    await self._lot.park()
                self._tell(taken)
        finally:
            if self._flying:
                await self.settle()
            self._tell(taken)
        self._check()
        self._data = b""
        if self._failure is not None:
            raise self._failure
        if self._is_stopped:
            raise UsbClosed(f"{self._doing}: recalled, the pipe was closed")

    async def settle(self) -> None:
        """Recall what is under way, the newest first so that nothing passes a gap."""
        self._is_stopped = True
        await self._recall.settle(
            lambda: [slot.transfer for slot in reversed(self._flying)], self._end, self._data
        )

    def free(self) -> None:
        """After `settle`."""
        self._recall.free([slot.transfer for slot in self._slots])
        self._slots = []

    async def _end(self) -> None:
        while self._flying:
            await self._lot.park()

    # --- in trio's task -----------------------------------------------------------------------

    def _begin(self, data: bytes, chunk_bytes: int, zlp: bool) -> None:
        self._data = data
        self._base = address_of(data)
        self._chunk_bytes = chunk_bytes
        self._zlp = zlp
        self._next = self._taken = self._told = 0
        self._progress_s = time.monotonic()
        self._is_stopped = False
        self._is_torn = False
        self._failure = None
        depth = max(1, min(IN_FLIGHT, IN_FLIGHT_BYTES // max(1, chunk_bytes)))
        self._launch(self._slot(0))
        for index in range(1, depth):
            if self._next >= len(data) or self._failure is not None:
                break
            self._launch(self._slot(index))

    def _slot(self, index: int) -> _Slot:
        if index == len(self._slots):
            slot = _Slot()
            landed = partial(self._landed, slot)
            slot.transfer = self._pump.transfer(self._handle, *self._endpoint, landed)
            self._slots.append(slot)
        return self._slots[index]

    def _tell(self, taken: Callable[[int, int], object] | None) -> None:
        begin, self._told = self._told, self._taken
        if taken is not None and begin < self._told:
            taken(begin, self._told)

    def _check(self) -> None:
        if self._recall.has_failed:
            raise never_ended(self._doing)

    # --- for each chunk, in trio's thread: every line here is paid 16000 times a second -------

    def _launch(self, slot: _Slot) -> None:
        begin = self._next
        length_bytes = min(self._chunk_bytes, len(self._data) - begin)
        zlp = self._zlp and length_bytes > 0 and length_bytes % self._max_packet_bytes == 0
        try:
            slot.transfer.submit(self._base + begin, length_bytes, zlp=zlp)
        except usb.core.USBError as error:
            self._stay(error)
            return
        slot.length_bytes = length_bytes
        slot.has_landed = False
        self._next = begin + length_bytes
        self._flying.append(slot)

    def _landed(self, slot: _Slot) -> None:
        slot.has_landed = True
        flying = self._flying
        while flying and flying[0].has_landed:
            first = flying.popleft()
            if self._is_torn or not first.is_whole():
                self._tear(first)
                continue
            self._taken += first.length_bytes
            self._progress_s = time.monotonic()
            if self._next < len(self._data) and not self._is_stopped:
                self._launch(first)
        if not flying or self._taken - self._told >= TELL_BYTES:
            self._lot.unpark_all()

    # --- trouble ------------------------------------------------------------------------------

    def _stay(self, error: usb.core.USBError) -> None:
        """A chunk could not leave. If that is for want of room, those under way go on."""
        if error.errno != errno.ENOMEM:
            self._fail(usb_error(error, self._doing))
        elif not self._flying:
            said = "the kernel's memory for USB transfers is used up (usbfs_memory_mb)"
            self._fail(UsbBroken(f"{self._doing}: {said}"))

    def _tear(self, slot: _Slot) -> None:
        """A chunk that was not taken whole: what landed before is all that counts."""
        self._is_torn = True
        if not self._is_stopped:
            self._fail(self._error_of(slot))

    def _error_of(self, slot: _Slot) -> UsbError:
        transfer = slot.transfer
        if transfer.status == Status.COMPLETED:
            taken = f"{transfer.actual_bytes} of {slot.length_bytes}"
            return Timeout(f"{self._doing}: {taken} bytes were taken")
        return status_error(transfer.status, self._doing)

    def _fail(self, error: UsbError) -> None:
        """The first trouble is the one that is told; no further chunk leaves."""
        if self._failure is None:
            self._failure = error
        self._is_stopped = True
        self._lot.unpark_all()
