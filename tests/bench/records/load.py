"""A record of the line's attempts in a new file: schema, triggers, foreign keys and chain as the
station has them; only fast.

Other processes make and digest the rows of some trays each; this one puts links on the chain and
writes. Many links go into one transaction, nothing waits for the disk, and what would refuse a
wrong row is out of the way meanwhile. The rows say by which link they were sealed, which a process
knows without those before: `attempts.links_of`.
"""

import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from station.seal import chain
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import schema
from station.store.database import sqlite_url
from station.store.revision import create_if_missing
from station.store.rows import Row, checkpoint_row
from tests.bench.records.around import Rows, around
from tests.bench.records.attempts import Attempt, links_of
from tests.bench.records.line import STATION, Line

BLOCK_TRAYS = 64
CHECKPOINT_TRAYS = 2
"""Some thousand links."""

_AHEAD = 4
"""Blocks that are made while one is written."""

_TABLES = {table.name: table for table in schema.metadata.sorted_tables}
"""What is referred to before what refers."""

Plain = dict[str, chain.Value]


@dataclass(slots=True)
class Block:
    """Some trays. `rows` by table, in the order of their columns and keys. `links`: the digests of
    the rows of each; an empty one is where a checkpoint belongs."""

    seq: int
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    links: list[list[bytes]] = field(default_factory=list)


# --- rows, in many processes ------------------------------------------------------------------


def block_of(line: Line, trays: range, seq: int) -> Block:
    """`seq`: of its first link."""
    made = Block(seq)
    for tray in trays:
        for rows in _links(line, tray):
            _seal(made, rows)
        if _is_signed_after(tray):
            made.links.append([])
    for rows_of_table in made.rows.values():
        rows_of_table.sort(key=lambda row: row[:2])
    return made


def _links(line: Line, tray: int) -> Iterator[Rows]:
    """As the slots come to them side by side."""
    yield from around(line, tray)
    slots = (Attempt(line, number).links() for number in line.numbers(tray))
    for side_by_side in zip_longest(*slots):
        yield from (rows for rows in side_by_side if rows is not None)


def links_in(line: Line, trays: range) -> int:
    """How many `block_of` makes."""
    return sum(
        sum(1 for _ in around(line, tray))
        + sum(links_of(line, number) for number in line.numbers(tray))
        + _is_signed_after(tray)
        for tray in trays
    )


def _is_signed_after(tray: int) -> bool:
    return tray % CHECKPOINT_TRAYS == CHECKPOINT_TRAYS - 1


def _seal(made: Block, rows: Rows) -> None:
    seq = made.seq + len(made.links)
    digests: list[bytes] = []
    for table, row in rows:
        plain = _plain(row, seq)
        digests.append(chain.row_digest(table.name, plain))
        made.rows[table.name].append(_in_order(table.name, plain))
    made.links.append(digests)


def _plain(row: Row, seq: int) -> Plain:
    """As it is stored: `station.store.batch.as_stored`, for rows that are ASCII."""
    plain = {name: v.value if isinstance(v, Enum) else v for name, v in row.items()}
    plain["seq"] = seq
    return plain


def _in_order(table: str, plain: Plain) -> tuple[Any, ...]:
    return tuple(map(plain.get, _COLUMNS[table]))


_COLUMNS = {name: [column.name for column in table.c] for name, table in _TABLES.items()}


def _blocks(line: Line, processes: int) -> Iterator[Block]:
    """In order; a few of them are ahead."""
    with ProcessPoolExecutor(processes) as pool:
        coming: deque[Future[Block]] = deque()
        seq = 1
        for first in range(0, line.trays, BLOCK_TRAYS):
            trays = range(first, min(first + BLOCK_TRAYS, line.trays))
            coming.append(pool.submit(block_of, line, trays, seq))
            seq += links_in(line, trays)
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


# --- the file, in one -------------------------------------------------------------------------


def load(path: Path, line: Line, processes: int) -> int:
    """Make the record; how many rows it has, links not counted."""
    create_if_missing(sqlite_url(path))
    writer = _Writer(PrivateKey(Ed25519PrivateKey.generate()))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            "locking_mode=EXCLUSIVE",
            "cache_size=-1000000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        with _without_triggers(connection):
            for block in _blocks(line, processes):
                writer.write(connection, block, line)
        connection.execute("PRAGMA journal_mode=WAL")
    return writer.rows


@contextmanager
def _without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """They ask before each row whether it is there already; all come back, in their order."""
    told = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
    triggers = connection.execute(told).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        connection.execute(sql)


class _Writer:
    def __init__(self, key: PrivateKey) -> None:
        self.rows = 0
        self._key = key
        self._previous = chain.START

    def write(self, connection: sqlite3.Connection, block: Block, line: Line) -> None:
        linked = list(self._linked(block, line))
        connection.execute("BEGIN")
        for name in _TABLES:
            if rows := block.rows.get(name):
                connection.executemany(_insert(name), rows)
                self.rows += len(rows)
        connection.executemany(_insert("chain"), linked)
        connection.execute("COMMIT")

    def _linked(self, block: Block, line: Line) -> Iterator[tuple[Any, ...]]:
        for seq, digests in enumerate(block.links, start=block.seq):
            sealed = digests or [self._sign(block, seq, line)]
            self._previous = chain.link(self._previous, STATION, seq, sealed)
            yield STATION, seq, chain.shorts(sealed), self._previous

    def _sign(self, block: Block, seq: int, line: Line) -> bytes:
        """A checkpoint of the link before, as the row of this one; its digest."""
        signed = Checkpoint(STATION, seq - 1, self._previous.hex(), 0, "rows", "")
        row = _plain(checkpoint_row(signed.signed(self._key)), seq)
        block.rows["checkpoint"].append(_in_order("checkpoint", row))
        return chain.row_digest("checkpoint", row)


def _insert(table: str) -> str:
    columns = _COLUMNS[table]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
