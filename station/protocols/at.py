"""AT, host side: who is this module, and what does it run?

Only the commands in `COMMANDS` can leave this file. `READS` change nothing in the module that
outlives its power (`ATE0` switches the echo off); `BACK_UP` is the one that writes, and what it
writes is a copy (`station.protocols.at_backup`). There is none that brings the copy back.

A late answer must not become the answer of the next question, and replies carry no number. So a
channel asks only while it is in step. It is not when it is new (another program may have asked
before us) and after a reply that never ended; then `ATE0` goes first: its echo marks its own
answer, and where the echo is off already, silence behind an answer shows that none is left over.

Ref: ITU-T V.250; 3GPP TS 27.007 (CFUN, CGSN); Quectel AT command manuals (ATI, QGMR, EGMR).
Quirks seen: unsolicited lines (`RDY`, `+CPIN: READY`, `+QIND: PB DONE`) fall between command
and answer; `AT+CGSN` is refused by some builds that answer `AT+EGMR=0,7`.
"""

import re
from collections import deque
from dataclasses import dataclass, field

from station.errors import AtError, AtSilent, Bug, Timeout
from station.protocols.at_lines import (
    Commands,
    Lines,
    format_command,
    format_reply,
    is_final,
)
from station.protocols.dialogue import Dialogue, receive, send

__all__ = [
    "BACK_UP",
    "COMMANDS",
    "READS",
    "AtChannel",
    "Commands",
    "Lines",
    "ModuleIdentity",
    "Reply",
    "format_command",
    "format_reply",
    "is_final",
    "read_identity",
]

_ANSWER_PREFIX = {
    "ATE0": "",
    "ATI": "",
    "AT+QGMR": "+QGMR:",
    "AT+CGSN": "+CGSN:",
    "AT+EGMR=0,7": "+EGMR:",
    "AT+EGMR=0,5": "+EGMR:",
    "AT+CFUN?": "+CFUN:",
    "AT+QPRTPARA=?": "+QPRTPARA:",
    "AT+QPRTPARA=4": "+QPRTPARA:",
}
READS = tuple(_ANSWER_PREFIX)
BACK_UP = "AT+QPRTPARA=1"
COMMANDS = (*READS, BACK_UP)
"""Every command the station ever sends, to the letter."""

_BARE_ANSWER = frozenset({"ATI", "AT+QGMR", "AT+CGSN"})
"""Commands whose answer comes without its prefix."""

_BARE_URC = frozenset({"RDY", "RING", "POWERED DOWN", "NORMAL POWER DOWN", "PB DONE", "SMS DONE"})

MAX_READS = 256
MAX_REPLY_LINES = 64
MAX_URCS = 64
SETTLE_S = 0.3
"""Silence behind a final code after which no late answer is expected any more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`lines` answer the command, `urcs` came in between unasked; `final` is `OK`."""

    lines: tuple[str, ...]
    final: str
    urcs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleIdentity:
    """What the module says about itself; None is what it did not say.

    `firmware` is the full build (`AT+QGMR`), `revision` the base of it (`ATI`); `functionality`
    is `AT+CFUN?`: 1 full, 5 factory test mode.
    """

    manufacturer: str | None = None
    model: str | None = None
    revision: str | None = None
    firmware: str | None = None
    imei: str | None = None
    serial: str | None = None
    functionality: int | None = None


@dataclass(slots=True)
class AtChannel:
    """One AT port as long as it is open. `urcs` keeps the latest unsolicited lines."""

    urcs: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_URCS))
    _lines: Lines = field(default_factory=Lines)
    _in_step: bool = False

    def ask(self, command: str, timeout_s: float) -> Dialogue[Reply]:
        """Send one of `COMMANDS`; the reply up to `OK`. `timeout_s` is per read.

        Raises AtError (any other final code, or an endless answer), AtSilent, and Bug for a
        command that is not listed.
        """
        if command not in COMMANDS:
            raise Bug(f"{command!r} is not among the AT commands the station may send")
        if not self._in_step:
            yield from self.synchronise(timeout_s)
        yield from self._drain()
        self._in_step = False
        yield from _send(command, timeout_s)
        answer: list[str] = []
        urcs: list[str] = []
        for _ in range(MAX_REPLY_LINES):
            line = yield from self._line(timeout_s)
            if line is None:
                raise AtSilent(f"no answer to {command}")
            if is_final(line):
                self._in_step = True
                self.urcs.extend(urcs)
                if line != "OK":
                    raise AtError(f"{command} was answered {line}")
                return Reply(tuple(answer), line, tuple(urcs))
            if line == command:
                urcs += answer  # the echo: what came before answers nothing of ours
                answer.clear()
            elif _answers(command, line):
                answer.append(line)
            else:
                urcs.append(line)
        raise AtError(f"{command} was answered by more than {MAX_REPLY_LINES} lines")

    def synchronise(self, timeout_s: float) -> Dialogue[None]:
        """Switch the echo off and leave no answer behind; `ask` does it when it is needed.

        Raises AtSilent, AtError.
        """
        yield from self._drain()
        self._in_step = False
        yield from _send("ATE0", timeout_s)
        is_echoed = is_answered = False
        for _ in range(MAX_REPLY_LINES):
            line = yield from self._line(SETTLE_S if is_answered else timeout_s)
            if line is None and not is_answered:
                raise AtSilent("no answer to ATE0")
            if line is None or (is_echoed and is_final(line)):
                self._in_step = True
                return
            if line == "ATE0":
                is_echoed, is_answered = True, False
            elif is_final(line):
                is_answered = True
            else:
                self.urcs.append(line)
        raise AtError(f"ATE0 was answered by more than {MAX_REPLY_LINES} lines")

    def _line(self, timeout_s: float) -> Dialogue[str | None]:
        """The next line; None is silence."""
        for _ in range(MAX_READS):
            line = self._lines.next()
            if line is not None:
                return line
            try:
                self._lines.feed((yield from receive(timeout_s)))
            except Timeout:
                return None
        raise AtError(f"no whole AT line in {MAX_READS} reads")

    def _drain(self) -> Dialogue[None]:
        """Take what is there already: nobody asked for it yet."""
        for _ in range(MAX_READS):
            line = yield from self._line(0)
            if line is None:
                return
            self.urcs.append(line)


def _send(command: str, timeout_s: float) -> Dialogue[None]:
    try:
        yield from send(format_command(command), timeout_s=timeout_s)
    except Timeout:
        raise AtSilent(f"the AT port does not take {command}") from None


def _answers(command: str, line: str) -> bool:
    if line.startswith("+") or command not in _BARE_ANSWER:
        prefix = _ANSWER_PREFIX.get(command, "")
        return bool(prefix) and line.startswith(prefix)
    return line not in _BARE_URC


# --- identity ---------------------------------------------------------------------------------


def read_identity(channel: AtChannel, timeout_s: float) -> Dialogue[ModuleIdentity]:
    """Everything the module says about itself; `timeout_s` is per read.

    Refused, silent or unreadable answers are None. Raises AtSilent when the port answers nothing
    any more, and AtError when it refuses even `ATI` (a module still booting does).
    """
    manufacturer, model, revision = _parse_ati((yield from channel.ask("ATI", timeout_s)).lines)
    firmware = yield from _optional(channel, "AT+QGMR", timeout_s)
    imei = _imei((yield from _optional(channel, "AT+CGSN", timeout_s)))
    if imei is None:
        imei = _imei((yield from _optional(channel, "AT+EGMR=0,7", timeout_s)))
    serial = yield from _optional(channel, "AT+EGMR=0,5", timeout_s)
    functionality = yield from _optional(channel, "AT+CFUN?", timeout_s)
    return ModuleIdentity(
        manufacturer=manufacturer,
        model=model,
        revision=revision,
        firmware=firmware,
        imei=imei,
        serial=serial,
        functionality=_functionality(functionality),
    )


def _optional(channel: AtChannel, command: str, timeout_s: float) -> Dialogue[str | None]:
    """The value of a one-line answer, without prefix and quotes; None when refused or mute.

    The last line counts: an unsolicited `+CFUN: 1` comes before the answer, never behind it.
    """
    try:
        reply = yield from channel.ask(command, timeout_s)
    except AtError:
        return None
    except AtSilent:
        yield from channel.synchronise(timeout_s)  # silent to this one, or to everything?
        return None
    if not reply.lines:
        return None
    value = reply.lines[-1].removeprefix(_ANSWER_PREFIX[command]).strip().strip('"').strip()
    return value if _is_plain(value) else None


def _is_plain(value: str) -> bool:
    return 0 < len(value) <= 64 and value.isascii() and value.isprintable()


def _parse_ati(lines: tuple[str, ...]) -> tuple[str | None, str | None, str | None]:
    """Manufacturer, model, revision: two bare lines and `Revision:`, or all three labelled."""
    labelled: dict[str, str] = {}
    bare: list[str] = []
    for line in filter(_is_plain, lines):
        label, colon, value = line.partition(":")
        if colon:
            labelled.setdefault(label.strip().lower(), value.strip())
        else:
            bare.append(line)
    bare += ["", ""]
    return (
        labelled.get("manufacturer") or bare[0] or None,
        labelled.get("model") or bare[1] or None,
        labelled.get("revision") or None,
    )


def _imei(value: str | None) -> str | None:
    """Something that claims to be an IMEI; whether it is a valid one is not decided here."""
    return value if value is not None and re.fullmatch(r"[0-9]{14,17}", value) else None


def _functionality(value: str | None) -> int | None:
    match = re.match(r"([0-9]{1,3})(?:,|$)", value or "")
    return int(match[1]) if match else None
