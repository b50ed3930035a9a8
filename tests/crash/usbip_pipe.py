"""The two bulk endpoints of one claimed interface of an imported device."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from station.errors import UsbClosed
from station.model import Endpoint
from station.protocols.dialogue import Sent, Source, read_exact
from station.transport.base import check_read, check_span
from station.transport.usb_control import Setup
from tests.crash.usbip_device import Device, check
from tests.crash.usbip_host import MAX_TRANSFER_BYTES, STALLED, Transfer

LOOK_S = 0.02
"""What a read without patience waits: the answer comes from another process."""

_ZERO_PACKET = 0x0040
"""URB flag: a full last packet is ended by an empty one."""


class UsbipPipe:
    """Implements `station.transport.base.Pipe`; one transfer at a time."""

    def __init__(
        self, here: Device, interface: int, bulk_in: Endpoint, bulk_out: Endpoint, place: str
    ) -> None:
        self._here = here
        self._interface = interface
        self._in = bulk_in
        self._out = bulk_out
        self._place = place
        self._kept: bytes | None = None
        self._work = trio.CancelScope()
        self._in_use = False
        self._closed = False

    @property
    def max_packet_bytes(self) -> int:
        return self._out.max_packet_bytes

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        check_read(max_bytes, self._in.max_packet_bytes)
        with self._alone("read"):
            await trio.lowlevel.checkpoint()
            if self._kept is None:
                await self._fetch(max_bytes, timeout_s)
            data, rest = (self._kept or b"")[:max_bytes], (self._kept or b"")[max_bytes:]
            self._kept = rest or None
            return data

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        with self._alone("write"):
            await self._put(Transfer(self._out.address, data, flags=_flags(zlp)), timeout_s)

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
        with self._alone("write"):
            for start in range(offset_bytes, end, chunk_bytes):
                wanted_bytes = min(chunk_bytes, end - start)
                own_bytes = max(0, min(wanted_bytes, source.length_bytes - start))
                own = read_exact(source, start, own_bytes) if own_bytes else b""
                data = own.ljust(wanted_bytes, b"\0")
                transfer = Transfer(self._out.address, data, flags=_flags(zlp))
                try:
                    await self._put(transfer, timeout_s)
                finally:
                    if transfer.status == 0 and sent is not None and own:
                        sent(own)

    async def aclose(self) -> None:
        """Waiting reads and writes of other tasks end with UsbClosed."""
        if not self._closed:
            self._closed = True
            self._here.claimed.discard(self._interface)
            self._work.cancel()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _fetch(self, max_bytes: int, timeout_s: float) -> None:
        """What comes next is kept, also if this is cancelled. Raises Timeout."""
        transfer = Transfer(self._in.address, length_bytes=min(max_bytes, MAX_TRANSFER_BYTES))
        try:
            await self._here.wire.fly(transfer, max(timeout_s, LOOK_S))
        finally:
            if transfer.status == 0:
                self._kept = transfer.came
        await self._check(transfer, "read", timeout_s)

    async def _put(self, transfer: Transfer, timeout_s: float) -> None:
        await self._here.wire.fly(transfer, timeout_s)
        await self._check(transfer, "write", timeout_s)

    async def _check(self, transfer: Transfer, doing: str, timeout_s: float) -> None:
        if transfer.status == STALLED:
            await self._here.ask(Setup(0x02, 1, 0, transfer.address))
        check(transfer, f"{doing} on {self._place}", timeout_s)

    @contextmanager
    def _alone(self, doing: str) -> Iterator[None]:
        """Refuse a second task; end with UsbClosed when another one closes the pipe."""
        if self._in_use:
            raise trio.BusyResourceError(f"two tasks use the pipe {self._place} at once")
        self._check_open(doing)
        self._in_use = True
        try:
            with trio.CancelScope() as self._work:
                yield
            self._check_open(doing)
        finally:
            self._in_use = False

    def _check_open(self, doing: str) -> None:
        if self._closed:
            raise UsbClosed(f"{doing} on {self._place}: the pipe is already closed")


def _flags(zlp: bool) -> int:
    return _ZERO_PACKET if zlp else 0
