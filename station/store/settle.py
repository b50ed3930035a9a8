"""A result that waited, into the record: what is there already is not written again."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from station.errors import ResultSetAside
from station.model import AttemptOpened
from station.store import schema
from station.store.batch import Batch
from station.store.inserts import insert_attempt, insert_names, insert_verdict
from station.store.pending import Result
from station.store.rows import Row, closed_row, image_row, opened_row, step_row

_BEGUN_UNDER = {
    "boot_id": schema.station_boot,
    "shift_id": schema.shift_started,
    "campaign_id": schema.campaign,
}


def insert_missing(batch: Batch, result: Result) -> None:
    """Within one transaction. Raises ResultSetAside if the record has another truth."""
    connection = batch.connection
    opened, closed = _as_far_as_known(connection, result.record.opened), result.record.closed
    attempt_id = result.attempt_id
    if closed is None:
        raise ResultSetAside(f"attempt {attempt_id} has no verdict")
    if _is_missing(connection, schema.attempt_opened, opened_row(opened, None)):
        insert_attempt(batch, opened)
    steps = [step_row(attempt_id, step) for step in result.record.steps]
    images = [image_row(attempt_id, n, image) for n, image in enumerate(result.record.images, 1)]
    for table, rows in ((schema.step, steps), (schema.image_sent, images)):
        batch.insert(table, [r for r in rows if _is_missing(connection, table, r)])
    insert_names(batch, attempt_id, result.names, seen_utc_us=closed.ended_utc_us)
    if _is_missing(connection, schema.attempt_closed, closed_row(closed, None)):
        insert_verdict(batch, closed)


def _as_far_as_known(connection: sa.Connection, opened: AttemptOpened) -> AttemptOpened:
    """A result may outlive its database: an older copy knows nothing of the start it was begun
    under, and takes it all the same."""
    lost: dict[str, Any] = {
        name: None
        for name, table in _BEGUN_UNDER.items()
        if (key := getattr(opened, name)) is not None
        and connection.scalar(sa.select(table.c.id).where(table.c.id == key)) is None
    }
    return replace(opened, **lost)


def _is_missing(connection: sa.Connection, table: sa.Table, row: Row) -> bool:
    """False for the same row; the unit is the record's own finding and not compared."""
    key = [column == row[column.name] for column in table.primary_key]
    found = connection.execute(sa.select(table).where(*key)).mappings().one_or_none()
    if found is None:
        return True
    differing = [name for name, value in row.items() if not _same(name, found[name], value)]
    if differing:
        raise ResultSetAside(
            f"the record has attempt {row.get('attempt_id', row.get('id'))} already, and its "
            f"{table.name} differs in {', '.join(differing)}"
        )
    return False


def _same(name: str, found: Any, wanted: Any) -> bool:  # noqa: ANN401 - the value of any column
    if isinstance(wanted, str):
        wanted = schema.words(wanted)
    return name == "unit_id" or bool(found == wanted)
