"""One transaction's rows, on their way into the record and into the chain of their station.

`station.seal.chain` says what a link is. A row carries the number of its link, so that whoever
checks the record finds link by row and row by link.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import sqlalchemy as sa

from station.errors import RecordDamaged
from station.seal import chain
from station.store import schema
from station.store.rows import Row

_opened = schema.attempt_opened


@dataclass(slots=True)
class _Link:
    seq: int
    previous: bytes
    digests: list[bytes] = field(default_factory=list)


@contextmanager
def batch_of(engine: sa.Engine) -> Iterator["Batch"]:
    """A transaction, sealed just before it is committed."""
    with engine.begin() as connection:
        batch = Batch(connection)
        yield batch
        batch.seal()


class Batch:
    """Made by `batch_of`. What is only asked goes by `connection`."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._links: dict[str, _Link] = {}
        self._stations: dict[str, str] = {}

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Rows that are new, into their table. They name their station or their attempt."""
        sealed = [self._sealed(table, row) for row in rows]
        if sealed:
            self.connection.execute(sa.insert(table), sealed)

    def seal(self) -> None:
        """Nothing may be inserted any more."""
        for station, link in self._links.items():
            row = {
                "station": station,
                "seq": link.seq,
                "row_digests": chain.shorts(link.digests),
                "hash": chain.link(link.previous, station, link.seq, link.digests),
            }
            self.connection.execute(sa.insert(schema.chain), row)

    def station_of(self, attempt_id: str) -> str:
        """The station on which the attempt was begun. Without one the database refuses the row."""
        if attempt_id not in self._stations:
            query = sa.select(_opened.c.station).where(_opened.c.id == attempt_id)
            self._stations[attempt_id] = self.connection.scalar(query) or ""
        return self._stations[attempt_id]

    def _sealed(self, table: sa.Table, row: Row) -> Row:
        station = row["station"] if "station" in table.c else self.station_of(row["attempt_id"])
        link = self._link(schema.words(station))
        sealed = {**row, "seq": link.seq}
        link.digests.append(chain.row_digest(table.name, as_stored(table, sealed)))
        return sealed

    def _link(self, station: str) -> _Link:
        if station not in self._links:
            seq, previous = head(self.connection, station) or (0, chain.START)
            self._links[station] = _Link(seq + 1, previous)
        return self._links[station]


def head(
    connection: sa.Connection, station: str, at: int | None = None
) -> tuple[int, bytes] | None:
    """Number and hash of the station's last link, with `at` of what was the last when that was
    written; None before the first. Raises RecordDamaged."""
    table = schema.chain
    row = connection.execute(
        sa.select(table.c.seq, table.c.hash)
        .where(table.c.station == station, sa.true() if at is None else table.c.seq <= at)
        .order_by(table.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    if not isinstance(row.seq, int) or not isinstance(row.hash, bytes | memoryview):
        raise RecordDamaged(f"the last link of {station}'s chain was changed")
    return row.seq, bytes(row.hash)


def heads(connection: sa.Connection) -> Iterator[tuple[str, int, bytes]]:
    """Each station with number and hash of its last link, by name; jumps from one to the next,
    however long their chains are. Raises RecordDamaged."""
    name = schema.chain.c.station
    station = connection.scalar(sa.select(sa.func.min(name)))
    while station is not None:
        found = head(connection, station)
        if found is not None:
            yield station, *found
        station = connection.scalar(sa.select(sa.func.min(name)).where(name > station))


def as_stored(table: sa.Table, row: Row) -> dict[str, chain.Value]:
    """The row as it will be read back."""
    return {name: _stored(table.c[name], value) for name, value in row.items()}


def _stored(column: sa.Column[Any], value: Any) -> chain.Value:  # noqa: ANN401 - the value of any column
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(column.type, schema.Words) and value is not None:
        return schema.words(value)
    return value  # type: ignore[no-any-return]  # the chain refuses what is no integer or text
