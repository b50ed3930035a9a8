"""Data on its way out of one endpoint: several transfers under way, each off again as it lands.

The transfers point into the data itself; nothing is copied. The next ones leave when it is seen
that earlier ones have ended, so that trio's task is woken for every TELL_BYTES only.

A chunk is one transfer to the module: full packets until a short or an empty one. To the kernel a
long one is several, all of full packets but the last, which alone may have an empty one behind it.

A lane takes IN_FLIGHT_BYTES of the kernel's memory, and holds two blocks of what it is fed: one on
the wire, one that waits; who feeds it may have a third in hand.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
import usb.core

from station.errors import Timeout, UsbClosed, UsbError
from station.model import Endpoint
from station.transport.usb_errors import usb_error
from station.transport.usb_events import EventPump, Opened, Transfer
from station.transport.usb_flight import Recall, Status, address_of, status_error
from station.transport.usb_locks import never_ended
from station.transport.usb_room import FIRST_PAUSE_S, is_for_want_of_room, longer

IN_FLIGHT = 48
"""Transfers under way at most. Eight keep the wire busy; but the more of them have ended when trio
is woken, the less often it must be. Each must come back before a cancelled burst has ended."""
IN_FLIGHT_BYTES = 512 << 10
"""And so many bytes: usbfs has 16 MiB for all devices together (usbfs_memory_mb)."""
PART_BYTES = 128 << 10
"""What one transfer to the kernel holds at most, so that four are under way however long chunks
are."""
TELL_BYTES = 512 << 10
"""Whoever counts and hashes what was taken does it in such pieces, while the wire is busy."""

_COMPLETED = int(Status.COMPLETED)


class _Block:
    """Data that was fed, and how much of it has left."""

    __slots__ = ("address", "data", "length_bytes", "next")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.address = address_of(data)
        self.length_bytes = len(data)
        self.next = 0


class _Slot:
    """A transfer and what it carries; `block` keeps the memory alive."""

    __slots__ = ("block", "length_bytes", "transfer")

    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer
        self.block: _Block
        self.length_bytes = 0


class OutLane:
    """One OUT endpoint. Used by one task at a time."""

    def __init__(self, pump: EventPump, opened: Opened, endpoint: Endpoint, place: str) -> None:
        self._pump = pump
        self._opened = opened
        self._endpoint = (endpoint.address, endpoint.transfer)
        self._max_packet_bytes = endpoint.max_packet_bytes
        self._most_bytes = max(1, PART_BYTES // endpoint.max_packet_bytes) * (
            endpoint.max_packet_bytes
        )
        self._doing = f"write on {place}"
        self._slots: list[_Slot] = []
        self._idle: list[_Slot] = []
        self._flying: deque[_Slot] = deque()
        self._blocks: deque[_Block] = deque()
        self._lot = trio.lowlevel.ParkingLot()
        self._locked = pump.locks.taken
        self._recall = Recall(pump, opened.device)
        self._chunk_bytes = 1
        self._is_one_part = True
        self._zlp = self._zlp_of_chunk = False
        self._timeout_s = 0.0
        self._sent: Callable[[int], object] | None = None
        self._taken = 0
        self._told = 0
        self._progress_s = 0.0
        self._is_stopped = False
        self._is_torn = self._is_closed = False
        self._obstacle: UsbError | None = None
        self._failure: UsbError | None = None

    async def send(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        """All of `data` as one chunk; no data is one empty packet. Raises as `burst`."""
        async with self.burst(len(data), zlp=zlp, timeout_s=timeout_s):
            await self.feed(data)

    @asynccontextmanager
    async def burst(
        self,
        chunk_bytes: int,
        *,
        zlp: bool,
        timeout_s: float,
        taken: Callable[[int], object] | None = None,
    ) -> AsyncIterator[None]:
        """What is fed inside goes out in chunks; all of it was taken when the context ends.

        `taken(count)` is told how many bytes more were taken whole. `timeout_s` without progress
        raises Timeout. On an error, or cancelled, what is still under way is recalled first.
        """
        self._pump.start()
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check()
        await self._pump.locks.released(self._opened.device, self._doing)
        if self._is_closed:
            raise UsbClosed(f"{self._doing}: the pipe was closed")
        self._begin(chunk_bytes, zlp, timeout_s, taken)
        self._pump.lookouts.add(self._land)
        try:
            yield
            await self._until(lambda: not self._blocks and not self._flying)
        finally:
            if self._flying:
                await self.settle()
            if not self._flying:  # else the kernel still has them
                self._pump.lookouts.discard(self._land)
            self._tell()
            self._blocks.clear()
        self._complain()

    async def feed(self, data: bytes) -> None:
        """More of it, whole chunks unless it is the last; returns when there is room for more.
        So one block is on its way while the next one is read. Raises as `burst`."""
        self._complain()
        if not self._flying:
            self._progress_s = time.monotonic()
        self._blocks.append(_Block(data))
        self._fill()
        await self._until(lambda: len(self._blocks) < 2)
        self._complain()

    async def settle(self) -> None:
        """Recall what is under way, the newest first so that nothing passes a gap."""
        self._is_stopped = True
        await self._recall.settle(
            lambda: [slot.transfer for slot in reversed(self._flying)],
            self._end,
            [slot.block.data for slot in self._flying],
        )

    def free(self) -> None:
        """After `settle`."""
        self._is_closed = True
        self._pump.lookouts.discard(self._land)
        self._recall.free([slot.transfer for slot in self._slots])
        self._slots = []

    async def _end(self) -> None:
        while self._flying:
            await self._lot.park()

    # --- in trio's task -----------------------------------------------------------------------

    def _begin(
        self,
        chunk_bytes: int,
        zlp: bool,
        timeout_s: float,
        taken: Callable[[int], object] | None,
    ) -> None:
        self._chunk_bytes = max(1, chunk_bytes)
        self._zlp = zlp
        self._timeout_s = timeout_s
        self._sent = taken
        self._taken = self._told = 0
        self._progress_s = time.monotonic()
        self._is_stopped = self._is_torn = False
        self._obstacle = self._failure = None
        part_bytes = min(self._most_bytes, self._chunk_bytes)
        self._is_one_part = part_bytes == self._chunk_bytes
        self._zlp_of_chunk = self._needs_zlp(chunk_bytes)
        depth = max(2, min(IN_FLIGHT, IN_FLIGHT_BYTES // part_bytes))
        while len(self._slots) < depth:
            transfer = self._pump.silent_transfer(self._opened, *self._endpoint)
            self._slots.append(_Slot(transfer))
        self._idle = self._slots[:depth]

    async def _until(self, is_done: Callable[[], bool]) -> None:
        """Or until it was stopped. What found no room goes after a pause if nothing is left that
        could make some."""
        pause_s = FIRST_PAUSE_S
        while not self._is_stopped and not is_done():
            left_s = self._progress_s + self._timeout_s - time.monotonic()
            if left_s <= 0:
                self._fail(self._obstacle or status_error(Status.TIMED_OUT, self._doing))
                return
            with trio.move_on_after(left_s if self._flying else min(left_s, pause_s)):
                await self._lot.park()
            self._tell()
            if not self._flying:
                pause_s = longer(pause_s)
            self._fill()

    def _tell(self) -> None:
        fresh, self._told = self._taken - self._told, self._taken
        if self._sent is not None and fresh:
            self._sent(fresh)

    def _complain(self) -> None:
        self._check()
        if self._failure is not None:
            raise self._failure
        if self._is_stopped:
            raise UsbClosed(f"{self._doing}: recalled, the pipe was closed")

    def _check(self) -> None:
        if self._recall.has_failed:
            raise never_ended(self._doing)

    # --- for each transfer, in trio's thread: every line here is paid 16000 times a second ------

    def _fill(self) -> None:
        while self._blocks and self._idle and not self._is_stopped:
            if not self._launch(self._idle[-1]):
                return
            self._idle.pop()

    def _launch(self, slot: _Slot) -> bool:
        block = self._blocks[0]
        begin = block.next
        end = begin + self._chunk_bytes
        if self._is_one_part and end <= block.length_bytes:  # nearly all of them
            length_bytes, zlp = self._chunk_bytes, self._zlp_of_chunk
        else:
            end, zlp = self._part(block)
            length_bytes = end - begin
        if self._locked and self._opened.device in self._locked:
            self._obstacle = never_ended(self._doing)
            return False
        try:
            slot.transfer.submit(block.address + begin, length_bytes, zlp=zlp)
        except usb.core.USBError as error:
            self._stay(error)
            return False
        slot.block = block
        slot.length_bytes = length_bytes
        block.next = end
        if end >= block.length_bytes:
            self._blocks.popleft()
            self._lot.unpark_all()
        self._obstacle = None
        self._flying.append(slot)
        return True

    def _part(self, block: _Block) -> tuple[int, bool]:
        """Where the next transfer ends, and whether an empty packet goes behind it."""
        begin = block.next
        chunk_end = begin - begin % self._chunk_bytes + self._chunk_bytes
        chunk_end = min(chunk_end, block.length_bytes)
        end = min(begin + self._most_bytes, chunk_end)
        return end, end == chunk_end and self._needs_zlp(end - begin)

    def _needs_zlp(self, length_bytes: int) -> bool:
        return self._zlp and length_bytes > 0 and length_bytes % self._max_packet_bytes == 0

    def _land(self) -> None:
        """Take note of those that have ended, in their order, and send each off again."""
        flying = self._flying
        while flying and (status := flying[0].transfer.status) >= 0:
            first = flying.popleft()
            length_bytes = first.length_bytes
            is_whole = status == _COMPLETED and first.transfer.actual_bytes == length_bytes
            if self._is_torn or not is_whole:
                self._tear(first)
                continue
            self._taken += length_bytes
            self._progress_s = time.monotonic()
            if self._is_stopped or not self._blocks or not self._launch(first):
                self._idle.append(first)
        if not flying or self._taken - self._told >= TELL_BYTES:
            self._lot.unpark_all()

    # --- trouble ------------------------------------------------------------------------------

    def _stay(self, error: usb.core.USBError) -> None:
        """A transfer could not leave. If that is for want of room, those under way go on."""
        meant = usb_error(error, self._doing)
        if is_for_want_of_room(error):
            self._obstacle = meant
        else:
            self._fail(meant)

    def _tear(self, slot: _Slot) -> None:
        """A transfer that was not taken whole: what landed before is all that counts."""
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
        """The first trouble is the one that is told; no further transfer leaves."""
        if self._failure is None:
            self._failure = error
        self._is_stopped = True
        self._lot.unpark_all()
