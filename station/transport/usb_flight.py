"""One transfer at a time, awaited: what reads and control transfers are made of.

A transfer belongs to the kernel from its submission until libusb tells of its end, and so does
its memory. Who has waited long enough, or is cancelled, recalls it and waits for the end: some
milliseconds; a mere look leaves it to the next read. If the end never comes the memory stays where
it is for ever, and the endpoint is broken.
"""

import ctypes
import errno
import os
from collections.abc import Awaitable, Callable, Hashable, Sequence
from enum import IntEnum

import trio
import usb.core

from station.errors import UsbClosed, UsbError
from station.transport.usb_errors import usb_error
from station.transport.usb_events import EventPump, Opened, Transfer
from station.transport.usb_locks import SETTLE_S, never_ended
from station.transport.usb_room import Patience, is_for_want_of_room


class Status(IntEnum):
    """How a transfer ended. Ref: libusb.h, enum libusb_transfer_status."""

    COMPLETED = 0
    ERROR = 1
    TIMED_OUT = 2
    CANCELLED = 3
    STALL = 4
    NO_DEVICE = 5
    OVERFLOW = 6


_ERRNO = {
    Status.ERROR: errno.EIO,
    Status.TIMED_OUT: errno.ETIMEDOUT,
    Status.CANCELLED: errno.ECANCELED,
    Status.STALL: errno.EPIPE,
    Status.NO_DEVICE: errno.ENODEV,
    Status.OVERFLOW: errno.EOVERFLOW,
}


def status_error(status: int | None, doing: str) -> UsbError:
    """What a transfer that did not complete means, in the words of synchronous pyusb."""
    number = next((number for known, number in _ERRNO.items() if known == status), None)
    said = os.strerror(number) if number else f"status {status}"
    return usb_error(usb.core.USBError(said, errno=number), doing)


_HEARD_S = 0.005
"""While a thread handles events, what has ended is heard of within this time."""


class Memory:
    """Room that a transfer is filled from or fills."""

    __slots__ = ("_room", "address", "length_bytes")

    def __init__(self, length_bytes: int) -> None:
        self._room = ctypes.create_string_buffer(max(1, length_bytes))
        self.address = ctypes.addressof(self._room)
        self.length_bytes = length_bytes

    def put(self, data: bytes) -> None:
        ctypes.memmove(self.address, data, len(data))

    def take(self, begin: int, length_bytes: int) -> bytes:
        return ctypes.string_at(self.address + begin, length_bytes)


def address_of(data: bytes) -> int:
    """Where the bytes are: good as long as the object lives, and only to be read."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


_abandoned: list[object] = []
"""Memory of transfers whose end never came: it is the kernel's, for ever."""


class Recall:
    """Brings the transfers of one endpoint down, if that can be done at all."""

    def __init__(self, pump: EventPump, device: Hashable) -> None:
        self._pump = pump
        self._device = device
        self._lock = trio.Lock()
        self.has_failed = False

    async def settle(
        self,
        flying: Callable[[], Sequence[Transfer]],
        end: Callable[[], Awaitable[None]],
        memory: object,
    ) -> None:
        """Have all of `flying` ended, in their order, and wait for `end`; in bounded time.

        A cancellation waits meanwhile. What did not end is left to the kernel with its `memory`.
        """
        with trio.move_on_after(SETTLE_S, shield=True) as scope:
            async with self._lock:  # nobody frees what another one is recalling
                if transfers := flying():
                    await self._pump.recall(self._device, transfers)
                    await end()
        if scope.cancelled_caught:
            self.has_failed = True
            _abandoned.append(memory)

    def free(self, transfers: Sequence[Transfer]) -> None:
        """After `settle`. What a thread may still be recalling is never freed."""
        if not self.has_failed:
            for transfer in transfers:
                transfer.free()


class Flight:
    """The one transfer of an endpoint. `status` is None until it has ended."""

    def __init__(
        self, pump: EventPump, opened: Opened, endpoint_address: int, kind: int, doing: str
    ) -> None:
        self._pump = pump
        self._device = opened.device
        self._doing = doing
        self._transfer = pump.transfer(opened, endpoint_address, kind, self._landed)
        self._lot = trio.lowlevel.ParkingLot()
        self._recall = Recall(pump, opened.device)
        self._memory: Memory | None = None
        self._is_flying = self._is_freed = False
        self.status: int | None = None
        self.actual_bytes = 0

    @property
    def is_flying(self) -> bool:
        return self._is_flying

    async def fly(self, memory: Memory, length_bytes: int, timeout_s: float) -> None:
        """Submit and wait for the end, which is asked for after `timeout_s`.

        Cancelled, it asks for the end as well, and has it before the cancellation goes on.
        Raises UsbBroken when it never ended, and what a submission raises.
        """
        await self.launch(memory, length_bytes, timeout_s)
        try:
            await self.land(timeout_s)
        finally:
            if self._is_flying:
                await self.settle()
        self.check()

    async def launch(self, memory: Memory, length_bytes: int, timeout_s: float) -> None:
        """Submit; for want of room it is tried for `timeout_s`. Raises as `fly`."""
        self.status = None
        self._pump.start()
        await trio.lowlevel.checkpoint_if_cancelled()
        self.check()
        await self._submit(memory, length_bytes, timeout_s)
        self._is_flying = True
        self._memory = memory

    async def land(self, timeout_s: float) -> None:
        """Wait for the end, or until that time is over: it flies on. No time: see what has ended
        by now."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if timeout_s <= 0:
            if self._pump.look():
                return
            timeout_s = _HEARD_S
        with trio.move_on_after(timeout_s):
            await self._end()

    async def _submit(self, memory: Memory, length_bytes: int, timeout_s: float) -> None:
        """Raises what it raises; for want of room only after `timeout_s`."""
        patience = Patience(timeout_s)
        while True:
            await self._pump.locks.released(self._device, self._doing)
            if self._is_freed:
                raise UsbClosed(f"{self._doing}: the pipe was closed")
            try:
                self._transfer.submit(memory.address, length_bytes)
            except usb.core.USBError as error:
                if not is_for_want_of_room(error) or patience.is_over:
                    raise usb_error(error, self._doing) from error
                await patience.pause()
            else:
                return

    async def settle(self) -> None:
        """Have the transfer ended."""
        await self._recall.settle(
            lambda: (self._transfer,) if self._is_flying else (), self._end, self._memory
        )

    def free(self) -> None:
        """After `settle`."""
        self._is_freed = True
        self._recall.free((self._transfer,))

    async def _end(self) -> None:
        while self._is_flying:
            await self._lot.park()

    def _landed(self) -> None:
        self.status = self._transfer.status
        self.actual_bytes = self._transfer.actual_bytes
        self._is_flying = False
        self._lot.unpark_all()

    def check(self) -> None:
        if self._recall.has_failed:
            raise never_ended(self._doing)
