"""Who the chip is, asked of the boot ROM in command mode. Optional on every part.

    host    HELLO_RESP(mode 3)        module  CMD_READY
    host    EXECUTE(c)                module  EXECUTE_RESP(c, length) | END_IMAGE_TX(0x1F)
    host    EXECUTE_DATA(c)           module  raw bytes
    host    SWITCH_MODE(0)            module  HELLO

Ref: qdl sahara.c (chipinfo); openpst libopenpst. Quirks seen: HW id and PK hash are repeated
up to three times or padded with zeros (SDX55: 0x60 bytes); version 3 parts do not offer them,
and some of those never answer in command mode at all.
"""

from dataclasses import dataclass

from station.errors import NoHello, Timeout
from station.protocols.dialogue import Dialogue, notice, receive, send
from station.protocols.sahara.codes import ClientCommand, SaharaMode, Status
from station.protocols.sahara.hello import (
    MAX_READS,
    Greeting,
    ProgrammerRunning,
    Requested,
    hear,
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

MAX_ANSWER_BYTES = 1024
HASH_BYTES = (32, 48, 64)
"""SHA-256, SHA-384, SHA-512."""


@dataclass(frozen=True, slots=True)
class ChipIdentity:
    """What the boot ROM told; None is what it did not tell. Lower case hex.

    `serial` has 8 digits (never all 0 or all f, which name no chip). `hw_id` has 16: MSM id (8),
    OEM id (4), model id (4). `pk_hash` is the digest of the OEM's root key, without repeats.
    """

    serial: str | None = None
    hw_id: str | None = None
    pk_hash: str | None = None


def read_chip_identity(hello: Hello, timeout_s: float) -> Dialogue[tuple[ChipIdentity, Greeting]]:
    """Answer HELLO with command mode, read what the part offers, and lead it back to loading: give
    the greeting returned to `load_programmer`.

    Refusals and silence only leave fields None. Afterwards the module waits for HELLO_RESP (a
    fresh `Hello`) or for the first bytes of the image (`Requested`; a mute part gets HELLO_RESP
    mode 0 unasked). Raises NoHello when it took neither way, SaharaError, Crashed.
    """
    framer = Framer()
    yield from send(encode(HelloResponse(SaharaMode.COMMAND, version=hello.version)))
    heard = yield from hear(framer, timeout_s)
    if not isinstance(heard, CommandReady):
        yield from notice("the boot ROM has no command mode: chip serial unknown")
        return ChipIdentity(), (yield from _to_loading(framer, heard, timeout_s))
    chip = yield from _ask(framer, hello.version, timeout_s)
    yield from send(encode(SwitchMode(SaharaMode.IMAGE_TX_PENDING)))
    heard = yield from hear(framer, timeout_s)
    return chip, (yield from _to_loading(framer, heard, timeout_s))


def _to_loading(
    framer: Framer, heard: Packet | ProgrammerRunning | None, timeout_s: float
) -> Dialogue[Greeting]:
    if not isinstance(heard, Hello | ReadData):
        heard = yield from respond_unasked(framer, timeout_s)
    match heard:
        case Hello():
            return heard
        case ReadData(offset_bytes=0):
            return Requested(heard)
        case EndImage(status=status):
            raise NoHello(f"the boot ROM gave up after command mode: {Status.describe(status)}")
        case _:
            raise NoHello("the boot ROM does not come back from command mode")


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
    yield from send(encode(Execute(command)))
    heard = yield from hear(framer, timeout_s)
    match heard:
        case EndImage() | ExecuteResponse(length_bytes=0):
            return b""
        case ExecuteResponse(client_command, length_bytes) if (
            client_command == command and length_bytes <= MAX_ANSWER_BYTES
        ):
            yield from send(encode(ExecuteData(command)))
            return (yield from _raw(framer, length_bytes, timeout_s))
        case _:
            return None


def _raw(framer: Framer, length_bytes: int, timeout_s: float) -> Dialogue[bytes | None]:
    data = framer.take(length_bytes)
    for _ in range(length_bytes + MAX_READS):
        if len(data) == length_bytes:
            return data
        try:
            framer.feed((yield from receive(timeout_s)))
        except Timeout:
            return None
        data += framer.take(length_bytes - len(data))
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
