"""The messages of one attempt while they are made, in bounded memory.

Payload is not copied: a run of spans of one image is one entry, so is a run of long reads. What
does not fit is left out in the middle; a count and a digest say what was there. The beginning
shows how it started, the end shows why it ended.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from station.errors import StationError
from station.evidence.lines import (
    DOCUMENT,
    DOCUMENT_END,
    FORMAT,
    Value,
    encode,
    is_long,
    message,
    shortened,
)
from station.protocols.dialogue import SendSpan, Source

HEAD_BYTES = 1 << 20
TAIL_BYTES = 1 << 20
"""Together what a module that floods us may cost, in memory and on disk, before compression."""


@dataclass(slots=True)
class _Flow:
    """Payload under way: one entry as long as it goes on without a word between."""

    kind: str
    source: Source | None
    t_us: int
    end_us: int
    at: int = 0
    bytes: int = 0
    chunks: int = 0
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def fields(self) -> dict[str, Value]:
        fields: dict[str, Value] = {"t": self.t_us, "k": self.kind}
        if self.source is not None:
            fields |= {"name": self.source.name, "of_sha256": self.source.sha256, "at": self.at}
        else:
            fields |= {"sha256": self.sha256.hexdigest()}
        return fields | {
            "bytes": self.bytes,
            "chunks": self.chunks,
            "us": self.end_us - self.t_us,
        }


class Transcript:
    """A `station.flash.tape.Tape`. `clock` is monotonic, in seconds; zero is now."""

    def __init__(self, header: Mapping[str, Value], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._head = bytearray(encode({"format": FORMAT, **header}))
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._left_out = self._left_out_bytes = 0
        self._left_out_sha256 = hashlib.sha256()
        self._flow: _Flow | None = None
        self._taken_bytes = 0

    # --- what happens -------------------------------------------------------------------------

    def sent(self, data: bytes) -> None:
        self._add({"t": self._now_us(), "k": "send", **message(data)})

    def received(self, data: bytes, *, is_payload: bool = False) -> None:
        """`is_payload`: up to the documents after it, which the same read may bring."""
        if is_payload and data.rstrip().endswith(DOCUMENT_END) and DOCUMENT in data:
            end = data.index(DOCUMENT)
            self._payload(data[:end])
            self.received(data[end:])
        elif is_payload or is_long(data):
            self._payload(data)
        else:
            self._add({"t": self._now_us(), "k": "receive", **message(data)})

    def _payload(self, data: bytes) -> None:
        if not data:
            return
        flow = self._flowing("data", None, self._now_us())
        flow.sha256.update(data)
        flow.bytes += len(data)
        flow.chunks += 1
        flow.end_us = self._now_us()

    def spanned(self, span: SendSpan, taken_bytes: int, chunks: int, began: float) -> None:
        """The wire took so much of a span that began then; padding is not counted."""
        flow = self._flow
        if flow is None or not _continues(flow, span):
            self._settle_flow()
            flow = self._flowing("span", span.source, self._us(began))
            flow.at = span.offset_bytes
        flow.bytes += taken_bytes
        flow.chunks += chunks
        flow.end_us = self._now_us()

    def trouble(self, error: StationError) -> None:
        text = shortened(f"{type(error).__name__}: {error.cause}")
        self._add({"t": self._now_us(), "k": "trouble", "text": text})

    def said(self, kind: str, text: str) -> None:
        """Anything else: `step`, `ended`, `again`, `notice`, `port`, `open`, `image`, `recovery`,
        `verdict`."""
        self._add({"t": self._now_us(), "k": kind, "text": shortened(text)})

    # --- what is kept -------------------------------------------------------------------------

    def take(self) -> bytes:
        """What was added at the beginning since the last call, for a spool."""
        new = bytes(self._head[self._taken_bytes :])
        self._taken_bytes = len(self._head)
        return new

    def whole(self) -> bytes:
        """The transcript so far: beginning, what was left out, end."""
        self._settle_flow()
        if not self._left_out:
            return bytes(self._head) + b"".join(self._tail)
        left_out = encode(
            {
                "t": self._now_us(),
                "k": "left_out",
                "entries": self._left_out,
                "bytes": self._left_out_bytes,
                "sha256": self._left_out_sha256.hexdigest(),
            }
        )
        return b"".join((bytes(self._head), left_out, *self._tail))

    def _flowing(self, kind: str, source: Source | None, t_us: int) -> _Flow:
        if self._flow is None or self._flow.kind != kind:
            self._settle_flow()
            self._flow = _Flow(kind, source, t_us, t_us)
        return self._flow

    def _settle_flow(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            self._append(encode(flow.fields()))

    def _add(self, fields: dict[str, Value]) -> None:
        self._settle_flow()
        self._append(encode(fields))

    def _append(self, line: bytes) -> None:
        if not self._tail and len(self._head) + len(line) <= HEAD_BYTES:
            self._head += line
            return
        self._tail.append(line)
        self._tail_bytes += len(line)
        while self._tail_bytes > TAIL_BYTES:
            oldest = self._tail.popleft()
            self._tail_bytes -= len(oldest)
            self._left_out += 1
            self._left_out_bytes += len(oldest)
            self._left_out_sha256.update(oldest)

    def _now_us(self) -> int:
        return self._us(self._clock())

    def _us(self, moment: float) -> int:
        return round((moment - self._began) * 1_000_000)


def _continues(flow: _Flow, span: SendSpan) -> bool:
    is_same = flow.source is not None and flow.source.name == span.source.name
    return is_same and flow.at + flow.bytes == span.offset_bytes
