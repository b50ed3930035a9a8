"""Who the chip is, asked of the boot ROM in command mode. Optional on every part.

    host    HELLO_RESP(mode 3)        module  CMD_READY
    host    EXECUTE(c)                module  EXECUTE_RESP(c, length) | END_IMAGE_TX(0x1F)
    host    EXECUTE_DATA(c)           module  raw bytes
    host    SWITCH_MODE(0)            module  HELLO
    host    RESET                     for a module that does not come back to loading

Ref: qdl sahara.c (chipinfo); openpst libopenpst; Linux drivers/accel/qaic/sahara.c (command mode
since 2.1). Quirks seen: HW id and PK hash are repeated up to three times or padded with zeros
(SDX55: 0x60 bytes); version 3 parts do not offer them, and some of those never answer in command
mode at all; some parts stay in command mode until they are reset.
"""

from dataclasses import dataclass

from station.errors import SaharaError, Timeout
from station.protocols.dialogue import Dialogue, notice, nudge, receive, send
from station.protocols.sahara.codes import ClientCommand, SaharaMode, Status
from station.protocols.sahara.hello import (
    MAX_READS,
    Greeting,
    ProgrammerRunning,
    Requested,
    hear,
    reset,
    respond_unasked,
)
from station.protocols.sahara.packets import (
    CommandReady,
    EndImage,
    Execute,
    ExecuteData,
    ExecuteResponse,
    Framer,
    Hello,
    HelloResponse,
    Packet,
    ReadData,
    SwitchMode,
    encode,
)

COMMAND_MODE_SINCE = 2
"""The wire tells only the major version; a 2.0 that refuses is not hurt by the question."""

MAX_ANSWER_BYTES = 1024
HASH_BYTES = (32, 48, 64)
"""SHA-256, SHA-384, SHA-512."""

_Heard = Packet | ProgrammerRunning | None


@dataclass(frozen=True, slots=True)
class ChipIdentity:
    """What the boot ROM told; None is what it did not tell. Lower case hex.

    `serial` has 8 digits (never all 0 or all f, which name no chip). `hw_id` has 16: MSM id (8),
    OEM id (4), model id (4). `pk_hash` is the digest of the OEM's root key, without repeats.
    """

    serial: str | None = None
    hw_id: str | None = None
    pk_hash: str | None = None


def read_chip_identity(
    hello: Hello, timeout_s: float
) -> Dialogue[tuple[ChipIdentity, Greeting | None]]:
    """Answer HELLO with command mode, read what the part offers, and lead it back to loading: give
    the greeting returned to `load_programmer`.

    Refusals, silence and garbage only leave fields None. A part of version 1 is not asked and gets
    its own `hello` back, unanswered. Others then wait for HELLO_RESP (a fresh `Hello`) or for the
    first bytes of the image (`Requested`; they got HELLO_RESP mode 0 unasked).

    Without a greeting the part took neither way and was told to RESET: it leaves the bus and
    boots anew, into EDL or into normal mode. It must be brought to EDL and greeted again, and
    loaded without this dialogue. Raises Crashed.
    """
    if hello.version < COMMAND_MODE_SINCE:
        yield from notice(f"Sahara {hello.version} has no command mode: chip serial unknown")
        return ChipIdentity(), hello
    framer = Framer()
    chip = ChipIdentity()
    heard = yield from _enter(framer, hello, timeout_s)
    if isinstance(heard, CommandReady):
        chip = yield from _ask(framer, hello.version, timeout_s)
        leave = SwitchMode(SaharaMode.IMAGE_TX_PENDING)
        heard = yield from _exchange(framer, leave, timeout_s)
    else:
        yield from notice(f"the boot ROM has no command mode{_why(heard)}: chip serial unknown")
    return chip, (yield from _to_loading(framer, heard, timeout_s))


def _enter(framer: Framer, hello: Hello, timeout_s: float) -> Dialogue[_Heard]:
    """What the part answers to HELLO_RESP; one that says each HELLO twice answers behind that."""
    enter = HelloResponse(SaharaMode.COMMAND, version=hello.version)
    heard = yield from _exchange(framer, enter, timeout_s)
    if not isinstance(heard, Hello):
        return heard
    return (yield from _hear(framer, timeout_s)) or heard


def _to_loading(framer: Framer, heard: _Heard, timeout_s: float) -> Dialogue[Greeting | None]:
    # A part that said END_IMAGE waits for RESET and takes nothing else; a silent one may listen.
    if not isinstance(heard, Hello | ReadData | EndImage):
        try:
            heard = yield from respond_unasked(framer, timeout_s)
        except SaharaError:
            heard = None
    match heard:
        case Hello():
            return heard
        case ReadData(offset_bytes=0):
            return Requested(heard)
        case _:
            yield from nudge(f"no way back from command mode{_why(heard)}: resetting the module")
            yield from reset(timeout_s)
            return None


def _exchange(framer: Framer, packet: Packet, timeout_s: float) -> Dialogue[_Heard]:
    """What the part answers; None for silence, garbage, and a packet it does not take."""
    try:
        yield from send(encode(packet), timeout_s=timeout_s)
    except (Timeout, SaharaError):
        return None
    return (yield from _hear(framer, timeout_s))


def _hear(framer: Framer, timeout_s: float) -> Dialogue[_Heard]:
    try:
        return (yield from hear(framer, timeout_s))
    except (Timeout, SaharaError):
        return None


def _why(heard: _Heard) -> str:
    return f" ({Status.describe(heard.status)})" if isinstance(heard, EndImage) else ""


def _ask(framer: Framer, version: int, timeout_s: float) -> Dialogue[ChipIdentity]:
    commands = [ClientCommand.SERIAL_NUM_READ]
    if version < 3:
        commands += [ClientCommand.MSM_HW_ID_READ, ClientCommand.OEM_PK_HASH_READ]
    answers: dict[ClientCommand, bytes] = {}
    for command in commands:
        answer = yield from _execute(framer, command, timeout_s)
        if answer is None:
            yield from notice(f"the boot ROM leaves {command.name} unanswered")
            break
        answers[command] = answer
    return ChipIdentity(
        serial=_serial(answers.get(ClientCommand.SERIAL_NUM_READ, b"")),
        hw_id=_hw_id(answers.get(ClientCommand.MSM_HW_ID_READ, b"")),
        pk_hash=_pk_hash(answers.get(ClientCommand.OEM_PK_HASH_READ, b"")),
    )


def _execute(framer: Framer, command: ClientCommand, timeout_s: float) -> Dialogue[bytes | None]:
    """The answer, empty when the part refuses the command; None: stop asking this part."""
    match (yield from _exchange(framer, Execute(command), timeout_s)):
        case EndImage() | ExecuteResponse(length_bytes=0):
            return b""
        case ExecuteResponse(client_command, length_bytes) if (
            client_command == command and length_bytes <= MAX_ANSWER_BYTES
        ):
            return (yield from _data(framer, command, length_bytes, timeout_s))
        case _:
            return None


def _data(
    framer: Framer, command: ClientCommand, length_bytes: int, timeout_s: float
) -> Dialogue[bytes | None]:
    data = b""
    try:
        yield from send(encode(ExecuteData(command)), timeout_s=timeout_s)
        for _ in range(length_bytes + MAX_READS):
            data += framer.take(length_bytes - len(data))
            if len(data) == length_bytes:
                return data
            framer.feed((yield from receive(timeout_s)))
    except Timeout:
        pass
    return None


def _serial(answer: bytes) -> str | None:
    number = int.from_bytes(answer[:4], "little")
    return f"{number:08x}" if len(answer) >= 4 and number not in (0, 0xFFFFFFFF) else None


def _hw_id(answer: bytes) -> str | None:
    number = int.from_bytes(answer[:8], "little")
    return f"{number:016x}" if len(answer) >= 8 and number else None


def _pk_hash(answer: bytes) -> str | None:
    for length_bytes in HASH_BYTES:
        digest, rest = answer[:length_bytes], answer[length_bytes:]
        if len(digest) == length_bytes and (not any(rest) or rest[:4] == digest[:4]):
            return digest.hex()
    return None
