"""The DIAG port of a simulated module: version queries and the switch to EDL.

    4b 65 01 00 54 0f 7e     subsystem 0x65, command 1: go to EDL; the same bytes come back
    7c 93 49 7e              extended build id
    00 78 f0 7e              version

Everything else is answered with error 0x13 and the command, as DIAG does. Ref: QFirehose
qfirehose.c; fwupd fu-mm-qcdm-device.c.
"""

import struct

from station.errors import DiagError
from station.protocols import hdlc
from station.sim.at_side import Running
from station.sim.port import Face, Leave, Reaction, Say, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

_SWITCH_TO_EDL = bytes.fromhex("4b650100")
_EXTENDED_BUILD_ID = 0x7C
_VERSION = 0x00
_BAD_COMMAND = 0x13
_WRITES = {0x27: "NV write", 0x29: "mode change", 0x3A: "download mode", 0x4B: "subsystem command"}


class DiagSide:
    """Needs DTR like the AT port. `edl` is the face it returns with, None = it stays away."""

    def __init__(
        self,
        interface: int,
        running: Running,
        edl: Face | None,
        referee: Referee,
        timing: Timing,
        *,
        echoes: bool = True,
    ) -> None:
        self._interface = interface
        self._running = running
        self._edl = edl
        self._referee = referee
        self._timing = timing
        self._echoes = echoes
        self._frames = hdlc.Framer()
        self._left = False
        self.line_state = 0

    def receive(self, data: bytes) -> Taken:
        open_ = bool(self.line_state & 1)
        if not open_ and not self._referee.breach("diag", "bytes for a port whose DTR is low"):
            return Taken()
        self._frames.feed(data)
        reactions: list[Reaction] = []
        while not self._left:
            try:
                payload = self._frames.next()
            except DiagError as error:
                self._referee.breach("diag", str(error))
                continue
            if payload is None:
                break
            reactions += self._react(payload)
        return Taken(reactions=tuple(reactions))

    def _react(self, payload: bytes) -> list[Reaction]:
        if payload == _SWITCH_TO_EDL:
            self._left = True
            leave = Leave(self._edl, self._timing.edl_switch_s, self._timing.edl_absent_s)
            return [self._say(payload), leave] if self._echoes else [leave]
        match payload[0]:
            case command if command == _EXTENDED_BUILD_ID:
                head = struct.pack("<BBHII", command, 1, 0, 0, 0)
                return [self._say(head + self._running.revision.encode() + b"\0")]
            case command if command == _VERSION:
                stamp = b"Nov 20 202012:00:00"
                return [self._say(bytes((command,)) + stamp * 2 + b"SIMULATE")]
            case command:
                if command in _WRITES:
                    self._referee.breach("diag", f"{_WRITES[command]} {payload[:16].hex(' ')}")
                return [self._say(bytes((_BAD_COMMAND,)) + payload)]

    def _say(self, payload: bytes) -> Say:
        return Say(self._interface, hdlc.encode(payload), self._timing.diag_reply_s)
