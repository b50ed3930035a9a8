"""Asynchronous transfers on the bus of `FakePyusb`: a kernel in threads, a real descriptor.

What libusb and usbfs do below `station.transport.usb_events.Wire`: transfers of an endpoint go on
in their order while nobody waits for them, their ends are heard by whoever handles events.
"""

import ctypes
import errno
import math
import os
import struct
import threading
import time
import weakref
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import usb.core

from station.errors import Disconnected
from station.transport.usb_flight import Status
from tests.fakes.pyusb_backend import FakePyusb, Handle, Seat, packet_bytes

_SETUP_BYTES = 8
_STATUS = {
    errno.EPIPE: Status.STALL,
    errno.ENODEV: Status.NO_DEVICE,
    errno.EIO: Status.ERROR,
    errno.EOVERFLOW: Status.OVERFLOW,
    errno.ETIMEDOUT: Status.TIMED_OUT,
}


class FakeWire:
    """The wire of `bus`. `alive` counts transfers, `under_way` those that are the kernel's.

    `is_stuck`: no transfer goes on or ends any more. `hears_itself`: the kernel's own thread tells
    of ends, of those that call somebody, as the thread does that handles events while a device is
    locked. `room`: so many transfers the kernel takes; `crowded`: so often it has no room at all. A
    recall waits for `lets_go`. `fails_after_events`: so often, when the ends were told.
    """

    def __init__(self, bus: FakePyusb) -> None:
        self.bus = bus
        self.alive = 0
        self.under_way = 0
        self.most_under_way = 0
        self.room = 1000
        self.crowded = 0
        self.lets_go = threading.Event()
        self.lets_go.set()
        self.is_stuck = False
        self.hears_itself = False
        self.recall_s = 0.0
        self.interrupts: deque[bytes] = deque()
        self.handled_in: set[int] = set()
        self.fails_after_events = 0
        self.recalled = 0
        self._ended: deque[tuple[FakeTransfer, Status]] = deque()
        self._recalling: list[Seat] = []
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._bell)
        self._lanes: dict[tuple[int, int], deque[FakeTransfer]] = {}
        self._workers: dict[int, threading.Thread] = {}

    # --- station.transport.usb_events.Wire ------------------------------------------------------

    def transfer(
        self, handle: object, endpoint_address: int, kind: int, ended: Callable[[], None] | None
    ) -> "FakeTransfer":
        assert isinstance(handle, Handle)
        self.alive += 1
        return FakeTransfer(self, handle, endpoint_address, kind, ended)

    def fileno(self) -> int:
        return self._bell

    def handle_events(self) -> None:
        assert not self._recalling, "usbfs would make trio wait for the recall"
        self.handle_events_blocking()

    def handle_events_blocking(self) -> None:
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return
        while self._ended:
            self._tell(*self._ended.popleft())
        if self.fails_after_events:
            self.fails_after_events -= 1
            raise usb.core.USBError("Input/output error", errno=errno.EIO)

    # --- the kernel, under the lock of the seat -------------------------------------------------

    def submit(self, transfer: "FakeTransfer") -> None:
        seat = transfer.handle.seat
        assert seat not in self._recalling, "usbfs would make trio wait for the recall"
        with seat.changed:
            assert transfer.state == "idle", "submitted twice"
            self.bus.check(transfer.handle)
            number = self._injected(transfer)
            if self.under_way >= self.room:
                number = errno.ENOMEM
            elif self.crowded:
                self.crowded -= 1
                number = errno.ENOMEM
            if number is not None and number not in _STATUS:
                raise usb.core.USBError(errno.errorcode[number], errno=number)
            transfer.state = "under way"
            transfer.status = -1
            transfer.actual_bytes = 0
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            if number is not None:
                self._end(transfer, _STATUS[number])
                return
            lane = (id(transfer.handle), transfer.endpoint_address)
            self._lanes.setdefault(lane, deque()).append(transfer)
            self._wake(seat)

    def cancel(self, transfer: "FakeTransfer") -> None:
        assert threading.current_thread() is not threading.main_thread(), "it may block"
        self.recalled += 1
        self._recalling.append(transfer.handle.seat)
        time.sleep(self.recall_s)  # what the kernel takes for it
        assert self.lets_go.wait(30)
        self._recalling.remove(transfer.handle.seat)
        with transfer.handle.seat.changed:
            if transfer.state == "under way" and not self.is_stuck:
                self._end(transfer, Status.CANCELLED)

    def end_all(self) -> None:
        """The kernel lets go of everything after all."""
        for lane in self._lanes.values():
            while lane:
                self._end(lane[0], Status.CANCELLED)

    def interrupt(self, seat: Seat, data: bytes) -> None:
        """What the interrupt endpoint of that seat has to say."""
        with seat.changed:
            self.interrupts.append(data)
            seat.changed.notify_all()

    def _injected(self, transfer: "FakeTransfer") -> int | None:
        if transfer.kind == 0:
            return self.bus.failures.pop("ctrl_transfer", None)
        method = "bulk_read" if transfer.endpoint_address & 0x80 else "bulk_write"
        return self.bus.failures.pop(method, None)

    def _wake(self, seat: Seat) -> None:
        seat.changed.notify_all()
        if id(seat) not in self._workers:
            worker = threading.Thread(target=self._work, args=(seat,), daemon=True)
            self._workers[id(seat)] = worker
            worker.start()

    def _work(self, seat: Seat) -> None:
        """Until nothing is under way at this seat."""
        with seat.changed:
            while lanes := [
                lane for lane in self._lanes.values() if lane and lane[0].handle.seat is seat
            ]:
                due_s = min(self._advance(lane[0]) for lane in lanes)
                if due_s == math.inf:
                    seat.changed.wait(1.0)
                elif due_s > 0:
                    seat.changed.wait(max(0.0, due_s - time.monotonic()))
            del self._workers[id(seat)]

    def _advance(self, transfer: "FakeTransfer") -> float:
        """One step; answers when the next can be made, 0 for at once."""
        if self.is_stuck:
            return math.inf
        try:
            if transfer.kind == 0:
                return self._control(transfer)
            self.bus.check_claim(transfer.handle, transfer.interface)
            self.bus.check_halt(transfer.endpoint_address)
            if transfer.kind == 3:
                return self._interrupt(transfer)
            step = self._read if transfer.endpoint_address & 0x80 else self._write
            return step(transfer)
        except usb.core.USBError as error:
            self._end(transfer, _STATUS[error.errno])
        except Disconnected:
            self._end(transfer, Status.NO_DEVICE)
        return 0

    def _control(self, transfer: "FakeTransfer") -> float:
        setup = ctypes.string_at(transfer.address, _SETUP_BYTES)
        request_type, request, value, index, length_bytes = struct.unpack("<BBHHH", setup)
        data = array("B", bytes(length_bytes))
        transfer.actual_bytes = self.bus.ctrl_transfer(
            transfer.handle, request_type, request, value, index, data, 1000
        )
        if setup[0] & 0x80:
            ctypes.memmove(transfer.address + _SETUP_BYTES, data.tobytes(), len(data))
        self._end(transfer, Status.COMPLETED)
        return 0

    def _interrupt(self, transfer: "FakeTransfer") -> float:
        if not self.interrupts:
            return math.inf
        data = self.interrupts.popleft()
        ctypes.memmove(transfer.address, data, len(data))
        transfer.actual_bytes = len(data)
        self._end(transfer, Status.COMPLETED)
        return 0

    def _write(self, transfer: "FakeTransfer") -> float:
        port, generation = transfer.handle.seat.port, transfer.handle.info.generation
        data = ctypes.string_at(transfer.address, transfer.length_bytes)
        now_s = time.monotonic()
        if data and (ready_s := port.ready_s(now_s)) > now_s:
            return ready_s
        short_bytes, self.bus.shorten_next_write_bytes = self.bus.shorten_next_write_bytes, 0
        transfer.actual_bytes = len(data) - short_bytes
        if not short_bytes:
            port.write(generation, transfer.interface, data, now_s)
            if transfer.zlp:
                port.write(generation, transfer.interface, b"", now_s)
        self._end(transfer, Status.COMPLETED)
        return 0

    def _read(self, transfer: "FakeTransfer") -> float:
        port, generation = transfer.handle.seat.port, transfer.handle.info.generation
        packet = packet_bytes(transfer.handle.info, transfer.interface, transfer.endpoint_address)
        room_bytes = transfer.length_bytes - transfer.actual_bytes
        answer = port.read(generation, transfer.interface, room_bytes, time.monotonic())
        if not isinstance(answer, bytes):
            return math.inf if answer is None else answer
        ctypes.memmove(transfer.address + transfer.actual_bytes, answer, len(answer))
        transfer.actual_bytes += len(answer)
        is_full = transfer.actual_bytes == transfer.length_bytes
        if is_full or not answer or len(answer) % packet:
            self._end(transfer, Status.COMPLETED)
        return 0

    def _end(self, transfer: "FakeTransfer", status: Status) -> None:
        for lane in self._lanes.values():
            if transfer in lane:
                lane.remove(transfer)
        transfer.state = "ended"
        is_heard_here = self.hears_itself and transfer.ended is not None
        if is_heard_here and threading.current_thread() in self._workers.values():
            self.under_way -= 1
            self._tell(transfer, status)
        else:
            self._ended.append((transfer, status))
            os.eventfd_write(self._bell, 1)
            self.under_way -= 1  # last: who sees that it ended can hear of it

    def _tell(self, transfer: "FakeTransfer", status: Status) -> None:
        self.handled_in.add(threading.get_ident())
        transfer.state = "idle"
        transfer.status = status
        if transfer.ended is not None:
            transfer.ended()


@dataclass(eq=False, slots=True)
class FakeTransfer:
    """Implements `station.transport.usb_events.Transfer`."""

    wire: FakeWire
    handle: Handle
    endpoint_address: int
    kind: int
    ended: Callable[[], None] | None
    address: int = 0
    length_bytes: int = 0
    zlp: bool = False
    status: int = -1
    actual_bytes: int = 0
    state: str = "idle"
    interface: int = field(init=False)

    def __post_init__(self) -> None:
        addresses = {
            endpoint.address: interface.number
            for interface in self.handle.info.interfaces
            for endpoint in interface.endpoints
            if self.handle.seat.owners.get(interface.number) is self.handle
        }
        self.interface = addresses.get(self.endpoint_address, 0)

    def submit(self, address: int, length_bytes: int, *, zlp: bool = False) -> None:
        self.address, self.length_bytes, self.zlp = address, length_bytes, zlp
        self.wire.submit(self)

    def cancel(self) -> None:
        self.wire.cancel(self)

    def free(self) -> None:
        assert self.state == "idle", "freed while it was the kernel's"
        self.state = "freed"
        self.wire.alive -= 1
