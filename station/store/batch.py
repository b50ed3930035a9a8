"""One transaction's rows, on their way into the record and into the chain of their station.

`station.seal.chain` says what a link is. A row carries the number of its link, so that whoever
checks the record finds link by row and row by link.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

import sqlalchemy as sa

from station.errors import RecordDamaged
from station.seal import chain
from station.store import schema
from station.store.rows import Row

# A question that is put together once costs half.
_STATION_OF = sa.select(schema.attempt_opened.c.station).where(
    schema.attempt_opened.c.id == sa.bindparam("attempt_id")
)
_LAST_LINK = (
    sa.select(schema.chain.c.seq, schema.chain.c.hash)
    .where(schema.chain.c.station == sa.bindparam("station"))
    .order_by(schema.chain.c.seq.desc())
    .limit(1)
)
_insert_into = cache(sa.insert)

_LAST = frozenset(
    (
        schema.attempt_closed,
        schema.step,
        schema.image_sent,
        schema.reading,
        schema.measurement,
        schema.evidence,
    )
)
"""No transaction asks for these rows of its own, and no row refers to them: those of all verdicts
of a tray are inserted at once, when it ends."""


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
        self._last: dict[sa.Table, list[Row]] = {}
        self._stations: dict[str, str] = {}

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Rows that are new, into their table. They name their station or their attempt."""
        sealed = [self._sealed(table, row) for row in rows]
        if table in _LAST:
            self._last.setdefault(table, []).extend(sealed)
        elif sealed:
            self.connection.execute(_insert_into(table), sealed)

    def seal(self) -> None:
        """Nothing may be inserted any more."""
        for table, rows in self._last.items():
            if rows:
                self.connection.execute(_insert_into(table), rows)
        for station, link in self._links.items():
            row = {
                "station": station,
                "seq": link.seq,
                "row_digests": chain.shorts(link.digests),
                "hash": chain.link(link.previous, station, link.seq, link.digests),
            }
            self.connection.execute(_insert_into(schema.chain), row)

    def station_of(self, attempt_id: str) -> str:
        """The station on which the attempt was begun. Without one the database refuses the row."""
        if attempt_id not in self._stations:
            found = self.connection.scalar(_STATION_OF, {"attempt_id": attempt_id})
            self._stations[attempt_id] = found or ""
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
    query = _LAST_LINK if at is None else _LAST_LINK.where(schema.chain.c.seq <= at)
    row = connection.execute(query, {"station": station}).one_or_none()
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
