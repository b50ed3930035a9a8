"""Checkpoints on their way into the record and out of it."""

from collections.abc import Iterator

import sqlalchemy as sa

from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import schema
from station.store.batch import Batch, head
from station.store.reading import reading
from station.store.rows import Row, Stored

_table = schema.checkpoint


def sign(
    batch: Batch, station: str, key: PrivateKey, *, reason: str, now_us: int
) -> Checkpoint | None:
    """Within one transaction that does nothing else. A checkpoint is a row, so it adds a link
    itself, which alone is nothing to sign."""
    last = head(batch.connection, station)
    if last is None or last[0] <= _signed(batch.connection, station) + 1:
        return None
    seq, hash_ = last
    made = Checkpoint(station, seq, hash_.hex(), now_us, reason, public_key="").signed(key)
    batch.insert(_table, [_row(made)])
    return made


def unsigned_links(url: str, station: str) -> int:
    with reading(url) as connection:
        last = head(connection, station)
        signed = max(0, _signed(connection, station))
    return 0 if last is None else last[0] - signed


def checkpoints(connection: sa.Connection) -> Iterator[Checkpoint]:
    """Those in the record. What has values of other types is none; as a row it is found changed."""
    for row in connection.execute(sa.select(_table)).mappings():
        if not any(isinstance(value, bytes | float) or value is None for value in row.values()):
            yield _checkpoint(row)


def _signed(connection: sa.Connection, station: str) -> int:
    """Up to which link the station has signed; below 0 if it never has."""
    newest = sa.select(sa.func.max(_table.c.chain_seq)).where(_table.c.station == station)
    signed = connection.scalar(newest)
    return -1 if signed is None else int(signed)


def _row(made: Checkpoint) -> Row:
    return {
        "station": made.station,
        "chain_seq": made.seq,
        "chain_hash": made.hash,
        "utc_us": made.utc_us,
        "reason": made.reason,
        "public_key": made.public_key,
        "signature": made.signature,
    }


def _checkpoint(row: Stored) -> Checkpoint:
    seq, utc_us = row["chain_seq"], row["utc_us"]
    return Checkpoint(
        station=str(row["station"]),
        seq=seq if isinstance(seq, int) else 0,
        hash=str(row["chain_hash"]),
        utc_us=utc_us if isinstance(utc_us, int) else 0,
        reason=str(row["reason"]),
        public_key=str(row["public_key"]),
        signature=str(row["signature"]),
    )
