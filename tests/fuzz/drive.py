"""Plays a module that says given bytes and nothing else, to any host dialogue.

Where the reads begin and end, which are silent, and what a drain finds, follows from the bytes
themselves, so a file is enough to reproduce a run.
"""

import zlib
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from station.errors import Timeout
from station.protocols.dialogue import Dialogue, Notice, Progress, Receive, Send, SendSpan

T = TypeVar("T")

_SIZES = (1, 2, 3, 7, 48, 64, 511, 512, 513, 4096, 16384)
_SPARE_INTENTS = 2000
_INTENTS_PER_BYTE = 4


def rng_of(data: bytes) -> Random:
    return Random(zlib.crc32(data))


def cut(data: bytes, ends: bytes = b"") -> list[bytes]:
    """The bytes as reads: at random places, evenly, or each up to one of `ends`; some empty."""
    rng = rng_of(data)
    if ends and rng.random() < 0.7:
        return [part + ends for part in data.split(ends)[:-1]] + [data.rpartition(ends)[2]]
    size = rng.choice(_SIZES)
    reads: list[bytes] = []
    at = 0
    while at < len(data):
        length = rng.randint(0, 2 * size) if size % 2 else size
        reads.append(data[at : at + length])
        at += length
    return reads


@dataclass(slots=True)
class Played:
    """What a dialogue did to a module that said `data`."""

    data: bytes
    sent: list[bytes] = field(default_factory=list)
    spans: list[SendSpan] = field(default_factory=list)
    intents: int = 0

    def run(self, dialogue: Dialogue[T], ends: bytes = b"") -> T:
        """Its result; its errors pass through. Fails where it wants more than it was told."""
        with closing(dialogue):
            return self._run(dialogue, ends)

    def _run(self, dialogue: Dialogue[T], ends: bytes) -> T:
        reads, rng = deque(cut(self.data, ends)), rng_of(self.data[::-1])
        answer: bytes | None = None
        is_silent = False
        odd = 0.05 if rng.random() < 0.5 else 0.0
        try:
            while True:
                intent = dialogue.throw(Timeout("silence")) if is_silent else dialogue.send(answer)
                answer, is_silent = None, False
                self._count()
                match intent:
                    case Receive(timeout_s, max_bytes):
                        is_drain = timeout_s == 0
                        is_silent = not reads or is_drain != (rng.random() < odd)
                        answer = None if is_silent else _read(reads, max_bytes)
                    case Send(data):
                        self.sent.append(data)
                    case SendSpan():
                        self._take(intent)
                    case Progress() | Notice():
                        pass
        except StopIteration as end:
            result: T = end.value
            return result

    def _count(self) -> None:
        self.intents += 1
        limit = _SPARE_INTENTS + _INTENTS_PER_BYTE * len(self.data)
        assert self.intents <= limit, f"no end after {limit} intents"

    def _take(self, span: SendSpan) -> None:
        self.spans.append(span)
        assert span.offset_bytes >= 0
        assert 0 < span.length_bytes <= 1 << 20, f"a span of {span.length_bytes} bytes"
        own = span.source.pread(span.offset_bytes, span.length_bytes)
        if span.sent is not None:
            span.sent(own)


def _read(reads: deque[bytes], max_bytes: int) -> bytes:
    data = reads.popleft()
    if len(data) > max_bytes:
        reads.appendleft(data[max_bytes:])
    return data[:max_bytes]
