"""Sahara on the wire: packets and framing, the same for host and module.

    u32 command | u32 length, header included | u32 fields (u64 in the 64-bit packets)

All little endian. The module leads: HELLO, then READ_DATA until it has its image; the host
answers READ_DATA with exactly the wanted bytes and no header around them. A programmer that
already runs speaks Firehose instead: `<?xm` stands where a command is expected.

Ref: qdl sahara.c; fwupd fu-qc-firehose-impl.c; Linux drivers/accel/qaic/sahara.c; QFirehose
sahara.c. Quirks seen: the reserved words of HELLO_RESP carry 1..6 from some hosts and zeros
from others, so nobody may check them.
"""

import struct
from dataclasses import dataclass
from typing import assert_never

from station.errors import SaharaError
from station.protocols.sahara.codes import Command

HEADER_BYTES = 8
XML_MARK = b"<?xm"
"""0x6D783F3C read as a command: a programmer is running."""


@dataclass(frozen=True, slots=True)
class Hello:
    """`mode` is a `SaharaMode` where it is a known one."""

    version: int
    version_min: int
    max_packet_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class HelloResponse:
    mode: int
    version: int = 2
    version_min: int = 1
    status: int = 0


@dataclass(frozen=True, slots=True)
class ReadData:
    """The module wants these bytes of its image. `wide`: READ_DATA64."""

    image_id: int
    offset_bytes: int
    length_bytes: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class EndImage:
    image_id: int
    status: int


@dataclass(frozen=True, slots=True)
class Done:
    pass


@dataclass(frozen=True, slots=True)
class DoneResponse:
    """`status` is 0 (more images pending) or 1 (complete)."""

    status: int


@dataclass(frozen=True, slots=True)
class Reset:
    pass


@dataclass(frozen=True, slots=True)
class ResetResponse:
    pass


@dataclass(frozen=True, slots=True)
class MemoryDebug:
    """A crashed module offers its dump. `wide`: MEM_DEBUG64."""

    table_address: int
    length_bytes: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class CommandReady:
    pass


@dataclass(frozen=True, slots=True)
class SwitchMode:
    mode: int


@dataclass(frozen=True, slots=True)
class Execute:
    client_command: int


@dataclass(frozen=True, slots=True)
class ExecuteResponse:
    client_command: int
    length_bytes: int


@dataclass(frozen=True, slots=True)
class ExecuteData:
    client_command: int


@dataclass(frozen=True, slots=True)
class ResetStateMachine:
    pass


Packet = (
    Hello
    | HelloResponse
    | ReadData
    | EndImage
    | Done
    | DoneResponse
    | Reset
    | ResetResponse
    | MemoryDebug
    | CommandReady
    | SwitchMode
    | Execute
    | ExecuteResponse
    | ExecuteData
    | ResetStateMachine
)

_RESERVED = (0,) * 6
_BODY = {
    Command.HELLO: struct.Struct("<10I"),
    Command.HELLO_RESP: struct.Struct("<10I"),
    Command.READ_DATA: struct.Struct("<3I"),
    Command.END_IMAGE_TX: struct.Struct("<2I"),
    Command.DONE: struct.Struct(""),
    Command.DONE_RESP: struct.Struct("<I"),
    Command.RESET: struct.Struct(""),
    Command.RESET_RESP: struct.Struct(""),
    Command.MEM_DEBUG: struct.Struct("<2I"),
    Command.CMD_READY: struct.Struct(""),
    Command.SWITCH_MODE: struct.Struct("<I"),
    Command.EXECUTE: struct.Struct("<I"),
    Command.EXECUTE_RESP: struct.Struct("<2I"),
    Command.EXECUTE_DATA: struct.Struct("<I"),
    Command.MEM_DEBUG64: struct.Struct("<2Q"),
    Command.READ_DATA64: struct.Struct("<3Q"),
    Command.RESET_STATE_MACHINE: struct.Struct(""),
}
"""The packets spoken here; reading memory dumps (MEM_READ) is none of a flashing station's work."""


def encode(packet: Packet) -> bytes:
    """The packet on the wire; values must fit their fields."""
    command, fields = _fields(packet)
    body = _BODY[command]
    return struct.pack("<2I", command, HEADER_BYTES + body.size) + body.pack(*fields)


def decode(data: bytes) -> Packet:
    """One whole packet. Raises SaharaError, never anything else."""
    if len(data) < HEADER_BYTES:
        raise SaharaError(f"Sahara packet of {len(data)} bytes has no whole header")
    command, length_bytes = _check_header(data)
    if len(data) != length_bytes:
        raise SaharaError(f"{command.name} says {length_bytes} bytes, {len(data)} arrived")
    return _packet(command, _BODY[command].unpack_from(data, HEADER_BYTES))


def _fields(packet: Packet) -> tuple[Command, tuple[int, ...]]:
    match packet:
        case Hello(version, version_min, max_packet_bytes, mode):
            return Command.HELLO, (version, version_min, max_packet_bytes, mode, *_RESERVED)
        case HelloResponse(mode, version, version_min, status):
            return Command.HELLO_RESP, (version, version_min, status, mode, *_RESERVED)
        case ReadData(image_id, offset_bytes, length_bytes, wide):
            command = Command.READ_DATA64 if wide else Command.READ_DATA
            return command, (image_id, offset_bytes, length_bytes)
        case EndImage(image_id, status):
            return Command.END_IMAGE_TX, (image_id, status)
        case Done():
            return Command.DONE, ()
        case DoneResponse(status):
            return Command.DONE_RESP, (status,)
        case Reset():
            return Command.RESET, ()
        case ResetResponse():
            return Command.RESET_RESP, ()
        case MemoryDebug(address, length_bytes, wide):
            command = Command.MEM_DEBUG64 if wide else Command.MEM_DEBUG
            return command, (address, length_bytes)
        case CommandReady():
            return Command.CMD_READY, ()
        case SwitchMode(mode):
            return Command.SWITCH_MODE, (mode,)
        case Execute(client_command):
            return Command.EXECUTE, (client_command,)
        case ExecuteResponse(client_command, length_bytes):
            return Command.EXECUTE_RESP, (client_command, length_bytes)
        case ExecuteData(client_command):
            return Command.EXECUTE_DATA, (client_command,)
        case ResetStateMachine():
            return Command.RESET_STATE_MACHINE, ()
        case _:
            assert_never(packet)


def _check_header(data: bytes | bytearray) -> tuple[Command, int]:
    """Command and length of a header; the length is the one this command must have."""
    number, length_bytes = struct.unpack_from("<2I", data)
    try:
        command = Command(number)
        wanted_bytes = HEADER_BYTES + _BODY[command].size
    except (ValueError, KeyError):
        raise SaharaError(f"0x{number:x} is no Sahara command known here") from None
    if length_bytes != wanted_bytes:
        raise SaharaError(f"{command.name} says {length_bytes} bytes, it has {wanted_bytes}")
    return command, length_bytes


def _packet(command: Command, f: tuple[int, ...]) -> Packet:
    match command:
        case Command.HELLO:
            return Hello(version=f[0], version_min=f[1], max_packet_bytes=f[2], mode=f[3])
        case Command.HELLO_RESP:
            return HelloResponse(version=f[0], version_min=f[1], status=f[2], mode=f[3])
        case Command.READ_DATA | Command.READ_DATA64:
            return ReadData(f[0], f[1], f[2], wide=command is Command.READ_DATA64)
        case Command.END_IMAGE_TX:
            return EndImage(f[0], f[1])
        case Command.DONE:
            return Done()
        case Command.DONE_RESP:
            return DoneResponse(f[0])
        case Command.RESET:
            return Reset()
        case Command.RESET_RESP:
            return ResetResponse()
        case Command.MEM_DEBUG | Command.MEM_DEBUG64:
            return MemoryDebug(f[0], f[1], wide=command is Command.MEM_DEBUG64)
        case Command.CMD_READY:
            return CommandReady()
        case Command.SWITCH_MODE:
            return SwitchMode(f[0])
        case Command.EXECUTE:
            return Execute(f[0])
        case Command.EXECUTE_RESP:
            return ExecuteResponse(f[0], f[1])
        case Command.EXECUTE_DATA:
            return ExecuteData(f[0])
        case Command.RESET_STATE_MACHINE:
            return ResetStateMachine()
        case Command.MEM_READ | Command.MEM_READ64:
            raise SaharaError(f"{command.name} is not spoken here")
        case _:
            assert_never(command)


class Framer:
    """Bytes in, packets out; the owner of every byte that was read and not yet used."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def programmer_talks(self) -> bool:
        """Firehose stands where a packet is expected; `take` hands those bytes over."""
        return self._buffer.startswith(XML_MARK)

    def next(self) -> Packet | None:
        """The next whole packet; None until more is fed, or while a programmer talks.

        Raises SaharaError for bytes that begin no packet and forgets everything it holds.
        """
        if self.programmer_talks or len(self._buffer) < HEADER_BYTES:
            return None
        try:
            _, length_bytes = _check_header(self._buffer)
        except SaharaError:
            self._buffer.clear()
            raise
        if len(self._buffer) < length_bytes:
            return None
        return decode(self.take(length_bytes))

    def take(self, length_bytes: int | None = None) -> bytes:
        """Up to so many raw bytes (all without a number): data that travels without a header."""
        end = len(self._buffer) if length_bytes is None else length_bytes
        data = bytes(self._buffer[:end])
        del self._buffer[:end]
        return data
