"""Runs a dialogue on a pipe: the one place where protocol meets I/O."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, assert_never

import trio

from station.errors import Timeout, UsbError
from station.flash.tape import NoTape, Tape
from station.protocols.dialogue import (
    Dialogue,
    Intent,
    Notice,
    Progress,
    Receive,
    Send,
    SendSpan,
    Sent,
)
from station.transport.base import Pipe

T = TypeVar("T")

Watch = Callable[[Progress | Notice], None]


async def at_once() -> None:
    """Nothing is to be done between two intents."""


async def pump(
    dialogue: Dialogue[T],
    pipe: Pipe,
    watch: Watch,
    tape: Tape | None = None,
    between: Callable[[], Awaitable[None]] = at_once,
) -> T:
    """Run the dialogue to its end and return its result; `tape` hears every message. `between` is
    awaited before each intent: for work on what the dialogue took that would hold up everybody.

    USB errors are thrown into the dialogue, which may live with them; what it lets out comes
    out here. Cancelled between two intents or inside a transfer, the dialogue is closed.
    """
    answer: bytes | None = None
    error: UsbError | None = None
    tape = tape or NoTape()
    try:
        while True:
            try:
                intent = dialogue.send(answer) if error is None else dialogue.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = error = None
            await between()
            try:
                answer = await _perform(intent, pipe, watch, tape)
            except UsbError as problem:
                error = problem
                if not _is_silence(intent, problem):
                    tape.trouble(problem)
    finally:
        dialogue.close()


def _is_silence(intent: Intent, problem: UsbError) -> bool:
    """It was only asked whether something is there already, and nothing was."""
    return isinstance(problem, Timeout) and isinstance(intent, Receive) and intent.timeout_s == 0


async def _perform(intent: Intent, pipe: Pipe, watch: Watch, tape: Tape) -> bytes | None:
    match intent:
        case Send(data, zlp, timeout_s):
            tape.sent(data)
            await pipe.write(data, zlp=zlp, timeout_s=timeout_s)
        case SendSpan():
            await _send_span(intent, pipe, tape)
        case Receive(timeout_s, max_bytes, is_payload):
            data = await pipe.read(max_bytes, timeout_s)
            tape.received(data, is_payload=is_payload)
            return data
        case Notice(text):
            tape.said("notice", text)
            watch(intent)
        case Progress():
            watch(intent)
        case _:
            assert_never(intent)
    return None


async def _send_span(span: SendSpan, pipe: Pipe, tape: Tape) -> None:
    taken, began = _Taken(span.sent), trio.current_time()
    try:
        await pipe.write_span(
            span.source,
            span.offset_bytes,
            span.length_bytes,
            chunk_bytes=span.chunk_bytes,
            zlp=span.zlp,
            timeout_s=span.timeout_s,
            sent=taken.add,
        )
    finally:
        tape.spanned(span, taken.taken_bytes, taken.chunks, began)


@dataclass(slots=True)
class _Taken:
    """How much the wire took, told on to whoever counts for himself."""

    told: Sent | None
    taken_bytes: int = 0
    chunks: int = 0

    def add(self, data: bytes | memoryview) -> None:
        self.taken_bytes += len(data)
        self.chunks += 1
        if self.told is not None:
            self.told(data)
