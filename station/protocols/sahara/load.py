"""Loading the programmer: the boot ROM asks, the host serves, the programmer starts.

    module  HELLO | host  HELLO_RESP(mode 0)
    module  READ_DATA(offset, length) | host  exactly these bytes, no header      any number
    module  END_IMAGE_TX(status 0) | host  DONE | module  DONE_RESP               Firehose starts

Offsets jump and repeat (ELF header, program headers, hash segment, then each segment in pieces
of at most 4 KiB), so the image is served at random. A zero-length packet never ends the data:
some boot ROMs take it for the next answer.

Ref: qdl sahara.c; fwupd fu-qc-firehose-impl.c; Linux drivers/accel/qaic/sahara.c (request cap);
QFirehose sahara.c. Quirk seen: DONE_RESP may say "pending" for image ids 7, 13 and 21 although
nothing more is wanted.
"""

from dataclasses import dataclass
from typing import assert_never

from station.errors import Bug, ImageRefused, ProgrammerRejected, SaharaError, StationError, Timeout
from station.protocols.dialogue import Dialogue, Progress, SendSpan, Source, notice, send
from station.protocols.sahara.codes import SaharaMode, Status
from station.protocols.sahara.hello import Greeting, ProgrammerRunning, Requested, hear
from station.protocols.sahara.packets import (
    Done,
    DoneResponse,
    EndImage,
    Framer,
    Hello,
    HelloResponse,
    Packet,
    ReadData,
    encode,
)

HOST_VERSION = 2
"""What every part of version 2 and 3 is answered; one of version 1 gets its own."""

MAX_REQUEST_BYTES = 0x80000
MAX_REQUESTS = 100_000
MAX_TIMES_SERVED = 64
"""A boot ROM reads parts of its image twice or three times; one without end is broken."""

AGAIN_S = 1.0
"""A boot ROM that took the answer asks within milliseconds."""

PENDING_IS_DONE = frozenset({7, 13, 21})
"""NAND programmer, Firehose programmer, sbl1."""

NOT_FOR_THIS_MODULE = frozenset(
    {
        Status.HASH_TABLE_AUTHENTICATION_FAILURE,
        Status.HASH_VERIFICATION_FAILURE,
        Status.HASH_TABLE_NOT_FOUND,
        Status.IMAGE_AUTHENTICATION_FAILURE,
        Status.INVALID_HASH_TABLE_SIZE,
    }
)

LOST_ON_THE_WAY = frozenset(
    {
        Status.GENERAL_TX_RX_ERROR,
        Status.READ_DATA_ERROR,
        Status.TIMEOUT_RX,
        Status.TIMEOUT_TX,
        Status.HARDWARE_BULK_TRANSFER_ERROR,
    }
)
"""The wire's doing: they say nothing against the image."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`leftover` was read behind DONE_RESP: the beginning of Firehose's banner."""

    image_id: int
    requests: int
    sent_bytes: int
    leftover: bytes


def load_programmer(source: Source, greeting: Greeting, timeout_s: float) -> Dialogue[LoadResult]:
    """Serve the programmer until the boot ROM starts it; `timeout_s` is per answer.

    Raises ProgrammerRejected (secure boot: not for this module), ImageRefused (any other
    status), SaharaError (bounds, order, silence, data lost on the way), Crashed; Bug if a
    programmer is running.
    """
    framer = Framer()
    packet = yield from _first(framer, greeting, source.name, timeout_s)
    requests = sent_bytes = 0
    while isinstance(packet, ReadData):
        requests += 1
        sent_bytes += packet.length_bytes
        _check(packet, source, requests, sent_bytes)
        yield from _serve(packet, source, timeout_s)
        yield Progress(min(sent_bytes, source.length_bytes), source.length_bytes)
        place = f"after {sent_bytes} bytes of {source.name} in {requests} requests"
        packet = yield from _expect(framer, place, timeout_s)
    if not isinstance(packet, EndImage):
        raise SaharaError(f"{type(packet).__name__} while loading {source.name}")
    if packet.status != Status.SUCCESS:
        raise _refusal(packet.status, source.name)
    yield from _finish(framer, packet.image_id, source.name, timeout_s)
    return LoadResult(packet.image_id, requests, sent_bytes, framer.take())


def _first(framer: Framer, greeting: Greeting, name: str, timeout_s: float) -> Dialogue[Packet]:
    match greeting:
        case Requested(first):
            return first
        case Hello():
            return (yield from _answer(framer, greeting, name, timeout_s))
        case ProgrammerRunning():
            raise Bug(f"{name} was to be loaded although a programmer is running")
        case _:
            assert_never(greeting)


def _answer(framer: Framer, hello: Hello, name: str, timeout_s: float) -> Dialogue[Packet]:
    """What the boot ROM wants first. One that says HELLO twice may have taken the answer already:
    another would be taken for image data, so it is given only to one that waits for it."""
    # Asked in command mode (or one unknown), we still want an image loaded.
    complete = hello.mode == SaharaMode.IMAGE_TX_COMPLETE
    mode = SaharaMode.IMAGE_TX_COMPLETE if complete else SaharaMode.IMAGE_TX_PENDING
    answer = encode(HelloResponse(mode, version=min(hello.version, HOST_VERSION)))
    place = f"before it asked for {name}"
    yield from send(answer)
    heard = yield from _expect(framer, place, timeout_s)
    if not isinstance(heard, Hello):
        return heard
    yield from notice("HELLO again")
    after = yield from hear(framer, AGAIN_S)
    if after is None:
        yield from send(answer)
        return (yield from _expect(framer, place, timeout_s))
    return _packet(after, place)


def _expect(framer: Framer, place: str, timeout_s: float) -> Dialogue[Packet]:
    heard = yield from hear(framer, timeout_s)
    if heard is None:
        raise SaharaError(f"the boot ROM fell silent {place}")
    return _packet(heard, place)


def _packet(heard: Packet | ProgrammerRunning, place: str) -> Packet:
    if isinstance(heard, ProgrammerRunning):
        raise SaharaError(f"a programmer answered instead of the boot ROM {place}")
    return heard


def _check(wanted: ReadData, source: Source, requests: int, sent_bytes: int) -> None:
    place = f"{wanted.length_bytes} bytes at {wanted.offset_bytes} of {source.name}"
    if not 0 < wanted.length_bytes <= MAX_REQUEST_BYTES:
        raise SaharaError(f"the boot ROM asks for {place}; at most {MAX_REQUEST_BYTES} at once")
    if wanted.offset_bytes + wanted.length_bytes > source.length_bytes:
        raise SaharaError(f"the boot ROM asks for {place}, which has {source.length_bytes}")
    if requests > MAX_REQUESTS or sent_bytes > MAX_TIMES_SERVED * source.length_bytes:
        raise SaharaError(f"the boot ROM asks without end: {requests} requests, now {place}")


def _serve(wanted: ReadData, source: Source, timeout_s: float) -> Dialogue[None]:
    length_bytes = wanted.length_bytes
    try:
        yield SendSpan(
            source,
            wanted.offset_bytes,
            length_bytes,
            chunk_bytes=length_bytes,
            zlp=False,
            timeout_s=timeout_s,
        )
    except Timeout:
        raise SaharaError(
            f"the boot ROM did not take the {length_bytes} bytes at {wanted.offset_bytes}"
            f" of {source.name} it asked for"
        ) from None


def _finish(framer: Framer, image_id: int, name: str, timeout_s: float) -> Dialogue[None]:
    yield from send(encode(Done()))
    answer = yield from _expect(framer, f"after DONE for {name}", timeout_s)
    match answer:
        case DoneResponse(SaharaMode.IMAGE_TX_COMPLETE):
            return
        case DoneResponse(SaharaMode.IMAGE_TX_PENDING) if image_id in PENDING_IS_DONE:
            return
        case DoneResponse(SaharaMode.IMAGE_TX_PENDING):
            raise ImageRefused(f"the boot ROM wants more images after {name} (image {image_id})")
        case DoneResponse(status):
            raise ImageRefused(f"the boot ROM ended {name} with DONE status {status}")
        case _:
            raise SaharaError(f"{type(answer).__name__} after DONE for {name}")


def _refusal(status: int, name: str) -> StationError:
    words = Status.describe(status)
    if status in NOT_FOR_THIS_MODULE:
        return ProgrammerRejected(f"the boot ROM refuses {name} (secure boot): {words}")
    error = SaharaError if status in LOST_ON_THE_WAY else ImageRefused
    return error(f"the boot ROM ended {name}: {words}")
