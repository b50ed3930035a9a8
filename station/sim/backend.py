"""The simulated world of modules as a transport backend: trio and nothing else, no thread.

Time is `trio.current_time()`, so a test runs it under pytest-trio's `autojump_clock`, a demo
under `station.sim.clock.ScaledClock`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio

from station.errors import Disconnected, NoBulkPair, Timeout, UsbBusy, UsbClosed
from station.model import DeviceInfo, Endpoint, PortPath
from station.protocols.dialogue import Sent, Source, read_exact
from station.sim.port import Face, Module, SimPort
from station.sim.power import SimPower
from station.transport.base import check_read, check_span

_LINE_STATE = (0x21, 0x22, 3)
"""SET_CONTROL_LINE_STATE with DTR and RTS."""


class _Bell:
    """Wakes everybody who waits; costs nothing while nobody does."""

    def __init__(self) -> None:
        self._event: trio.Event | None = None

    def ring(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait_until(self, deadline_s: float) -> None:
        """Until the next ring or the deadline; always a checkpoint."""
        if self._event is None:
            self._event = trio.Event()
        with trio.move_on_at(deadline_s):
            await self._event.wait()


class _Seat:
    """A port, the tasks that wait at it, and the interfaces that are claimed."""

    def __init__(self, port: SimPort, world: _Bell) -> None:
        self.port = port
        self.bell = _Bell()
        self._world = world
        # Who is there, and when that changes by itself: what the world heard of a write last.
        self._told: tuple[Face | None, int, float | None] | None = None
        self.claims: set[tuple[int, int]] = set()

    def ring(self) -> None:
        self.bell.ring()
        self._world.ring()

    def wrote(self, now_s: float) -> None:
        """The world hears of it only if the module comes or goes by it, or will."""
        self.bell.ring()
        change_s = self.port.next_change_s(now_s)
        tells = (self.port.face, self.port.generation, change_s)
        if tells != self._told:
            self._told = tells
            self._world.ring()

    def is_at(self, path: PortPath) -> bool:
        return path in (self.port.high_speed, self.port.super_speed)


class SimBackend:
    """Implements `station.transport.base.Backend` over simulated ports."""

    library: str | None = None

    def __init__(self, ports: Sequence[SimPort]) -> None:
        self._bell = _Bell()
        self._seats = [_Seat(port, self._bell) for port in ports]
        self._seen: tuple[DeviceInfo, ...] = ()
        self._scanned = _Bell()

    def plug(self, port: SimPort, module: Module) -> None:
        """Put a module into a port now; whatever was there is pulled out."""
        port.plug(module, trio.current_time())
        self._seat_of(port).ring()

    def unplug(self, port: SimPort) -> None:
        """Pull the module out now; a read that waits ends at once."""
        port.unplug()
        self._seat_of(port).ring()

    async def scan(self) -> tuple[DeviceInfo, ...]:
        await trio.lowlevel.checkpoint()
        self._seen = self._present()
        self._scanned.ring()
        return self._seen

    async def seen(self, timeout_s: float) -> None:
        """Wait until somebody has scanned: what is plugged and pulled by now is known. Without a
        scan in this time it is not, and nobody looks."""
        await self._scanned.wait_until(trio.current_time() + timeout_s)

    async def wait_change(self, timeout_s: float) -> None:
        """Also returns at once if the last scan is out of date already: no edge is lost."""
        deadline_s = trio.current_time() + timeout_s
        before = self._present()
        await trio.lowlevel.checkpoint()
        while before == self._seen and before == self._present():
            now_s = trio.current_time()
            if now_s >= deadline_s:
                return
            changes_s = [seat.port.next_change_s(now_s) for seat in self._seats]
            wake_s = min((at_s for at_s in changes_s if at_s is not None), default=deadline_s)
            await self._bell.wait_until(min(deadline_s, wake_s))

    async def open(self, device: DeviceInfo, interface: int, *, line_state: bool) -> "SimPipe":
        await trio.lowlevel.checkpoint()
        seat = self._seat_at(device.path)
        if seat.port.device(trio.current_time()) != device:
            raise Disconnected(f"the module on {device.path} is gone")
        found = next((i for i in device.interfaces if i.number == interface), None)
        if found is None or found.bulk_in is None or found.bulk_out is None:
            raise NoBulkPair(f"{device.path} has no interface {interface} with two bulk endpoints")
        claim = (device.generation, interface)
        if claim in seat.claims:
            raise UsbBusy(f"interface {interface} of {device.path} is in use already")
        if line_state:
            request_type, request, value = _LINE_STATE
            now_s = trio.current_time()
            seat.port.control(device.generation, request_type, request, value, interface, now_s)
        seat.claims.add(claim)
        place = f"{device.path} interface {interface}"
        return SimPipe(seat, claim, found.bulk_in, found.bulk_out, place)

    async def product(self, device: DeviceInfo) -> str | None:
        await trio.lowlevel.checkpoint()
        port = self._seat_at(device.path).port
        if port.device(trio.current_time()) != device or port.face is None:
            raise Disconnected(f"the module on {device.path} is gone")
        return port.face.product

    def power(self) -> SimPower:
        return SimPower(self, [seat.port for seat in self._seats])

    async def reset(self, device: DeviceInfo) -> None:
        await trio.lowlevel.checkpoint()
        seat = self._seat_at(device.path)
        seat.port.reset(device.generation, trio.current_time())
        seat.ring()

    def _present(self) -> tuple[DeviceInfo, ...]:
        now_s = trio.current_time()
        found = (seat.port.device(now_s) for seat in self._seats)
        return tuple(device for device in found if device is not None)

    def _seat_at(self, path: PortPath) -> _Seat:
        for seat in self._seats:
            if seat.is_at(path):
                return seat
        raise Disconnected(f"there is no port {path}")

    def _seat_of(self, port: SimPort) -> _Seat:
        return next(seat for seat in self._seats if seat.port is port)


class SimPipe:
    """Implements `station.transport.base.Pipe`; refuses a second task as the real one does."""

    def __init__(
        self,
        seat: _Seat,
        claim: tuple[int, int],
        bulk_in: Endpoint,
        bulk_out: Endpoint,
        place: str,
    ) -> None:
        self._seat = seat
        self._claim = claim
        self._generation, self._interface = claim
        self._in_packet_bytes = bulk_in.max_packet_bytes
        self._max_packet_bytes = bulk_out.max_packet_bytes
        self._place = place
        self._in_use = False
        self._closed = False

    @property
    def max_packet_bytes(self) -> int:
        return self._max_packet_bytes

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        check_read(max_bytes, self._in_packet_bytes)
        with self._alone():
            deadline_s = trio.current_time() + timeout_s
            await trio.lowlevel.checkpoint()
            while True:
                self._check_open("read")
                now_s = trio.current_time()
                answer = self._seat.port.read(self._generation, self._interface, max_bytes, now_s)
                if isinstance(answer, bytes):
                    return answer
                if now_s >= deadline_s:
                    raise Timeout(f"read on {self._place}: nothing came within {timeout_s:g} s")
                await self._seat.bell.wait_until(
                    deadline_s if answer is None else min(answer, deadline_s)
                )

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        with self._alone():
            await self._transfer(data, zlp=zlp, timeout_s=timeout_s)

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
        end = offset_bytes + length_bytes
        with self._alone():
            for start in range(offset_bytes, end, chunk_bytes):
                wanted = min(chunk_bytes, end - start)
                own_bytes = max(0, min(wanted, source.length_bytes - start))
                own = read_exact(source, start, own_bytes) if own_bytes else b""
                await self._transfer(own.ljust(wanted, b"\0"), zlp=zlp, timeout_s=timeout_s)
                if sent is not None and own:
                    sent(own)

    async def aclose(self) -> None:
        """Waiting reads and writes of other tasks end with UsbClosed."""
        if not self._closed:
            self._closed = True
            self._seat.claims.discard(self._claim)
            self._seat.bell.ring()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _transfer(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        """One OUT transfer once the module has room for it, then its zero-length packet."""
        deadline_s = trio.current_time() + timeout_s
        await trio.lowlevel.checkpoint()
        while True:
            self._check_open("write")
            now_s = trio.current_time()
            ready_s = self._seat.port.ready_s(now_s)
            if ready_s <= now_s or not data:
                break
            if now_s >= deadline_s:
                raise Timeout(
                    f"write on {self._place}: the module took nothing within {timeout_s:g} s"
                )
            await self._seat.bell.wait_until(min(ready_s, deadline_s))
        self._put(data)
        if zlp and data and len(data) % self._max_packet_bytes == 0:
            self._put(b"")

    def _put(self, data: bytes) -> None:
        port, now_s = self._seat.port, trio.current_time()
        port.write(self._generation, self._interface, data, now_s)
        self._seat.wrote(now_s)

    def _check_open(self, doing: str) -> None:
        if self._closed:
            raise UsbClosed(f"{doing} on {self._place}: the pipe is already closed")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a second task; two at one interface would tear messages apart."""
        if self._in_use:
            raise trio.BusyResourceError(f"two tasks use the pipe {self._place} at once")
        self._in_use = True
        try:
            yield
        finally:
            self._in_use = False
