"""AT on the wire: lines, commands and final result codes, for host and module.

    host    AT+CGSN <CR>
    module  [AT+CGSN <CR>]  <CR><LF> 863436050940776 <CR><LF>  <CR><LF> OK <CR><LF>

Line ends are taken as they come: CR, LF, CR LF. The echo in brackets is on until `ATE0`.

Ref: ITU-T V.250; 3GPP TS 27.007; ModemManager mm-serial-parsers.c.
"""

import re
from collections.abc import Iterable

from station.errors import AtError

MAX_LINE_BYTES = 2048
_LINE_END = re.compile(rb"[\r\n]")
_FINAL = re.compile(
    r"OK|ERROR|\+CM[ES] ERROR(:.*)?|NO CARRIER|NO ANSWER|NO DIAL ?TONE|BUSY|CONNECT( .*)?"
    r"|COMMAND NOT SUPPORT"
)


def is_final(line: str) -> bool:
    """Whether this line ends a reply: `OK`, `ERROR`, `+CME ERROR: n` and the rest of V.250."""
    return _FINAL.fullmatch(line) is not None


class Lines:
    """Module to host: bytes in, lines out. Empty lines mean nothing and are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> str | None:
        """The next whole line, trimmed; None until more is fed. Raises AtError if it is endless.

        Bytes outside ASCII become U+FFFD, so the answer shows that it was damaged.
        """
        while (end := _LINE_END.search(self._buffer)) is not None:
            line = bytes(self._buffer[: end.start()])
            del self._buffer[: end.end()]
            if len(line) > MAX_LINE_BYTES:
                raise AtError(f"AT line of {len(line)} bytes; {MAX_LINE_BYTES} are allowed")
            text = line.decode("ascii", "replace").strip(" \t\0")
            if text:
                return text
        if len(self._buffer) > MAX_LINE_BYTES:
            self._buffer.clear()
            raise AtError(f"AT line longer than {MAX_LINE_BYTES} bytes")
        return None


class Commands(Lines):
    """Host to module: bytes in, commands out, e.g. `AT+CGSN`."""


def format_command(command: str) -> bytes:
    return command.encode("ascii") + b"\r"


def format_reply(lines: Iterable[str], final: str = "OK") -> bytes:
    r"""What a module says: `\r\n` line `\r\n` ... and the final code in its own `\r\n` pair."""
    body = "".join(f"{line}\r\n" for line in lines)
    return (f"\r\n{body}" if body else "").encode("ascii") + f"\r\n{final}\r\n".encode("ascii")
