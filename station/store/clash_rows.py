"""Clashes as they are written, with the verdict that they led to. Both units of a double clash are
in quarantine from then on."""

import json

from station.model import AttemptClosed, Clash
from station.store import schema
from station.store.batch import Batch
from station.store.ids import new_id
from station.store.rows import Row
from station.store.unit_events import QUARANTINED, UnitEvent, insert_unit_event, quarantine_of


def insert_clashes(batch: Batch, closed: AttemptClosed, unit_id: str | None) -> None:
    """`unit_id`: the unit that the attempt ended with."""
    batch.insert(schema.clash, [_row(batch, closed, clash, unit_id) for clash in closed.clashes])
    double = [clash for clash in closed.clashes if clash.kind.is_double]
    held = [unit_id, *(clash.other_unit_id for clash in double)] if double else []
    for unit in dict.fromkeys(held):
        if unit is not None and quarantine_of(batch.connection, unit) is None:
            insert_unit_event(batch, _quarantined(batch, closed, unit, is_other=unit != unit_id))


def _row(batch: Batch, closed: AttemptClosed, clash: Clash, unit_id: str | None) -> Row:
    return {
        "id": new_id(),
        "station": batch.station_of(closed.attempt_id),
        "utc_us": closed.ended_utc_us,
        "attempt_id": closed.attempt_id,
        "kind": clash.kind.value,
        "value": clash.value,
        "unit_id": unit_id,
        "other_unit_id": clash.other_unit_id,
        "detail": json.dumps(dict(clash.detail), sort_keys=True),
    }


def _quarantined(batch: Batch, closed: AttemptClosed, unit_id: str, *, is_other: bool) -> UnitEvent:
    failure = closed.failure
    reason = "names clash" if failure is None else f"{failure.headline}: {failure.cause}"
    return UnitEvent(
        event_id=new_id(),
        station=batch.station_of(closed.attempt_id),
        utc_us=closed.ended_utc_us,
        unit_id=unit_id,
        kind=QUARANTINED,
        reason=f"it is the other one in {reason}" if is_other else reason,
        attempt_id=closed.attempt_id,
    )
