"""Who listens on a module in EDL: a boot ROM, a crashed module, or a programmer already?

    module  HELLO                                 the boot ROM says it once, when enumerated
    host    HELLO_RESP(mode 0), unasked           when nothing came: somebody may have swallowed it
    module  READ_DATA | HELLO | END_IMAGE_TX | <?xml ...
    host    <?xml ... <nop />                     when still nothing came
    module  <?xml ... <response ... />            a programmer is running
    module  anything else                         it still reads out what a dead host has asked for

Ref: qdl sahara.c (unasked HELLO_RESP); fwupd fu-qc-firehose-impl.c (`<?xml` means Firehose);
QFirehose qfirehose.c (RESET after END_IMAGE_TX). Quirk seen: an EDL module never repeats HELLO.
"""

from dataclasses import dataclass

from station.errors import (
    Crashed,
    Disconnected,
    NoHello,
    SaharaError,
    SessionReset,
    Timeout,
    UsbBroken,
)
from station.protocols.dialogue import Dialogue, notice, nudge, receive, send
from station.protocols.sahara.codes import SaharaMode, Status
from station.protocols.sahara.packets import (
    EndImage,
    Framer,
    Hello,
    HelloResponse,
    MemoryDebug,
    Packet,
    ReadData,
    Reset,
    encode,
)

NOP_XML = b'<?xml version="1.0" encoding="UTF-8" ?><data><nop /></data>'
MAX_READS = 64
"""Reads for one packet: the longest has 48 bytes, and may come one by one."""
MAX_REST_READS = 1 << 16
"""Reads for the rest of a partition that nobody wants any more."""


@dataclass(frozen=True, slots=True)
class Requested:
    """The boot ROM took an unasked HELLO_RESP and wants its image already."""

    first: ReadData


@dataclass(frozen=True, slots=True)
class ProgrammerRunning:
    """Firehose answers. `leftover` was read already and belongs to its framer."""

    leftover: bytes


Greeting = Hello | Requested | ProgrammerRunning
"""Who listens: HELLO still wants its answer, a request its bytes; a programmer is past loading."""


def greet(timeout_s: float) -> Dialogue[Greeting]:
    """Find out who listens, waiting `timeout_s` (1 s is right) for each of up to four answers.

    Raises NoHello (nobody), SessionReset (a session beyond repair), Crashed, SaharaError.
    """
    framer = Framer()
    try:
        heard = yield from hear(framer, timeout_s)
    except SaharaError as strange:
        heard = yield from _hear_out(strange, timeout_s)
    if heard is None:
        yield from nudge("no HELLO; answering it unasked")
        heard = yield from respond_unasked(framer, timeout_s)
    if heard is None:
        yield from nudge("no answer to HELLO_RESP; trying Firehose")
        heard = yield from _try_firehose(framer, timeout_s)
    match heard:
        case Hello() | ProgrammerRunning():
            return heard
        case ReadData(offset_bytes=0):
            return Requested(heard)
        case ReadData(offset_bytes=offset_bytes):
            # The rest of an image some other host began: the two would not fit together.
            yield from nudge("amid an image of somebody else's: resetting the boot ROM")
            yield from reset(timeout_s)
            raise SessionReset(f"the boot ROM was in the middle of an image (at {offset_bytes})")
        case EndImage(status=status):
            yield from nudge("its session is over: resetting the boot ROM")
            yield from reset(timeout_s)
            raise SessionReset(f"the boot ROM had given up its session: {Status.describe(status)}")
        case None:
            raise NoHello("neither the boot ROM nor a programmer answers")
        case _:
            raise SaharaError(f"{type(heard).__name__} where HELLO was expected")


def reset(timeout_s: float) -> Dialogue[None]:
    """Tell the boot ROM to start the module anew; whatever it answers, or not, is taken.

    A module that vanishes, even within a transfer, has obeyed.
    """
    try:
        yield from send(encode(Reset()), timeout_s=timeout_s)
        yield from hear(Framer(), timeout_s)
    except (Timeout, Disconnected, UsbBroken, SaharaError, Crashed):
        return


def hear(framer: Framer, timeout_s: float) -> Dialogue[Packet | ProgrammerRunning | None]:
    """The next packet; None after `timeout_s` of silence.

    Raises Crashed for a module that offers its memory dump, SaharaError for anything else.
    """
    for _ in range(MAX_READS):
        packet = framer.next()
        if isinstance(packet, MemoryDebug) or (
            isinstance(packet, Hello) and packet.mode == SaharaMode.MEMORY_DEBUG
        ):
            raise Crashed("the module crashed and offers its memory dump")
        if packet is not None:
            return packet
        if framer.programmer_talks:
            return ProgrammerRunning(framer.take())
        try:
            framer.feed((yield from receive(timeout_s)))
        except Timeout:
            return None
    raise SaharaError(f"no whole Sahara packet in {MAX_READS} reads")


def respond_unasked(
    framer: Framer, timeout_s: float
) -> Dialogue[Packet | ProgrammerRunning | None]:
    """What a module says to a HELLO_RESP (mode 0) it may not wait for; None is silence.

    A HELLO that crosses the response is returned only if the module did not take the response
    for its answer: a second one would be taken for image data.
    """
    try:
        response = encode(HelloResponse(SaharaMode.IMAGE_TX_PENDING))
        yield from send(response, timeout_s=timeout_s)
    except Timeout:
        return None
    heard = yield from hear(framer, timeout_s)
    if not isinstance(heard, Hello):
        return heard
    after = yield from hear(framer, timeout_s)
    return heard if after is None else after


def _hear_out(strange: SaharaError, timeout_s: float) -> Dialogue[Packet | ProgrammerRunning]:
    """Let a programmer read to the end for a host that died, then ask who it is. Raises `strange`
    if it has no end, or if nobody answers behind it."""
    yield from notice(f"{strange.cause}; waiting until it is silent")
    try:
        for _ in range(MAX_REST_READS):
            yield from receive(timeout_s)
    except Timeout:
        heard = yield from _try_firehose(Framer(), timeout_s)
        if heard is not None:
            return heard
    raise strange


def _try_firehose(framer: Framer, timeout_s: float) -> Dialogue[Packet | ProgrammerRunning | None]:
    try:
        yield from send(NOP_XML, timeout_s=timeout_s)
    except Timeout:
        return None
    return (yield from hear(framer, timeout_s))
