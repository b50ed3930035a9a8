"""One conversation with a Firehose programmer: messages in, commands out, answers told apart.

Any number of log lines belong to a command, before or after its one response; a late or doubled
response of the command before must never pass for the answer to the next.

A dialogue has no clock. What bounds it: a time-out per read, a number of reads per message, a
number of messages per command.

Ref: linux-msm/qdl firehose.c; fwupd fu-qc-firehose-impl.c.
"""

from collections import deque
from contextlib import suppress

from station.errors import (
    FirehoseError,
    FirehoseSilent,
    Nak,
    Timeout,
    UsbError,
    WrongProgrammer,
)
from station.protocols.dialogue import Dialogue, Notice, receive, send
from station.protocols.firehose_xml import Framer, Log, Response

MESSAGES_PER_COMMAND = 1024
READS_PER_MESSAGE = 8192
SEND_TIMEOUT_S = 5.0
LAST_WORDS_S = 0.2
"""How long a module that refused may still explain itself."""

_PENDING_MESSAGES = 64
_REST_READS = 1 << 16
"""The longest partition that a host which is gone has asked for fits in."""
_LOG_LINES = 32
_WORDS = 4
_SHOWN_CHARS = 200


class Talk:
    """The messages of one session and what was said lately."""

    def __init__(self, leftover: bytes, *, zlp: bool) -> None:
        self.framer = Framer(leftover)
        self.recent: deque[str] = deque(maxlen=_LOG_LINES)
        self.said: deque[str] = deque(maxlen=_LOG_LINES)
        """The log lines since the last command was sent."""
        self._zlp = zlp

    def next(self, timeout_s: float) -> Dialogue[Log | Response]:
        """The next message; a log is kept and noticed. `timeout_s` is per read.

        Raises Timeout, FirehoseError, WrongProgrammer (it wants what nobody has).
        """
        for _ in range(READS_PER_MESSAGE):
            match self.framer.next():
                case None:
                    self.framer.feed((yield from receive(timeout_s)))
                case Log(text) as log:
                    yield from self._note(text)
                    return log
                case Response() as response:
                    return response
        raise FirehoseError(f"{READS_PER_MESSAGE} reads did not make one whole document")

    def pending(self, quiet_s: float = 0.0) -> Dialogue[tuple[Response, ...]]:
        """Every response that is there, or comes before `quiet_s` of silence."""
        found: list[Response] = []
        for _ in range(_PENDING_MESSAGES):
            try:
                message = yield from self.next(quiet_s)
            except Timeout:
                break
            if isinstance(message, Response):
                found.append(message)
        return tuple(found)

    def hear_out(self, quiet_s: float) -> Dialogue[None]:
        """Take what comes until it is silent, data and messages alike; none of it is for us.
        Raises FirehoseError if it has no end."""
        self.framer = Framer()
        try:
            for _ in range(_REST_READS):
                yield from receive(quiet_s)
        except Timeout:
            return
        raise FirehoseError(f"{_REST_READS} reads and no end")

    def command(self, what: str, document: bytes) -> Dialogue[None]:
        """Send one command, on a wire from which everything older has been taken."""
        for stale in (yield from self.pending()):
            answer = "ACK" if stale.ack else "NAK"
            yield Notice(f"a late {answer} was discarded before {what}")
        self.said.clear()
        try:
            yield from send(document, zlp=self._zlp, timeout_s=SEND_TIMEOUT_S)
        except Timeout:
            raise FirehoseSilent(f"the module does not take the command {what}") from None

    def answer(self, what: str, timeout_s: float) -> Dialogue[Response]:
        """The response to a command, ACK or NAK. Raises FirehoseSilent, FirehoseError."""
        for _ in range(MESSAGES_PER_COMMAND):
            try:
                message = yield from self.next(timeout_s)
            except Timeout:
                raise FirehoseSilent(
                    f"no answer to {what} within {timeout_s:g} s{self._last_words()}"
                ) from None
            if isinstance(message, Response):
                return message
        raise FirehoseError(f"{MESSAGES_PER_COMMAND} log lines and no answer to {what}")

    def ack(self, what: str, timeout_s: float, *, raw: bool = False) -> Dialogue[Response]:
        """The ACK to a command. Raises Nak, FirehoseSilent, FirehoseError (wrong raw mode)."""
        response = yield from self.answer(what, timeout_s)
        if not response.ack:
            raise (yield from self.refusal(what))
        if response.raw != raw:
            mode = "opened" if response.raw else "did not open"
            raise FirehoseError(f"the module said ACK to {what} but {mode} raw mode")
        return response

    def refusal(self, what: str) -> Dialogue[Nak]:
        """The error for a NAK that was read, with the last words of the module."""
        with suppress(UsbError, FirehoseError):
            yield from self.pending(LAST_WORDS_S)
        return Nak(f"the module refused {what}{self._last_words()}")

    def _note(self, text: str) -> Dialogue[None]:
        if not text:
            return
        self.recent.append(text)
        self.said.append(text)
        yield Notice(f"module: {text[:_SHOWN_CHARS]}")
        if "vip is enabled" in text.lower():
            raise WrongProgrammer(
                f"the programmer wants signed digest tables (VIP) and gets none: {text[:80]}"
            )

    def _last_words(self) -> str:
        words = list(self.said)[-_WORDS:]
        return f"; it said: {' | '.join(text[:_SHOWN_CHARS] for text in words)}" if words else ""
