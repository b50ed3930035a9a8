"""Runs a dialogue on a pipe: the one place where protocol meets I/O."""

from collections.abc import Callable
from typing import TypeVar, assert_never

from station.errors import UsbError
from station.protocols.dialogue import (
    Dialogue,
    Intent,
    Notice,
    Progress,
    Receive,
    Send,
    SendSpan,
)
from station.transport.base import Pipe

T = TypeVar("T")

Watch = Callable[[Progress | Notice], None]


async def pump(dialogue: Dialogue[T], pipe: Pipe, watch: Watch) -> T:
    """Run the dialogue to its end and return its result.

    USB errors are thrown into the dialogue, which may live with them; what it lets out comes
    out here. Cancelled between two intents or inside a transfer, the dialogue is closed.
    """
    answer: bytes | None = None
    error: UsbError | None = None
    try:
        while True:
            try:
                intent = dialogue.send(answer) if error is None else dialogue.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = error = None
            try:
                answer = await _perform(intent, pipe, watch)
            except UsbError as problem:
                error = problem
    finally:
        dialogue.close()


async def _perform(intent: Intent, pipe: Pipe, watch: Watch) -> bytes | None:
    match intent:
        case Send(data, zlp, timeout_s):
            await pipe.write(data, zlp=zlp, timeout_s=timeout_s)
        case SendSpan():
            await pipe.write_span(
                intent.source,
                intent.offset_bytes,
                intent.length_bytes,
                chunk_bytes=intent.chunk_bytes,
                zlp=intent.zlp,
                timeout_s=intent.timeout_s,
                sent=intent.sent,
            )
        case Receive(timeout_s, max_bytes):
            return await pipe.read(max_bytes, timeout_s)
        case Progress() | Notice():
            watch(intent)
        case _:
            assert_never(intent)
    return None
