"""The two bulk endpoints of one claimed interface, over asynchronous transfers that trio awaits.

No thread waits for a transfer, so nothing is sliced: a cancelled read or span is recalled from
the kernel at once, and what had come by then is kept for the next read. Threads are used for what
libusb knows no other way: to read the image's file and to give the interface back.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import trio

from station.disk import Disk, from_store
from station.errors import Timeout, UsbClosed, UsbError, UsbStall
from station.model import Endpoint
from station.protocols.dialogue import BytesSource, Sent, Source, read_exact
from station.transport.base import SPAN_BYTES, check_read, check_span
from station.transport.claim import Claim
from station.transport.usb_burst import OutLane
from station.transport.usb_events import EventPump, Opened
from station.transport.usb_flight import Flight, Memory, Status, status_error

T = TypeVar("T")

_LOOK_S = 0.001
"""What a read without patience waits if no transfer is there yet: the module is asked only while
one is."""
_CLEAR_S = 2.0
"""So long a stalled endpoint is waited for to be cleared. The thread goes on; nothing is asked of
the device meanwhile."""


class InLane:
    """One IN endpoint, bulk or interrupt. Used by one task at a time.

    A read without patience leaves its transfer to the next one: whether an answer is there yet is
    asked between the pieces of every image, and costs no recall.
    """

    def __init__(self, pump: EventPump, opened: Opened, endpoint: Endpoint, place: str) -> None:
        self._doing = f"read on {place}"
        self._packet_bytes = endpoint.max_packet_bytes
        self._flight = Flight(pump, opened, endpoint.address, endpoint.transfer, self._doing)
        self._memory = Memory(0)
        self._is_out = False
        """A transfer flies, or has landed, that no read has seen the end of."""
        self._kept: bytes | None = None

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """As `station.transport.base.Pipe.read`."""
        check_read(max_bytes, self._packet_bytes)
        if self._kept is None:
            await self._fetch(max_bytes, timeout_s)
        else:
            await trio.lowlevel.checkpoint()
        if self._kept is None:
            raise Timeout(f"{self._doing}: nothing came within {timeout_s:g} s")
        data, rest = self._kept[:max_bytes], self._kept[max_bytes:]
        self._kept = rest or None
        return data

    async def _fetch(self, max_bytes: int, timeout_s: float) -> None:
        flight, is_patient = self._flight, timeout_s > 0
        flight.check()
        if not self._is_out:
            timeout_s = max(timeout_s, _LOOK_S)
            if self._memory.length_bytes < max_bytes:
                self._memory = Memory(max_bytes)
            await flight.launch(self._memory, max_bytes, timeout_s)
            self._is_out = True
        try:
            await flight.land(timeout_s)
        except trio.Cancelled:
            await flight.settle()
            self._keep(flight)
            raise
        if flight.is_flying and is_patient:
            await flight.settle()
        flight.check()
        if flight.is_flying:
            return
        if flight.status not in (Status.COMPLETED, Status.CANCELLED):
            self._is_out = False
            raise status_error(flight.status, self._doing)
        self._keep(flight)

    def _keep(self, flight: Flight) -> None:
        """What came, also in a transfer that was recalled; nothing is an answer if it completed."""
        self._is_out = flight.is_flying
        is_recalled = flight.status == Status.CANCELLED and flight.actual_bytes
        if is_recalled or flight.status == Status.COMPLETED:
            self._kept = self._memory.take(0, flight.actual_bytes)

    async def settle(self) -> None:
        await self._flight.settle()

    def free(self) -> None:
        self._flight.free()


class AsyncPipe:
    """A `station.transport.base.Pipe`; `sent` of `write_span` is called in trio's thread."""

    def __init__(self, claim: Claim, pump: EventPump) -> None:
        self._claim = claim
        self._pump = pump
        self._opened = opened = Opened.of(claim.handle, claim.device)
        self._place = claim.place
        self._max_packet_bytes = claim.bulk_out.max_packet_bytes
        self._in = InLane(pump, opened, claim.bulk_in, claim.place)
        self._out = OutLane(pump, opened, claim.bulk_out, claim.place)
        self._disk = Disk()
        self._in_use = False
        self._closed = False

    @property
    def max_packet_bytes(self) -> int:
        return self._max_packet_bytes

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        read = partial(self._in.read, max_bytes, timeout_s)
        return await self._alone("read", self._claim.bulk_in, read)

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        send = partial(self._out.send, data, zlp=zlp, timeout_s=timeout_s)
        await self._alone("write", self._claim.bulk_out, send)

    async def write_span(
        self,
        source: Source,
        offset_bytes: int,
        length_bytes: int,
        *,
        chunk_bytes: int,
        zlp: bool,
        timeout_s: float,
        sent: Sent | None,
    ) -> None:
        check_span(length_bytes, chunk_bytes)
        told = None if sent is None else _Told(sent)
        burst = partial(
            self._out.burst,
            chunk_bytes,
            zlp=zlp,
            timeout_s=timeout_s,
            taken=None if told is None else told.taken,
        )
        piece_bytes = max(1, SPAN_BYTES // chunk_bytes) * chunk_bytes
        end = offset_bytes + length_bytes

        async def send() -> None:
            async with burst():
                for begin in range(offset_bytes, end, piece_bytes):
                    wanted_bytes = min(piece_bytes, end - begin)
                    own = await self._own(source, begin, wanted_bytes)
                    if told is not None:
                        told.expect(own, wanted_bytes)
                    await self._out.feed(own.ljust(wanted_bytes, b"\0"))

        await self._alone("write", self._claim.bulk_out, send)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            for lane in (self._in, self._out):
                await lane.settle()
                lane.free()
        await self._pump.close(self._opened.device, self._claim.give_back)

    async def _own(self, source: Source, begin: int, wanted_bytes: int) -> bytes:
        """The image's own bytes of a piece. The disk may hang, which is told: the unit is not to
        blame."""
        own_bytes = max(0, min(wanted_bytes, source.length_bytes - begin))
        if own_bytes == 0:
            return b""
        if isinstance(source, BytesSource):
            return read_exact(source, begin, own_bytes)
        read = partial(read_exact, source, begin, own_bytes)
        return await from_store(self._disk, source.name, read)

    async def _alone(self, doing: str, endpoint: Endpoint, work: Callable[[], Awaitable[T]]) -> T:
        if self._in_use:
            raise trio.BusyResourceError(f"two tasks use the pipe {self._place} at once")
        self._check_open(doing)
        self._in_use = True
        try:
            return await work()
        except UsbError as error:
            self._check_open(doing)  # it was recalled because another task closed the pipe
            if isinstance(error, UsbStall):
                await self._clear_halt(endpoint)
            raise
        finally:
            self._in_use = False

    async def _clear_halt(self, endpoint: Endpoint) -> None:
        with trio.move_on_after(_CLEAR_S):
            await self._pump.lock(self._opened.device, partial(self._claim.clear_halt, endpoint))

    def _check_open(self, doing: str) -> None:
        if self._closed:
            raise UsbClosed(f"{doing} on {self._place}: the pipe is already closed")


class _Told:
    """Tells `sent` the image's own bytes of what was taken; padding is none."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent
        self._pieces: deque[tuple[memoryview, int]] = deque()
        self._at = 0

    def expect(self, own: bytes, length_bytes: int) -> None:
        """The next piece, with how long it is when padded."""
        self._pieces.append((memoryview(own), length_bytes))

    def taken(self, count: int) -> None:
        while count:
            own, length_bytes = self._pieces[0]
            end = min(self._at + count, length_bytes)
            if part := own[self._at : end]:
                self._sent(part)
            count -= end - self._at
            self._at = end
            if end == length_bytes:
                self._pieces.popleft()
                self._at = 0
