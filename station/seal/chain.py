"""Rows as bytes that never change, and the chain over them. Format 1, frozen.

A row is the ASCII JSON `["table",{"column":value,…}]`: keys sorted, no spaces, integers and text
only, a boolean as 0 or 1. NULL is left out, so that a column which a later schema adds changes no
row that was sealed before, and filling it in does.

Each transaction of a station adds one link: the SHA-256 of the link before, of who and how manieth
it is, and of the SHA-256 of each of its rows. The digests are sorted: rows of one transaction have
no order.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted

FORMAT = 1

MOST_LINKS = 2**62
"""More than there can be; what a database takes for a number is not much larger."""

START = bytes(32)
"""What the first link of a station follows."""

SHORT_BYTES = 8
"""So much of a row's digest is kept beside the link: it tells which of the rows was changed."""

Value = str | int | None


def row_digest(table: str, row: Mapping[str, Value]) -> bytes:
    """SHA-256 of one row. Raises TypeError for a value that no row of the record holds."""
    columns = tuple(sorted(row))
    return form(table, columns).digest(map(row.__getitem__, columns))


@lru_cache(maxsize=256)
def form(table: str, columns: tuple[str, ...]) -> "Form":
    """Of rows that have these columns, which are sorted."""
    return Form(table, columns)


class Form:
    """Rows of one table as bytes. Millions are looked at, so each is put together of its pieces:
    a JSON encoder, made anew for each row, takes twice the time."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._begin = f"[{_quoted(table)},{{"
        self._names = [f"{_quoted(name)}:" for name in columns]

    def digest(self, values: Iterable[object]) -> bytes:
        """In the order of the columns. Raises as `row_digest`."""
        told = [
            name + (_quoted(value) if type(value) is str else _told(value))
            for name, value in zip(self._names, values, strict=True)
            if value is not None
        ]
        return hashlib.sha256(f"{self._begin}{','.join(told)}}}]".encode("ascii")).digest()


def _told(value: object) -> str:
    """A number, or the text of an enumeration."""
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        return _quoted(value)
    raise TypeError(f"a record holds integers and text, not {value!r}")


def link(previous: bytes, station: str, seq: int, digests: Iterable[bytes]) -> bytes:
    """The link of the rows with these digests, the `seq`th of this station, from 1 on."""
    rows = sorted(digests)
    told = f"[{FORMAT},{_quoted(station)},{seq},{len(rows)}]"
    return hashlib.sha256(previous + told.encode("ascii") + b"".join(rows)).digest()


def shorts(digests: Iterable[bytes]) -> bytes:
    """The beginnings of the digests, sorted, one behind the other."""
    return b"".join(digest[:SHORT_BYTES] for digest in sorted(digests))


def split(kept: bytes) -> list[bytes]:
    """`shorts` taken apart again; a rest that is too short is one of its own."""
    return [kept[at : at + SHORT_BYTES] for at in range(0, len(kept), SHORT_BYTES)]
