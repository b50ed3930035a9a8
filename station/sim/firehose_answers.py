"""What a programmer says: log lines and responses, and whether the host has read them.

A host takes the answer to a command before it sends the next one; otherwise it cannot know which
of the two was refused. Ref: linux-msm/qdl firehose.c; QFirehose firehose_protocol.c.
"""

from collections.abc import Callable, Mapping

from station.protocols.firehose_xml import compose_log, compose_response
from station.sim.port import Say, Taken
from station.sim.timing import Timing

INTERFACE = 0

Facts = Mapping[str, str | int]


class Answers:
    """Makes answers; knows which was the last one and whether it was read."""

    def __init__(self, timing: Timing) -> None:
        self._after_s = timing.firehose_reply_s
        self._to = ""
        self._said = self._read = 0

    def begin(self, command: str) -> None:
        """What is said from now on answers this command."""
        self._to = command

    @property
    def unread(self) -> str | None:
        """The command whose last answer the host has not taken; None if it has taken all."""
        return self._to if self._read < self._said else None

    def ack(self, *logs: str, busy_s: float = 0.0) -> Taken:
        return Taken(busy_s, (*self.log(*logs), self.response(ack=True)))

    def nak(self, log: str, facts: Facts | None = None, *, busy_s: float = 0.0) -> Taken:
        return Taken(busy_s, (*self.log(log), self.response(ack=False, facts=facts)))

    def log(self, *texts: str) -> tuple[Say, ...]:
        return tuple(Say(INTERFACE, compose_log(_ascii(text)), self._after_s) for text in texts)

    def response(
        self,
        *,
        ack: bool,
        raw: bool = False,
        facts: Facts | None = None,
        on_read: Callable[[], None] | None = None,
    ) -> Say:
        self._said += 1
        number = self._said

        def was_read() -> None:
            self._read = number
            if on_read is not None:
                on_read()

        return Say(INTERFACE, compose_response(ack, raw, facts), self._after_s, was_read)


def _ascii(text: str) -> str:
    """A programmer's log holds nothing but printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:400]
