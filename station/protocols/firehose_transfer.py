"""The raw data of Firehose: what flows between the two ACKs of a program or a read.

    program    host   SendSpan ... SendSpan       an early NAK is looked for between two spans
    read       module data ... data               exactly as many bytes as sectors were asked for

Ref: linux-msm/qdl firehose.c; QFirehose firehose_protocol.c.

Quirks seen: a NAK in the midst of the data (bad blocks used up, wrong geometry); zero-length
packets between and after the data; the closing ACK glued to the last data.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from station.errors import (
    Bug,
    FirehoseError,
    FirehoseSilent,
    Timeout,
    UsbBroken,
    UsbError,
    UsbStall,
)
from station.protocols.dialogue import Dialogue, Progress, SendSpan, Source, receive
from station.protocols.firehose_talk import Talk
from station.protocols.firehose_xml import Response

SPAN_BYTES = 1 << 20
READ_BYTES = 256 * 1024

_PACKET_BYTES = 1024  # the larger of the two bulk packet sizes: a read is whole packets of either
_EMPTY_READS = 16
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The image's own bytes that the wire took, padding not counted."""

    length_bytes: int
    sha256: str


def send_image(
    talk: Talk,
    what: str,
    source: Source,
    total_bytes: int,
    *,
    payload_bytes: int,
    zlp: bool,
    timeout_s: float,
) -> Dialogue[ProgramResult]:
    """All the data, span by span, filled up with zeros. Raises Nak as soon as one is there.

    `timeout_s` is per chunk of `payload_bytes`. A write that fails is thrown on unless the module
    explains it with a NAK.
    """
    sent = _Sent()
    span_bytes = max(SPAN_BYTES // payload_bytes, 1) * payload_bytes
    for offset_bytes in range(0, total_bytes, span_bytes):
        if offset_bytes:
            yield from _no_early_answer(talk, what)
        length_bytes = min(span_bytes, total_bytes - offset_bytes)
        try:
            yield SendSpan(
                source, offset_bytes, length_bytes, payload_bytes, zlp, timeout_s, sent.add
            )
        except (Timeout, UsbStall, UsbBroken):
            with suppress(UsbError):
                yield from _no_early_answer(talk, what, quiet_s=1.0)
            raise
        yield Progress(offset_bytes + length_bytes, total_bytes)
    if sent.length_bytes != source.length_bytes:
        raise Bug(f"{what}: {sent.length_bytes} of {source.length_bytes} bytes accounted for")
    return ProgramResult(sent.length_bytes, sent.hasher.hexdigest())


def take_data(
    talk: Talk, what: str, total_bytes: int, sink: Callable[[bytes], object], timeout_s: float
) -> Dialogue[None]:
    """Exactly `total_bytes`; whatever follows them stays with the framer.

    Raises Nak when the module gave one up half way, FirehoseSilent, FirehoseError.
    """
    done_bytes = shown_bytes = empty_reads = 0
    tail = b""
    while True:
        if data := talk.framer.take_raw(total_bytes - done_bytes):
            sink(data)
            done_bytes += len(data)
            tail = (tail + data)[-_TAIL_BYTES:]
        if done_bytes == total_bytes or done_bytes - shown_bytes >= SPAN_BYTES:
            yield Progress(done_bytes, total_bytes)
            shown_bytes = done_bytes
        if done_bytes == total_bytes:
            return
        empty_reads = 0 if data else empty_reads + 1
        if empty_reads > _EMPTY_READS:
            raise FirehoseError(f"{_EMPTY_READS} empty packets in the data of {what}")
        try:
            room_bytes = _room(total_bytes - done_bytes)
            talk.framer.feed((yield from receive(timeout_s, room_bytes, is_payload=True)))
        except Timeout:
            yield from _nak_in_data(talk, what, tail)
            raise FirehoseSilent(
                f"the module fell silent after {done_bytes} of {total_bytes} bytes of {what}"
            ) from None


class _Sent:
    """Counts and hashes what the wire took."""

    def __init__(self) -> None:
        self.length_bytes = 0
        self.hasher = hashlib.sha256()

    def add(self, data: bytes | memoryview) -> None:
        self.length_bytes += len(data)
        self.hasher.update(data)


def _no_early_answer(talk: Talk, what: str, quiet_s: float = 0.0) -> Dialogue[None]:
    for response in (yield from talk.pending(quiet_s)):
        if not response.ack:
            raise (yield from talk.refusal(what))
        raise FirehoseError(f"the module said ACK to {what} before it had all the data")


def _nak_in_data(talk: Talk, what: str, tail: bytes) -> Dialogue[None]:
    """A read that fails half way ends with a NAK where data should be."""
    begin = tail.find(b"<?xml")
    if begin < 0:
        return
    responses: tuple[Response, ...] = ()
    with suppress(FirehoseError):
        talk.framer.feed(tail[begin:])
        responses = yield from talk.pending()
    if any(not response.ack for response in responses):
        raise (yield from talk.refusal(what))


def _room(missing_bytes: int) -> int:
    whole_packets_bytes = -(-missing_bytes // _PACKET_BYTES) * _PACKET_BYTES
    return min(whole_packets_bytes, READ_BYTES)
