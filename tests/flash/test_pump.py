"""The pump: intents become calls on a pipe, USB errors become exceptions in the dialogue."""

from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
import trio

from station.errors import Disconnected, Timeout, UsbBroken
from station.flash.pump import pump
from station.protocols.dialogue import (
    BytesSource,
    Dialogue,
    Intent,
    Notice,
    Progress,
    Receive,
    SendSpan,
    Sent,
    Source,
    receive,
    send,
)


@dataclass
class Wire:
    """A pipe that plays answers and keeps what it was told."""

    answers: list[bytes | Exception] = field(default_factory=list)
    said: list[tuple[object, ...]] = field(default_factory=list)
    max_packet_bytes: int = 512

    async def read(self, max_bytes: int, timeout_s: float) -> bytes:
        self.said.append(("read", max_bytes, timeout_s))
        if not self.answers:
            await trio.sleep_forever()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def write(self, data: bytes, *, zlp: bool, timeout_s: float) -> None:
        self.said.append(("write", data, zlp, timeout_s))

    async def write_span(
        self,
        source: Source,
        offset_bytes: int,
        length_bytes: int,
        *,
        chunk_bytes: int,
        zlp: bool,
        timeout_s: float,
        sent: Sent | None,
    ) -> None:
        self.said.append(("span", offset_bytes, length_bytes, chunk_bytes, zlp))
        if sent is not None:
            sent(source.pread(offset_bytes, length_bytes))

    async def aclose(self) -> None:
        self.said.append(("close",))


@pytest.mark.trio
async def test_intents_reach_the_wire_and_answers_come_back() -> None:
    seen: list[object] = []
    hashed: list[bytes | memoryview] = []

    def talk() -> Dialogue[bytes]:
        yield from send(b"hello", zlp=True, timeout_s=2)
        yield Notice("spoke")
        yield SendSpan(BytesSource("x", b"abcdef"), 1, 3, 512, zlp=True, sent=hashed.append)
        yield Progress(3, 6)
        first = yield from receive(1.5)
        return first + (yield from receive(0, 512))

    wire = Wire([b"one", b"two"])
    assert await pump(talk(), wire, seen.append) == b"onetwo"
    assert wire.said == [
        ("write", b"hello", True, 2),
        ("span", 1, 3, 512, True),
        ("read", 16384, 1.5),
        ("read", 512, 0),
    ]
    assert hashed == [b"bcd"]
    assert seen == [Notice("spoke"), Progress(3, 6)]


@pytest.mark.trio
async def test_a_usb_error_is_thrown_where_it_was_asked_for() -> None:
    def patient() -> Dialogue[str]:
        try:
            yield from receive(1)
        except Timeout:
            return "silence is fine"
        return "heard"

    assert await pump(patient(), Wire([Timeout("nothing")]), print) == "silence is fine"
    with pytest.raises(Disconnected, match="gone"):
        await pump(patient(), Wire([Disconnected("gone")]), print)


@pytest.mark.trio
async def test_a_cancelled_dialogue_is_closed(autojump_clock: object) -> None:
    closed: list[str] = []

    def waiting() -> Generator[Intent, bytes | None, None]:
        try:
            yield Receive(60)
        finally:
            closed.append("yes")

    with trio.move_on_after(1) as scope:
        await pump(waiting(), Wire(), print)
    assert scope.cancelled_caught
    assert closed == ["yes"]


@pytest.mark.trio
async def test_a_later_error_does_not_bring_back_an_earlier_one() -> None:
    def twice() -> Dialogue[list[str]]:
        heard = []
        for _ in range(3):
            try:
                heard.append((yield from receive(1)).decode())
            except (Timeout, UsbBroken) as error:
                heard.append(type(error).__name__)
        return heard

    wire = Wire([Timeout("a"), b"word", UsbBroken("b")])
    assert await pump(twice(), wire, print) == ["Timeout", "word", "UsbBroken"]
