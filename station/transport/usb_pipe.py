"""The two bulk endpoints of one claimed interface, over synchronous pyusb in worker threads.

Transfers go straight to pyusb's documented backend seam (`usb.backend.IBackend`): the generic
`Device.write` looks up endpoint and claim anew for each of some 16000 calls a second of a tray.

A call that is under way in a thread is never abandoned: it would still own the device. So reads
are sliced and payload travels in spans, which makes cancellation prompt without losing a byte
(on a time-out libusb hands over what had arrived).
"""

import contextlib
import errno
import math
import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import trio
import usb.core

from station.errors import Timeout, UsbClosed
from station.model import Endpoint
from station.protocols.dialogue import Sent, Source, read_exact
from station.transport.base import SPAN_BYTES, check_read, check_span
from station.transport.claim import Claim
from station.transport.usb_errors import usb_error

HOP_S = 0.25
"""The longest one thread call is meant to take, so that cancellation is prompt."""

_EMPTY = array("B")

T = TypeVar("T")


class LibusbPipe:
    """A `station.transport.base.Pipe`; `sent` of `write_span` is called in the worker thread."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._backend = claim.backend
        self._handle = claim.handle
        self._interface = claim.interface
        self._in = claim.bulk_in
        self._out = claim.bulk_out
        self._place = claim.place
        self._in_buffer = _EMPTY
        self._limiter = trio.CapacityLimiter(1)
        self._in_use = False
        self._closed = False

    @property
    def max_packet_bytes(self) -> int:
        return self._out.max_packet_bytes

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        check_read(max_bytes, self._in.max_packet_bytes)
        deadline_s = time.monotonic() + timeout_s
        with self._alone():
            while True:
                left_s = deadline_s - time.monotonic()
                slice_s = min(max(left_s, 0.0), HOP_S)
                data = await self._hop("read", partial(self._read, max_bytes, slice_s), self._in)
                if data is not None:
                    return data
                if left_s <= slice_s:
                    raise Timeout(f"read on {self._place}: nothing came within {timeout_s:g} s")

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        with self._alone():
            work = partial(self._write, data, zlp, _milliseconds(timeout_s))
            await self._hop("write", work, self._out)

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
        at = offset_bytes
        end = offset_bytes + length_bytes
        timeout_ms = _milliseconds(timeout_s)
        with self._alone():
            while at < end:
                span = partial(
                    self._write_chunks, source, at, end, chunk_bytes, zlp, timeout_ms, sent
                )
                at = await self._hop("write", span, self._out)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._claim.give_back, limiter=self._limiter)

    # --- in the trio thread -------------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._in_use:
            raise trio.BusyResourceError(f"two tasks use the pipe {self._place} at once")
        self._in_use = True
        try:
            yield
        finally:
            self._in_use = False

    async def _hop(self, doing: str, work: Callable[[], T], endpoint: Endpoint) -> T:
        """One trip to the worker thread. A cancellation waits until the trip is over."""
        if self._closed:
            raise UsbClosed(f"{doing} on {self._place}: the pipe is already closed")
        try:
            return await trio.to_thread.run_sync(
                partial(self._mending, work, endpoint), limiter=self._limiter
            )
        except (usb.core.USBError, NotImplementedError) as error:
            raise usb_error(error, f"{doing} on {self._place}") from error

    # --- in the worker thread -----------------------------------------------------------------

    def _mending(self, work: Callable[[], T], endpoint: Endpoint) -> T:
        """An endpoint that the module stalled can be used again, though not by this call."""
        try:
            return work()
        except usb.core.USBError as error:
            if error.errno == errno.EPIPE:
                self._claim.clear_halt(endpoint)
            raise

    def _read(self, max_bytes: int, timeout_s: float) -> bytes | None:
        if len(self._in_buffer) != max_bytes:
            self._in_buffer = array("B", bytes(max_bytes))
        try:
            got = self._backend.bulk_read(
                self._handle,
                self._in.address,
                self._interface,
                self._in_buffer,
                _milliseconds(timeout_s),
            )
        except usb.core.USBTimeoutError:
            return None
        return self._in_buffer[:got].tobytes()

    def _write(self, data: bytes, zlp: bool, timeout_ms: int) -> None:
        taken = self._backend.bulk_write(
            self._handle, self._out.address, self._interface, array("B", data), timeout_ms
        )
        if taken != len(data):  # the time-out of a transfer that had begun: pyusb does not raise
            raise Timeout(f"write on {self._place}: {taken} of {len(data)} bytes were taken")
        if zlp and data and len(data) % self._out.max_packet_bytes == 0:
            self._backend.bulk_write(
                self._handle, self._out.address, self._interface, _EMPTY, timeout_ms
            )

    def _write_chunks(
        self,
        source: Source,
        at: int,
        end: int,
        chunk_bytes: int,
        zlp: bool,
        timeout_ms: int,
        sent: Sent | None,
    ) -> int:
        """Chunks from `at` until a span is full or its time is up; returns how far it came.

        The file is read and `sent` is told once for all of them: each call that gives up the
        interpreter's lock between two chunks is a chance to lose it to fifteen other slots.
        """
        begin = at
        stop = min(end, at + max(1, SPAN_BYTES // chunk_bytes) * chunk_bytes)
        stop_s = time.monotonic() + HOP_S
        own_bytes = max(0, min(stop, source.length_bytes) - begin)
        own = read_exact(source, begin, own_bytes) if own_bytes else b""
        data = own.ljust(stop - begin, b"\0")
        try:
            while at < stop and (at == begin or time.monotonic() < stop_s):
                chunk = data[at - begin : at - begin + chunk_bytes]
                self._write(chunk, zlp, timeout_ms)
                at += len(chunk)
        finally:
            if sent is not None and (taken := own[: at - begin]):
                sent(taken)
        return at


def _milliseconds(timeout_s: float) -> int:
    """libusb's time-out; never 0, which means for ever there."""
    return max(1, math.ceil(timeout_s * 1000))
