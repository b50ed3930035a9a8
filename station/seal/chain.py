"""Rows as bytes that never change, and the chain over them. Format 1, frozen.

A row is the ASCII JSON `["table",{"column":value,…}]`: keys sorted, no spaces, integers and text
only, a boolean as 0 or 1. NULL is left out, so that a column which a later schema adds changes no
row that was sealed before, and filling it in does.

Each transaction of a station adds one link: the SHA-256 of the link before, of who and how manieth
it is, and of the SHA-256 of each of its rows. The digests are sorted: rows of one transaction have
no order.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache

FORMAT = 1

MOST_LINKS = 2**62
"""More than there can be; what a database takes for a number is not much larger."""

START = bytes(32)
"""What the first link of a station follows."""

SHORT_BYTES = 8
"""So much of a row's digest is kept beside the link: it tells which of the rows was changed."""

Value = str | int | None

_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

_PLAIN = {int, str}


def row_digest(table: str, row: Mapping[str, Value]) -> bytes:
    """SHA-256 of one row. Raises TypeError for a value that no row of the record holds."""
    told = {name: value for name, value in row.items() if value is not None}
    if not _PLAIN.issuperset(map(type, told.values())):
        told = {name: _plain(value) for name, value in told.items()}
    return hashlib.sha256(_json([table, told]).encode("ascii")).digest()


def _plain(value: object) -> str | int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return value
    raise TypeError(f"a record holds integers and text, not {value!r}")


def link(previous: bytes, station: str, seq: int, digests: Iterable[bytes]) -> bytes:
    """The link of the rows with these digests, the `seq`th of this station, from 1 on."""
    rows = sorted(digests)
    told = f"[{FORMAT},{_quoted(station)},{seq},{len(rows)}]"
    return hashlib.sha256(previous + told.encode("ascii") + b"".join(rows)).digest()


@lru_cache(maxsize=64)
def _quoted(station: str) -> str:
    return _json(station)


def shorts(digests: Iterable[bytes]) -> bytes:
    """The beginnings of the digests, sorted, one behind the other."""
    return b"".join(digest[:SHORT_BYTES] for digest in sorted(digests))


def split(kept: bytes) -> list[bytes]:
    """`shorts` taken apart again; a rest that is too short is one of its own."""
    return [kept[at : at + SHORT_BYTES] for at in range(0, len(kept), SHORT_BYTES)]
