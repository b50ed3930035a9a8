"""The chains of a record as they are kept, for whoever holds its rows against them."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from station.seal import chain
from station.store import schema

_station = sa.type_coerce(schema.chain.c.station, sa.types.NullType())
_seq = sa.type_coerce(schema.chain.c.seq, sa.types.NullType())


class Link(NamedTuple):
    row_digests: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Of a chain. `links`: how many there are; `last`: the number of the last, the same if there is
    no gap; `hash`: of the last then, else b""."""

    links: int
    last: int
    hash: bytes


class Links:
    """The chains, read as they are asked for: in blocks, but the first few links of each singly.
    Checkpoints are few in a block; reading it whole for them would read the chain twice more."""

    BLOCK = 4096
    BLOCKS = 64
    SINGLY = 16

    def __init__(self, connection: sa.Connection, heads: Mapping[str, Head] | None = None) -> None:
        """`heads`: as somebody else found them; None: they are counted, which takes its time."""
        self._connection = connection
        self._blocks: OrderedDict[tuple[str, int], dict[int, Link]] = OrderedDict()
        self._singly: Counter[tuple[str, int]] = Counter()
        self._latest: tuple[tuple[str, int], dict[int, Link]] = (("", -1), {})
        self._is_shared = heads is not None
        self.heads: dict[str, Head] = dict(heads or {})
        """By station."""
        self.strange: list[str] = []
        """Links whose station is no text, or none that can be asked for."""
        if heads is None:
            self._count()

    def _count(self) -> None:
        counted = sa.select(_station, sa.func.count(), sa.func.max(_seq)).group_by(_station)
        for station, count, last in self._connection.execute(counted).all():
            if not isinstance(station, str) or schema.words(station) != station:
                self.strange.append(f"chain {station!r}")
                continue
            last = last if isinstance(last, int) else chain.MOST_LINKS  # as anybody may write it
            self.heads[station] = Head(count, last, b"")
            link = self.get(station, count)
            self.heads[station] = Head(count, last, link.hash if link else b"")

    def get(self, station: str, seq: int) -> Link | None:
        if not 1 <= seq <= chain.MOST_LINKS or station not in self.heads:
            return None
        place = station, seq // self.BLOCK
        if place == self._latest[0]:
            return self._latest[1].get(seq)
        block = self._blocks.get(place)
        if block is not None:
            self._blocks.move_to_end(place)
            self._latest = place, block
        elif self._singly[place] < self.SINGLY:
            self._singly[place] += 1
            block = self._read(station, seq, seq + 1)
        else:
            del self._singly[place]
            first = seq - seq % self.BLOCK
            block = self._blocks[place] = self._read(station, first, first + self.BLOCK)
            if len(self._blocks) > self.BLOCKS:
                self._blocks.popitem(last=False)
        return block.get(seq)

    def came_later(self, station: str, seq: int) -> bool:
        """Whether it is a link that whoever counted the heads did not see yet; it may be its
        station's first."""
        head = self.heads.get(station)
        if not self._is_shared or (head is not None and seq <= head.last):
            return False
        can_be = seq <= chain.MOST_LINKS and schema.words(station) == station
        return can_be and bool(self._read(station, seq, seq + 1))

    def before(self, station: str, seq: int) -> bytes | None:
        """The hash of the link before this one."""
        if seq == 1:
            return chain.START
        link = self.get(station, seq - 1)
        return None if link is None else link.hash

    def gaps(self) -> Iterator[tuple[str, int]]:
        """The first number that is missing of each chain that has a hole."""
        for station, head in self.heads.items():
            if head.last != head.links:
                mine = sa.select(_seq).where(_station == station)
                there = set(self._connection.scalars(mine).all())
                yield station, min(set(range(1, head.links + 2)) - there)

    def _read(self, station: str, first: int, end: int) -> dict[int, Link]:
        query = sa.select(_seq, schema.chain.c.row_digests, schema.chain.c.hash).where(
            _station == station, _seq >= first, _seq < end
        )
        with self._connection.execute(query) as result:  # without a row of SQLAlchemy's about each
            rows = result.cursor.fetchall()
        return {seq: Link(_bytes(digests), _bytes(hash_)) for seq, digests, hash_ in rows}


def _bytes(value: object) -> bytes:
    """SQLite keeps what it is given; what is no bytes is no hash of anything."""
    if isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, memoryview) else b""
