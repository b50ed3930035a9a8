"""The boot ROM's side of Sahara: it greets, asks for the programmer, judges it.

Every packet must have its exact length, every answer to READ_DATA exactly the bytes asked for,
and no zero-length packet may appear. Ref: qdl sahara.c; bkerler/edl; notes on real modules in
`station.protocols.sahara`.
"""

import struct
from dataclasses import dataclass
from enum import Enum

from station.errors import SaharaError
from station.protocols import sahara
from station.protocols.sahara import ClientCommand, SaharaMode, Status
from station.sim.boot_rom import ELF32, ElfClass, Load, load_programmer
from station.sim.port import Say, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

INTERFACE = 0
IMAGE_ID = 13
"""EHOSTDL, the Firehose programmer."""
_MAX_PACKET_BYTES = 0x400
_RESET = bytes.fromhex("0700000008000000")


@dataclass(frozen=True, slots=True)
class BootRom:
    """What this chip's boot ROM is like."""

    family: str
    chip_serial: str
    version: int = 2
    mode: SaharaMode = SaharaMode.IMAGE_TX_PENDING
    silent: bool = False
    greets: bool = True
    given_up: bool = False
    """Somebody sent its HELLO back to it before the host came."""
    answers_commands: bool = True
    refuses_commands: bool = False
    refuses_with: Status | None = None
    done_status: int = 1
    wide_reads: bool = False
    elf: ElfClass = ELF32
    hw_id: int = 0x0007F0E1_00000000
    pk_hash: bytes = bytes(range(32))


class Stage(Enum):
    GREETING = "greeting"
    LOADING = "loading"
    COMMAND = "command"
    ENDED = "ended"
    FAILED = "failed"
    RUNNING = "running"
    RESET = "reset"


class SaharaSide:
    """`stage` is RUNNING once the programmer started, RESET once the module reboots."""

    def __init__(self, rom: BootRom, referee: Referee, timing: Timing) -> None:
        self._rom = rom
        self._referee = referee
        self._timing = timing
        self._load: Load | None = None
        self._wanted_bytes = 0
        self._got = bytearray()
        self._refused_commands = False
        self.stage = Stage.GREETING

    def takes_raw(self, data: bytes) -> bool:
        """Whether this transfer counts as image data: while loading all but a RESET does."""
        is_reset = data == _RESET and self._wanted_bytes != len(_RESET)
        return self.stage is Stage.LOADING and not is_reset

    def greet(self) -> tuple[Say, ...]:
        if self._rom.silent or not self._rom.greets:
            return ()
        if self._rom.given_up:
            self.stage = Stage.FAILED
            end = sahara.EndImage(IMAGE_ID, Status.INVALID_COMMAND)
            return (Say(INTERFACE, sahara.encode(end), self._timing.hello_s),)
        return (Say(INTERFACE, self._hello(), self._timing.hello_s),)

    def receive(self, data: bytes) -> Taken:
        if self._rom.silent:
            return Taken()
        if not data:
            self._referee.breach("sahara", "zero-length packet")
            return Taken()
        if self.takes_raw(data):
            return self._take_raw(data)
        try:
            packet = sahara.decode(data)
        except SaharaError as error:
            return self._foul(str(error), Status.INVALID_PACKET_SIZE)
        return self._obey(packet)

    def _obey(self, packet: sahara.Packet) -> Taken:
        match packet, self.stage:
            case sahara.Reset(), _:
                self.stage = Stage.RESET
                return self._say(sahara.encode(sahara.ResetResponse()))
            case sahara.HelloResponse(), Stage.GREETING:
                return self._answer_hello(packet)
            case sahara.HelloResponse(), Stage.FAILED if self._refused_commands:
                # Some parts load the image after all, so a host may ask once; not this one.
                self._refused_commands = False
                return self._fail(Status.INVALID_COMMAND)
            case sahara.Done(), Stage.ENDED:
                self.stage = Stage.RUNNING
                return self._say(sahara.encode(sahara.DoneResponse(self._rom.done_status)))
            case sahara.Execute(command), Stage.COMMAND:
                payload = self._payload(command)
                if payload is None:
                    return self._fail(Status.EXECUTE_UNSUPPORTED)
                return self._say(sahara.encode(sahara.ExecuteResponse(command, len(payload))))
            case sahara.ExecuteData(command), Stage.COMMAND:
                payload = self._payload(command)
                if payload is None:
                    return self._fail(Status.EXECUTE_DATA_INVALID_COMMAND)
                return self._say(payload)
            case sahara.SwitchMode(), Stage.COMMAND:
                self.stage = Stage.GREETING
                return self._say(self._hello())
            case _:
                name = type(packet).__name__
                return self._foul(f"{name} while {self.stage.value}", Status.INVALID_COMMAND)

    @property
    def _has_command_mode(self) -> bool:
        return self._rom.version > 1 and not self._rom.refuses_commands

    def _answer_hello(self, answer: sahara.HelloResponse) -> Taken:
        if not 1 <= answer.version <= 3 or answer.status != 0:
            what = f"HELLO_RESP with version {answer.version}, status {answer.status}"
            return self._foul(what, Status.PROTOCOL_MISMATCH)
        if self._rom.mode is SaharaMode.MEMORY_DEBUG:
            return self._fail(Status.MEMORY_DEBUG_UNSUPPORTED)
        if answer.mode == SaharaMode.COMMAND and self._has_command_mode:
            if not self._rom.answers_commands:
                return Taken()
            self.stage = Stage.COMMAND
            return self._say(sahara.encode(sahara.CommandReady()))
        if answer.mode != SaharaMode.IMAGE_TX_PENDING:
            self._refused_commands = answer.mode == SaharaMode.COMMAND
            return self._fail(Status.INVALID_HOST_MODE)
        self.stage = Stage.LOADING
        self._load = load_programmer(self._rom.family, self._rom.elf)
        return self._ask(next(self._load))

    def _ask(self, request: tuple[int, int]) -> Taken:
        offset_bytes, self._wanted_bytes = request
        self._got.clear()
        packet = sahara.ReadData(IMAGE_ID, offset_bytes, self._wanted_bytes, self._rom.wide_reads)
        return self._say(sahara.encode(packet))

    def _take_raw(self, data: bytes) -> Taken:
        self._got += data
        if len(self._got) > self._wanted_bytes:
            what = f"{len(self._got)} bytes where READ_DATA asked for {self._wanted_bytes}"
            if not self._referee.breach("sahara", what):
                return self._fail(Status.INVALID_DATA_SIZE)
            del self._got[self._wanted_bytes :]
        if len(self._got) < self._wanted_bytes or self._load is None:
            return Taken()
        try:
            return self._ask(self._load.send(bytes(self._got)))
        except StopIteration as end:
            verdict: Status = end.value
            return self._judge(verdict)

    def _judge(self, verdict: Status) -> Taken:
        verdict = verdict if self._rom.refuses_with is None else self._rom.refuses_with
        if verdict is not Status.SUCCESS:
            return self._fail(verdict)
        self.stage = Stage.ENDED
        return self._say(sahara.encode(sahara.EndImage(IMAGE_ID, verdict)))

    def _foul(self, what: str, status: Status) -> Taken:
        return Taken() if self._referee.breach("sahara", what) else self._fail(status)

    def _fail(self, status: Status) -> Taken:
        """End the image with an error; only RESET helps from here."""
        self.stage = Stage.FAILED
        return self._say(sahara.encode(sahara.EndImage(IMAGE_ID, status)))

    def _payload(self, command: int) -> bytes | None:
        """What EXECUTE yields; version 3 has neither hardware id nor key hash."""
        serial = struct.pack("<I", int(self._rom.chip_serial, 16))
        old = self._rom.version < 3
        match command:
            case ClientCommand.NOP:
                return b""
            case ClientCommand.SERIAL_NUM_READ:
                return serial
            case ClientCommand.MSM_HW_ID_READ if old:
                return struct.pack("<Q", self._rom.hw_id) * 3
            case ClientCommand.OEM_PK_HASH_READ if old:
                return self._rom.pk_hash * 3
            case ClientCommand.READ_CHIP_ID_V3 if not old:
                return bytes(36) + struct.pack("<IHHI", self._rom.hw_id >> 32, 0, 0, 0)
            case _:
                return None

    def _hello(self) -> bytes:
        version = self._rom.version
        return sahara.encode(sahara.Hello(version, 1, _MAX_PACKET_BYTES, self._rom.mode))

    def _say(self, data: bytes) -> Taken:
        return Taken(reactions=(Say(INTERFACE, data, self._timing.sahara_reply_s),))
