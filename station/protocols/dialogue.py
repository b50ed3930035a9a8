"""What a protocol may ask of the world.

A dialogue is a generator that reads top to bottom like blocking code and owns no I/O. It yields
an intent and is resumed with the answer: bytes for `Receive`, nothing for the others. Time-outs
and lost devices arrive as exceptions (`station.errors.Timeout`, `Disconnected`) thrown at the
yield; a dialogue that can live with silence catches them there.
"""

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from station.errors import FileChanged

Sent = Callable[[bytes | memoryview], object]
"""Hears, in order, the image's own bytes that the wire took."""

RECEIVE_BYTES = 16384
"""Default room for one read; a multiple of every bulk packet size, so no transfer overflows."""


class Source(Protocol):
    """Bytes of an image that can be read at any place, again and again."""

    @property
    def name(self) -> str: ...

    @property
    def length_bytes(self) -> int: ...

    @property
    def sha256(self) -> str:
        """Of the whole, in hex."""
        ...

    def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Up to `length_bytes` from `offset_bytes`; fewer only at the end. May block on disk."""
        ...


@dataclass(frozen=True)
class BytesSource:
    """A source held in memory."""

    name: str
    data: bytes

    @property
    def length_bytes(self) -> int:
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def pread(self, offset_bytes: int, length_bytes: int) -> bytes:
        return self.data[offset_bytes : offset_bytes + length_bytes]


def read_exact(source: Source, offset_bytes: int, length_bytes: int) -> bytes:
    """Exactly these bytes. Raises FileChanged if the file is shorter than it was when checked."""
    data = source.pread(offset_bytes, length_bytes)
    if len(data) != length_bytes:
        raise FileChanged(
            f"{source.name}: wanted {length_bytes} bytes at {offset_bytes}, got {len(data)}"
        )
    return data


@dataclass(frozen=True, slots=True)
class Send:
    """One OUT transfer. `zlp`: end it with a zero-length packet if it fills its last packet."""

    data: bytes
    zlp: bool = False
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class SendSpan:
    """Part of an image as OUT transfers of `chunk_bytes`, streamed by the driver.

    `length_bytes` may reach past the end of the image: the rest is zeros. `sent` is told the
    image's own bytes (never the padding) after the wire took them. `timeout_s` is per chunk.
    """

    source: Source
    offset_bytes: int
    length_bytes: int
    chunk_bytes: int
    zlp: bool = False
    timeout_s: float = 15.0
    sent: Sent | None = None


@dataclass(frozen=True, slots=True)
class Receive:
    """One read. Zero `timeout_s` asks only for what is already there.

    The answer may be empty (a zero-length packet); silence is a thrown `Timeout`. `is_payload`:
    what the module holds is to come, not words about it.
    """

    timeout_s: float
    max_bytes: int = RECEIVE_BYTES
    is_payload: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact worth showing: a log line of the module, a decision of the protocol. `is_nudge`: the
    module is given a push that it does not need if all is well, which is to be on record."""

    text: str
    is_nudge: bool = False


Intent = Send | SendSpan | Receive | Progress | Notice

T = TypeVar("T")
Dialogue = Generator[Intent, bytes | None, T]


def send(data: bytes, *, zlp: bool = False, timeout_s: float = 5.0) -> Dialogue[None]:
    yield Send(data, zlp, timeout_s)


def receive(
    timeout_s: float, max_bytes: int = RECEIVE_BYTES, *, is_payload: bool = False
) -> Dialogue[bytes]:
    """The bytes of one read; throws what the driver throws (`Timeout`, `Disconnected`)."""
    data = yield Receive(timeout_s, max_bytes, is_payload)
    if data is None:
        raise TypeError("the driver must answer Receive with bytes")
    return data


def notice(text: str) -> Dialogue[None]:
    yield Notice(text)


def nudge(text: str) -> Dialogue[None]:
    yield Notice(text, is_nudge=True)
