"""Shifts, lots, and what came of golden units; see `station.store.queries` for what is raised."""

from typing import Any

import sqlalchemy as sa

from station.model import GOLDEN, Lot, Outcome, Role, Shift
from station.store import schema
from station.store.batch import Batch
from station.store.reading import reading
from station.store.rows import Stored

RELIEVED = "relieved"
"""Why a shift ended: another one began."""

_started = schema.shift_started
_ended = schema.shift_ended
_lot = schema.lot
_opened = schema.attempt_opened
_closed = schema.attempt_closed


# --- shifts -----------------------------------------------------------------------------------


def open_shift(url: str, station: str) -> Shift | None:
    """The station's shift that has not ended."""
    with reading(url) as connection:
        row = connection.execute(_open(station)).mappings().one_or_none()
        return None if row is None else _shift_of(row)


def _open(station: str) -> sa.Select[Any]:
    """Of the last one begun only: at most one is open. Last is what was sealed last, whatever the
    clock said."""
    last = sa.select(sa.func.max(_started.c.seq)).where(_started.c.station == station)
    return sa.select(_started).where(
        _started.c.station == station,
        _started.c.seq == last.scalar_subquery(),
        ~sa.exists().where(_ended.c.shift_id == _started.c.id),
    )


def insert_start(batch: Batch, shift: Shift) -> None:
    """A new shift ends the one before."""
    before = batch.connection.execute(_open(shift.station)).mappings().one_or_none()
    if before is not None:
        insert_end(batch, shift.station, before["id"], shift.utc_us, RELIEVED)
    row = {
        "id": shift.shift_id,
        "station": shift.station,
        "utc_us": shift.utc_us,
        "operator": shift.operator,
        "role": None if shift.role is None else shift.role.value,
        "peer_uid": shift.peer_uid,
        "peer_user": shift.peer_user,
    }
    batch.insert(_started, [row])


def insert_end(batch: Batch, station: str, shift_id: str, utc_us: int, reason: str) -> None:
    row = {"shift_id": shift_id, "station": station, "utc_us": utc_us, "reason": reason}
    batch.insert(_ended, [row])


def _shift_of(row: Stored) -> Shift:
    return Shift(
        shift_id=row["id"],
        station=row["station"],
        utc_us=row["utc_us"],
        operator=row["operator"],
        role=None if row["role"] is None else Role(row["role"]),
        peer_uid=row["peer_uid"],
        peer_user=row["peer_user"],
    )


# --- lots -------------------------------------------------------------------------------------


def insert_lot(batch: Batch, lot: Lot) -> None:
    """Unless the station has one of this name."""
    same = sa.select(_lot.c.id).where(_lot.c.station == lot.station, _lot.c.name == lot.name)
    if batch.connection.scalar(same.limit(1)) is not None:
        return
    row = {
        "id": lot.lot_id,
        "station": lot.station,
        "utc_us": lot.utc_us,
        "name": lot.name,
        "operator": lot.operator,
    }
    batch.insert(_lot, [row])


# --- golden units -----------------------------------------------------------------------------


def golden_outcomes(url: str, shift_id: str) -> list[tuple[Outcome, str | None]]:
    """What came of golden units in this shift, newest first: outcome and failure code."""
    query = (
        sa.select(_closed.c.outcome, _closed.c.failure_code)
        .join_from(_opened, _closed, _closed.c.attempt_id == _opened.c.id)
        .where(_opened.c.shift_id == shift_id, _opened.c.purpose == GOLDEN)
        .order_by(_opened.c.id.desc())
    )
    with reading(url) as connection:
        return [(row.outcome, row.failure_code) for row in connection.execute(query)]
