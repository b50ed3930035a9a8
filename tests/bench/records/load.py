"""A record of the line's attempts in a new file: schema, triggers, foreign keys and chain as the
station has them; only fast.

Other processes make and digest the rows of some trays each; this one puts links on the chain and
writes. Many links go into one transaction, nothing waits for the disk, and what would refuse a
wrong row is out of the way meanwhile. The rows say by which link they were sealed, which a process
knows without those before: `attempts.links_of`.

A large one takes hours: it can be left after any block and gone on with another day. Where this
program was ended by force the file is torn: delete it.
"""

import hashlib
import math
import sqlite3
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
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

_SECRET = hashlib.sha256(b"of a record that nobody trusts").digest()
"""One key for a record that is made on several days."""

Plain = dict[str, chain.Value]


@dataclass(slots=True)
class Block:
    """Some trays. `rows` by table, in the order of their columns and keys. `links`: the digests of
    the rows of each; an empty one is where a checkpoint belongs."""

    seq: int
    rows: dict[str, list[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(list))
    links: list[list[bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`rows`: of this time, links not counted."""

    rows: int
    is_whole: bool


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


def _blocks(line: Line, processes: int, done: int, seq: int) -> Iterator[Block]:
    """In order, after the trays that are done; a few of them are ahead. `seq`: of the first."""
    with ProcessPoolExecutor(processes) as pool:
        coming: deque[Future[Block]] = deque()
        for first in range(done, line.trays, BLOCK_TRAYS):
            trays = range(first, min(first + BLOCK_TRAYS, line.trays))
            coming.append(pool.submit(block_of, line, trays, seq))
            seq += links_in(line, trays)
            if len(coming) > _AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


# --- the file, in one -------------------------------------------------------------------------


def load(path: Path, line: Line, processes: int, within_s: float = math.inf) -> Loaded:
    """Make the record, or what time is left for of it."""
    until_s = time.monotonic() + within_s
    create_if_missing(sqlite_url(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            "locking_mode=EXCLUSIVE",
            "cache_size=-1000000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        told = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in connection.execute(told).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        writer = _Writer(connection)
        for block in _blocks(line, processes, writer.trays, writer.seq + 1):
            writer.write(block, line)
            if time.monotonic() > until_s:
                break
        is_whole = writer.trays >= line.trays
        if is_whole:
            _finish(connection)
    return Loaded(writer.rows, is_whole)


def _finish(connection: sqlite3.Connection) -> None:
    """The triggers ask before each row whether it is there already, so they come last."""
    for sql in _triggers():
        connection.execute(sql)
    connection.execute("PRAGMA user_version=0")
    connection.execute("PRAGMA journal_mode=WAL")


def _triggers() -> list[str]:
    """As a new record has them, in their order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.sqlite"
        create_if_missing(sqlite_url(path))
        with closing(sqlite3.connect(path)) as connection:
            told = "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
            return [sql for (sql,) in connection.execute(told)]


class _Writer:
    """Where it is stands in the file: how many trays as its user version, the rest on the chain."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.rows = 0
        self._connection = connection
        self._key = PrivateKey(Ed25519PrivateKey.from_private_bytes(_SECRET))
        (self.trays,) = connection.execute("PRAGMA user_version").fetchone()
        last = connection.execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1")
        self.seq: int
        self._previous: bytes
        self.seq, self._previous = last.fetchone() or (0, chain.START)

    def write(self, block: Block, line: Line) -> None:
        linked = list(self._linked(block, line))
        self._connection.execute("BEGIN")
        for name in _TABLES:
            if rows := block.rows.get(name):
                self._connection.executemany(_insert(name), rows)
                self.rows += len(rows)
        self._connection.executemany(_insert("chain"), linked)
        self.trays += BLOCK_TRAYS
        self._connection.execute(f"PRAGMA user_version={self.trays}")
        self._connection.execute("COMMIT")

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
