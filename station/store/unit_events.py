"""What was decided about units: put in quarantine, released from it. The last word counts.

By the engine, with the clash that it saw; by a line engineer, with a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from station.errors import NotNow, UsageError
from station.model import IdKind
from station.store import schema
from station.store.batch import Batch
from station.store.ids import new_id
from station.store.reading import reading

QUARANTINED, RELEASED = "quarantined", "released"

_event = schema.unit_event
_name = schema.unit_identifier
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class UnitEvent:
    """`kind`: quarantined or released. Without an actor the engine did it, in `attempt_id`."""

    event_id: str
    station: str
    utc_us: int
    unit_id: str
    kind: str
    reason: str
    attempt_id: str | None = None
    actor: str | None = None
    role: str | None = None
    peer_uid: int | None = None
    peer_user: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person says of the unit that goes by `name`: an IMEI, a serial, a chip serial, or a
    unit's id."""

    name: str
    kind: str
    station: str
    utc_us: int
    actor: str
    reason: str
    role: str | None = None
    peer_uid: int | None = None
    peer_user: str | None = None


def insert_unit_event(batch: Batch, event: UnitEvent) -> None:
    row = {name: getattr(event, name) for name in UnitEvent.__dataclass_fields__}
    row["id"] = row.pop("event_id")
    batch.insert(_event, [row])


def judge(batch: Batch, said: Judgement) -> UnitEvent:
    """Put it on record. Raises UsageError where the name is not one unit's, NotNow where it says
    nothing new."""
    unit_id = _the_unit(batch.connection, said.name)
    last = last_event(batch.connection, unit_id)
    is_held = last is not None and last.kind == QUARANTINED
    if is_held and said.kind == QUARANTINED and last is not None:
        raise NotNow(f"the unit {said.name} is in quarantine already: {last.reason}")
    if not is_held and said.kind == RELEASED:
        raise NotNow(f"the unit {said.name} is not in quarantine")
    event = UnitEvent(
        event_id=new_id(),
        station=said.station,
        utc_us=said.utc_us,
        unit_id=unit_id,
        kind=said.kind,
        reason=said.reason,
        actor=said.actor,
        role=said.role,
        peer_uid=said.peer_uid,
        peer_user=said.peer_user,
    )
    insert_unit_event(batch, event)
    return event


def last_event(connection: sa.Connection, unit_id: str) -> UnitEvent | None:
    query = sa.select(_event).where(_event.c.unit_id == unit_id).order_by(_event.c.id.desc())
    row = connection.execute(query.limit(1)).mappings().one_or_none()
    return None if row is None else _event_of(row)


def quarantine_of(connection: sa.Connection, unit_id: str) -> UnitEvent | None:
    """Why the unit is not touched; None: it may be."""
    last = last_event(connection, unit_id)
    return last if last is not None and last.kind == QUARANTINED else None


def find_unit_events(
    url: str,
    *,
    name: str | None = None,
    since_utc_us: int | None = None,
    until_utc_us: int | None = None,
    station: str | None = None,
) -> list[UnitEvent]:
    """What was decided that meets every condition, newest last. `name`: of a unit."""
    query = sa.select(_event).order_by(_event.c.id)
    if since_utc_us is not None:
        query = query.where(_event.c.utc_us >= since_utc_us)
    if until_utc_us is not None:
        query = query.where(_event.c.utc_us < until_utc_us)
    if station is not None:
        query = query.where(_event.c.station == station)
    with reading(url) as connection:
        if name is not None:
            query = query.where(_event.c.unit_id.in_(units_called(connection, name)))
        return [_event_of(row) for row in connection.execute(query).mappings()]


def find_quarantined(url: str) -> list[UnitEvent]:
    """The units in quarantine now, by the event that put them there, oldest first."""
    newest = sa.select(sa.func.max(_event.c.id)).group_by(_event.c.unit_id)
    held = sa.select(_event).where(_event.c.id.in_(newest), _event.c.kind == QUARANTINED)
    with reading(url) as connection:
        rows = connection.execute(held.order_by(_event.c.id)).mappings()
        return [_event_of(row) for row in rows]


def names_of_unit(url: str, unit_id: str) -> tuple[tuple[IdKind, str], ...]:
    """Every name it was ever seen under but its labels, in the order in which they were seen."""
    with reading(url) as connection:
        return tuple(names(connection, unit_id))


# --- who is meant -----------------------------------------------------------------------------


def units_called(connection: sa.Connection, name: str) -> list[str]:
    """The units with this id, or ever seen under this name; labels name no unit."""
    same = [
        sa.and_(_name.c.kind == kind, _name.c.value == value)
        for kind, value in (
            (IdKind.IMEI, name),
            (IdKind.SERIAL, name),
            (IdKind.CHIP, name.lower()),
        )
    ]
    found = sa.union(
        sa.select(_name.c.unit_id).where(sa.or_(*same)),
        sa.select(schema.unit.c.id).where(schema.unit.c.id == name.lower()),
    )
    return sorted(connection.scalars(found))


def _the_unit(connection: sa.Connection, name: str) -> str:
    found = units_called(connection, name)
    if not found:
        raise UsageError(f"no unit was ever seen under the name {name[:64]!r}")
    if len(found) > 1:
        told = "; ".join(f"{i} ({_told(names(connection, i))})" for i in found[:_SHOWN])
        raise UsageError(f"{len(found)} units go by {name}; say which by another name: {told}")
    return found[0]


def names(connection: sa.Connection, unit_id: str) -> list[tuple[IdKind, str]]:
    """All that it was ever seen under but labels, each once, in that order."""
    query = sa.select(_name.c.kind, _name.c.value).where(
        _name.c.unit_id == unit_id, _name.c.kind != IdKind.LABEL
    )
    rows = connection.execute(query.order_by(_name.c.id))
    return list(dict.fromkeys((kind, value) for kind, value in rows))


def _told(called: Sequence[tuple[IdKind, str]]) -> str:
    return ", ".join(f"{kind.value} {value}" for kind, value in called[:_SHOWN]) or "no name"


def _event_of(row: Mapping[Any, Any]) -> UnitEvent:
    known = {name: row[name] for name in UnitEvent.__dataclass_fields__ if name in row}
    return UnitEvent(event_id=row["id"], **known)
