"""Asynchronous transfers as the pipes see them, and the task that hears of their ends.

`Wire` and `Transfer` are the seam to libusb (`station.transport.libusb_wire`), kept as narrow as
can be: make a transfer, submit it, cancel it, hear that it ended.
"""

import contextlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import Protocol
from weakref import WeakKeyDictionary, proxy

import trio
import usb.core

from station.errors import UsbBroken
from station.model import DeviceInfo
from station.transport.usb_locks import DeviceLocks

_RETRY_S = 0.1


class Transfer(Protocol):
    """One transfer of one endpoint, submitted again and again; not while it is under way."""

    @property
    def status(self) -> int:
        """How it ended: a `station.transport.usb_flight.Status`; negative until then."""
        ...

    @property
    def actual_bytes(self) -> int: ...

    def submit(self, address: int, length_bytes: int, *, zlp: bool = False) -> None:
        """Off with the memory at `address`, which must stay there until the transfer has ended.

        `zlp` asks the kernel for an empty packet behind a full last one. Raises USBError.
        """
        ...

    def cancel(self) -> None:
        """Have it end early; nothing if it has ended. The end is told, or seen, as every end is.

        Blocks until the kernel is done with it, so it is called in a thread.
        """
        ...

    def free(self) -> None:
        """Never again. Only for a transfer that is not under way."""
        ...


class Wire(Protocol):
    """Where transfers come from. `handle` is what pyusb's backend opened, opaque."""

    def transfer(
        self, handle: object, endpoint_address: int, kind: int, ended: Callable[[], None] | None
    ) -> Transfer:
        """`kind`: 0 control, 2 bulk, 3 interrupt. `ended` is called once for each submission,
        in whatever thread handles events just then; None: who made it looks at its status."""
        ...

    def fileno(self) -> int:
        """Readable when there is something to handle; the same descriptor for ever."""
        ...

    def handle_events(self) -> None:
        """Tell of every end there is now; waits for nothing but a recall. Raises USBError."""
        ...

    def handle_events_blocking(self) -> None:
        """The same for a thread, while a recall is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """What pyusb's backend calls a device that it opened, and which enumeration that is."""

    handle: object
    device: Hashable

    @classmethod
    def of(cls, handle: object, info: DeviceInfo) -> "Opened":
        return cls(handle, enumeration_of(info))


def enumeration_of(info: DeviceInfo) -> Hashable:
    return info.path, info.generation


_pumps: "WeakKeyDictionary[Wire, EventPump]" = WeakKeyDictionary()


def pump_of(wire: Wire) -> "EventPump":
    """The one pump of a wire: two tasks cannot wait for one descriptor."""
    return _pumps.setdefault(wire, EventPump(wire))


class EventPump:
    """Lets trio wait for the wire. One system task in each run, begun with the first transfer.

    It needs no nursery of its callers and ends with the run; the next run begins another one.
    Two runs at the same time, in two threads, would need two wires.

    usbfs holds the lock of a device while it takes a transfer back, and wants it to tell of ends.
    So transfers are recalled in a thread, meanwhile events are handled in one too, and nothing
    is submitted to that device (`usb_locks.py`).
    Ref: Linux drivers/usb/core/devio.c (usbdev_do_ioctl, proc_unlinkurb).
    """

    def __init__(self, wire: Wire) -> None:
        self._wire: Wire = proxy(wire)  # the wire is the key the pump is found by
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread = 0
        self._is_in_thread = False
        self.locks = DeviceLocks()
        self.lookouts: set[Callable[[], None]] = set()
        """Called whenever events were handled: for many transfers at once that is cheaper than to
        be called for each. Nobody else may handle events of this wire: see `libusb.py`."""

    def start(self) -> None:
        """Before the first transfer of a run; costs next to nothing after that."""
        token = trio.lowlevel.current_trio_token()
        if token is not self._token:
            self._token = token
            self._thread = get_ident()
            trio.lowlevel.spawn_system_task(self._run, name="usb events")

    def silent_transfer(self, opened: Opened, endpoint_address: int, kind: int) -> Transfer:
        """One that calls nobody: its status is for a lookout."""
        return self._wire.transfer(opened.handle, endpoint_address, kind, None)

    def transfer(
        self, opened: Opened, endpoint_address: int, kind: int, landed: Callable[[], None]
    ) -> Transfer:
        """A transfer that calls `landed` in trio's thread, whichever thread heard of its end.

        Which is trio's, or the one that handles events while a device is locked.
        """

        def ended() -> None:
            if get_ident() == self._thread:
                landed()
            elif self._token is not None:
                self._pass_on(self._token, landed)

        return self._wire.transfer(opened.handle, endpoint_address, kind, ended)

    async def recall(self, device: Hashable, transfers: Sequence[Transfer]) -> None:
        """Have these end, one after the other. Cancelled, it leaves the kernel at it."""

        def cancel() -> None:
            for transfer in transfers:
                transfer.cancel()

        await self.lock(device, cancel)

    async def lock(self, device: Hashable, work: Callable[[], None]) -> None:
        """Do in a thread what has the kernel lock the device. Cancelled, it leaves the thread
        at it; the device counts as locked until the thread is really through."""
        token = trio.lowlevel.current_trio_token()
        ended = trio.Event()
        failures: list[BaseException] = []

        def locked() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - trio's task raises it
                failures.append(error)
            finally:
                self.locks.release(device, token)

        self.locks.take(device)
        trio.lowlevel.start_thread_soon(locked, lambda _: self._pass_on(token, ended.set))
        await ended.wait()
        if failures:
            raise failures[0]

    async def close(self, device: Hashable, work: Callable[[], None]) -> None:
        """Give up what is open of a device: now, or when the kernel lets go of it."""
        with trio.CancelScope(shield=True):
            try:
                await self.locks.released(device, "close")
            except UsbBroken:
                if self.locks.put_off(device, work):
                    return
            await self.lock(device, work)

    @staticmethod
    def _pass_on(token: trio.lowlevel.TrioToken, landed: Callable[[], None]) -> None:
        with contextlib.suppress(trio.RunFinishedError):  # nobody is left who would want to know
            token.run_sync_soon(landed)

    def look(self) -> bool:
        """Hear of every end there is by now. False: a device is locked, or a thread is at it just
        then; the task hears of them soon."""
        if self.locks or self._is_in_thread:
            return False
        with contextlib.suppress(usb.core.USBError):  # the task meets it, too
            self._wire.handle_events()
        self._look_out()
        return True

    async def _handle_in_thread(self) -> None:
        def work() -> None:
            try:
                self._wire.handle_events_blocking()
            finally:
                self._is_in_thread = False

        self._is_in_thread = True  # also for the next run, if this one ends meanwhile
        await _in_thread(work)

    def _look_out(self) -> None:
        for look in tuple(self.lookouts):
            look()

    async def _run(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._wire.fileno())
            has_failed = False
            try:
                if self.locks:
                    await self._handle_in_thread()
                else:
                    self._wire.handle_events()
            except usb.core.USBError:
                has_failed = True
            self._look_out()
            if has_failed:
                # Nothing that can be mended here; whoever waits for a transfer has a deadline.
                await trio.sleep(_RETRY_S)


async def _in_thread(work: Callable[[], None]) -> None:
    await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1))
