"""The AT port of a simulated module: listed reads are answered, writes are breaches but for one.

Ref: Quectel EC25/RM50x AT command manuals; samples of real modules.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from station.errors import AtError
from station.protocols.at_lines import Commands, format_reply
from station.sim.own_backup import OwnBackup
from station.sim.port import Later, Reaction, Say, Taken
from station.sim.referee import Referee
from station.sim.timing import Timing

URCS_AT_BOOT = ("RDY", "+CFUN: {functionality}", "+CPIN: NOT READY", "+QUSIM: 1")
LATE_URC = "+QIND: SMS DONE"

_SESSION = re.compile(r"(E[01]?|V[01]?|Q[01]?|\+CMEE=[012])?")
"""Settings of this conversation; they change nothing that lasts."""
_LATE_VALUES = frozenset({"+QGMR", "+EGMR=0,5", "+CFUN?"})
"""What a module may refuse for some seconds although it answers ATI already."""
_READS_WITH_VALUE = re.compile(r"\+EGMR=0,\d{1,2}|\+QCFG=\"[\w/]+\"|\+\w+=\?")
_BACKUP = re.compile(r"\+QPRTPARA=(\?|\d{1,2})")


@dataclass(frozen=True, slots=True)
class Running:
    """What the running firmware says of itself; `imei` is None when calibration is lost."""

    version: str
    revision: str
    model: str
    imei: str | None
    serial: str | None
    functionality: int = 1


class AtSide:
    """Silent until DTR is set, deaf until the system is up."""

    def __init__(
        self,
        interface: int,
        running: Running,
        referee: Referee,
        timing: Timing,
        *,
        noisy: bool = False,
        values_s: float = 0.0,
        backup: OwnBackup | None = None,
    ) -> None:
        self._interface = interface
        self._running = running
        self._referee = referee
        self._timing = timing
        self._noisy = noisy
        self._backup = backup or OwnBackup(referee)
        self._values_s = values_s
        self._values_up = values_s == 0.0
        self._commands = Commands()
        self._echo = True
        self._up = False
        self._late_urc = True
        self.line_state = 0

    def boot(self) -> tuple[Reaction, ...]:
        return (Later(self._come_up, self._timing.boot_at_s),)

    def receive(self, data: bytes) -> Taken:
        open_ = bool(self.line_state & 1)
        if not open_ and not self._referee.breach("at", "bytes for a port whose DTR is low"):
            return Taken()
        if not self._up:
            return Taken()
        if self._backup.under_way:
            return Taken()
        out = bytearray(data if self._echo or self._noisy else b"")
        self._commands.feed(data)
        try:
            while (line := self._commands.next()) is not None:
                out += self._reply(line)
        except AtError as error:
            self._referee.breach("at", str(error))
        return Taken(reactions=(*self._back_up(), *self._say(bytes(out))))

    def _back_up(self) -> tuple[Reaction, ...]:
        """The answer comes when the backup is made."""
        if not self._backup.under_way:
            return ()

        def finish() -> tuple[Reaction, ...]:
            self._backup.finish()
            return ()

        return (Later(finish, self._timing.backup_s),)

    def _come_up(self) -> tuple[Reaction, ...]:
        self._up = True
        lines = (urc.format(functionality=self._running.functionality) for urc in URCS_AT_BOOT)
        says = tuple(Say(self._interface, f"\r\n{line}\r\n".encode()) for line in lines)
        return says if self._values_up else (*says, Later(self._know_values, self._values_s))

    def _know_values(self) -> tuple[Reaction, ...]:
        self._values_up = True
        return ()

    def _say(self, data: bytes) -> tuple[Reaction, ...]:
        size = 7 if self._noisy else 4096
        after_s = self._timing.at_reply_s
        if self._backup.under_way:
            after_s += self._timing.backup_s
        return tuple(
            Say(self._interface, data[at : at + size], after_s) for at in range(0, len(data), size)
        )

    def _reply(self, line: str) -> bytes:
        if not line.upper().startswith("AT"):
            return b""
        lines: list[str] = []
        for command in line[2:].split(";"):
            answer = self._answer(command.strip().upper())
            if answer is None:
                return format_reply(lines, "ERROR")
            lines += answer
        return format_reply(self._interrupted(lines))

    def _interrupted(self, lines: list[str]) -> Iterator[str]:
        """Once after boot (always when noisy) an unsolicited line lands inside a reply."""
        for place, line in enumerate(lines):
            yield line
            if place == 0 and (self._noisy or (self._late_urc and len(lines) > 1)):
                self._late_urc = False
                yield f"\r\n{LATE_URC}\r\n"

    def _answer(self, command: str) -> list[str] | None:
        """The lines before OK; None for ERROR."""
        if _SESSION.fullmatch(command):
            if command.startswith("E"):
                self._echo = command == "E1"
            return []
        if match := _BACKUP.fullmatch(command):
            return self._backup.answer(match[1])
        if "=" in command and not _READS_WITH_VALUE.fullmatch(command):
            return [] if self._referee.breach("at", f"write command AT{command[:60]}") else None
        return self._read(command)

    def _read(self, command: str) -> list[str] | None:
        says = self._running
        if command in _LATE_VALUES and not self._values_up:
            return None
        match command:
            case "I":
                return ["Quectel", says.model, f"Revision: {says.revision}"]
            case "+CGMI" | "+GMI":
                return ["Quectel"]
            case "+CGMM" | "+GMM":
                return [says.model]
            case "+CGMR" | "+GMR":
                return [says.revision]
            case "+QGMR":
                return [says.version]
            case "+CSUB":
                return ["SubEdition: V01"]
            case "+CVERSION":
                return [f"VERSION: {says.revision}", "Nov 20 2020 12:00:00", "Authors: QCT"]
            case "+CGSN" | "+GSN":
                return [says.imei] if says.imei else None
            case "+EGMR=0,7":
                return [f'+EGMR: "{says.imei}"'] if says.imei else None
            case "+EGMR=0,5":
                return [f'+EGMR: "{says.serial}"'] if says.serial else None
            case "+CFUN?":
                return [f"+CFUN: {says.functionality}"]
            case "+CPIN?":
                return None
            case _:
                return None
