"""Replays a session against the host dialogues: one JSON object a line, in the order of the wire.

    {"session": ..., "seen": ..., "plays": [...], "ends": {...}}     first line
    {"module": "HELLO", "hex": "01000000...", "size": 48}            one transfer of the module
    {"module": "READ_DATA", "image_id": 13, "asks": [[0, 52], ...]}  each asked, and served at once
    {"module": "log", "says": ["INFO: ...", ...]}                    a document each
    {"module": "response", "attributes": "value=\\"ACK\\" ..."}
    {"module": "data", "size": 4096, "transfer": 2048}               bytes of the image, in order
    {"module": "silence", "wait_s": 1} | {"module": "gone"}
    {"host": "HELLO_RESP", "hex": ..., "size": 48, "zlp": false}     to the byte
    {"host": "configure", "text": ..., "size": ..., "zlp": true}
    {"host": "data", "size": 81920, "chunk": 8192, "zlp": true}      bytes of the image, in order

The device side knows nothing of the station's own composers: it speaks from the file alone.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from station.errors import Disconnected, StationError, Timeout
from station.protocols.dialogue import (
    BytesSource,
    Dialogue,
    Notice,
    Progress,
    Receive,
    Send,
    SendSpan,
)

T = TypeVar("T")
Event = dict[str, Any]

HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n<data>\n'


def read(path: Path) -> tuple[Event, list[Event]]:
    """The first line, and the events, each with the number of its line."""
    first, *rest = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    numbered = [event | {"line": number} for number, event in enumerate(rest, 2)]
    return first, [step for event in numbered for step in _steps(event)]


def _steps(event: Event) -> Iterator[Event]:
    """One transfer, silence or loss each."""
    match event:
        case {"asks": asks}:
            for offset, length in asks:
                packet = struct.pack("<5I", 3, 20, event["image_id"], offset, length)
                yield event | {"data": packet}
                served = {"offset": offset, "size": length, "chunk": length, "zlp": False}
                yield {"host": "image", "line": event["line"], **served}
        case {"module": "log", "says": says}:
            for text in says:
                document = f'{HEAD}<log value="{text}" /></data>'
                yield event | {"data": document.encode()}
        case {"module": "response", "attributes": attributes}:
            yield event | {"data": f"{HEAD}<response {attributes} /></data>".encode()}
        case {"hex": digits}:
            yield event | {"data": bytes.fromhex(digits)}
        case {"text": text}:
            yield event | {"data": text.encode("latin-1")}
        case _:
            yield event


@dataclass(slots=True)
class Replay:
    """Meets what a dialogue wants with what the file says, line by line.

    `image` is what the host writes or the module reads out. Waits of no length find nothing
    unless the module speaks next.
    """

    events: list[Event]
    image: bytes = b""
    shown: list[str] = field(default_factory=list)
    _given: int = 0

    def run(self, dialogue: Dialogue[T]) -> T:
        """The result, once every event was met; the dialogue's errors pass through."""
        try:
            result = self._run(dialogue)
        except StationError:
            self._nothing_left()
            raise
        self._nothing_left()
        return result

    def _nothing_left(self) -> None:
        assert not self.events, f"line {self.events[0]['line']}: never came to {self.events[0]}"

    def _run(self, dialogue: Dialogue[T]) -> T:
        answer: bytes | None = None
        error: StationError | None = None
        try:
            while True:
                intent = dialogue.throw(error) if error else dialogue.send(answer)
                answer, error = None, None
                match intent:
                    case Notice(text):
                        self.shown.append(text)
                    case Progress():
                        pass
                    case Receive():
                        answer, error = self._answer(intent)
                    case Send() | SendSpan():
                        error = self._take(intent)
        except StopIteration as end:
            result: T = end.value
            return result

    def _answer(self, wanted: Receive) -> tuple[bytes | None, StationError | None]:
        event = self.events[0] if self.events else {}
        if wanted.timeout_s == 0 and event.get("module", "silence") in ("silence", "gone"):
            return None, Timeout("nothing there")
        assert event, f"the session is over, the host waits {wanted.timeout_s} s"
        where = f"line {event['line']}"
        assert "module" in event, f"{where}: the host waits, but should send {event['host']}"
        if event["module"] == "data":
            return self._piece(event, wanted.max_bytes), None
        del self.events[0]
        if event["module"] == "gone":
            return None, Disconnected("the module left the bus")
        if event["module"] == "silence":
            assert wanted.timeout_s == event["wait_s"], f"{where}: waits {wanted.timeout_s} s"
            return None, Timeout("silence")
        data: bytes = event["data"]
        assert event.get("size", len(data)) == len(data), f"{where}: has {len(data)} bytes"
        assert len(data) <= wanted.max_bytes, f"{where}: no room for {len(data)} bytes"
        return data, None

    def _piece(self, event: Event, max_bytes: int) -> bytes:
        """The next transfer of what a module reads out of its flash memory."""
        size = min(event["transfer"], event["size"] - self._given)
        assert size <= max_bytes
        piece = self.image[self._given : self._given + size]
        self._given += size
        if self._given == event["size"]:
            del self.events[0]
            self._given = 0
        return piece

    def _take(self, intent: Send | SendSpan) -> StationError | None:
        assert self.events, f"the session is over, the host sends {intent}"
        event = self.events.pop(0)
        where = f"line {event['line']}"
        if event.get("module") == "gone":
            return Disconnected("the module left the bus")
        assert "host" in event, f"{where}: the host sends {intent}, but should wait"
        if isinstance(intent, SendSpan):
            self._check_span(event, intent)
        else:
            assert intent.data == event["data"], f"{where}: the host sends {intent.data!r}"
            assert len(intent.data) == event["size"], f"{where}: has {len(intent.data)} bytes"
        assert intent.zlp == event["zlp"], f"{where}: zlp is {intent.zlp}"
        return None

    def _check_span(self, event: Event, span: SendSpan) -> None:
        where = f"line {event['line']}"
        place = (span.offset_bytes, span.length_bytes, span.chunk_bytes)
        assert place == (event["offset"], event["size"], event["chunk"]), f"{where}: {place}"
        own = span.source.pread(span.offset_bytes, span.length_bytes)
        assert own == self.image[span.offset_bytes : span.offset_bytes + span.length_bytes], where
        if span.sent is not None:
            span.sent(own)


def image_of(size: int) -> BytesSource:
    """Bytes that differ everywhere, so that none can stand for another."""
    return BytesSource("image.mbn", Random(size).randbytes(size))
