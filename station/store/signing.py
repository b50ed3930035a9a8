"""Checkpoints on their way into the record and out of it."""

from collections.abc import Iterator

import sqlalchemy as sa

from station.errors import RecordChanged
from station.model import RESTORED
from station.seal.chain import MOST_LINKS
from station.seal.checkpoint import Checkpoint
from station.seal.keys import PrivateKey
from station.store import schema
from station.store.batch import Batch, head
from station.store.reading import reading
from station.store.rows import checkpoint_of, checkpoint_row

_table = schema.checkpoint


def sign(
    batch: Batch,
    station: str,
    key: PrivateKey,
    *,
    reason: str,
    now_us: int,
    known: Checkpoint | None = None,
) -> Checkpoint | None:
    """Within one transaction that does nothing else. A checkpoint is a row, so it adds a link
    itself, which alone is nothing to sign. `known`: the last one that is kept elsewhere.

    Raises RecordChanged where the record does not lead on from what was signed before: no second
    history gets a signature, unless this key has signed since that the record was restored.
    """
    last = head(batch.connection, station)
    newest = newest_checkpoint(batch.connection, station)
    if newest is not None:
        _check_leads_on(batch.connection, newest)
    if known is not None and not _is_lost(batch.connection, known, key.public):
        _check_leads_on(batch.connection, known)
    signed = -1 if newest is None else newest.seq
    if last is None or last[0] <= signed + 1:
        return None
    seq, hash_ = last
    made = Checkpoint(station, seq, hash_.hex(), now_us, reason, public_key="").signed(key)
    batch.insert(_table, [checkpoint_row(made)])
    return made


def _is_lost(connection: sa.Connection, earlier: Checkpoint, public_key: str) -> bool:
    restored = restored_since(connection, earlier)
    return restored is not None and restored.public_key == public_key


def restored_since(connection: sa.Connection, earlier: Checkpoint) -> Checkpoint | None:
    """What was signed when the station's record was replaced by a backup after this checkpoint,
    the first time; None: it never was."""
    query = (
        sa.select(_table)
        .where(_table.c.station == earlier.station, _table.c.reason == RESTORED)
        .order_by(_table.c.chain_seq)
    )
    for made in map(checkpoint_of, connection.execute(query).mappings()):
        numbers: tuple[object, ...] = (made.seq, made.utc_us)
        if not all(isinstance(number, int) for number in numbers):
            continue  # SQLite keeps what it is given
        is_after = made.utc_us > earlier.utc_us and made.seq <= earlier.seq
        if is_after and made.is_genuine():
            return made
    return None


def _check_leads_on(connection: sa.Connection, earlier: Checkpoint) -> None:
    table = schema.chain
    hash_ = connection.scalar(
        sa.select(table.c.hash).where(
            table.c.station == earlier.station, table.c.seq == max(0, min(earlier.seq, MOST_LINKS))
        )
    )
    if not isinstance(hash_, bytes | memoryview) or bytes(hash_).hex() != earlier.hash:
        raise RecordChanged(
            f"the record of {earlier.station} is not the one that was signed up to link "
            f"{earlier.seq}; `station audit verify` tells more"
        )


def unsigned_links(url: str, station: str) -> int:
    """How many were added to the station's chain since it was signed last."""
    with reading(url) as connection:
        last, newest = head(connection, station), newest_checkpoint(connection, station)
    return 0 if last is None else last[0] - (0 if newest is None else newest.seq)


def was_signed(url: str, station: str) -> bool:
    """Whether the record has a checkpoint of this station."""
    with reading(url) as connection:
        return newest_checkpoint(connection, station) is not None


def checkpoints(connection: sa.Connection) -> Iterator[Checkpoint]:
    """Those in the record."""
    yield from map(checkpoint_of, connection.execute(sa.select(_table)).mappings())


def newest_checkpoint(connection: sa.Connection, station: str) -> Checkpoint | None:
    """The one that reaches furthest."""
    mine = sa.select(_table).where(_table.c.station == station)
    row = connection.execute(mine.order_by(_table.c.chain_seq.desc()).limit(1)).mappings().first()
    return None if row is None else checkpoint_of(row)
