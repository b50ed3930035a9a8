"""Damages to what a message is made of: packets, frames, lines, elements, entries of a table.

Each part stays whole, so most of the message is understood, and its order and number are wrong.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from station.firmware.mibib import HEADER_MAGIC
from station.protocols import sahara
from tests.fuzz.mutate import Damage, Words

Split = Callable[[bytes], Sequence[bytes]]
"""The parts of a message; together they are the message."""

_TABLE_AT, _TABLE_HEADER_BYTES, _ENTRY_BYTES = 2048, 16, 28
_ELEMENT = re.compile(rb"[^<>]*(?:<[^<>]*>|[<>]|\Z)")


def by_parts(split: Split) -> tuple[Damage, ...]:
    def drop(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
        parts = list(split(data))
        if parts:
            del parts[rng.randrange(len(parts))]
        return b"".join(parts)

    def repeat(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
        parts = list(split(data))
        at = rng.randint(0, len(parts))
        return b"".join([*parts[:at], *parts[at : at + 1] * rng.choice((2, 3, 40)), *parts[at:]])

    def exchange(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
        parts = list(split(data))
        if len(parts) > 1:
            one, other = rng.sample(range(len(parts)), 2)
            parts[one], parts[other] = parts[other], parts[one]
        return b"".join(parts)

    def take_over(rng: Random, data: bytes, others: Words, _words: Words) -> bytes:
        """A part of another message."""
        parts, theirs = list(split(data)), split(rng.choice(others)) if others else ()
        if theirs:
            parts.insert(rng.randint(0, len(parts)), rng.choice(theirs))
        return b"".join(parts)

    return drop, repeat, exchange, take_over


# --- formats ----------------------------------------------------------------------------------


def packets(data: bytes) -> list[bytes]:
    """Sahara, as long as its lengths lead from one to the next."""
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + sahara.packets.HEADER_BYTES], "little")
        end = at + max(length, sahara.packets.HEADER_BYTES)
        parts.append(data[at:end])
        at = end
    return parts


def ending(mark: bytes) -> Split:
    """Each part up to the mark, and what is left behind the last."""

    def split(data: bytes) -> list[bytes]:
        *parts, rest = data.split(mark)
        return [*(part + mark for part in parts), *([rest] if rest else [])]

    return split


def elements(data: bytes) -> list[bytes]:
    """XML: each tag with what stands before it."""
    return [part for part in _ELEMENT.findall(data) if part]


def table_entries(data: bytes) -> list[bytes]:
    """MIBIB: both headers, each entry of the table, and what lies behind them."""
    first = _TABLE_AT + _TABLE_HEADER_BYTES
    if not data.startswith(HEADER_MAGIC) or len(data) < first:
        return [data]
    count = int.from_bytes(data[first - 4 : first], "little")
    end = min(first + count * _ENTRY_BYTES, len(data))
    entries = [data[at : at + _ENTRY_BYTES] for at in range(first, end, _ENTRY_BYTES)]
    return [data[:first], *entries, data[end:]]
