"""What one transaction of the writer does, on its open connection."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from station.errors import Interrupted
from station.model import (
    AttemptClosed,
    AttemptOpened,
    Failure,
    Identifier,
    IdKind,
    Mode,
    Outcome,
    VerifyKind,
)
from station.store import schema
from station.store.batch import Batch
from station.store.clash_rows import insert_clashes
from station.store.rows import (
    Row,
    closed_row,
    evidence_row,
    measurement_row,
    opened_row,
    reading_rows,
    unit_of,
)
from station.store.units import may_be, names_of, record_names, resolve, seen_before

_UNIT_OF = sa.select(schema.attempt_opened.c.unit_id).where(
    schema.attempt_opened.c.id == sa.bindparam("attempt_id")
)


def insert_attempt(batch: Batch, opened: AttemptOpened) -> None:
    names = (*opened.identifiers, *names_of(opened.unit))
    unit_id = resolve(batch, names, opened.station)
    _insert_contents(batch, opened)
    batch.insert(schema.attempt_opened, [opened_row(opened, unit_id)])
    if unit_id is not None:
        record_names(batch, unit_id, names, opened.attempt_id, seen_utc_us=opened.started_utc_us)


def _insert_new(batch: Batch, table: sa.Table, row: Row) -> bool:
    """Insert content that is named by its digest; False if it is there already."""
    same = sa.select(table.c.sha256).where(table.c.sha256 == row["sha256"])
    is_new = batch.connection.scalar(same) is None
    if is_new:
        batch.insert(table, [row])
    return is_new


def _insert_contents(batch: Batch, opened: AttemptOpened) -> None:
    """Recipe, plan and package with its files: each digest once."""
    recipe, package = opened.recipe, opened.package
    station: Row = {"station": opened.station}
    if recipe is not None:
        row = station | {"sha256": recipe.sha256, "name": recipe.name}
        row |= {"revision": recipe.revision, "text": recipe.text}
        _insert_new(batch, schema.recipe, row)
    if opened.plan_sha256 is not None:
        row = station | {"sha256": opened.plan_sha256, "json": opened.plan_json}
        _insert_new(batch, schema.plan, row)
    if package is not None:
        row = station | {"sha256": package.sha256, "name": package.name}
        if _insert_new(batch, schema.package, row):
            rows = [
                station
                | {
                    "package_sha256": package.sha256,
                    "path": file.path,
                    "sha256": file.sha256,
                    "length_bytes": file.length_bytes,
                }
                for file in package.files
            ]
            batch.insert(schema.package_file, rows)


def insert_verdict(batch: Batch, closed: AttemptClosed) -> None:
    station = batch.station_of(closed.attempt_id)
    names = names_of(closed.unit)
    unit_id = unit_of_attempt(batch.connection, closed.attempt_id)
    if unit_id is None:
        unit_id = resolve(batch, names, station)
    elif known := _seen_before(batch.connection, unit_id, closed.attempt_id, names):
        unit_id = known
    elif not may_be(batch.connection, unit_id, names):
        told_last = tuple(name for name in names if name.kind is not IdKind.CHIP)
        if not may_be(batch.connection, unit_id, told_last):
            # Another module answered at the end. The chip serial was read before that.
            names = told_last
        unit_id = resolve(batch, names, station)
    if unit_id is not None:
        record_names(batch, unit_id, names, closed.attempt_id, seen_utc_us=closed.ended_utc_us)
    batch.insert(schema.attempt_closed, [closed_row(closed, unit_id)])
    batch.insert(schema.reading, reading_rows(closed.attempt_id, closed.readings))
    rows = [evidence_row(closed.attempt_id, kept) for kept in closed.evidence]
    batch.insert(schema.evidence, rows)
    rows = [measurement_row(closed.attempt_id, one) for one in closed.measurements]
    batch.insert(schema.measurement, rows)
    insert_clashes(batch, closed, unit_id)


def insert_names(
    batch: Batch,
    attempt_id: str,
    names: Collection[Identifier],
    *,
    seen_utc_us: int,
) -> None:
    """They belong to the attempt's unit; an attempt without one finds or makes a unit by them. So
    does one whose unit has another chip serial: two modules have its IMEI; and one that was begun
    under a chip serial that nobody had."""
    station = batch.station_of(attempt_id)
    unit_id = unit_of_attempt(batch.connection, attempt_id)
    if unit_id is None:
        unit_id = resolve(batch, names, station)
    elif known := _seen_before(batch.connection, unit_id, attempt_id, names):
        names = (*names, *_names_before(batch.connection, attempt_id))
        unit_id = known
    elif not may_be(batch.connection, unit_id, names):
        names = (*names, *_names_before(batch.connection, attempt_id))
        unit_id = resolve(batch, names, station)
    if unit_id is not None:
        record_names(batch, unit_id, names, attempt_id, seen_utc_us=seen_utc_us)


def _seen_before(
    connection: sa.Connection, unit_id: str, attempt_id: str, names: Collection[Identifier]
) -> str | None:
    """Whom the attempt's unit turns out to be, if this attempt made it. One that has attempts of
    its own keeps them, and this one with them: it would be one module less there, too."""
    known = seen_before(connection, unit_id, names)
    table = schema.unit_identifier
    seen_in = sa.select(table.c.attempt_id).where(table.c.unit_id == unit_id).distinct()
    is_new = known is not None and connection.scalars(seen_in).all() == [attempt_id]
    return known if is_new else None


def _names_before(connection: sa.Connection, attempt_id: str) -> tuple[Identifier, ...]:
    """Under which the attempt was begun."""
    table = schema.attempt_opened
    row = connection.execute(sa.select(table).where(table.c.id == attempt_id)).mappings().one()
    return names_of(unit_of(row, None))


def unit_of_attempt(connection: sa.Connection, attempt_id: str) -> str | None:
    unit_id: str | None = connection.scalar(_UNIT_OF, {"attempt_id": attempt_id})
    return unit_id


def open_attempts(
    connection: sa.Connection, station: str | None, slots: Collection[str] | None
) -> Sequence[sa.RowMapping]:
    opened, closed = schema.attempt_opened, schema.attempt_closed
    query = sa.select(opened).where(~sa.exists().where(closed.c.attempt_id == opened.c.id))
    if station is not None:
        query = query.where(opened.c.station == station)
    if slots is not None:
        query = query.where(opened.c.slot.in_(slots))
    return connection.execute(query.order_by(opened.c.id)).mappings().all()


def interrupted_row(connection: sa.Connection, opened: sa.RowMapping, now_us: int) -> Row:
    """The closing row of an attempt nobody ended. It lasted as long as its steps are known to."""
    spent = schema.step.c.duration_us
    duration_us = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(spent), 0)).where(
            schema.step.c.attempt_id == opened["id"]
        )
    )
    cause = "the station stopped (power, kill or crash) before this attempt ended"
    closed = AttemptClosed(
        attempt_id=opened["id"],
        outcome=Outcome.INTERRUPTED,
        failure=Failure.of(Interrupted(cause)),
        ended_utc_us=now_us,
        duration_us=int(duration_us or 0),
        verify=VerifyKind.NONE,
        unit=unit_of(opened, None),
        firmware_after=None,
        final_mode=Mode.UNKNOWN,
    )
    return closed_row(closed, opened["unit_id"])
