"""Damages a sound message where it hurts: fields, lengths, values, nesting, order, its end.

What a format is made of is damaged by `tests.fuzz.parts` and `tests.fuzz.trees`;
`tests.fuzz.repair` makes right again what would only hide the damage.
"""

import re
import struct
from collections.abc import Callable, Sequence
from random import Random

MAX_BYTES = 20 << 10
"""Longer inputs find nothing new and cost time."""

_NUMBERS = (0, 1, 7, 8, 0x14, 0x30, 0xFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (b"", b"0", b"-1", b"1e9", b"9" * 40, b"ACK", b"NAK", b"true", b"&lt;", b"\0", b"\xff")
_VALUE = re.compile(rb'"[^"\n]{0,80}"')

Words = Sequence[bytes]
Damage = Callable[[Random, bytes, Words, Words], bytes]
"""Of one message, among others like it, with words that mean something to its parser."""
Repair = Callable[[bytes], bytes]


def mutate(
    rng: Random,
    data: bytes,
    others: Words,
    words: Words,
    own: Sequence[Damage] = (),
    repair: Repair | None = None,
) -> bytes:
    """One to four damages, mostly one; two of three are the format's `own` if it has any. `repair`
    makes right again what a parser looks at first, in most."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        damages = own if own and rng.random() < 2 / 3 else _DAMAGES
        data = rng.choice(damages)(rng, data, others, words)[:MAX_BYTES]
    if repair is not None and rng.random() < 0.7:
        data = repair(data)
    return data


# --- damages ----------------------------------------------------------------------------------


def _byte(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
    at = _place(rng, data)
    return data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]


def _number(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
    """A field of four bytes, most of them aligned."""
    at = _place(rng, data)
    at -= at % 4 if rng.random() < 0.8 else 0
    small = rng.randrange(1 << rng.choice((6, 16)))
    number = rng.choice(_NUMBERS) if rng.random() < 0.5 else small
    return data[:at] + struct.pack("<I", number) + data[at + 4 :]


def _value(rng: Random, data: bytes, _others: Words, words: Words) -> bytes:
    """What stands between two quotes."""
    found = list(_VALUE.finditer(data))
    if not found:
        return _insert(rng, data, (), words)
    place = rng.choice(found)
    return data[: place.start() + 1] + rng.choice(_TEXTS) + data[place.end() - 1 :]


def _insert(rng: Random, data: bytes, _others: Words, words: Words) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.choice([*words, b"\0", b"\n"]) + data[at:]


def _nest(rng: Random, data: bytes, _others: Words, words: Words) -> bytes:
    """One word again and again: depth where it opens something, length where not."""
    at = _place(rng, data)
    times = rng.choice((2, 17, 300, 1500))
    return data[:at] + rng.choice([*words, b"<a>", b"[", b"{"]) * times + data[at:]


def _cut(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
    return data[: _place(rng, data)]


def _drop(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
    at, end = sorted((_place(rng, data), _place(rng, data)))
    return data[:at] + data[end:]


def _repeat(rng: Random, data: bytes, _others: Words, _words: Words) -> bytes:
    at, end = sorted((_place(rng, data), _place(rng, data)))
    return data[:end] + data[at:end] * rng.choice((1, 2, 40)) + data[end:]


def _join(rng: Random, data: bytes, others: Words, _words: Words) -> bytes:
    """The beginning or all of one message, then another one."""
    head = data if rng.random() < 0.5 else _cut(rng, data, others, ())
    return head + (rng.choice(others) if others else b"")


_DAMAGES = (_byte, _number, _value, _insert, _nest, _cut, _drop, _repeat, _join)


def _place(rng: Random, data: bytes) -> int:
    """Anywhere, but seldom within a run of equal bytes: padding is long and means nothing."""
    at = rng.randint(0, len(data))
    for _ in range(8):
        if data[at : at + 1] != data[at - 1 : at]:
            break
        at = rng.randint(0, len(data))
    return at
